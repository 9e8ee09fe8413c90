#include "shared/model/topic.h"

#include "shared/base/invisible.h"

#include <stdint.h>
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

/* Of a character that is valid. */
static uint32_t code_point(const unsigned char *text, size_t length)
{
    uint32_t code = length == 1 ? text[0] : text[0] & (0x7fU >> length);

    for (size_t i = 1; i < length; i++)
        code = code << 6 | (text[i] & 0x3f);
    return code;
}

/* The length of a character that is no control character; 0 for all else. */
static size_t printed_length(const unsigned char *text, size_t bytes)
{
    size_t length = utf8_length(text, bytes);
    bool is_control = text[0] < 0x20 || text[0] == 0x7f ||
                      (length == 2 && text[0] == 0xc2 && text[1] < 0xa0); /* C1 */

    return is_control ? 0 : length;
}

bool text_is_visible(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + bytes;

    while (at < end) {
        size_t length = printed_length(at, (size_t)(end - at));

        if (length == 0 || (length > 1 && invisible_is(code_point(at, length))))
            return false;
        at += length;
    }
    return true;
}

bool device_id_is_storable(const char *id, size_t bytes)
{
    const unsigned char *text = (const unsigned char *)id;
    size_t characters = 0;

    for (size_t at = 0; at < bytes; characters++) {
        size_t length = printed_length(text + at, bytes - at);

        if (length == 0 || text[at] == '/' || text[at] == '+' || text[at] == '#')
            return false;
        at += length;
    }
    return characters >= 1 && characters <= DEVICE_ID_MAX_CHARACTERS;
}

bool device_id_is_legal(const char *id, size_t bytes)
{
    bool is_dots = bytes <= 2 && memcmp(id, "..", bytes) == 0;

    return !is_dots && device_id_is_storable(id, bytes) && text_is_visible(id, bytes);
}

bool topic_filter_parse(struct topic_filter *out, const char *text)
{
    const char *matched = text;
    const char *plus = strchr(text, '+');

    if (!text_is_visible(text, strlen(text)))
        return false;
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
