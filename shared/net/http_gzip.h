/* http_gzip.h: gzip, at once or as the bytes come.
 *
 * Errors   none: what cannot be made smaller is left as it is, by the caller.
 * Owner    gzip_new() and gzip_free(); about 256 kB each, 64 kB of what is flushed as it comes.
 * Source   RFC 1952, by zlib.
 */
#ifndef HIGHWATER_HTTP_GZIP_H
#define HIGHWATER_HTTP_GZIP_H

#include "shared/base/buffer.h"

#include <stddef.h>

struct gzip;

/* `bytes_expected` bytes: many are compressed faster and less, since no other client is served
 * meanwhile; 0 = not known. */
struct gzip *gzip_new(size_t bytes_expected);

/* For a little now and then, for as long as somebody listens. */
struct gzip *gzip_new_live(void);

enum gzip_until {
    GZIP_MORE,  /* what comes out may be nothing yet */
    GZIP_FLUSH, /* all that was put in so far can be read */
    GZIP_LAST
};

/* Appends what comes out. */
void gzip_put(struct gzip *gzip, const void *data, size_t bytes, enum gzip_until until,
              struct buffer *out);
void gzip_free(struct gzip *gzip); /* NULL is accepted */

/* Appends all of it. */
void gzip_whole(const void *data, size_t bytes, struct buffer *out);

#endif
