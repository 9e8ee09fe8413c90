#include "collector/stores/postgres/hearing_table.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_TICKS = 60, PART_MOST = INT32_MAX / HEARING_TABLE_PART };

void hearing_table_init(struct hearing_table *table, const struct refs *refs,
                        const char *collector_id)
{
    *table = (struct hearing_table){.refs = refs, .collector_id = collector_id};
}

void hearing_table_release(struct hearing_table *table)
{
    buffer_release(&table->sql);
}

/* ---- parts ------------------------------------------------------------------------------------ */

static bool find_device(const struct refs *refs, int32_t part, int32_t place, uint32_t *device)
{
    return part >= 0 && part <= PART_MOST &&
           refs_find(refs, part * HEARING_TABLE_PART + place, device);
}

void hearing_table_put(const struct refs *refs, const struct hearing *hearing, int32_t part,
                       struct buffer *out)
{
    int32_t written = 0; /* what is not heard after the last that is needs no place */
    uint32_t device;

    buffer_put_text(out, "{");
    for (int32_t place = 0; place < HEARING_TABLE_PART; place++) {
        int32_t silent_s;

        if (!find_device(refs, part, place, &device) ||
            !hearing_silence(hearing, device, &silent_s))
            continue;
        for (; written < place; written++)
            buffer_put_text(out, written > 0 ? ",NULL" : "NULL");
        buffer_printf(out, written++ > 0 ? ",%" PRId32 : "%" PRId32, silent_s);
    }
    buffer_put_text(out, "}");
}

void hearing_table_take(const struct refs *refs, struct hearing *hearing, int32_t part,
                        const char *array)
{
    const char *at = array;
    uint32_t device;

    for (int32_t place = 0; place < HEARING_TABLE_PART && (*at == '{' || *at == ','); place++) {
        char *end;
        long silent_s = strtol(++at, &end, 10);

        if (end > at && silent_s >= 0 && silent_s < INT32_MAX / 2 &&
            find_device(refs, part, place, &device))
            hearing_remember(hearing, device, (int32_t)silent_s);
        at += strcspn(at, ",}");
    }
}

/* ---- statements ------------------------------------------------------------------------------- */

static void go_on(struct hearing_table *table);

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct hearing_table *table = query->user;
    uint32_t device;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || table->hearing->clears != table->clears)
        return;
    if (table->has_read) {
        for (int row = 0; row < PQntuples(result); row++) {
            int32_t place = (int32_t)strtol(PQgetvalue(result, row, 0), NULL, 10);

            if (find_device(table->refs, table->part, place, &device))
                hearing_forget(table->hearing, device);
        }
    } else if (PQntuples(result) == 1) {
        table->found = true;
        table->part = (int32_t)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        hearing_table_take(table->refs, table->hearing, table->part, PQgetvalue(result, 0, 1));
    }
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct hearing_table *table = query->user;

    table->is_busy = false;
    if (error && !error->is_connection && !table->has_failed)
        log_warning("hearing: not kept: %s (SQLSTATE %s); trying again", error->text,
                    error->sqlstate);
    table->has_failed = error && (table->has_failed || !error->is_connection);
    if (error || table->hearing->clears != table->clears)
        return; /* the next tick goes on */
    table->part++;
    if (!table->has_read && !table->found) {
        table->has_read = true;
        table->part = 0;
    }
    go_on(table);
}

static void submit(struct hearing_table *table)
{
    table->is_busy = true;
    table->query = (struct pg_query){
        .sql = buffer_text(&table->sql), .user = table, .on_result = on_result, .on_done = on_done};
    pg_link_submit(table->link, &table->query);
}

static void read_part(struct hearing_table *table)
{
    buffer_clear(&table->sql);
    table->found = false;
    buffer_printf(&table->sql,
                  "SELECT part, silent_s FROM hearing WHERE collector = '%s' AND part >= %" PRId32
                  " AND part <= %d ORDER BY part LIMIT 1",
                  table->collector_id, table->part, (int)PART_MOST);
    submit(table);
}

static void save_part(struct hearing_table *table)
{
    buffer_clear(&table->sql);
    buffer_printf(&table->sql, "SELECT hearing_save('%s', %" PRId32 ", '", table->collector_id,
                  table->part);
    hearing_table_put(table->refs, table->hearing, table->part, &table->sql);
    buffer_put_text(&table->sql, "')");
    submit(table);
}

/* What was kept may be another's by now: the first round tells, and from then on it is known. */
static void go_on(struct hearing_table *table)
{
    if (!table->has_read) {
        read_part(table);
    } else if ((size_t)table->part * HEARING_TABLE_PART < table->refs->ref_count) {
        save_part(table);
    } else {
        table->hearing->is_known = true;
        table->part = 0;
        table->ticks = SAVE_TICKS;
    }
}

void hearing_table_tick(struct hearing_table *table, struct hearing *hearing, struct pg_link *link)
{
    if (table->is_busy || link->state != PG_LINK_UP)
        return;
    table->hearing = hearing;
    table->link = link;
    if (hearing->clears != table->clears) {
        table->clears = hearing->clears;
        table->has_read = false;
        table->part = 0;
        table->ticks = 0;
    }
    if (hearing->is_to_compare)
        table->ticks = 0;
    hearing->is_to_compare = false;
    if (table->ticks > 0)
        table->ticks--;
    if (table->ticks == 0)
        go_on(table);
}
