/* hex_write.h: bytes as two digits each, 0 to 9 and a to f.
 *
 * Owner    appends to the caller's buffer.
 */
#ifndef HIGHWATER_HEX_WRITE_H
#define HIGHWATER_HEX_WRITE_H

#include "shared/base/buffer.h"

#include <stddef.h>

void hex_write(struct buffer *out, const void *data, size_t bytes);

#endif
