/* reading.h: one reading, the value everything here is about.
 *
 * Shape    a head of 16 bytes, then one double per configured feature, in the order of the
 *          FEATURES setting; NAN = the reading has no such feature. reading_size() gives the
 *          stride of an array of them. Which device it belongs to is kept beside it.
 * Units    recorded_at_us: microseconds since 1970-01-01T00:00:00Z, as the device gave it.
 *          Values in whatever unit the device uses; Highwater compares them, no more.
 * Identity (device, recorded_at_us, content_hash), the hash being of the bytes that the reading
 *          came in: of an array those of its element, of a single object those of the object, in
 *          both cases from its `{` to its `}`. What stands around it (white space, commas, a byte
 *          order mark) is no part of it. So a message that is delivered again, or sent again out of
 *          rejected_messages, is the same reading; two messages that differ in anything, be it a
 *          member that Highwater does not keep, are two; and no setting changes what they are.
 *          64 bits, because 32 are too few: a fleet whose clocks tick seconds makes billions of
 *          pairs of equal time a day.
 * Errors   none here; reading_json.h makes readings out of bytes and says what was wrong.
 */
#ifndef HIGHWATER_READING_H
#define HIGHWATER_READING_H

#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum reading_status {
    STATUS_ABSENT,
    STATUS_ON,
    STATUS_OFF,
    STATUS_ACTIVE,
    STATUS_INACTIVE,
    STATUS_COUNT
};

/* A time and a status share a word, because millions of them are kept. It has room for 36,000 years on
 * either side of 1970. */
#define READING_LAST_US ((INT64_C(1) << 60) - 1)
#define READING_FIRST_US (-READING_LAST_US)

struct reading {
    int64_t recorded_at_us : 61;
    uint64_t status : 3;  /* enum reading_status */
    int64_t content_hash; /* signed as in the database, so that both compare it alike */
    double values[];
};

/* A reading of any feature count on the stack. */
union reading_storage {
    struct reading reading;
    unsigned char bytes[sizeof(struct reading) + FEATURES_MAX * sizeof(double)];
};

static inline size_t reading_size(size_t feature_count)
{
    return sizeof(struct reading) + feature_count * sizeof(double);
}

/* "ON", or NULL for STATUS_ABSENT. */
const char *reading_status_text(enum reading_status status);

/* STATUS_COUNT when the text is no status. */
enum reading_status reading_status_parse(const char *text);

/* The hash that goes into content_hash: XXH3 (64 bits) of the bytes of one reading. It is stored in
 * the primary key: changing it doubles every reading that is delivered twice. */
int64_t reading_content_hash(const char *json, size_t bytes);

/* The tie order, once for all programs; rank_sql() (schema/006_peaks.sql) is the same for SQL, and a
 * test holds the two against each other. A height is the ranked value, turned so that larger is
 * better: the better value ranks first, then the later time. What is equal in both is decided by
 * the larger content_hash among the readings of one device, which is the order of its peaks and
 * steps, and by the smaller id, as bytes, between the readings of two devices on a board. */
static inline int reading_rank(double height_a, int64_t at_a_us, double height_b, int64_t at_b_us)
{
    if (height_a != height_b)
        return height_a > height_b ? 1 : -1;
    if (at_a_us != at_b_us)
        return at_a_us > at_b_us ? 1 : -1;
    return 0;
}

/* True when `a` ranks before `b`, both of one device and both with the feature; `sign` is -1 where
 * the lowest value is best, else 1. Neither does only if they are the same reading. */
static inline bool reading_is_better(const struct reading *a, const struct reading *b,
                                     size_t feature, double sign)
{
    int rank = reading_rank(sign * a->values[feature], a->recorded_at_us, sign * b->values[feature],
                            b->recorded_at_us);

    return rank != 0 ? rank > 0 : a->content_hash > b->content_hash;
}

/* The last word between two devices. */
static inline bool reading_id_is_before(const char *device_a, const char *device_b)
{
    return strcmp(device_a, device_b) < 0;
}

/* True when the two are the same reading, values compared bit for bit. */
bool reading_equals(const struct reading *a, const struct reading *b, size_t feature_count);

#endif
