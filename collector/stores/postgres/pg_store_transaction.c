/* One simple-protocol string holds the whole transaction, so a batch costs one round trip however
 * many statements it has:
 *     BEGIN; EXECUTE enter(...); [SELECT positions_move(...);] [COPY <partition of today> ...; INSERT INTO rollup_fleet_log;
 *      [COPY peaks_stage ...; SELECT peaks_merge();]]
 *     [COPY readings_stage ...; SELECT ingest_merge_stage(...);] [COPY rejected_messages ...;]
 *     [what has changed of Sparkplug nodes;]
 *     [EXECUTE count_batch ...;] COMMIT
 * Plain COPY is two to three times as fast as a staging table with ON CONFLICT, and duplicates are
 * rare, so COPY goes first and staging is the answer to 23505 (and to what is probably delivered
 * again: after a reconnect, or while the last batch had duplicates).
 *
 * What is fresh, as nearly all is, goes straight into the partition of today, with its sums beside it
 * (fleet_rollup.h), and what of it may be a peak (peaks.h). A COPY into readings would fire the trigger that
 * does this in SQL, which costs two thirds of the COPY itself; what is older, or of another day, takes
 * that way. ingest_enter() makes sure that nothing fresh is late (schema/003_rollups.sql); when it
 * refuses, the batch is staged.
 *
 * The windows take a batch as it came, so they would show what a row that was there already does not
 * have: a value that was taken out, or that came when its feature was not kept. ingest_merge_stage()
 * says which devices have such a reading in the batch. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "collector/stores/postgres/pg_binary.h"
#include "shared/base/failpoint.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what its results say ------------------------------------------------------------------ */

static int64_t timestamp_of(const PGresult *result, int column, int64_t when_null)
{
    int64_t us;

    if (PQgetisnull(result, 0, column) || !timestamp_parse(&us, PQgetvalue(result, 0, column)))
        return when_null;
    return us;
}

/* late_before, partition, starts_at, ends_at */
static void on_entered(struct pg_store *store, const PGresult *result)
{
    if (PQntuples(result) != 1 || PQnfields(result) != 4)
        return;
    store->late_before_us = timestamp_of(result, 0, INT64_MAX);
    snprintf(store->partition, sizeof(store->partition), "%s", PQgetvalue(result, 0, 1));
    store->partition_from_us = timestamp_of(result, 2, INT64_MAX);
    store->partition_until_us = timestamp_of(result, 3, INT64_MIN);
}

/* device, feature, sort_order, value, recorded_at: of each ranking that has a better one. */
static void on_peaks(struct pg_store *store, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *database_id = PQgetvalue(result, row, 0);
        size_t feature = features_find(store->config.features, PQgetvalue(result, row, 1));
        enum sort_order order;
        uint32_t device;
        int64_t at_us;

        if (refs_find(&store->refs, (int32_t)strtol(database_id, NULL, 10), &device) &&
            feature < store->config.features->count &&
            sort_order_parse(&order, PQgetvalue(result, row, 2)) &&
            timestamp_parse(&at_us, PQgetvalue(result, row, 4)))
            peaks_answered(&store->peaks, device, feature, order,
                           strtod(PQgetvalue(result, row, 3), NULL), at_us);
    }
}

/* added, differing: "{3,17}" */
static void on_staged(struct pg_store *store, const PGresult *result)
{
    char *at;

    if (PQntuples(result) != 1 || PQnfields(result) != 2)
        return;
    store->inserted += strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    at = PQgetvalue(result, 0, 1);
    while (*at == '{' || *at == ',') {
        int32_t database_id = (int32_t)strtol(at + 1, &at, 10);
        uint32_t device;

        if (refs_find(&store->refs, database_id, &device))
            buffer_put(&store->differing, &device, sizeof(device));
    }
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;
    const char *tag = PQcmdStatus((PGresult *)result);
    const char *number = strrchr(tag, ' ');

    assert(store->results_seen < store->statement_count);
    switch (store->statements[store->results_seen++]) {
    case PG_STORE_ENTER:
        on_entered(store, result);
        break;
    case PG_STORE_ROWS: /* "COPY 3", "INSERT 0 3" */
        store->rows_due--;
        store->inserted += number ? strtoull(number, NULL, 10) : 0;
        break;
    case PG_STORE_STAGED_ROWS:
        store->rows_due--;
        on_staged(store, result);
        break;
    case PG_STORE_PEAKS:
        on_peaks(store, result);
        break;
    case PG_STORE_AGAIN:
        pg_store_on_again(store, result);
        break;
    case PG_STORE_COMMIT:
        store->is_alone = query->is_alone;
        store->committed = strcmp(tag, "COMMIT") == 0 && !store->is_alone;
        break;
    case PG_STORE_OTHER:
        break;
    }
}

/* ---- its text ------------------------------------------------------------------------------ */

static void add_copy(struct pg_store *store, size_t *count, const struct buffer *data)
{
    store->copies[(*count)++] = (struct pg_copy_in){.data = data->data, .bytes = data->bytes};
}

void pg_store_put_literal(const struct pg_store *store, struct buffer *sql, const char *text)
{
    char *literal = text ? PQescapeLiteral(store->link.conn, text, strlen(text)) : NULL;

    buffer_put_text(sql, literal ? literal : "NULL"); /* not UTF-8: no row has it */
    PQfreemem(literal);
}

void pg_store_note_statement(struct pg_store *store, enum pg_store_statement what)
{
    assert(store->statement_count < PG_STORE_STATEMENTS_MAX);
    store->statements[store->statement_count++] = what;
    if (what == PG_STORE_ROWS || what == PG_STORE_STAGED_ROWS)
        store->rows_due++;
}

/* Encodes what is due of the part that is being tried; how many rows. */
static size_t put_rows(struct pg_store *store, const struct rows_span *span, struct buffer *out)
{
    size_t rows;

    buffer_clear(out);
    pg_put_header(out);
    rows = rows_put_readings(store->batch, &store->refs, store->parts.from, store->parts.to, span,
                             out);
    pg_put_trailer(out);
    return rows;
}

/* Which readings go straight to the partition: an empty span when none do. */
static struct rows_span fresh_span(const struct pg_store *store)
{
    int64_t now_us = timestamp_now();
    int64_t from_us = now_us - store->config.fresh_us;
    int64_t until_us = now_us + store->config.ahead_us;

    if (store->plan != PG_STORE_PLAIN || !store->partition[0])
        return (struct rows_span){0};
    if (from_us < store->late_before_us)
        from_us = store->late_before_us;
    if (from_us < store->partition_from_us)
        from_us = store->partition_from_us;
    if (until_us > store->partition_until_us)
        until_us = store->partition_until_us;
    return from_us < until_us ? (struct rows_span){from_us, until_us, false}
                              : (struct rows_span){0};
}

/* Enters before anything is stored, even when nothing is fresh: to know what will be. */
static void put_enter(struct pg_store *store)
{
    char since[TIMESTAMP_TEXT_SIZE];

    timestamp_format(since, store->fresh.from_us);
    buffer_printf(&store->sql, "EXECUTE enter('%s', %" PRId64 ");",
                  store->fresh.until_us > 0 ? since : "infinity", store->removals_known);
    pg_store_note_statement(store, PG_STORE_ENTER);
}

/* Of what goes past the trigger, which looks after the rest. */
static void put_peaks(struct pg_store *store, size_t *copies)
{
    buffer_clear(&store->peaks_rows);
    if (peaks_encode(&store->peaks, store->batch, &store->refs, &store->fresh,
                     &store->peaks_rows) == 0)
        return;
    add_copy(store, copies, &store->peaks_rows);
    buffer_put_text(&store->sql, "COPY peaks_stage (");
    peaks_put_columns(&store->sql, store->config.features);
    buffer_put_text(&store->sql, ") FROM STDIN (FORMAT binary); SELECT * FROM peaks_merge();");
    pg_store_note_statement(store, PG_STORE_OTHER);
    pg_store_note_statement(store, PG_STORE_PEAKS);
}

static void put_fresh(struct pg_store *store, size_t *copies)
{
    const struct batch *batch = store->batch;

    if (store->fresh.until_us == 0 || put_rows(store, &store->fresh, &store->fresh_rows) == 0)
        return;
    add_copy(store, copies, &store->fresh_rows);
    buffer_printf(&store->sql, "COPY %s (%s) FROM STDIN (FORMAT binary);", store->partition,
                  buffer_text(&store->columns));
    pg_store_note_statement(store, PG_STORE_ROWS);
    fleet_rollup_reset(&store->rollup, store->config.features->count, store->fresh.from_us,
                       store->fresh.until_us);
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);

        if (rows_is_due(row, &store->fresh))
            fleet_rollup_add(&store->rollup, batch_reading(row));
    }
    if (fleet_rollup_put_sql(&store->rollup, store->config.features, &store->sql))
        pg_store_note_statement(store, PG_STORE_OTHER);
    put_peaks(store, copies);
}

static void put_staged(struct pg_store *store, size_t *copies)
{
    const struct rows_span rest = {store->fresh.from_us, store->fresh.until_us, true};
    const char *columns = buffer_text(&store->columns);

    if (put_rows(store, &rest, &store->rows) == 0)
        return;
    store->was_staged = true;
    add_copy(store, copies, &store->rows);
    buffer_printf(&store->sql, "COPY readings_stage (%s) FROM STDIN (FORMAT binary);", columns);
    pg_store_note_statement(store, PG_STORE_OTHER);
    buffer_printf(&store->sql, "SELECT * FROM ingest_merge_stage(%s);",
                  buffer_text(&store->features));
    pg_store_note_statement(store, PG_STORE_STAGED_ROWS);
}

/* With the last of the readings, and then for as long as some are left. */
static size_t rejected_due(const struct pg_store *store)
{
    size_t left = store->batch->rejected.count - store->rejected_at;

    if (store->parts.to < store->parts.count)
        return 0;
    return left < store->part_most ? left : store->part_most;
}

static bool is_last(const struct pg_store *store)
{
    return store->parts.to == store->parts.count &&
           store->rejected_until == store->batch->rejected.count;
}

static void put_rejected(struct pg_store *store, size_t *copies)
{
    const struct rejected_list *rejected = &store->batch->rejected;

    if (store->rejected_until == store->rejected_at)
        return;
    buffer_clear(&store->rejected);
    pg_put_header(&store->rejected);
    rows_put_rejected(rejected, store->rejected_at, store->rejected_until, &store->rejected);
    pg_put_trailer(&store->rejected);
    add_copy(store, copies, &store->rejected);
    buffer_put_text(&store->sql, "COPY rejected_messages (" ROWS_REJECTED_COLUMNS
                                 ") FROM STDIN (FORMAT binary);");
    pg_store_note_statement(store, PG_STORE_OTHER);
}

/* A reader that sees the readings of this transaction sees that they have been counted, too
 * (schema/005_collectors.sql). */
static void put_count(struct pg_store *store)
{
    char newest[TIMESTAMP_TEXT_SIZE];

    if (store->rows_due == 0)
        return;
    timestamp_format(newest, store->batch->newest_recorded_at_us);
    buffer_printf(&store->sql, "EXECUTE count_batch('%s');", newest);
    pg_store_note_statement(store, PG_STORE_OTHER);
}

void pg_store_write_batch(struct pg_store *store,
                          void (*on_done)(struct pg_query *query, const struct pg_error *error))
{
    size_t copies = 0;

    store->inserted = 0;
    store->committed = false;
    store->rows_due = 0;
    store->statement_count = 0;
    store->results_seen = 0;
    store->began_ms = uv_now(store->link.loop);
    store->fresh = fresh_span(store);
    store->rejected_until = store->rejected_at + rejected_due(store);
    peaks_begin(&store->peaks);
    buffer_clear(&store->sql);
    buffer_put_text(&store->sql, "BEGIN;");
    pg_store_note_statement(store, PG_STORE_OTHER);
    put_enter(store);
    pg_store_put_positions(store, is_last(store));
    put_fresh(store, &copies);
    put_staged(store, &copies);
    if (store->rows_due > 0)
        store->copies_done++;
    put_rejected(store, &copies);
    pg_store_put_sparkplug(store);
    pg_store_put_abouts(store);
    put_count(store);
    buffer_put_text(&store->sql, "COMMIT");
    pg_store_note_statement(store, PG_STORE_COMMIT);
    FAILPOINT("copy_begin");
    pg_store_submit(store, buffer_text(&store->sql), copies, on_result, on_done);
}
