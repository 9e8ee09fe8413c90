/* hex.h: bytes as two hexadecimal digits each.
 *
 * Shape    written as 0 to 9 and a to f, read in either case.
 * Errors   hex_value() is -1 for what is no digit.
 * Owner    hex_write() appends to the caller's buffer.
 */
#ifndef HIGHWATER_HEX_H
#define HIGHWATER_HEX_H

#include "shared/base/buffer.h"

#include <stddef.h>

static inline int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void hex_write(struct buffer *out, const void *data, size_t bytes);

#endif
