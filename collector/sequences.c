/* The state that is saved is always a little old, and what makes it exact again is the readings
 * themselves. */
#include "collector/sequences.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A mark that is older is renewed even when no number came: a start reads from there on. */
#define MARK_US (INT64_C(60) * 1000000)

void sequences_init(struct sequences *sequences)
{
    *sequences = (struct sequences){.marked_us = INT64_MIN};
}

void sequences_clear(struct sequences *sequences)
{
    struct sequences cleared;

    for (size_t i = 0; i < sequences->item_count; i++)
        free(sequences->items[i]);
    free(sequences->items);
    free(sequences->deferred);
    free(sequences->dirty);
    free(sequences->round);
    free(sequences->is_dirty);
    sequences_init(&cleared);
    cleared.restarts_shown = sequences->restarts_shown;
    cleared.clears = sequences->clears + 1;
    *sequences = cleared;
}

void sequences_release(struct sequences *sequences)
{
    sequences_clear(sequences);
}

static struct sequences_item *item_of(struct sequences *sequences, uint32_t device)
{
    if (device >= sequences->item_count) {
        size_t count = mem_grown(sequences->item_count, device + 1);
        size_t added = count - sequences->item_count;

        sequences->items = mem_realloc(sequences->items, count * sizeof(sequences->items[0]));
        sequences->is_dirty = mem_realloc(sequences->is_dirty, count);
        memset(sequences->items + sequences->item_count, 0, added * sizeof(sequences->items[0]));
        memset(sequences->is_dirty + sequences->item_count, 0, added);
        sequences->item_count = count;
    }
    if (!sequences->items[device]) {
        sequences->items[device] = mem_calloc(1, sizeof(struct sequences_item));
        sequences->items[device]->taken_until_us = INT64_MIN;
        sequences->device_count++;
    }
    return sequences->items[device];
}

const struct sequences_item *sequences_item(const struct sequences *sequences, uint32_t device)
{
    return device < sequences->item_count ? sequences->items[device] : NULL;
}

void sequences_forget(struct sequences *sequences, uint32_t device)
{
    size_t kept = 0;

    for (size_t i = 0; i < sequences->deferred_count; i++) {
        if (sequences->deferred[i].device != device)
            sequences->deferred[kept++] = sequences->deferred[i];
    }
    sequences->deferred_count = kept;
    if (device >= sequences->item_count || !sequences->items[device])
        return;
    free(sequences->items[device]);
    sequences->items[device] = NULL; /* it may be in a list, where it is passed over */
    sequences->device_count--;
}

static void mark_dirty(struct sequences *sequences, uint32_t device)
{
    if (sequences->is_dirty[device])
        return;
    sequences->is_dirty[device] = 1;
    if (sequences->dirty_count == sequences->dirty_capacity) {
        sequences->dirty_capacity =
            mem_grown(sequences->dirty_capacity, sequences->dirty_count + 1);
        sequences->dirty =
            mem_realloc(sequences->dirty, sequences->dirty_capacity * sizeof(uint32_t));
    }
    sequences->dirty[sequences->dirty_count++] = device;
}

/* ---- taking --------------------------------------------------------------------------------- */

static void take(struct sequences *sequences, uint32_t device, int64_t number,
                 int64_t recorded_at_us, int64_t received_at_us, bool is_again)
{
    struct sequences_item *item;

    if (number < 0 || number > SEQUENCE_NUMBER_MAX)
        return; /* stored by hand */
    item = item_of(sequences, device);
    if (is_again)
        sequence_apply_again(&item->sequence, number, recorded_at_us);
    else
        sequence_apply(&item->sequence, number, recorded_at_us);
    if (received_at_us > item->taken_until_us)
        item->taken_until_us = received_at_us;
    mark_dirty(sequences, device);
}

void sequences_apply(struct sequences *sequences, uint32_t device, int64_t number,
                     int64_t recorded_at_us, int64_t received_at_us)
{
    if (sequences->is_loaded) {
        take(sequences, device, number, recorded_at_us, received_at_us, false);
        return;
    }
    if (sequences->deferred_count == sequences->deferred_capacity) {
        sequences->deferred_capacity =
            mem_grown(sequences->deferred_capacity, sequences->deferred_count + 1);
        sequences->deferred = mem_realloc(sequences->deferred, sequences->deferred_capacity *
                                                                   sizeof(sequences->deferred[0]));
    }
    sequences->deferred[sequences->deferred_count++] =
        (struct sequences_deferred){.device = device,
                                    .number = number,
                                    .recorded_at_us = recorded_at_us,
                                    .received_at_us = received_at_us};
}

void sequences_load_state(struct sequences *sequences, uint32_t device,
                          const struct sequences_state *state)
{
    struct sequences_item *item;

    if (sequences->is_loaded || state->highest < 0 || state->highest > SEQUENCE_NUMBER_MAX ||
        state->missing > SEQUENCE_COUNT_MAX || state->repeats > SEQUENCE_COUNT_MAX)
        return;
    item = item_of(sequences, device);
    sequence_resume(&item->sequence, state->highest, state->highest_at_us, state->missing,
                    state->repeats, state->restarts);
    sequence_unpack(&item->sequence, state->details, state->details_bytes);
    item->taken_until_us = state->taken_until_us;
}

void sequences_load_number(struct sequences *sequences, uint32_t device, int64_t number,
                           int64_t recorded_at_us, int64_t received_at_us)
{
    if (!sequences->is_loaded)
        take(sequences, device, number, recorded_at_us, received_at_us, true);
}

void sequences_loaded(struct sequences *sequences, int64_t now_us)
{
    if (sequences->is_loaded)
        return;
    sequences->is_loaded = true;
    sequences->loaded_at_us = now_us;
    for (size_t i = 0; i < sequences->deferred_count; i++) {
        const struct sequences_deferred *deferred = &sequences->deferred[i];

        /* Of what was committed before the snapshot, all that came from there. */
        take(sequences, deferred->device, deferred->number, deferred->recorded_at_us,
             deferred->received_at_us, true);
    }
    free(sequences->deferred);
    sequences->deferred = NULL;
    sequences->deferred_count = sequences->deferred_capacity = 0;
}

static void add_total(uint64_t *total, uint64_t more)
{
    *total = more < UINT64_MAX - *total ? *total + more : UINT64_MAX;
}

struct sequences_totals sequences_totals(struct sequences *sequences)
{
    struct sequences_totals totals = {0};

    for (size_t i = 0; i < sequences->item_count; i++) {
        if (!sequences->items[i])
            continue;
        add_total(&totals.missing, sequences->items[i]->sequence.missing);
        add_total(&totals.repeats, sequences->items[i]->sequence.repeats);
        add_total(&totals.restarts, sequences->items[i]->sequence.restarts);
    }
    if (totals.restarts > sequences->restarts_shown)
        sequences->restarts_shown = totals.restarts;
    totals.restarts = sequences->restarts_shown;
    return totals;
}

/* ---- rounds --------------------------------------------------------------------------------- */

static bool is_mark_due(const struct sequences *sequences, int64_t settled_until_us)
{
    return settled_until_us != INT64_MIN && (sequences->marked_us == INT64_MIN ||
                                             settled_until_us - sequences->marked_us >= MARK_US);
}

bool sequences_begin_round(struct sequences *sequences, int64_t settled_until_us)
{
    uint32_t *list = sequences->round;
    size_t capacity = sequences->round_capacity;

    if (sequences->dirty_count == 0 && !is_mark_due(sequences, settled_until_us))
        return false;
    sequences->round = sequences->dirty;
    sequences->round_count = sequences->dirty_count;
    sequences->round_capacity = sequences->dirty_capacity;
    sequences->dirty = list;
    sequences->dirty_count = 0;
    sequences->dirty_capacity = capacity;
    for (size_t i = 0; i < sequences->round_count; i++)
        sequences->is_dirty[sequences->round[i]] = 0;
    sequences->round_saved = sequences->round_sent = 0;
    sequences->round_mark_us = settled_until_us;
    return true;
}

bool sequences_end_statement(struct sequences *sequences, bool succeeded)
{
    if (!succeeded) {
        for (size_t i = sequences->round_saved; i < sequences->round_count; i++)
            mark_dirty(sequences, sequences->round[i]);
        sequences->round_count = 0;
        return false;
    }
    sequences->round_saved = sequences->round_sent;
    if (sequences->round_saved < sequences->round_count)
        return true;
    if (sequences->round_mark_us != INT64_MIN)
        sequences->marked_us = sequences->round_mark_us;
    sequences->round_count = 0;
    return false;
}
