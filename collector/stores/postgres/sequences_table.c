/* Not in the transaction that stores the readings: a row per device and batch would cost as much as
 * the readings. Not on the connection that stores them: it would hold up commits. */
#include "collector/stores/postgres/sequences_table.h"

#include "shared/base/hex.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>

enum { SAVE_TICKS = 3 }; /* a device that sends often is written this often, not more */

/* Marks of collectors that had ended so long before we began are dropped. */
#define ENDED_US (INT64_C(60) * 1000000)

void sequences_table_init(struct sequences_table *table, const struct refs *refs,
                          const char *collector_id)
{
    *table = (struct sequences_table){.refs = refs, .collector_id = collector_id};
}

void sequences_table_release(struct sequences_table *table)
{
    buffer_release(&table->sql);
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
static void put_mark(const struct sequences_table *table, const struct sequences *sequences,
                     struct buffer *out)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, sequences->round_mark_us);
    buffer_printf(out,
                  "INSERT INTO sequence_marks (collector_id, taken_until) VALUES ('%s', '%s')"
                  " ON CONFLICT (collector_id) DO UPDATE SET taken_until = EXCLUDED.taken_until;",
                  table->collector_id, when);
    if (sequences->marked_us != INT64_MIN)
        return;
    timestamp_format(when, sequences->loaded_at_us - ENDED_US);
    buffer_printf(
        out,
        "DELETE FROM sequence_marks WHERE CASE WHEN collector_id <> '%s' AND taken_until <"
        " '%s' THEN pg_try_advisory_xact_lock(hashtextextended('highwater collector ' ||"
        " collector_id, 0)) ELSE false END;",
        table->collector_id, when);
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

void sequences_table_put(const struct sequences_table *table, struct sequences *sequences,
                         struct buffer *out)
{
    size_t end = sequences->round_saved + SEQUENCES_TABLE_MOST;
    const char *before = "";

    if (end > sequences->round_count)
        end = sequences->round_count;
    for (size_t i = sequences->round_saved; i < end; i++) {
        uint32_t device = sequences->round[i];
        int32_t database_id = refs_of(table->refs, device);

        const struct sequences_item *item = sequences_item(sequences, device);

        if (database_id == 0 || !item)
            continue; /* it was removed */
        buffer_put_text(out, *before ? before : SAVE_HEAD);
        put_row(out, database_id, item);
        before = ",";
    }
    if (*before)
        buffer_put_text(out, SAVE_TAIL);
    if (end == sequences->round_count && sequences->round_mark_us != INT64_MIN)
        put_mark(table, sequences, out);
    else if (!*before)
        buffer_put_text(out, "SELECT"); /* all of them were removed */
    sequences->round_sent = end;
}

static void save(struct sequences_table *table);

static void on_saved(struct pg_query *query, const struct pg_error *error)
{
    struct sequences_table *table = query->user;
    bool is_cleared = table->sequences->clears != table->clears;

    table->is_saving = false;
    if (error && !error->is_connection)
        log_warning("sequences: not written: %s (SQLSTATE %s); trying again", error->text,
                    error->sqlstate);
    if (!is_cleared && sequences_end_statement(table->sequences, !error))
        save(table);
}

static void save(struct sequences_table *table)
{
    buffer_clear(&table->sql);
    sequences_table_put(table, table->sequences, &table->sql);
    table->is_saving = true;
    table->clears = table->sequences->clears;
    table->query =
        (struct pg_query){.sql = buffer_text(&table->sql), .user = table, .on_done = on_saved};
    pg_link_submit(table->link, &table->query);
}

void sequences_table_tick(struct sequences_table *table, struct sequences *sequences,
                          struct pg_link *link, int64_t settled_until_us)
{
    if (!sequences->is_loaded || table->is_saving || link->state != PG_LINK_UP ||
        ++table->ticks < SAVE_TICKS)
        return;
    table->ticks = 0;
    table->sequences = sequences;
    table->link = link;
    if (sequences_begin_round(sequences, settled_until_us))
        save(table);
}
