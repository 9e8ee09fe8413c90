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

static inline int64_t reading_earliest_us(const struct reading_rules *rules, int64_t arrival_us)
{
    int64_t youngest_us = arrival_us - rules->most_age_us;

    return rules->most_age_us > 0 && youngest_us > rules->earliest_us ? youngest_us
                                                                      : rules->earliest_us;
}

/* Whether a reading that came then may be of this time. */
static inline enum reading_error reading_judge_time(const struct reading_rules *rules,
                                                    int64_t received_at_us,
                                                    int64_t first_received_at_us, int64_t us)
{
    if (us < reading_earliest_us(rules, first_received_at_us))
        return READING_TIMESTAMP_TOO_OLD;
    return us > received_at_us + rules->future_tolerance_us ? READING_TIMESTAMP_IN_FUTURE
                                                            : READING_OK;
}

/* The sentence for one that may not, of READING_DETAIL_SIZE bytes at most. */
void reading_describe_time(char *out, const struct reading_rules *rules,
                           const struct reading_source *arrival, int64_t us);

/* Narrows a payload to what is between the marks that may stand around it; returns which did. */
static inline unsigned reading_take_off(const char **text, size_t *bytes)
{
    unsigned taken_off = 0;

    if (*bytes >= strlen(BYTE_ORDER_MARK) &&
        memcmp(*text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
        taken_off |= READING_BYTE_ORDER_MARK;
        *text += strlen(BYTE_ORDER_MARK);
        *bytes -= strlen(BYTE_ORDER_MARK);
    }
    if (*bytes > 0 && (*text)[*bytes - 1] == '\0') {
        taken_off |= READING_TRAILING_NUL;
        --*bytes;
    }
    return taken_off;
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
