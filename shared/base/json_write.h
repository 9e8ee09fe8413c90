/* json_write.h: strings and numbers as JSON, at the end of a buffer.
 *
 * Shape    a value each; brackets, commas and names that need no escape are the caller's text.
 * Errors   none; text is UTF-8, as everything is that came in through json_scan.h or utf8.h.
 * Source   RFC 8259.
 */
#ifndef HIGHWATER_JSON_WRITE_H
#define HIGHWATER_JSON_WRITE_H

#include "shared/base/buffer.h"

/* With its quotes: escapes ", \ and control characters, leaves the rest as it is. */
void json_write_string(struct buffer *buffer, const char *text);

/* The shortest decimal that reads back as the same double; `null` when not finite. */
void json_write_double(struct buffer *buffer, double value);

#endif
