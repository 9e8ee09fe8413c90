#include "collector/stores/postgres/arrivals_table.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>

void arrivals_table_init(struct arrivals_table *table, const struct refs *refs)
{
    *table = (struct arrivals_table){.refs = refs};
}

void arrivals_table_release(struct arrivals_table *table)
{
    buffer_release(&table->sql);
}

/* Of a device that goes on, half a minute after the last time; of one that does not, soon after it sent. */
static bool is_due(const struct hearing_arrival *arrival, int64_t now_us)
{
    return arrival->received_at_us != arrival->written_us &&
           (arrival->received_at_us - arrival->written_us >= ARRIVALS_TABLE_OLD_US ||
            now_us - arrival->received_at_us >= ARRIVALS_TABLE_SILENT_US);
}

/* So that all have had their turn in half the time after which they are due again, or less: not thousands in one
 * second and none in the next, for whoever stores readings waits for that second. */
static size_t most_of(const struct hearing *hearing)
{
    size_t most = hearing->count / (ARRIVALS_TABLE_OLD_US / 2000000);

    if (most < ARRIVALS_TABLE_LEAST)
        return ARRIVALS_TABLE_LEAST;
    return most < ARRIVALS_TABLE_MOST ? most : ARRIVALS_TABLE_MOST;
}

/* In turn, so that none is forgotten where more change than are written. */
static void choose(struct arrivals_table *table, const struct hearing *hearing, int64_t now_us)
{
    size_t most = most_of(hearing);

    table->count = 0;
    if (table->next >= hearing->count)
        table->next = 0;
    for (size_t looks = 0; looks < hearing->count && table->count < most; looks++) {
        const struct hearing_arrival *arrival = &hearing->arrivals[table->next];
        uint32_t device = (uint32_t)table->next;

        table->next = table->next + 1 < hearing->count ? table->next + 1 : 0;
        if (!is_due(arrival, now_us) || refs_of(table->refs, device) == 0)
            continue;
        table->devices[table->count] = device;
        table->received_at_us[table->count++] = arrival->received_at_us;
    }
}

bool arrivals_table_put(struct arrivals_table *table, const struct hearing *hearing, int64_t now_us)
{
    struct buffer *sql = &table->sql;

    choose(table, hearing, now_us);
    if (table->count == 0)
        return false;
    buffer_clear(sql);
    buffer_put_text(sql, "SELECT devices_heard('{");
    for (size_t i = 0; i < table->count; i++)
        buffer_printf(sql, i > 0 ? ",%" PRId32 : "%" PRId32,
                      refs_of(table->refs, table->devices[i]));
    buffer_put_text(sql, "}','{");
    for (size_t i = 0; i < table->count; i++)
        buffer_printf(sql, i > 0 ? ",%" PRId64 : "%" PRId64, table->received_at_us[i]);
    buffer_put_text(sql, "}','{");
    for (size_t i = 0; i < table->count; i++)
        buffer_printf(sql, i > 0 ? ",%" PRId64 : "%" PRId64,
                      hearing->arrivals[table->devices[i]].offset_us);
    buffer_put_text(sql, "}')");
    return true;
}

void arrivals_table_note_written(const struct arrivals_table *table, struct hearing *hearing)
{
    for (size_t i = 0; i < table->count; i++)
        hearing->arrivals[table->devices[i]].written_us = table->received_at_us[i];
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct arrivals_table *table = query->user;

    table->is_busy = false;
    if (error && !error->is_connection && !table->has_failed)
        log_warning("devices: when they were heard is not written: %s (SQLSTATE %s); trying again",
                    error->text, error->sqlstate);
    table->has_failed = error && (table->has_failed || !error->is_connection);
    if (!error && table->hearing->clears == table->clears)
        arrivals_table_note_written(table, table->hearing);
}

void arrivals_table_tick(struct arrivals_table *table, struct hearing *hearing,
                         struct pg_link *link)
{
    if (table->is_busy || link->state != PG_LINK_UP ||
        !arrivals_table_put(table, hearing, timestamp_now()))
        return;
    table->is_busy = true;
    table->hearing = hearing;
    table->clears = hearing->clears;
    table->query =
        (struct pg_query){.sql = buffer_text(&table->sql), .user = table, .on_done = on_done};
    pg_link_submit(link, &table->query);
}
