#include "shared/base/hex.h"

void hex_write(struct buffer *out, const void *data, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;
    unsigned char *to = buffer_reserve(out, 2 * bytes);

    for (size_t i = 0; i < bytes; i++) {
        *to++ = (unsigned char)digits[from[i] >> 4];
        *to++ = (unsigned char)digits[from[i] & 15];
    }
    out->bytes += 2 * bytes;
}
