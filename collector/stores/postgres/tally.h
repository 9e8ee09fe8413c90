/* tally.h: the sums of readings per ten seconds, as a statement for the database's rollups.
 *
 * Shape    the slots of one span of time, few enough to be an array. A store that puts readings
 *          straight into a partition adds their sums in the same transaction; for every other way
 *          into the table a trigger does the same in SQL (schema/003_rollups.sql), so both must
 *          agree: slots begin at whole ten seconds since 1970, a sum takes a value beyond
 *          TALLY_VALUE_MOST as that.
 * Units    microseconds since 1970.
 * Owner    whoever embeds the struct; tally_reset() keeps the memory.
 */
#ifndef HIGHWATER_TALLY_H
#define HIGHWATER_TALLY_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_SLOT_US (INT64_C(10) * 1000000)
#define TALLY_VALUE_MOST 1e290 /* so that no sum overflows, which the database would refuse */

struct tally_feature {
    uint64_t count;
    double sum;
    double least;
    double most;
};

struct tally_slot {
    uint64_t count;
    uint64_t statuses[STATUS_COUNT];
    int64_t first_us;
    int64_t last_us;
};

struct tally {
    size_t feature_count;
    int64_t base_us;
    size_t slot_count;
    size_t capacity;
    struct tally_slot *slots;
    struct tally_feature *features; /* feature_count per slot */
};

/* Empties it, for readings recorded in [from_us, until_us). */
void tally_reset(struct tally *tally, size_t feature_count, int64_t from_us, int64_t until_us);

void tally_release(struct tally *tally);

/* Adds a reading of the span. */
void tally_add(struct tally *tally, const struct reading *reading);

/* Appends an INSERT with a row per slot that has readings, and its semicolon; false, and nothing,
 * when there is none. */
bool tally_put_sql(const struct tally *tally, const struct features *features, struct buffer *out);

#endif
