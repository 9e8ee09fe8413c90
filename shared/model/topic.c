#include "shared/model/topic.h"

#include "shared/base/utf8.h"

#include <stdint.h>
#include <string.h>

bool device_id_is_storable(const char *id, size_t bytes)
{
    const unsigned char *text = (const unsigned char *)id;
    size_t characters = 0;

    for (size_t at = 0; at < bytes; characters++) {
        size_t length = utf8_printed_length(text + at, bytes - at);

        if (length == 0 || text[at] == '/' || text[at] == '+' || text[at] == '#')
            return false;
        at += length;
    }
    return characters >= 1 && characters <= DEVICE_ID_MAX_CHARACTERS;
}

bool device_id_is_legal(const char *id, size_t bytes)
{
    bool is_dots = bytes <= 2 && memcmp(id, "..", bytes) == 0;

    return !is_dots && device_id_is_storable(id, bytes) && utf8_is_visible(id, bytes);
}

size_t topic_share_bytes(const char *filter)
{
    const char *slash;

    if (strncmp(filter, "$share/", 7) != 0)
        return 0;
    slash = strchr(filter + 7, '/');
    return slash && slash > filter + 7 ? (size_t)(slash + 1 - filter) : 0;
}

/* MQTT 5.0, 4.7.2: what begins with $ fits no wildcard at the start. */
bool topic_filter_covers(const char *wide, const char *narrow)
{
    if (*narrow == '$' && *wide != '$')
        return false;
    for (;;) {
        size_t wide_bytes = strcspn(wide, "/");
        size_t narrow_bytes = strcspn(narrow, "/");
        bool is_any = wide_bytes == 1 && *wide == '+';

        if (strcmp(wide, "#") == 0)
            return true;
        if (is_any ? strcmp(narrow, "#") == 0
                   : wide_bytes != narrow_bytes || memcmp(wide, narrow, wide_bytes) != 0)
            return false;
        wide += wide_bytes;
        narrow += narrow_bytes;
        if (!*narrow)
            return !*wide || strcmp(wide, "/#") == 0;
        if (!*wide)
            return false;
        wide++;
        narrow++;
    }
}

bool topic_filter_is_legal(const char *filter)
{
    const char *level = filter + topic_share_bytes(filter);
    bool is_legal = *level != '\0' && utf8_is_visible(filter, strlen(filter));

    while (is_legal && *level) {
        size_t bytes = strcspn(level, "/");

        is_legal = strcspn(level, "+#") >= bytes || (bytes == 1 && (*level == '+' || !level[1]));
        level += bytes + (level[bytes] == '/');
    }
    return is_legal;
}

bool topic_filter_parse(struct topic_filter *out, const char *text)
{
    const char *matched = text + topic_share_bytes(text);
    const char *plus = strchr(text, '+');

    if (!utf8_is_visible(text, strlen(text)))
        return false;
    if (strncmp(text, "$share/", 7) == 0 && matched == text)
        return false;
    if (!plus || plus < matched || strchr(plus + 1, '+') || strchr(text, '#'))
        return false;
    if ((plus > matched && plus[-1] != '/') || (plus[1] && plus[1] != '/'))
        return false;
    out->text = text;
    out->prefix = matched;
    out->prefix_bytes = (size_t)(plus - matched);
    out->suffix = plus + 1;
    out->suffix_bytes = strlen(plus + 1);
    return true;
}

bool topic_find_id(const struct topic_filter *filter, const char *topic, const char **start,
                   size_t *bytes)
{
    size_t topic_bytes = strlen(topic);

    if (topic_bytes < filter->prefix_bytes + filter->suffix_bytes ||
        memcmp(topic, filter->prefix, filter->prefix_bytes) != 0 ||
        memcmp(topic + topic_bytes - filter->suffix_bytes, filter->suffix, filter->suffix_bytes) !=
            0)
        return false;
    *start = topic + filter->prefix_bytes;
    *bytes = topic_bytes - filter->prefix_bytes - filter->suffix_bytes;
    return true;
}

bool topic_device_id(char *id, const struct topic_filter *filter, const char *topic)
{
    const char *start;
    size_t bytes;

    if (!topic_find_id(filter, topic, &start, &bytes) || !device_id_is_legal(start, bytes))
        return false;
    memcpy(id, start, bytes);
    id[bytes] = '\0';
    return true;
}
