#include "collector/sequences.h"

#include "shared/log.h"
#include "shared/mem.h"
#include "shared/timestamp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAVE_TICKS = 3,  /* a device that sends often is written this often, not more */
    SAVE_MOST = 5000 /* devices in one statement; the rest follows */
};

void sequences_init(struct sequences *sequences, const struct devices *devices)
{
    *sequences = (struct sequences){.devices = devices};
}

void sequences_release(struct sequences *sequences)
{
    for (size_t i = 0; i < sequences->item_count; i++)
        free(sequences->items[i]);
    free(sequences->items);
    free(sequences->deferred);
    free(sequences->dirty);
    free(sequences->is_dirty);
    buffer_release(&sequences->sql);
    *sequences = (struct sequences){0};
}

static struct sequence *item_of(struct sequences *sequences, uint32_t device)
{
    if (device >= sequences->item_count) {
        size_t count = mem_grown(sequences->item_count, device + 1);
        size_t added = count - sequences->item_count;

        sequences->items = mem_realloc(sequences->items, count * sizeof(struct sequence *));
        sequences->is_dirty = mem_realloc(sequences->is_dirty, count);
        memset(sequences->items + sequences->item_count, 0, added * sizeof(struct sequence *));
        memset(sequences->is_dirty + sequences->item_count, 0, added);
        sequences->item_count = count;
    }
    if (!sequences->items[device]) {
        sequences->items[device] = mem_calloc(1, sizeof(struct sequence));
        sequences->device_count++;
    }
    return sequences->items[device];
}

static void add_totals(struct sequences *sequences, const struct sequence *item, int sign)
{
    uint64_t factor = sign > 0 ? 1 : UINT64_MAX; /* modulo 2^64, so this subtracts */

    sequences->missing += factor * item->missing;
    sequences->repeats += factor * item->repeats;
    sequences->restarts += factor * item->restarts;
}

static void take(struct sequences *sequences, uint32_t device, int64_t number,
                 int64_t recorded_at_us)
{
    struct sequence *item = item_of(sequences, device);

    add_totals(sequences, item, -1);
    sequence_take(item, number, recorded_at_us);
    add_totals(sequences, item, 1);
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

void sequences_take(struct sequences *sequences, uint32_t device, int64_t number,
                    int64_t recorded_at_us)
{
    if (sequences->is_loaded) {
        take(sequences, device, number, recorded_at_us);
        return;
    }
    if (sequences->deferred_count == sequences->deferred_capacity) {
        sequences->deferred_capacity =
            mem_grown(sequences->deferred_capacity, sequences->deferred_count + 1);
        sequences->deferred = mem_realloc(sequences->deferred, sequences->deferred_capacity *
                                                                   sizeof(sequences->deferred[0]));
    }
    sequences->deferred[sequences->deferred_count++] = (struct sequences_deferred){
        .device = device, .number = number, .recorded_at_us = recorded_at_us};
}

void sequences_load_state(struct sequences *sequences, uint32_t device, int64_t highest,
                          int64_t highest_at_us, uint64_t missing, uint64_t repeats,
                          uint64_t restarts)
{
    struct sequence *item = item_of(sequences, device);

    add_totals(sequences, item, -1);
    sequence_resume(item, highest, highest_at_us, missing, repeats, restarts);
    add_totals(sequences, item, 1);
}

void sequences_load_number(struct sequences *sequences, uint32_t device, int64_t number,
                           int64_t recorded_at_us)
{
    take(sequences, device, number, recorded_at_us);
}

void sequences_loaded(struct sequences *sequences)
{
    sequences->is_loaded = true;
    for (size_t i = 0; i < sequences->deferred_count; i++) {
        const struct sequences_deferred *deferred = &sequences->deferred[i];
        const struct sequence *item = item_of(sequences, deferred->device);

        /* what was committed before the snapshot has been loaded already */
        if (!item->has_started || deferred->recorded_at_us > item->highest_at_us)
            take(sequences, deferred->device, deferred->number, deferred->recorded_at_us);
    }
    free(sequences->deferred);
    sequences->deferred = NULL;
    sequences->deferred_count = sequences->deferred_capacity = 0;
}

static void on_saved(struct pg_query *query, const struct pg_error *error)
{
    struct sequences *sequences = query->user;

    sequences->is_saving = false;
    if (error && !error->is_connection)
        log_warning("sequences: not written: %s (SQLSTATE %s)", error->text, error->sqlstate);
}

void sequences_tick(struct sequences *sequences, struct pg_link *link)
{
    struct buffer *sql = &sequences->sql;
    char when[TIMESTAMP_TEXT_SIZE];

    if (sequences->dirty_count == 0 || sequences->is_saving || ++sequences->ticks < SAVE_TICKS)
        return;
    sequences->ticks = 0;
    buffer_clear(sql);
    buffer_put_text(sql, "INSERT INTO device_sequences"
                         " (device, highest, highest_at, missing, repeats, restarts) VALUES ");
    for (int i = 0; i < SAVE_MOST && sequences->dirty_count > 0; i++) {
        uint32_t device = sequences->dirty[--sequences->dirty_count];
        const struct sequence *item = sequences->items[device];

        sequences->is_dirty[device] = 0;
        timestamp_format(when, item->highest_at_us);
        buffer_printf(sql, "%s(%" PRId32 ",%" PRId64 ",'%s',%" PRIu64 ",%" PRIu64 ",%" PRIu64 ")",
                      i > 0 ? "," : "", sequences->devices->items[device].database_id,
                      item->highest, when, item->missing, item->repeats, item->restarts);
    }
    buffer_put_text(sql, " ON CONFLICT (device) DO UPDATE SET highest = EXCLUDED.highest,"
                         " highest_at = EXCLUDED.highest_at, missing = EXCLUDED.missing,"
                         " repeats = EXCLUDED.repeats, restarts = EXCLUDED.restarts,"
                         " updated_at = now()");
    sequences->is_saving = true;
    sequences->query =
        (struct pg_query){.sql = buffer_text(sql), .user = sequences, .on_done = on_saved};
    pg_link_submit(link, &sequences->query);
}
