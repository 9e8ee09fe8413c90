/* scope.h: the names that a mapping may use in braces, and what they stand for just now.
 *
 * Shape    names are numbered when a mapping is compiled (struct names); when a message comes, what
 *          they stand for is looked up by number (struct scope). {key} and {index} are always known:
 *          the member's name and the element's position that `each` has come to.
 * Owner    texts are borrowed, of the file or of the message.
 */
#ifndef HIGHWATER_SCOPE_H
#define HIGHWATER_SCOPE_H

#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NAMES_MAX = 24, NAME_KEY = -1, NAME_INDEX = -2, NAME_NONE = -3 };

struct names {
    size_t count;
    const char *items[NAMES_MAX];
};

struct text_span {
    const char *text; /* NULL: not known */
    size_t bytes;
};

static inline bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Leaves the white space out that stands around it. */
static inline void span_trim(struct text_span *span)
{
    while (span->bytes > 0 && is_white(*span->text)) {
        span->text++;
        span->bytes--;
    }
    while (span->bytes > 0 && is_white(span->text[span->bytes - 1]))
        span->bytes--;
}

struct scope {
    struct text_span captures[NAMES_MAX];
    struct json_token key; /* its text is NULL where there is none */
    int64_t index;         /* -1 where there is none */
};

/* The number of a name; NAME_NONE when it is not known. */
static inline int names_find(const struct names *names, const char *name, size_t bytes)
{
    if (bytes == 3 && memcmp(name, "key", 3) == 0)
        return NAME_KEY;
    if (bytes == 5 && memcmp(name, "index", 5) == 0)
        return NAME_INDEX;
    for (size_t i = 0; i < names->count; i++) {
        if (strlen(names->items[i]) == bytes && memcmp(names->items[i], name, bytes) == 0)
            return (int)i;
    }
    return NAME_NONE;
}

/* True for what may stand between braces as a name. */
static inline bool name_is_legal(const char *name, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = name[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return bytes > 0;
}

#endif
