#include "shared/topic.h"

#include <string.h>

size_t utf8_length(const unsigned char *text, size_t bytes)
{
    unsigned char c = text[0];
    size_t length = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4 || length > bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

bool device_id_is_legal(const char *id, size_t bytes)
{
    const unsigned char *text = (const unsigned char *)id;
    size_t characters = 0;

    for (size_t at = 0; at < bytes; characters++) {
        size_t length = utf8_length(text + at, bytes - at);
        unsigned char c = text[at];

        if (length == 0 || c < 0x20 || c == 0x7f || c == '/' || c == '+' || c == '#')
            return false;
        if (c == 0xc2 && text[at + 1] < 0xa0) /* C1 control characters */
            return false;
        at += length;
    }
    return characters >= 1 && characters <= DEVICE_ID_MAX_CHARACTERS;
}

bool topic_filter_parse(struct topic_filter *out, const char *text)
{
    const char *matched = text;
    const char *plus = strchr(text, '+');

    if (strncmp(text, "$share/", 7) == 0) {
        const char *group_end = strchr(text + 7, '/');

        if (!group_end || group_end == text + 7 || (plus && plus < group_end))
            return false;
        matched = group_end + 1;
    }
    if (!plus || strchr(plus + 1, '+') || strchr(text, '#'))
        return false;
    if ((plus > matched && plus[-1] != '/') || (plus[1] && plus[1] != '/'))
        return false;
    out->text = text;
    out->prefix = matched;
    out->prefix_bytes = (size_t)(plus - matched);
    out->suffix = plus + 1;
    return true;
}

bool topic_device_id(char *id, const struct topic_filter *filter, const char *topic)
{
    size_t bytes = strlen(topic);
    size_t suffix_bytes = strlen(filter->suffix);
    const char *start = topic + filter->prefix_bytes;
    size_t id_bytes;

    if (bytes < filter->prefix_bytes + suffix_bytes ||
        strncmp(topic, filter->prefix, filter->prefix_bytes) != 0 ||
        strcmp(topic + bytes - suffix_bytes, filter->suffix) != 0)
        return false;
    id_bytes = bytes - filter->prefix_bytes - suffix_bytes;
    if (!device_id_is_legal(start, id_bytes))
        return false;
    memcpy(id, start, id_bytes);
    id[id_bytes] = '\0';
    return true;
}
