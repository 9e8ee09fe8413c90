#include "collector/stores/postgres/fleet_rollup.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t slot_start(int64_t us)
{
    int64_t rest = us % FLEET_ROLLUP_SLOT_US;

    return us - (rest < 0 ? rest + FLEET_ROLLUP_SLOT_US : rest);
}

void fleet_rollup_reset(struct fleet_rollup *rollup, size_t feature_count, int64_t from_us,
                        int64_t until_us)
{
    int64_t base_us = slot_start(from_us);
    size_t count =
        until_us > from_us ? (size_t)((until_us - 1 - base_us) / FLEET_ROLLUP_SLOT_US) + 1 : 0;

    rollup->base_us = base_us;
    rollup->slot_count = count;
    if (count > rollup->capacity || feature_count != rollup->feature_count) {
        rollup->capacity = count;
        rollup->feature_count = feature_count;
        rollup->slots = mem_realloc(rollup->slots, count * sizeof(rollup->slots[0]));
        rollup->features = mem_realloc(rollup->features,
                                       (count * feature_count + 1) * sizeof(rollup->features[0]));
    }
    if (count == 0)
        return;
    memset(rollup->slots, 0, count * sizeof(rollup->slots[0]));
    memset(rollup->features, 0, count * feature_count * sizeof(rollup->features[0]));
}

void fleet_rollup_release(struct fleet_rollup *rollup)
{
    free(rollup->slots);
    free(rollup->features);
    *rollup = (struct fleet_rollup){0};
}

static void add_value(struct fleet_rollup_feature *feature, double value)
{
    double bounded = value;

    if (fabs(bounded) > FLEET_ROLLUP_VALUE_MOST)
        bounded = bounded > 0 ? FLEET_ROLLUP_VALUE_MOST : -FLEET_ROLLUP_VALUE_MOST;
    if (feature->count == 0 || value < feature->least)
        feature->least = value;
    if (feature->count == 0 || value > feature->most)
        feature->most = value;
    feature->sum += bounded;
    feature->count++;
}

void fleet_rollup_add(struct fleet_rollup *rollup, const struct reading *reading)
{
    size_t at = (size_t)((reading->recorded_at_us - rollup->base_us) / FLEET_ROLLUP_SLOT_US);
    struct fleet_rollup_slot *slot = &rollup->slots[at];

    assert(reading->recorded_at_us >= rollup->base_us && at < rollup->slot_count);
    if (slot->count == 0 || reading->recorded_at_us < slot->first_us)
        slot->first_us = reading->recorded_at_us;
    if (slot->count == 0 || reading->recorded_at_us > slot->last_us)
        slot->last_us = reading->recorded_at_us;
    slot->count++;
    slot->statuses[reading->status]++;
    for (size_t i = 0; i < rollup->feature_count; i++) {
        if (!isnan(reading->values[i]))
            add_value(&rollup->features[at * rollup->feature_count + i], reading->values[i]);
    }
}

static void put_slot(const struct fleet_rollup *rollup, size_t at, struct buffer *out)
{
    const struct fleet_rollup_slot *slot = &rollup->slots[at];
    char start[TIMESTAMP_TEXT_SIZE];
    char first[TIMESTAMP_TEXT_SIZE];
    char last[TIMESTAMP_TEXT_SIZE];

    timestamp_format(start, rollup->base_us + (int64_t)at * FLEET_ROLLUP_SLOT_US);
    timestamp_format(first, slot->first_us);
    timestamp_format(last, slot->last_us);
    buffer_printf(out, "('%s',%" PRIu64, start, slot->count);
    for (int status = STATUS_ON; status <= STATUS_INACTIVE; status++)
        buffer_printf(out, ",%" PRIu64, slot->statuses[status]);
    buffer_printf(out, ",'%s','%s'", first, last);
    for (size_t i = 0; i < rollup->feature_count; i++) {
        const struct fleet_rollup_feature *feature =
            &rollup->features[at * rollup->feature_count + i];

        buffer_printf(out, ",%" PRIu64 ",%.17g", feature->count, feature->sum);
        if (feature->count > 0)
            buffer_printf(out, ",%.17g,%.17g", feature->least, feature->most);
        else
            buffer_put_text(out, ",NULL,NULL");
    }
    buffer_put_text(out, ")");
}

bool fleet_rollup_put_sql(const struct fleet_rollup *rollup, const struct features *features,
                          struct buffer *out)
{
    bool is_first = true;

    for (size_t at = 0; at < rollup->slot_count; at++) {
        if (rollup->slots[at].count == 0)
            continue;
        if (is_first) {
            buffer_put_text(out, "INSERT INTO rollup_fleet_log (bucket, readings, status_on,"
                                 " status_off, status_active, status_inactive, first_at, last_at");
            for (size_t i = 0; i < rollup->feature_count; i++) {
                const char *name = features->names[i];

                buffer_printf(out, ", \"%s_count\", \"%s_sum\", \"%s_min\", \"%s_max\"", name, name,
                              name, name);
            }
            buffer_put_text(out, ") VALUES ");
        }
        buffer_put_text(out, is_first ? "" : ",");
        put_slot(rollup, at, out);
        is_first = false;
    }
    if (!is_first)
        buffer_put_text(out, ";");
    return !is_first;
}
