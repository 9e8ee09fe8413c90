/* Not in the transaction that stores the readings: a row per device and batch would cost as much as
 * the readings. Not on the connection that stores them: it would hold up commits. So the state that
 * is saved is always a little old, and what makes it exact again is the readings themselves. */
#include "collector/stores/postgres/sequences.h"

#include "shared/base/hex.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_TICKS = 3 }; /* a device that sends often is written this often, not more */

/* A mark that is older is renewed even when no number came: a start reads from there on. */
#define MARK_US (INT64_C(60) * 1000000)

void sequences_init(struct sequences *sequences, const struct refs *refs, const char *collector_id)
{
    *sequences =
        (struct sequences){.refs = refs, .collector_id = collector_id, .marked_us = INT64_MIN};
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
    sequences_init(&cleared, sequences->refs, sequences->collector_id);
    cleared.restarts_shown = sequences->restarts_shown;
    /* the link still knows these */
    cleared.is_saving = cleared.is_cleared = sequences->is_saving;
    cleared.link = sequences->link;
    cleared.query = sequences->query;
    cleared.sql = sequences->sql;
    *sequences = cleared;
}

void sequences_release(struct sequences *sequences)
{
    sequences_clear(sequences);
    buffer_release(&sequences->sql);
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

/* ---- saving --------------------------------------------------------------------------------- */

struct round_key {
    int32_t database_id;
    uint32_t device;
};

static int compare_keys(const void *left, const void *right)
{
    const struct round_key *a = left;
    const struct round_key *b = right;

    return a->database_id < b->database_id ? -1 : a->database_id > b->database_id;
}

static void sort_round(struct sequences *sequences)
{
    size_t count = sequences->round_count;
    struct round_key *keys;

    if (count == 0)
        return;
    keys = mem_calloc(count, sizeof(*keys));
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct round_key){.database_id = refs_of(sequences->refs, sequences->round[i]),
                                     .device = sequences->round[i]};
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < count; i++)
        sequences->round[i] = keys[i].device;
    free(keys);
}

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
    sort_round(sequences);
    sequences->round_saved = sequences->round_sent = 0;
    sequences->round_mark_us = settled_until_us;
    return true;
}

static void put_row(struct buffer *out, int32_t database_id, const struct sequences_item *item)
{
    const struct sequence *sequence = &item->sequence;
    unsigned char details[SEQUENCE_PACKED_MAX];
    size_t bytes = sequence_pack(sequence, details);
    char highest_at[TIMESTAMP_TEXT_SIZE];
    char taken_until[TIMESTAMP_TEXT_SIZE];

    timestamp_format(highest_at, sequence->highest_at_us);
    timestamp_format(taken_until, item->taken_until_us);
    buffer_printf(out,
                  "(%" PRId32 ",%" PRId64 ",'%s',%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",'%s','\\x",
                  database_id, sequence->run.highest, highest_at, sequence->missing,
                  sequence->repeats, sequence->restarts, taken_until);
    hex_write(out, details, bytes);
    buffer_put_text(out, "')");
}

/* With the last one, so in its transaction (one string is one): the mark, and no more those of collectors that have
 * ended, whose numbers have been loaded and are now saved. That none is live says the lock. */
static void put_mark(struct sequences *sequences, struct buffer *out)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, sequences->round_mark_us);
    buffer_printf(out,
                  "INSERT INTO sequence_marks (collector_id, taken_until) VALUES ('%s', '%s')"
                  " ON CONFLICT (collector_id) DO UPDATE SET taken_until = EXCLUDED.taken_until;",
                  sequences->collector_id, when);
    if (sequences->marked_us != INT64_MIN)
        return;
    timestamp_format(when, sequences->loaded_at_us - MARK_US);
    buffer_printf(
        out,
        "DELETE FROM sequence_marks WHERE CASE WHEN collector_id <> '%s' AND taken_until <"
        " '%s' THEN pg_try_advisory_xact_lock(hashtextextended('highwater collector ' ||"
        " collector_id, 0)) ELSE false END;",
        sequences->collector_id, when);
}

/* A device that is removed meanwhile, which shuts out the holder of this lock, gets no row again. */
#define SAVE_HEAD                                                                                  \
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('highwater late', 0));"                  \
    "INSERT INTO device_sequences AS s (device, highest, highest_at, missing, repeats, restarts,"  \
    " taken_until, details) SELECT v.device, v.highest, v.highest_at::timestamptz, v.missing,"     \
    " v.repeats, v.restarts, v.taken_until::timestamptz, v.details::bytea FROM (VALUES "

#define SAVE_TAIL                                                                                  \
    ") AS v (device, highest, highest_at, missing, repeats, restarts, taken_until, details)"       \
    " JOIN devices d ON d.id = v.device ORDER BY v.device"                                         \
    " ON CONFLICT (device) DO UPDATE SET highest = EXCLUDED.highest,"                              \
    " highest_at = EXCLUDED.highest_at, missing = EXCLUDED.missing, repeats = EXCLUDED.repeats,"   \
    " restarts = EXCLUDED.restarts, taken_until = EXCLUDED.taken_until,"                           \
    " details = EXCLUDED.details, updated_at = now()"                                              \
    " WHERE s.taken_until <= EXCLUDED.taken_until;"

void sequences_put_statement(struct sequences *sequences, struct buffer *out)
{
    size_t end = sequences->round_saved + SEQUENCES_SAVE_MOST;
    const char *before = "";

    if (end > sequences->round_count)
        end = sequences->round_count;
    for (size_t i = sequences->round_saved; i < end; i++) {
        uint32_t device = sequences->round[i];
        int32_t database_id = refs_of(sequences->refs, device);

        if (database_id == 0 || !sequences->items[device])
            continue; /* it was removed */
        buffer_put_text(out, *before ? before : SAVE_HEAD);
        put_row(out, database_id, sequences->items[device]);
        before = ",";
    }
    if (*before)
        buffer_put_text(out, SAVE_TAIL);
    if (end == sequences->round_count && sequences->round_mark_us != INT64_MIN)
        put_mark(sequences, out);
    else if (!*before)
        buffer_put_text(out, "SELECT"); /* all of them were removed */
    sequences->round_sent = end;
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

static void save(struct sequences *sequences);

static void on_saved(struct pg_query *query, const struct pg_error *error)
{
    struct sequences *sequences = query->user;
    bool is_cleared = sequences->is_cleared;

    sequences->is_saving = sequences->is_cleared = false;
    if (error && !error->is_connection)
        log_warning("sequences: not written: %s (SQLSTATE %s); trying again", error->text,
                    error->sqlstate);
    if (!is_cleared && sequences_end_statement(sequences, !error))
        save(sequences);
}

static void save(struct sequences *sequences)
{
    buffer_clear(&sequences->sql);
    sequences_put_statement(sequences, &sequences->sql);
    sequences->is_saving = true;
    sequences->query = (struct pg_query){
        .sql = buffer_text(&sequences->sql), .user = sequences, .on_done = on_saved};
    pg_link_submit(sequences->link, &sequences->query);
}

void sequences_tick(struct sequences *sequences, struct pg_link *link, int64_t settled_until_us)
{
    if (!sequences->is_loaded || sequences->is_saving || link->state != PG_LINK_UP ||
        ++sequences->ticks < SAVE_TICKS)
        return;
    sequences->ticks = 0;
    sequences->link = link;
    if (sequences_begin_round(sequences, settled_until_us))
        save(sequences);
}
