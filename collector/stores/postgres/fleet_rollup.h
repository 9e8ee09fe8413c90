/* fleet_rollup.h: the sums of readings per ten seconds, as a statement for the database's rollups.
 *
 * Shape    the slots of one span of time, few enough to be an array. A store that puts readings
 *          straight into a partition adds their sums in the same transaction; for every other way
 *          into the table a trigger does the same in SQL (schema/003_rollups.sql), so both must
 *          agree: slots begin at whole ten seconds since 1970, a sum takes a value beyond
 *          FLEET_ROLLUP_VALUE_MOST as that.
 * Units    microseconds since 1970.
 * Owner    whoever embeds the struct; fleet_rollup_reset() keeps the memory.
 */
#ifndef HIGHWATER_FLEET_ROLLUP_H
#define HIGHWATER_FLEET_ROLLUP_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLEET_ROLLUP_SLOT_US (INT64_C(10) * 1000000)
#define FLEET_ROLLUP_VALUE_MOST                                                                    \
    1e290 /* so that no sum overflows, which the database would refuse */

struct fleet_rollup_feature {
    uint64_t count;
    double sum;
    double least;
    double most;
};

struct fleet_rollup_slot {
    uint64_t count;
    uint64_t statuses[STATUS_COUNT];
    int64_t first_us;
    int64_t last_us;
};

struct fleet_rollup {
    size_t feature_count;
    int64_t base_us;
    size_t slot_count;
    size_t capacity;
    struct fleet_rollup_slot *slots;
    struct fleet_rollup_feature *features; /* feature_count per slot */
};

/* Empties it, for readings recorded in [from_us, until_us). */
void fleet_rollup_reset(struct fleet_rollup *rollup, size_t feature_count, int64_t from_us,
                        int64_t until_us);

void fleet_rollup_release(struct fleet_rollup *rollup);

/* Adds a reading of the span. */
void fleet_rollup_add(struct fleet_rollup *rollup, const struct reading *reading);

/* Appends an INSERT with a row per slot that has readings, and its semicolon; false, and nothing,
 * when there is none. */
bool fleet_rollup_put_sql(const struct fleet_rollup *rollup, const struct features *features,
                          struct buffer *out);

#endif
