/* Sorting pays twice: a database appends to its index in runs instead of jumping about (two to three
 * times the rows a second), and repetitions of a reading within the batch lie side by side,
 * so they are left out here instead of being refused there.
 *
 * It goes in two steps, because readings arrive nearly in the order of their time: a counting sort
 * by device, which keeps that order, then whatever is left to do within each device. */
#include "collector/batch.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct sort_key {
    int64_t recorded_at_us;
    int64_t content_hash;
    int32_t rank;
    uint32_t row;
};

void batch_init(struct batch *batch, size_t feature_count)
{
    *batch = (struct batch){.feature_count = feature_count,
                            .stride = sizeof(struct batch_row) + reading_size(feature_count)};
}

void batch_release(struct batch *batch)
{
    free(batch->rows);
    free(batch->order);
    free(batch->keys);
    buffer_release(&batch->payloads);
    rejected_list_release(&batch->rejected);
    sparkplug_changes_release(&batch->sparkplug);
    abouts_release(&batch->abouts);
    *batch = (struct batch){0};
}

void batch_clear(struct batch *batch)
{
    batch->count = 0;
    batch->message_count = 0;
    batch->rejected_count = 0;
    memset(batch->rejected_by_reason, 0, sizeof(batch->rejected_by_reason));
    batch->arrivals_us = 0;
    batch->sorted_count = 0;
    buffer_clear(&batch->payloads);
    rejected_list_clear(&batch->rejected);
    sparkplug_changes_clear(&batch->sparkplug);
    abouts_clear(&batch->abouts);
}

void batch_note_arrival(struct batch *batch, int64_t received_at_us)
{
    if ((batch->count == 0 && batch->rejected_count == 0) ||
        received_at_us < batch->oldest_received_at_us)
        batch->oldest_received_at_us = received_at_us;
}

struct batch_row *batch_push_at(struct batch *batch, uint32_t device,
                                const struct reading_item *item, size_t payload_at)
{
    struct batch_row *row;

    batch_note_arrival(batch, item->received_at_us);
    batch->arrivals_us += (uint64_t)item->received_at_us;
    if (batch->count == 0 || item->reading->recorded_at_us > batch->newest_recorded_at_us)
        batch->newest_recorded_at_us = item->reading->recorded_at_us;
    if (batch->count == batch->capacity) {
        batch->capacity = mem_grown(batch->capacity, batch->count + 1);
        batch->rows = mem_realloc(batch->rows, batch->capacity * batch->stride);
    }
    row = batch_row(batch, batch->count++);
    *row = (struct batch_row){.received_at_us = item->received_at_us,
                              .first_received_at_us = item->first_received_at_us,
                              .seq = item->seq,
                              .payload_at = payload_at,
                              .payload_bytes = (uint32_t)item->length,
                              .device = device};
    memcpy(batch_reading(row), item->reading, reading_size(batch->feature_count));
    return row;
}

size_t batch_keep_message(struct batch *batch, const char *topic, const void *payload, size_t bytes)
{
    size_t at = batch->payloads.bytes;

    buffer_put(&batch->payloads, payload, bytes);
    buffer_put(&batch->payloads, topic, strlen(topic) + 1);
    return at;
}

void batch_reject(struct batch *batch, const char *topic, const char *device,
                  const struct reading_item *item)
{
    batch_note_arrival(batch, item->received_at_us);
    rejected_list_add_item(&batch->rejected, topic, device, item);
    batch->rejected_count++;
    batch->rejected_by_reason[item->error]++;
}

static int compare_keys(const void *left, const void *right)
{
    const struct sort_key *a = left;
    const struct sort_key *b = right;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->recorded_at_us != b->recorded_at_us)
        return a->recorded_at_us < b->recorded_at_us ? -1 : 1;
    if (a->content_hash != b->content_hash)
        return a->content_hash < b->content_hash ? -1 : 1;
    return a->row < b->row ? -1 : 1; /* of repetitions, the one that came first */
}

static bool is_same(const struct sort_key *a, const struct sort_key *b)
{
    return a->rank == b->rank && a->recorded_at_us == b->recorded_at_us &&
           a->content_hash == b->content_hash;
}

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static uint32_t digit_of(const struct sort_key *key, unsigned shift)
{
    return (uint32_t)key->rank >> shift & (DIGITS - 1);
}

/* Sorts by one digit of the device after the other, lowest first; a digit that all have in common
 * is left out. Returns which of the two arrays has the result. */
static struct sort_key *sort_by_device(struct sort_key *keys, struct sort_key *spare, size_t count)
{
    uint32_t starts[DIGITS];

    for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
        struct sort_key *sorted = spare;
        uint32_t sum = 0;

        memset(starts, 0, sizeof(starts));
        for (size_t i = 0; i < count; i++)
            starts[digit_of(&keys[i], shift)]++;
        if (starts[digit_of(&keys[0], shift)] == count)
            continue;
        for (size_t i = 0; i < DIGITS; i++) {
            uint32_t start = sum;

            sum += starts[i];
            starts[i] = start;
        }
        for (size_t i = 0; i < count; i++)
            sorted[starts[digit_of(&keys[i], shift)]++] = keys[i];
        spare = keys;
        keys = sorted;
    }
    return keys;
}

/* Sorts what belongs to each device, where it is not in order already. */
static void sort_within_devices(struct sort_key *keys, size_t count)
{
    size_t end;

    for (size_t start = 0; start < count; start = end) {
        bool is_sorted = true;

        for (end = start + 1; end < count && keys[end].rank == keys[start].rank; end++)
            is_sorted = is_sorted && compare_keys(&keys[end - 1], &keys[end]) < 0;
        if (!is_sorted)
            qsort(keys + start, end - start, sizeof(keys[0]), compare_keys);
    }
}

void batch_sort(struct batch *batch, const int32_t *ranks)
{
    struct sort_key *keys;

    batch->sorted_count = 0;
    if (batch->count == 0)
        return;
    if (batch->order_capacity < batch->count) {
        batch->order_capacity = batch->capacity;
        batch->order = mem_realloc(batch->order, batch->order_capacity * sizeof(batch->order[0]));
        batch->keys = mem_realloc(batch->keys, 2 * batch->order_capacity * sizeof(struct sort_key));
    }
    keys = batch->keys;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_row *row = batch_row(batch, i);
        const struct reading *reading = batch_reading(row);

        keys[i] = (struct sort_key){.recorded_at_us = reading->recorded_at_us,
                                    .content_hash = reading->content_hash,
                                    .rank = ranks[row->device],
                                    .row = (uint32_t)i};
    }
    keys = sort_by_device(keys, keys + batch->order_capacity, batch->count);
    sort_within_devices(keys, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        if (i == 0 || !is_same(&keys[i - 1], &keys[i]))
            batch->order[batch->sorted_count++] = keys[i].row;
    }
}
