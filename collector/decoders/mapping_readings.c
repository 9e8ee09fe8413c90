#include "collector/decoders/mapping_readings.h"

#include "shared/base/buffer.h"
#include "shared/base/hash.h"
#include "shared/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one large message needed is not emptied again for every small one after it. */
void mapping_readings_clear(struct mapping_readings *readings)
{
    enum { SLOTS_KEPT = 1024 };

    if (readings->slot_count > SLOTS_KEPT) {
        free(readings->slots);
        readings->slots = NULL;
        readings->slot_count = 0;
    } else if (readings->id_bytes > 0) {
        memset(readings->slots, 0, readings->slot_count * sizeof(readings->slots[0]));
    }
    readings->count = 0;
    readings->value_count = 0;
    readings->id_bytes = 0;
}

const char *mapping_readings_device(const struct mapping_readings *readings, size_t number)
{
    return readings->device_ids + readings->items[number].device_at;
}

/* ---- found ---------------------------------------------------------------------------------- */

static uint64_t key_of(const struct mapping_words *words)
{
    uint64_t hash = hash_bytes(words->device, words->device_bytes);

    return hash_mix(hash, words->has_time ? (uint64_t)words->time_us : UINT64_MAX);
}

static bool is_of(const struct mapping_readings *readings, size_t number, uint64_t key,
                  const struct mapping_words *words)
{
    const struct mapping_reading *reading = &readings->items[number];

    return reading->key == key && reading->has_time == words->has_time &&
           (!words->has_time || reading->time_us == words->time_us) &&
           reading->device_bytes == words->device_bytes &&
           memcmp(mapping_readings_device(readings, number), words->device, words->device_bytes) ==
               0;
}

static size_t slot_of(const struct mapping_readings *readings, uint64_t key,
                      const struct mapping_words *words)
{
    size_t slot = key & (readings->slot_count - 1);

    while (readings->slots[slot] &&
           (!words || !is_of(readings, readings->slots[slot] - 1, key, words)))
        slot = (slot + 1) & (readings->slot_count - 1);
    return slot;
}

/* The newest of a device and moment is in the table: the others take no more words. */
static void grow_slots(struct mapping_readings *readings)
{
    uint32_t *old = readings->slots;
    size_t old_count = readings->slot_count;

    readings->slot_count = old_count ? 2 * old_count : 16;
    readings->slots = mem_calloc(readings->slot_count, sizeof(readings->slots[0]));
    for (size_t i = 0; i < old_count; i++) {
        if (old[i])
            readings->slots[slot_of(readings, readings->items[old[i] - 1].key, NULL)] = old[i];
    }
    free(old);
}

/* ---- added ---------------------------------------------------------------------------------- */

static bool has_feature(const struct mapping_readings *readings,
                        const struct mapping_reading *reading, uint32_t feature)
{
    uint32_t at = reading->values;

    while (at && readings->values[at - 1].feature != feature)
        at = readings->values[at - 1].next;
    return at != 0;
}

static bool has_said(const struct mapping_readings *readings, const struct mapping_reading *reading,
                     const struct mapping_words *words)
{
    if (words->status != STATUS_ABSENT && reading->status != STATUS_ABSENT)
        return true;
    for (size_t i = 0; i < words->value_count; i++) {
        if (has_feature(readings, reading, words->values[i].feature))
            return true;
    }
    return false;
}

static void put_values(struct mapping_readings *readings, struct mapping_reading *reading,
                       const struct mapping_words *words)
{
    readings->values =
        mem_grow_zeroed(readings->values, &readings->value_capacity,
                        readings->value_count + words->value_count, sizeof(readings->values[0]));
    for (size_t i = 0; i < words->value_count; i++) {
        struct mapping_value *value = &readings->values[readings->value_count++];

        *value = words->values[i];
        value->next = reading->values;
        reading->values = (uint32_t)readings->value_count;
    }
}

static void put_words(struct mapping_readings *readings, struct mapping_reading *reading,
                      const struct mapping_words *words)
{
    put_values(readings, reading, words);
    if (words->status != STATUS_ABSENT)
        reading->status = words->status;
    if (reading->seq < 0)
        reading->seq = words->seq;
    reading->said_elsewhere = words->said_elsewhere
                                  ? mapping_hash_mix(reading->said_elsewhere, words->said_elsewhere)
                                  : reading->said_elsewhere;
    if (words->from < reading->from)
        reading->from = words->from;
    if (words->to > reading->to)
        reading->to = words->to;
}

static size_t put_device(struct mapping_readings *readings, const struct mapping_words *words)
{
    size_t at = readings->id_bytes;

    readings->device_ids = mem_grow_zeroed(readings->device_ids, &readings->id_capacity,
                                           at + words->device_bytes + 1, 1);
    memcpy(readings->device_ids + at, words->device, words->device_bytes);
    readings->device_ids[at + words->device_bytes] = '\0';
    readings->id_bytes += words->device_bytes + 1;
    return at;
}

static struct mapping_reading *begin(struct mapping_readings *readings, uint64_t key, size_t slot,
                                     const struct mapping_words *words)
{
    const struct mapping_reading *older =
        readings->slots[slot] ? &readings->items[readings->slots[slot] - 1] : NULL;
    size_t device_at = older ? older->device_at : put_device(readings, words);
    int64_t later = older ? older->time_us + 1 : 0;
    struct mapping_reading *reading;

    readings->items = mem_grow_zeroed(readings->items, &readings->capacity, readings->count + 1,
                                      sizeof(readings->items[0]));
    reading = &readings->items[readings->count++];
    *reading = (struct mapping_reading){.key = key,
                                        .device_at = device_at,
                                        .device_bytes = words->device_bytes,
                                        .has_time = words->has_time,
                                        .is_from_arrival = words->is_from_arrival,
                                        .time_us = words->has_time ? words->time_us : later,
                                        .seq = -1,
                                        .from = words->from,
                                        .to = words->to};
    readings->slots[slot] = (uint32_t)readings->count;
    return reading;
}

bool mapping_readings_add(struct mapping_readings *readings, const struct mapping_words *words)
{
    uint64_t key = key_of(words);
    struct mapping_reading *reading;
    size_t slot;

    if (2 * (readings->count + 1) > readings->slot_count)
        grow_slots(readings);
    slot = slot_of(readings, key, words);
    reading = readings->slots[slot] ? &readings->items[readings->slots[slot] - 1] : NULL;
    if (!reading || has_said(readings, reading, words)) {
        if (readings->count == MAPPING_READINGS_MAX)
            return false;
        reading = begin(readings, key, slot, words);
    }
    put_words(readings, reading, words);
    return true;
}

/* ---- given away ----------------------------------------------------------------------------- */

uint64_t mapping_hash_mix(uint64_t a, uint64_t b)
{
    unsigned char bytes[2 * sizeof(uint64_t)];

    write_be64(write_be64(bytes, a), b);
    return (uint64_t)reading_content_hash((const char *)bytes, sizeof(bytes));
}

static bool says_something(const struct mapping_readings *readings,
                           const struct mapping_reading *reading)
{
    uint32_t at = reading->values;

    while (at && readings->values[at - 1].feature >= MAPPING_NO_FEATURE)
        at = readings->values[at - 1].next;
    return at != 0 || reading->status != STATUS_ABSENT;
}

/* The table of slots is not asked any more. */
static void leave_out_empty(struct mapping_readings *readings)
{
    size_t kept = 0;

    for (size_t i = 0; i < readings->count; i++) {
        if (says_something(readings, &readings->items[i]))
            readings->items[kept++] = readings->items[i];
    }
    readings->count = kept;
}

void mapping_readings_close(struct mapping_readings *readings, uint64_t topic)
{
    leave_out_empty(readings);
    for (size_t i = 0; i < readings->count; i++) {
        struct mapping_reading *reading = &readings->items[i];
        int64_t hash = reading_content_hash(reading->from, (size_t)(reading->to - reading->from));

        hash = (int64_t)mapping_hash_mix((uint64_t)hash, topic);
        if (reading->said_elsewhere)
            hash = (int64_t)mapping_hash_mix((uint64_t)hash, reading->said_elsewhere);
        reading->content_hash = hash;
    }
}

void mapping_readings_get(const struct mapping_readings *readings, size_t number,
                          size_t feature_count, int64_t first_us, struct reading *out)
{
    const struct mapping_reading *reading = &readings->items[number];

    *out = (struct reading){.content_hash = reading->content_hash};
    out->recorded_at_us = reading->has_time ? reading->time_us : first_us + reading->time_us;
    out->status = (uint8_t)reading->status;
    for (size_t i = 0; i < feature_count; i++)
        out->values[i] = (double)NAN;
    for (uint32_t at = reading->values; at; at = readings->values[at - 1].next) {
        if (readings->values[at - 1].feature < MAPPING_NO_FEATURE)
            out->values[readings->values[at - 1].feature] = readings->values[at - 1].number;
    }
}

void mapping_readings_release(struct mapping_readings *readings)
{
    free(readings->items);
    free(readings->values);
    free(readings->device_ids);
    free(readings->slots);
    *readings = (struct mapping_readings){0};
}
