/* look.h: what a payload looks like, before anybody has said what it is.
 *
 * Shape    functions of bytes and tokens.
 * Errors   none: LOOK_OTHER is a kind, too.
 */
#ifndef HIGHWATER_SUGGEST_LOOK_H
#define HIGHWATER_SUGGEST_LOOK_H

#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum look {
    LOOK_JSON,   /* an object, or an array */
    LOOK_SENML,  /* an array as of RFC 8428 */
    LOOK_NUMBER, /* all of it is a number */
    LOOK_NONE,   /* it says that it has no value: nan, unavailable, nothing */
    LOOK_STATUS, /* a word that means on or off, there or away */
    LOOK_TEXT,
    LOOK_BROKEN_JSON,
    LOOK_BINARY
};

enum look look_at(const char *payload, size_t bytes);

/* The same for payloads that differ in values only. */
uint64_t look_shape(const char *payload, size_t bytes);

/* Whether a text is a number as a whole, white space around it apart. */
bool look_is_number(const char *text, size_t bytes);

/* How a value says a moment. */
enum look_time {
    LOOK_NO_TIME,
    LOOK_EPOCH,    /* s, ms, us or ns since 1970 */
    LOOK_RFC3339,  /* with its offset */
    LOOK_LOCAL,    /* the same without: nobody knows of which zone */
    LOOK_FORMATTED /* as 26/11/2026 12:04:05 is */
};

enum { LOOK_FORMAT_SIZE = 32 };

/* `format` is set for LOOK_FORMATTED: as of strptime(). `us` is what it says, taken as UTC. What is not
 * between 2000 and 2100 is no time. */
enum look_time look_time(const struct json_token *token, int64_t arrival_us,
                         char format[LOOK_FORMAT_SIZE], int64_t *us);

#endif
