/* json_scan.h: is this strictly JSON, and where do its parts stand?
 *
 * Why      what is stored must not depend on a lenient parser. cJSON, for one, takes trailing bytes,
 *          raw control characters, numbers such as 01 and 1., invalid UTF-8, a thousand levels,
 *          and turns \u0000 into the end of a string. So bytes from outside pass here, and since
 *          every byte is looked at, the members are noted on the way: json_token.h reads them
 *          where they stand, without a tree that is allocated and freed.
 * Shape    one forward scan, no memory, no recursion.
 * Errors   enum json_error with the position of the offending byte.
 * Owner    tokens point into the text.
 * Source   RFC 8259; RFC 3629 for UTF-8.
 */
#ifndef HIGHWATER_JSON_SCAN_H
#define HIGHWATER_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum {
    JSON_NUMBER_MAX_BYTES = 63,
    JSON_MAX_DEPTH = 8,
    JSON_DEEP_DEPTH = 16,
    JSON_SKIP_DEPTH = 64,
    JSON_MEMBERS_MAX = 264
};

enum json_error {
    JSON_OK,
    JSON_EMPTY,          /* nothing but white space */
    JSON_MALFORMED,      /* the grammar is violated, or the text ends too early */
    JSON_TRAILING_BYTES, /* something stands after the value */
    JSON_TOO_DEEP,       /* more than JSON_MAX_DEPTH levels of objects and arrays */
    JSON_INVALID_UTF8,   /* also a \u escape of half a surrogate pair */
    JSON_NUL_CHARACTER,  /* raw or as \u0000 */
    JSON_NUMBER_TOO_LONG /* more than JSON_NUMBER_MAX_BYTES bytes */
};

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOLEAN, JSON_NULL };

struct json_token {
    const char *text; /* of a string what stands between the quotes, as it stands there */
    size_t bytes;
    enum json_kind kind;
    bool has_escapes; /* a string that does not mean what stands there */
};

struct json_member {
    struct json_token name;
    struct json_token value; /* of an object or array only the kind */
};

/* What a scanned value is, and its members when it is an object. */
struct json_value {
    enum json_kind kind;
    size_t member_count; /* may be more than are kept */
    struct json_member members[JSON_MEMBERS_MAX];
};

/* Scans one value at `*at` with white space around it, and moves `*at` after it, or to the
 * offending byte. What `out` says is good when the value is. */
enum json_error json_scan_value(const char *text, size_t bytes, size_t *at, struct json_value *out);

/* Moves `*at` after an element of an array that may be no JSON, to the comma or the bracket that
 * ends it: what is in quotes does not count, and brackets must match. False when nothing ends it, or
 * it is more than JSON_SKIP_DEPTH deep. */
bool json_skip_element(const char *text, size_t bytes, size_t *at);

/* Scans a whole document: one value and nothing else. */
enum json_error json_scan_document(const char *text, size_t bytes, size_t *at,
                                   struct json_value *out);

/* The same, up to JSON_DEEP_DEPTH levels: what bridges say of all that their devices can do. */
enum json_error json_scan_deep(const char *text, size_t bytes, size_t *at, struct json_value *out);

#endif
