/* sheet.h: keys of a mapping, a line each, with a comment behind.
 *
 * Shape    lines in order; one that is `out` is a comment as a whole. The commas are between the others.
 * Errors   none. Comments are escaped: whoever publishes has no say in what is no comment.
 * Owner    sheet_release().
 */
#ifndef HIGHWATER_SUGGEST_SHEET_H
#define HIGHWATER_SUGGEST_SHEET_H

#include "shared/base/buffer.h"

#include <stdbool.h>

struct sheet_line {
    struct buffer text;
    struct buffer note;
    bool is_out;
};

struct sheet {
    struct sheet_line *lines;
    size_t count;
    size_t capacity;
    size_t keys; /* lines that are no comments */
};

/* A new one, to put text into. */
struct sheet_line *sheet_add(struct sheet *sheet, bool is_out);

/* Puts text that may be anything, escaped and cut. */
void sheet_put_shown(struct buffer *out, const char *text, size_t bytes);

/* All lines, each behind `indent`, and then `end`. */
void sheet_write(struct buffer *out, const struct sheet *sheet, const char *indent,
                 const char *end);

void sheet_release(struct sheet *sheet);

#endif
