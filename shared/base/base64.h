/* base64.h: bytes as letters and digits, four for three.
 *
 * Shape    written in one line, with = at the end.
 * Owner    base64_write() appends to the caller's buffer.
 * Source   RFC 4648 section 4.
 */
#ifndef HIGHWATER_BASE64_H
#define HIGHWATER_BASE64_H

#include "shared/base/buffer.h"

#include <stddef.h>

void base64_write(struct buffer *out, const void *data, size_t bytes);

#endif
