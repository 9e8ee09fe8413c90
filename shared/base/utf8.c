#include "shared/base/utf8.h"

#include "shared/base/invisible.h"

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

uint32_t utf8_code_point(const unsigned char *text, size_t length)
{
    uint32_t code = length == 1 ? text[0] : text[0] & (0x7fU >> length);

    for (size_t i = 1; i < length; i++)
        code = code << 6 | (text[i] & 0x3f);
    return code;
}

size_t utf8_printed_length(const unsigned char *text, size_t bytes)
{
    size_t length = utf8_length(text, bytes);
    bool is_control = text[0] < 0x20 || text[0] == 0x7f ||
                      (length == 2 && text[0] == 0xc2 && text[1] < 0xa0); /* C1 */

    return is_control ? 0 : length;
}

bool utf8_is_visible(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + bytes;

    while (at < end) {
        size_t length = utf8_printed_length(at, (size_t)(end - at));

        if (length == 0 || (length > 1 && invisible_is(utf8_code_point(at, length))))
            return false;
        at += length;
    }
    return true;
}

size_t utf8_encode(char *out, uint32_t code_point)
{
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

    if (length == 1) {
        out[0] = (char)code_point;
        return 1;
    }
    for (size_t i = length; i-- > 1; code_point >>= 6)
        out[i] = (char)(0x80 | (code_point & 0x3f));
    out[0] = (char)((0xf00 >> length & 0xff) | code_point);
    return length;
}
