/* copy_text.h: a line of COPY's text format, as its fields.
 *
 * Errors   none: what is read is what PostgreSQL writes. Fields that do not fit are
 *          left out.
 * Owner    the fields point into the line, which is changed.
 * Source   PostgreSQL 15 manual, COPY, "Text Format".
 */
#ifndef HIGHWATER_COPY_TEXT_H
#define HIGHWATER_COPY_TEXT_H

#include <stddef.h>

/* Splits at the tabs and undoes the escapes, in place; a field that is \N becomes NULL. Only the
 * backslash itself may be escaped: what is read here has no control characters. Returns the
 * number of fields. */
size_t copy_text_split(char **fields, size_t most, char *line);

#endif
