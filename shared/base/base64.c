#include "shared/base/base64.h"

#include <stdint.h>

void base64_write(struct buffer *out, const void *data, size_t bytes)
{
    const unsigned char *in = data;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        uint32_t group = (uint32_t)in[at] << 16 | (left > 1 ? (uint32_t)in[at + 1] << 8 : 0) |
                         (left > 2 ? in[at + 2] : 0);
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};

        buffer_put(out, text, sizeof(text));
    }
}
