#include "collector/stores/postgres/tally.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t slot_start(int64_t us)
{
    int64_t rest = us % TALLY_SLOT_US;

    return us - (rest < 0 ? rest + TALLY_SLOT_US : rest);
}

void tally_reset(struct tally *tally, size_t feature_count, int64_t from_us, int64_t until_us)
{
    int64_t base_us = slot_start(from_us);
    size_t count = until_us > from_us ? (size_t)((until_us - 1 - base_us) / TALLY_SLOT_US) + 1 : 0;

    tally->base_us = base_us;
    tally->slot_count = count;
    if (count > tally->capacity || feature_count != tally->feature_count) {
        tally->capacity = count;
        tally->feature_count = feature_count;
        tally->slots = mem_realloc(tally->slots, count * sizeof(tally->slots[0]));
        tally->features =
            mem_realloc(tally->features, (count * feature_count + 1) * sizeof(tally->features[0]));
    }
    if (count == 0)
        return;
    memset(tally->slots, 0, count * sizeof(tally->slots[0]));
    memset(tally->features, 0, count * feature_count * sizeof(tally->features[0]));
}

void tally_release(struct tally *tally)
{
    free(tally->slots);
    free(tally->features);
    *tally = (struct tally){0};
}

static void add_value(struct tally_feature *feature, double value)
{
    double bounded = value;

    if (fabs(bounded) > TALLY_VALUE_MOST)
        bounded = bounded > 0 ? TALLY_VALUE_MOST : -TALLY_VALUE_MOST;
    if (feature->count == 0 || value < feature->least)
        feature->least = value;
    if (feature->count == 0 || value > feature->most)
        feature->most = value;
    feature->sum += bounded;
    feature->count++;
}

void tally_add(struct tally *tally, const struct reading *reading)
{
    size_t at = (size_t)((reading->recorded_at_us - tally->base_us) / TALLY_SLOT_US);
    struct tally_slot *slot = &tally->slots[at];

    assert(reading->recorded_at_us >= tally->base_us && at < tally->slot_count);
    if (slot->count == 0 || reading->recorded_at_us < slot->first_us)
        slot->first_us = reading->recorded_at_us;
    if (slot->count == 0 || reading->recorded_at_us > slot->last_us)
        slot->last_us = reading->recorded_at_us;
    slot->count++;
    slot->statuses[reading->status]++;
    for (size_t i = 0; i < tally->feature_count; i++) {
        if (!isnan(reading->values[i]))
            add_value(&tally->features[at * tally->feature_count + i], reading->values[i]);
    }
}

static void put_slot(const struct tally *tally, size_t at, struct buffer *out)
{
    const struct tally_slot *slot = &tally->slots[at];
    char start[TIMESTAMP_TEXT_SIZE];
    char first[TIMESTAMP_TEXT_SIZE];
    char last[TIMESTAMP_TEXT_SIZE];

    timestamp_format(start, tally->base_us + (int64_t)at * TALLY_SLOT_US);
    timestamp_format(first, slot->first_us);
    timestamp_format(last, slot->last_us);
    buffer_printf(out, "('%s',%" PRIu64, start, slot->count);
    for (int status = STATUS_ON; status <= STATUS_INACTIVE; status++)
        buffer_printf(out, ",%" PRIu64, slot->statuses[status]);
    buffer_printf(out, ",'%s','%s'", first, last);
    for (size_t i = 0; i < tally->feature_count; i++) {
        const struct tally_feature *feature = &tally->features[at * tally->feature_count + i];

        buffer_printf(out, ",%" PRIu64 ",%.17g", feature->count, feature->sum);
        if (feature->count > 0)
            buffer_printf(out, ",%.17g,%.17g", feature->least, feature->most);
        else
            buffer_put_text(out, ",NULL,NULL");
    }
    buffer_put_text(out, ")");
}

bool tally_put_sql(const struct tally *tally, const struct features *features, struct buffer *out)
{
    bool is_first = true;

    for (size_t at = 0; at < tally->slot_count; at++) {
        if (tally->slots[at].count == 0)
            continue;
        if (is_first) {
            buffer_put_text(out, "INSERT INTO rollup_fleet_log (bucket, readings, status_on,"
                                 " status_off, status_active, status_inactive, first_at, last_at");
            for (size_t i = 0; i < tally->feature_count; i++) {
                const char *name = features->names[i];

                buffer_printf(out, ", \"%s_count\", \"%s_sum\", \"%s_min\", \"%s_max\"", name, name,
                              name, name);
            }
            buffer_put_text(out, ") VALUES ");
        }
        buffer_put_text(out, is_first ? "" : ",");
        put_slot(tally, at, out);
        is_first = false;
    }
    if (!is_first)
        buffer_put_text(out, ";");
    return !is_first;
}
