/* csv_write.h: fields of CSV.
 *
 * Owner    appends to the caller's buffer.
 * Source   RFC 4180.
 */
#ifndef HIGHWATER_CSV_WRITE_H
#define HIGHWATER_CSV_WRITE_H

#include "shared/base/buffer.h"

/* In quotes where it needs them. */
void csv_write_text(struct buffer *out, const char *text);

#endif
