/* http_gzip.h: gzip, at once or as the bytes come.
 *
 * Errors   none: what cannot be made smaller is left as it is, by the caller.
 * Owner    gzip_new() and gzip_free(); about 256 kB each.
 * Source   RFC 1952, by zlib.
 */
#ifndef HIGHWATER_HTTP_GZIP_H
#define HIGHWATER_HTTP_GZIP_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct gzip;

/* `bytes_expected` bytes: many are compressed faster and less, since no other client is served
 * meanwhile; 0 = not known. */
struct gzip *gzip_new(size_t bytes_expected);

/* Appends what comes out, which may be nothing until the last. */
void gzip_put(struct gzip *gzip, const void *data, size_t bytes, bool is_last, struct buffer *out);
void gzip_free(struct gzip *gzip); /* NULL is accepted */

/* Appends all of it. */
void gzip_whole(const void *data, size_t bytes, struct buffer *out);

#endif
