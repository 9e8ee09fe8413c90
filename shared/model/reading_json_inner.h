/* reading_json_inner.h: what the files of reading_json share and nobody else needs.
 *
 * Files    reading_json.c (the payload: its elements, and whole documents), reading_object.c (one
 *          object: its members), reading_fault.c (the words for what is wrong).
 */
#ifndef HIGHWATER_READING_JSON_INNER_H
#define HIGHWATER_READING_JSON_INNER_H

#include "shared/model/json_scan.h"
#include "shared/model/reading_json.h"

#include <string.h>

/* Windows may put one in front of UTF-8 text. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A text for a sentence: short, and safe to print. */
struct shown {
    char text[72];
};

/* reading_object.c: fills `reading`, and what the item says of it. False, with item->error and the
 * sentence in `detail` (READING_DETAIL_SIZE bytes, to which item->detail then points), when it is none.
 * Names in the object are decoded for as long as it takes. */
bool reading_object_parse(const struct reading_rules *rules, const char *device_id,
                          struct json_value *object, struct reading_item *item,
                          struct reading *reading, char *detail);

/* reading_fault.c */
extern const enum reading_error reading_scan_errors[];

static inline enum reading_error reading_error_of(enum json_error error)
{
    return reading_scan_errors[error];
}

struct shown reading_show(const char *text, size_t bytes);

static inline bool reading_starts_with(const char *text, size_t bytes, const char *start)
{
    return bytes >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* What is wrong with a text at this byte, as a sentence of READING_DETAIL_SIZE bytes at most. */
void reading_describe(char *out, enum reading_error error, const char *text, size_t bytes,
                      size_t at);

#endif
