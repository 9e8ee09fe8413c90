/* utf8.h: characters of UTF-8, read and written one by one, and text that shows all it is.
 *
 * Shape    functions of bytes; a character is 1 to 4 of them.
 * Errors   a length of 0, or false.
 * Source   RFC 3629; the control characters are ASCII's and C1 (U+0080 to U+009F).
 */
#ifndef HIGHWATER_UTF8_H
#define HIGHWATER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the first character in bytes; 0 when it is not valid (overlong, surrogate, above
 * U+10FFFF, cut off). There is at least one byte. */
size_t utf8_length(const unsigned char *text, size_t bytes);

/* The same, and 0 for a control character, too. */
size_t utf8_printed_length(const unsigned char *text, size_t bytes);

/* Of a valid character of that length. */
uint32_t utf8_code_point(const unsigned char *text, size_t length);

/* Writes a character that is no surrogate, 1 to 4 bytes, and returns how many. */
size_t utf8_encode(char *out, uint32_t code_point);

/* True for UTF-8 without control or invisible characters (invisible.h). */
bool utf8_is_visible(const char *text, size_t bytes);

#endif
