/* Both sets are arrays, each with an index of numbers. A hash table of nodes, such as uthash, would
 * add 56 bytes to each of millions of readings, whose values lie in one array of their own. */
#include "devicesim/ledger.h"

#include "shared/base/hash.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLOCKS_DIFFER_US (60 * TIMESTAMP_US_PER_S)

void ledger_init(struct ledger *ledger, const struct features *features)
{
    *ledger = (struct ledger){.features = *features};
}

void ledger_release(struct ledger *ledger)
{
    string_table_release(&ledger->devices);
    free(ledger->readings);
    free(ledger->values);
    hash_index_release(&ledger->reading_index);
    free(ledger->rejections);
    hash_index_release(&ledger->rejection_index);
    buffer_release(&ledger->heads);
    free(ledger->lives);
    *ledger = (struct ledger){0};
}

/* ---- readings ------------------------------------------------------------------------------- */

static uint64_t bits_of(double value)
{
    uint64_t bits;

    if (isnan(value))
        return UINT64_MAX; /* one kind of absent */
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint64_t reading_hash(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    uint64_t hash = hash_mix(hash_mix(device, (uint64_t)recorded_at_us), status);

    for (size_t i = 0; i < ledger->features.count; i++)
        hash = hash_mix(hash, bits_of(values[i]));
    return hash;
}

static bool has_values(const struct ledger *ledger, uint32_t number, const double *values)
{
    const double *own = &ledger->values[number * ledger->features.count];

    for (size_t i = 0; i < ledger->features.count; i++) {
        if (bits_of(own[i]) != bits_of(values[i]))
            return false;
    }
    return true;
}

uint32_t ledger_find_reading(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    struct hash_probe probe =
        hash_probe_of(reading_hash(ledger, device, recorded_at_us, status, values));
    uint32_t number;

    while ((number = hash_index_next(&ledger->reading_index, &probe)) != HASH_INDEX_NONE) {
        const struct ledger_reading *reading = &ledger->readings[number];

        if (reading->recorded_at_us == recorded_at_us && reading->device == device &&
            reading->status == status && has_values(ledger, number, values))
            break;
    }
    return number;
}

static void note_recorded(struct ledger_span *span, int64_t us)
{
    if (us < span->earliest_us)
        span->earliest_us = us;
    if (us > span->latest_us)
        span->latest_us = us;
}

uint32_t ledger_add_reading(struct ledger *ledger, const struct ledger_reading *reading,
                            const double *values)
{
    size_t features = ledger->features.count;
    uint32_t number = ledger_find_reading(ledger, reading->device, reading->recorded_at_us,
                                          reading->status, values);

    if (number != LEDGER_NONE)
        return number;
    number = ledger->reading_count++;
    if (number == ledger->reading_capacity) {
        uint32_t capacity = (uint32_t)mem_grown(number, (size_t)number + 1);

        ledger->readings = mem_realloc(ledger->readings, capacity * sizeof(ledger->readings[0]));
        ledger->values = mem_realloc(ledger->values, capacity * features * sizeof(double) + 1);
        ledger->reading_capacity = capacity;
    }
    ledger->readings[number] = *reading;
    memcpy(ledger->values + number * features, values, features * sizeof(double));
    hash_index_add(
        &ledger->reading_index,
        reading_hash(ledger, reading->device, reading->recorded_at_us, reading->status, values),
        number);
    note_recorded(&ledger->span, reading->recorded_at_us);
    return number;
}

bool ledger_reading_is_lost(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_reading *reading = &ledger->readings[number];

    if (reading->counts.acked == 0 || reading->counts.found > 0)
        return false;
    return reading->expect != TRUTH_EITHER ||
           ledger->rejections[reading->rejection].counts.found == 0;
}

/* ---- rejections ----------------------------------------------------------------------------- */

static uint64_t rejection_hash(uint32_t device, uint32_t bytes, const char *head)
{
    return hash_mix(hash_mix(hash_bytes(head, strlen(head)), device), bytes);
}

uint32_t ledger_find_rejection(const struct ledger *ledger, uint32_t device, uint32_t bytes,
                               const char *head)
{
    struct hash_probe probe = hash_probe_of(rejection_hash(device, bytes, head));
    uint32_t number;

    while ((number = hash_index_next(&ledger->rejection_index, &probe)) != HASH_INDEX_NONE) {
        const struct ledger_rejection *rejection = &ledger->rejections[number];

        if (rejection->device == device && rejection->bytes == bytes &&
            strcmp((const char *)ledger->heads.data + rejection->head, head) == 0)
            break;
    }
    return number;
}

uint32_t ledger_add_rejection(struct ledger *ledger, uint32_t device, uint32_t bytes,
                              const char *head)
{
    uint32_t number = ledger_find_rejection(ledger, device, bytes, head);

    if (number != LEDGER_NONE)
        return number;
    number = ledger->rejection_count++;
    ledger->rejections = mem_grow_zeroed(ledger->rejections, &ledger->rejection_capacity,
                                         ledger->rejection_count, sizeof(ledger->rejections[0]));
    ledger->rejections[number] = (struct ledger_rejection){
        .device = device, .bytes = bytes, .head = ledger->heads.bytes, .is_either = true};
    buffer_put(&ledger->heads, head, strlen(head) + 1);
    hash_index_add(&ledger->rejection_index, rejection_hash(device, bytes, head), number);
    return number;
}

bool ledger_rejection_is_lost(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_rejection *rejection = &ledger->rejections[number];

    return !rejection->is_either && rejection->counts.found < rejection->counts.acked;
}

/* ---- lives ---------------------------------------------------------------------------------- */

void ledger_add_birth(struct ledger *ledger, uint32_t device)
{
    ledger->lives = mem_grow_zeroed(ledger->lives, &ledger->lives_capacity, (size_t)device + 1,
                                    sizeof(ledger->lives[0]));
    ledger->lives[device].births++;
}

bool ledger_takes_death(struct ledger *ledger, uint32_t device, uint8_t status,
                        const double *values)
{
    if (status != STATUS_INACTIVE || device >= ledger->lives_capacity ||
        ledger->lives[device].deaths == ledger->lives[device].births)
        return false;
    for (size_t i = 0; i < ledger->features.count; i++) {
        if (!isnan(values[i]))
            return false;
    }
    ledger->lives[device].deaths++;
    return true;
}

/* ---- both ----------------------------------------------------------------------------------- */

void ledger_clear_found(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->reading_count; i++)
        ledger->readings[i].counts.found = 0;
    for (uint32_t i = 0; i < ledger->rejection_count; i++)
        ledger->rejections[i].counts.found = 0;
    for (size_t i = 0; i < ledger->lives_capacity; i++)
        ledger->lives[i].deaths = 0;
}

void ledger_note_event(struct ledger *ledger, int64_t us)
{
    struct ledger_span *span = &ledger->span;

    if (!span->is_there)
        *span = (struct ledger_span){.is_there = true,
                                     .first_us = us,
                                     .last_us = us,
                                     .earliest_us = INT64_MAX,
                                     .latest_us = INT64_MIN};
    if (us < span->first_us)
        span->first_us = us;
    if (us > span->last_us)
        span->last_us = us;
}

bool ledger_claims_reading(const struct ledger *ledger, int64_t recorded_at_us,
                           int64_t received_at_us)
{
    const struct ledger_span *span = &ledger->span;

    if (!span->is_there)
        return false;
    return (received_at_us >= span->first_us && received_at_us <= span->last_us) ||
           (received_at_us >= span->first_us - CLOCKS_DIFFER_US &&
            recorded_at_us >= span->earliest_us && recorded_at_us <= span->latest_us);
}

bool ledger_claims_rejection(const struct ledger *ledger, int64_t received_at_us)
{
    return ledger->span.is_there && received_at_us >= ledger->span.first_us - CLOCKS_DIFFER_US;
}
