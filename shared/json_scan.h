/* json_scan.h: is this strictly JSON, and where do its parts end?
 *
 * Why      cJSON is lenient: it takes trailing bytes, raw control characters, numbers such as 01
 *          and 1., invalid UTF-8, a thousand levels, and turns \u0000 into the end of a string.
 *          What is stored must not depend on that, so bytes from outside pass here first.
 * Shape    one forward scan, no memory, no recursion.
 * Errors   enum json_error with the position of the offending byte.
 * Source   RFC 8259; RFC 3629 for UTF-8.
 */
#ifndef HIGHWATER_JSON_SCAN_H
#define HIGHWATER_JSON_SCAN_H

#include <stddef.h>

enum { JSON_NUMBER_MAX_BYTES = 63, JSON_MAX_DEPTH = 8 };

enum json_error {
    JSON_OK,
    JSON_EMPTY,          /* nothing but white space */
    JSON_MALFORMED,      /* the grammar is violated, or the text ends too early */
    JSON_TRAILING_BYTES, /* something stands behind the value */
    JSON_TOO_DEEP,       /* more than JSON_MAX_DEPTH levels of objects and arrays */
    JSON_INVALID_UTF8,   /* also a \u escape of half a surrogate pair */
    JSON_NUL_CHARACTER,  /* raw or as \u0000 */
    JSON_NUMBER_TOO_LONG /* more than JSON_NUMBER_MAX_BYTES bytes */
};

/* Scans one value at `*at` with white space around it, and moves `*at` behind it, or to the
 * offending byte. */
enum json_error json_scan_value(const char *text, size_t bytes, size_t *at);

/* Scans a whole document: one value and nothing else. */
enum json_error json_scan_document(const char *text, size_t bytes, size_t *at);

#endif
