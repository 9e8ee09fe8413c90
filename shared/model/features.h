/* features.h: which numbers a reading carries, and which rolling windows are kept of them.
 *
 * Shape    both are short ordered lists, made from the FEATURES and INTERVALS settings.
 *          FEATURES=temperature[°C|Outdoor temperature],pressure[bar],vibration
 *          INTERVALS=past_minute=60s,past_hour=1h,all_time
 * Units    lengths in microseconds; INTERVAL_ALL_TIME for the one without an end.
 * Errors   false, with a sentence in `error` that names the value and what is legal.
 * Owner    plain values, copied at will.
 */
#ifndef HIGHWATER_FEATURES_H
#define HIGHWATER_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FEATURES_MAX = 200,
    FEATURE_NAME_MAX = 31, /* bytes; with what rollups add to it still a legal PostgreSQL name */
    FEATURE_UNIT_MAX = 24, /* bytes */
    FEATURE_LABEL_MAX = 80,
    INTERVALS_MAX = 16,
    INTERVAL_NAME_MAX = 31
};

#define FEATURES_DEFAULT "temperature,pressure"
#define INTERVALS_DEFAULT "past_minute=60s,past_hour=1h,all_time"
#define INTERVAL_ALL_TIME INT64_MAX

struct features {
    size_t count;
    char names[FEATURES_MAX][FEATURE_NAME_MAX + 1];
    /* what people read; "" = nothing is said. Apart from the names, which each payload is held to */
    char units[FEATURES_MAX][FEATURE_UNIT_MAX + 1];
    char labels[FEATURES_MAX][FEATURE_LABEL_MAX + 1];
};

struct interval {
    char name[INTERVAL_NAME_MAX + 1];
    int64_t length_us;
};

struct intervals {
    size_t count;
    struct interval items[INTERVALS_MAX];
};

/* Names of letters, digits, _ . and -, a letter first, none twice, none that stands for something
 * else in tables or answers; after each a unit, a label or both may stand in brackets (feature_words.h). */
bool features_parse(struct features *out, const char *text, char *error, size_t error_bytes);

/* Whether the text may be a name of a feature, whatever that name stands for elsewhere. */
bool feature_name_is_legal(const char *text, size_t bytes);

/* What a name stands for elsewhere, as words for a sentence; NULL when it stands for nothing. */
const char *feature_name_taken(const char *name);

#define FEATURE_NAME_LEGAL "1 to 31 letters, digits, _ . and -, a letter first"

/* The position of a feature, or features->count. */
size_t features_find(const struct features *features, const char *name);

bool intervals_parse(struct intervals *out, const char *text, char *error, size_t error_bytes);

/* The position of an interval, or intervals->count. */
size_t intervals_find(const struct intervals *intervals, const char *name);

/* The longest finite length, 0 when there is none. */
int64_t intervals_longest_us(const struct intervals *intervals);

#endif
