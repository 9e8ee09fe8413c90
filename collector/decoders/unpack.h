/* unpack.h: JSON that stands in a string of JSON, put where the string was.
 *
 * Shape    {"id":"a","data":"{\"t\":21}"} unpacked at /data is {"id":"a","data":{"t":21}}; so pointers
 *          reach into it as into the rest. A pointer may have a * step for every member or element.
 * Errors   none: what is no string, or no JSON, stays what it is.
 * Owner    the outcome is appended to the caller's buffer.
 */
#ifndef HIGHWATER_UNPACK_H
#define HIGHWATER_UNPACK_H

#include "collector/decoders/json_pointer.h"
#include "shared/base/buffer.h"

void unpack_write(struct buffer *out, const struct json_pointer *pointers, size_t count,
                  const struct json_token *root);

#endif
