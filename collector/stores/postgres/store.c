/* One simple-protocol string holds the whole transaction, so a batch costs one round trip however
 * many statements it has:
 *     BEGIN; SELECT ingest_enter(...); [COPY <partition of today> ...; INSERT INTO rollup_fleet_log;
 *      [COPY peaks_stage ...; SELECT peaks_take();]]
 *     [COPY readings_stage ...; SELECT ingest_take_stage(...);] [COPY rejected_messages ...;]
 *     [EXECUTE count_batch ...;] COMMIT
 * Plain COPY is two to three times as fast as a staging table with ON CONFLICT, and duplicates are
 * rare, so COPY goes first and staging is the answer to 23505 (and to what is probably delivered
 * again: after a reconnect, or while the last batch had duplicates).
 *
 * What is fresh, as nearly all is, goes straight into the partition of today, with its sums beside it
 * (tally.h), and what of it may be a peak (peaks.h). A COPY into readings would fire the trigger that
 * does this in SQL, which costs two thirds of the COPY itself; what is older, or of another day, takes
 * that way. ingest_enter() makes sure that nothing fresh is late (schema/003_rollups.sql); when it
 * refuses, the batch is staged.
 *
 * The windows take a batch as it came, so they would show what a row that was there already does not
 * have: a value that was taken out, or that came when its feature was not kept. ingest_take_stage()
 * says which devices have such a reading in the batch.
 *
 * A refused row is searched for by halves (parts.h), each in a transaction of its own: that part of a
 * batch is committed early is no harm, for nothing is acknowledged before all of it is. The same goes
 * for a batch that takes longer than the watchdog or statement_timeout allow: tried as it is, it would
 * do so for ever. */
#include "collector/stores/postgres/store.h"

#include "collector/stores/postgres/pg_binary.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_LEAST_MS = 50,
    RETRY_MOST_MS = 2000,
    LOCK_RETRY_MS = 500,
    HOLD_RETRY_MS = 2000,
    LOCK_TIMEOUT_MS = 10000,
    REGISTER_MOST = 10000, /* devices in one statement */
    REFUSED_SAID_MOST = 3, /* of a batch, one by one */
    PART_LARGE = 1000000   /* parts of so many rows are as good as whole batches */
};

#define LATE_SQLSTATE "HW001"    /* ingest_enter(): what was to be fresh is late */
#define REMOVED_SQLSTATE "HW002" /* ingest_enter(): there was a removal that we do not know of */
#define NO_PARTITION_SQLSTATE "42P01" /* it was dropped */

#define REJECTED_COLUMNS "received_at, topic, payload, reason, detail"

#define REGISTER_SQL                                                                               \
    "WITH wanted AS (SELECT DISTINCT unnest($1::text[]) COLLATE \"C\" AS device_id),"              \
    " added AS (INSERT INTO devices (device_id) SELECT device_id FROM wanted w"                    \
    "  WHERE NOT EXISTS (SELECT FROM devices d WHERE d.device_id = w.device_id)"                   \
    "  ORDER BY device_id ON CONFLICT DO NOTHING RETURNING id, device_id)"                         \
    " SELECT id, device_id FROM added"                                                             \
    " UNION ALL SELECT d.id, d.device_id FROM devices d JOIN wanted USING (device_id)"

static const char *const state_names[] = {"away",  "preparing", "locked out",
                                          "ready", "writing",   "pausing"};

static void next_try(struct store *store);
static void ask_removals(struct store *store);
static void become_ready(struct store *store);
static void prepare(struct store *store);

static void set_state(struct store *store, enum store_state state)
{
    if (state == store->state)
        return;
    log_debug("store: %s -> %s", state_names[store->state], state_names[state]);
    store->state = state;
}

/* ---- after a failure ------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer)
{
    struct store *store = timer->data;

    if (store->state == STORE_PAUSING)
        next_try(store);
    else if (store->state == STORE_LOCKED_OUT)
        prepare(store);
}

static void pause_for(struct store *store, uint64_t ms)
{
    set_state(store, STORE_PAUSING);
    uv_timer_start(&store->timer, on_timer, ms, 0);
}

/* Somebody has to mend something. Said once, tried again quietly. */
static void hold(struct store *store, const char *what, const struct pg_error *error)
{
    char reason[sizeof(store->hold_reason)];

    snprintf(reason, sizeof(reason), "%s: %s (SQLSTATE %s)", what, error->text, error->sqlstate);
    if (!store->is_held || strcmp(reason, store->hold_reason) != 0)
        log_error("store: on hold: %s; nothing is acknowledged until this is mended", reason);
    memcpy(store->hold_reason, reason, sizeof(reason));
    store->is_held = true;
}

static void submit(struct store *store, const char *sql, size_t copy_count,
                   void (*on_result)(struct pg_query *, const PGresult *),
                   void (*on_done)(struct pg_query *, const struct pg_error *))
{
    store->query = (struct pg_query){.sql = sql,
                                     .copies = store->copies,
                                     .copy_count = copy_count,
                                     .timeout_ms = store->config.watchdog_ms,
                                     .user = store,
                                     .on_result = on_result,
                                     .on_done = on_done};
    pg_link_submit(&store->link, &store->query);
}

/* ---- the transaction ------------------------------------------------------------------------ */

/* Of some devices the windows would take what the tables do not say: they are loaded again. */
static void tell_differing(struct store *store)
{
    const uint32_t *devices = (const void *)store->differing.data;

    for (size_t i = 0; i < store->differing.bytes / sizeof(*devices); i++)
        store->config.on_removed(store, devices[i], false);
}

static void finish_batch(struct store *store)
{
    struct batch *batch = store->batch;
    struct store_outcome outcome = store->outcome;

    outcome.duplicates = batch->count - outcome.stored - outcome.refused;
    store->batch = NULL;
    if (store->is_held)
        log_info("store: no longer on hold");
    store->is_held = false;
    store->failure = (struct pg_error){0};
    if (outcome.refused > REFUSED_SAID_MOST)
        log_warning("store: the database refused %" PRIu64 " readings of this batch, all kept in "
                    "rejected_messages",
                    outcome.refused);
    backoff_reset(&store->backoff);
    set_state(store, STORE_READY);
    tell_differing(store); /* so that no board is made of what the batch brings, */
    store->config.on_stored(store, batch, &outcome);
    tell_differing(store); /* and it goes again */
    buffer_clear(&store->differing);
}

/* The topic of a row that is refused, as far as it is known by now. */
static void put_topic(const struct store *store, const struct batch_row *row, struct buffer *out)
{
    struct topic_filter filter;
    const char *subscribed = row->filter > 0 && row->filter <= store->identity.former_count
                                 ? store->identity.former[row->filter - 1].text
                                 : store->config.subscribe;
    bool is_legal = topic_filter_parse(&filter, subscribed);

    assert(is_legal);
    (void)is_legal;
    buffer_put(out, filter.prefix, filter.prefix_bytes);
    buffer_put_text(out, store->config.devices->items[row->device].id);
    buffer_put_text(out, filter.suffix);
}

/* The first row of the part is the culprit. */
static void refuse_row(struct store *store)
{
    const struct pg_error *error = &store->refusal;
    struct batch *batch = store->batch;
    struct batch_row *row = batch_row(batch, batch->order[store->parts.from]);
    struct buffer topic = {0};
    char detail[sizeof(error->text) + 32];
    struct reading_item item = {
        .error = READING_REFUSED_BY_DATABASE,
        .detail = detail,
        .bytes = (const char *)batch->payloads.data + row->payload_at,
        .length = row->payload_bytes,
        .received_at_us = row->received_at_us,
        .first_received_at_us = row->first_received_at_us,
    };

    put_topic(store, row, &topic);
    snprintf(detail, sizeof(detail), "SQLSTATE %s: %s", error->sqlstate, error->text);
    batch_reject(batch, buffer_text(&topic), &item);
    buffer_release(&topic);
    row->is_refused = true;
    store->outcome.refused++;
    if (store->outcome.refused <= REFUSED_SAID_MOST)
        log_warning("store: the database refuses a reading of %s: %s",
                    store->config.devices->items[row->device].id, detail);
    parts_refuse(&store->parts);
}

static void on_refused(struct store *store, const struct pg_error *error)
{
    store->refusal = *error;
    store->plan = STORE_STAGED;
    if (store->parts.to - store->parts.from > 1)
        parts_halve(&store->parts);
    else
        refuse_row(store);
    next_try(store);
}

/* Rows of one kind or the other in the current try. */
static size_t rows_tried(const struct store *store)
{
    const struct batch *batch = store->batch;
    size_t readings = store->parts.to - store->parts.from;
    size_t rejected = SIZE_MAX;

    pg_rows_length(batch->rejected_rows.data + store->rejected_at,
                   store->rejected_until - store->rejected_at, &rejected);
    return readings > rejected ? readings : rejected;
}

/* It took too long, or too much memory. Returns false when there is nothing left to be halved. */
static bool shrink(struct store *store)
{
    size_t rows = rows_tried(store);

    store->part_most = rows > 1 ? rows / 2 : 1;
    store->plan = STORE_STAGED;
    parts_limit(&store->parts, store->part_most);
    if (rows > 1)
        log_warning("store: %zu rows are too much for a transaction; trying %zu", rows,
                    store->part_most);
    return rows > 1;
}

/* 57014 statement_timeout, 53200 out of memory. A lock that others hold (55P03) is not ours to mend. */
static bool is_too_much(const struct pg_error *error)
{
    return error->is_timeout || strcmp(error->sqlstate, "57014") == 0 ||
           strcmp(error->sqlstate, "53200") == 0;
}

static void on_rolled_back(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    struct pg_error cause = store->failure;

    if (error) {
        if (!error->is_connection) /* a new session has no transaction; on_up goes on */
            pg_link_reset(&store->link, error->text);
        return;
    }
    if (store->plan == STORE_PLAIN && (strcmp(cause.sqlstate, LATE_SQLSTATE) == 0 ||
                                       strcmp(cause.sqlstate, NO_PARTITION_SQLSTATE) == 0)) {
        store->partition[0] = '\0';
        store->plan = STORE_STAGED;
        next_try(store);
        return;
    }
    if (strcmp(cause.sqlstate, REMOVED_SQLSTATE) == 0) {
        store->tries_after_asking = true;
        ask_removals(store);
        return;
    }
    if (is_too_much(&cause) && shrink(store)) {
        next_try(store);
        return;
    }
    switch (pg_error_class(&cause)) {
    case PG_ERROR_DUPLICATE:
        if (store->plan == STORE_PLAIN) {
            store->plan = STORE_STAGED;
            next_try(store);
            return;
        }
        break;
    case PG_ERROR_DATA:
        if (store->rows_due > 0) {
            on_refused(store, &cause);
            return;
        }
        break;
    case PG_ERROR_TRANSIENT:
        log_warning("store: %s (SQLSTATE %s); trying again", cause.text, cause.sqlstate);
        pause_for(store, backoff_next_ms(&store->backoff));
        return;
    case PG_ERROR_SCHEMA:
        break;
    }
    hold(store, "the batch does not fit the schema", &cause);
    pause_for(store, HOLD_RETRY_MS);
}

static int64_t moment_of(const PGresult *result, int column, int64_t when_null)
{
    int64_t us;

    if (PQgetisnull(result, 0, column) || !timestamp_parse(&us, PQgetvalue(result, 0, column)))
        return when_null;
    return us;
}

/* late_before, partition, starts_at, ends_at */
static void on_entered(struct store *store, const PGresult *result)
{
    if (PQntuples(result) != 1 || PQnfields(result) != 4)
        return;
    store->late_before_us = moment_of(result, 0, INT64_MAX);
    snprintf(store->partition, sizeof(store->partition), "%s", PQgetvalue(result, 0, 1));
    store->partition_from_us = moment_of(result, 2, INT64_MAX);
    store->partition_until_us = moment_of(result, 3, INT64_MIN);
}

/* device, feature, sort_order, value, recorded_at: of each ranking that has a better one. */
static void on_peaks(struct store *store, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *database_id = PQgetvalue(result, row, 0);
        size_t feature = features_find(store->config.features, PQgetvalue(result, row, 1));
        enum sort_order order;
        uint32_t device;
        int64_t at_us;

        if (devices_find_database_id(store->config.devices, (int32_t)strtol(database_id, NULL, 10),
                                     &device) &&
            feature < store->config.features->count &&
            sort_order_parse(&order, PQgetvalue(result, row, 2)) &&
            timestamp_parse(&at_us, PQgetvalue(result, row, 4)))
            peaks_answered(&store->peaks, device, feature, order,
                           strtod(PQgetvalue(result, row, 3), NULL), at_us);
    }
}

/* added, differing: "{3,17}" */
static void on_staged(struct store *store, const PGresult *result)
{
    char *at;

    if (PQntuples(result) != 1 || PQnfields(result) != 2)
        return;
    store->inserted += strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    at = PQgetvalue(result, 0, 1);
    while (*at == '{' || *at == ',') {
        int32_t database_id = (int32_t)strtol(at + 1, &at, 10);
        uint32_t device;

        if (devices_find_database_id(store->config.devices, database_id, &device))
            buffer_put(&store->differing, &device, sizeof(device));
    }
}

static void on_batch_result(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;
    const char *tag = PQcmdStatus((PGresult *)result);
    const char *number = strrchr(tag, ' ');

    assert(store->results_seen < store->statement_count);
    switch (store->statements[store->results_seen++]) {
    case STORE_ENTER:
        on_entered(store, result);
        break;
    case STORE_ROWS: /* "COPY 3", "INSERT 0 3" */
        store->rows_due--;
        store->inserted += number ? strtoull(number, NULL, 10) : 0;
        break;
    case STORE_STAGED_ROWS:
        store->rows_due--;
        on_staged(store, result);
        break;
    case STORE_PEAKS:
        on_peaks(store, result);
        break;
    case STORE_COMMIT:
        store->committed = strcmp(tag, "COMMIT") == 0;
        break;
    case STORE_OTHER:
        break;
    }
}

/* Larger parts again, when twice as much can still be expected to be in time. */
static void grow(struct store *store)
{
    uint64_t took_ms = uv_now(store->link.loop) - store->began_ms;

    if (store->part_most == SIZE_MAX || took_ms * 4 > store->config.watchdog_ms)
        return;
    store->part_most = store->part_most < PART_LARGE ? store->part_most * 2 : SIZE_MAX;
    store->parts.most = store->part_most;
}

static void on_part_taken(struct store *store)
{
    struct batch *batch = store->batch;
    struct parts *parts = &store->parts;

    store->outcome.stored += store->inserted;
    store->rejected_at = store->rejected_until;
    grow(store);
    if (parts->to == parts->count && store->rejected_at == batch->rejected_rows.bytes) {
        finish_batch(store);
        return;
    }
    for (size_t i = parts->from; i < parts->to; i++)
        batch_row(batch, batch->order[i])->is_stored = true;
    parts_take(parts);
    if (parts_know_refused(parts))
        refuse_row(store);
    next_try(store);
}

static void on_batch_done(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    struct pg_error not_committed = {.sqlstate = "25P02",
                                     .text = "COMMIT was answered with ROLLBACK"};

    if (error && error->is_connection) {
        store->failure = *error;
        if (is_too_much(error))
            shrink(store);
        return; /* whether it committed is not known; on_up tries again */
    }
    if (error || !store->committed) {
        store->retries++;
        store->failure = error ? *error : not_committed;
        submit(store, "ROLLBACK", 0, NULL, on_rolled_back);
        return;
    }
    peaks_committed(&store->peaks);
    on_part_taken(store);
}

static void add_copy(struct store *store, size_t *count, const struct buffer *data)
{
    store->copies[(*count)++] = (struct pg_copy_in){.data = data->data, .bytes = data->bytes};
}

/* Says that a statement was added to the string. */
static void note_statement(struct store *store, enum store_statement what)
{
    assert(store->statement_count < STORE_STATEMENTS_MAX);
    store->statements[store->statement_count++] = what;
    if (what == STORE_ROWS || what == STORE_STAGED_ROWS)
        store->rows_due++;
}

/* Encodes what is due of the part that is being tried; how many rows. */
static size_t put_rows(struct store *store, const struct batch_span *span, struct buffer *out)
{
    size_t rows;

    buffer_clear(out);
    pg_put_header(out);
    rows = batch_encode(store->batch, store->config.devices, store->parts.from, store->parts.to,
                        span, out);
    pg_put_trailer(out);
    return rows;
}

/* Which readings go straight to the partition: an empty span when none do. */
static struct batch_span fresh_span(const struct store *store)
{
    int64_t now_us = timestamp_now();
    int64_t from_us = now_us - store->config.fresh_us;
    int64_t until_us = now_us + store->config.ahead_us;

    if (store->plan != STORE_PLAIN || !store->partition[0])
        return (struct batch_span){0};
    if (from_us < store->late_before_us)
        from_us = store->late_before_us;
    if (from_us < store->partition_from_us)
        from_us = store->partition_from_us;
    if (until_us > store->partition_until_us)
        until_us = store->partition_until_us;
    return from_us < until_us ? (struct batch_span){from_us, until_us, false}
                              : (struct batch_span){0};
}

/* Enters before anything is stored, even when nothing is fresh: to know what will be. */
static void put_enter(struct store *store)
{
    char since[TIMESTAMP_TEXT_SIZE];

    timestamp_format(since, store->fresh.from_us);
    buffer_printf(&store->sql, "SELECT * FROM ingest_enter('%s', %" PRId64 ");",
                  store->fresh.until_us > 0 ? since : "infinity", store->removals_known);
    note_statement(store, STORE_ENTER);
}

/* Of what goes past the trigger, which looks after the rest. */
static void put_peaks(struct store *store, size_t *copies)
{
    buffer_clear(&store->peaks_rows);
    if (peaks_encode(&store->peaks, store->batch, store->config.devices, &store->fresh,
                     &store->peaks_rows) == 0)
        return;
    add_copy(store, copies, &store->peaks_rows);
    buffer_put_text(&store->sql, "COPY peaks_stage (");
    peaks_put_columns(&store->sql, store->config.features);
    buffer_put_text(&store->sql, ") FROM STDIN (FORMAT binary); SELECT * FROM peaks_take();");
    note_statement(store, STORE_OTHER);
    note_statement(store, STORE_PEAKS);
}

static void put_fresh(struct store *store, size_t *copies)
{
    const struct batch *batch = store->batch;

    if (store->fresh.until_us == 0 || put_rows(store, &store->fresh, &store->fresh_rows) == 0)
        return;
    add_copy(store, copies, &store->fresh_rows);
    buffer_printf(&store->sql, "COPY %s (%s) FROM STDIN (FORMAT binary);", store->partition,
                  buffer_text(&store->columns));
    note_statement(store, STORE_ROWS);
    tally_reset(&store->tally, store->config.features->count, store->fresh.from_us,
                store->fresh.until_us);
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);

        if (batch_row_is_due(row, &store->fresh))
            tally_add(&store->tally, batch_reading(row));
    }
    if (tally_put_sql(&store->tally, store->config.features, &store->sql))
        note_statement(store, STORE_OTHER);
    put_peaks(store, copies);
}

static void put_staged(struct store *store, size_t *copies)
{
    const struct batch_span rest = {store->fresh.from_us, store->fresh.until_us, true};
    const char *columns = buffer_text(&store->columns);

    if (put_rows(store, &rest, &store->rows) == 0)
        return;
    store->outcome.was_staged = true;
    add_copy(store, copies, &store->rows);
    buffer_printf(&store->sql, "COPY readings_stage (%s) FROM STDIN (FORMAT binary);", columns);
    note_statement(store, STORE_OTHER);
    buffer_printf(&store->sql, "SELECT * FROM ingest_take_stage(%s);",
                  buffer_text(&store->features));
    note_statement(store, STORE_STAGED_ROWS);
}

/* With the last of the readings, and then for as long as some are left. */
static void put_rejected(struct store *store, size_t *copies)
{
    const struct buffer *rows = &store->batch->rejected_rows;
    size_t count = store->part_most;
    size_t bytes = rows->bytes - store->rejected_at;

    store->rejected_until = store->rejected_at;
    if (bytes == 0 || store->parts.to < store->parts.count)
        return;
    if (count < SIZE_MAX)
        bytes = pg_rows_length(rows->data + store->rejected_at, bytes, &count);
    store->rejected_until += bytes;
    buffer_clear(&store->rejected);
    pg_put_header(&store->rejected);
    buffer_put(&store->rejected, rows->data + store->rejected_at, bytes);
    pg_put_trailer(&store->rejected);
    add_copy(store, copies, &store->rejected);
    buffer_put_text(&store->sql,
                    "COPY rejected_messages (" REJECTED_COLUMNS ") FROM STDIN (FORMAT binary);");
    note_statement(store, STORE_OTHER);
}

/* Whoever looks at the readings of this transaction sees that they have been counted, too
 * (schema/005_collectors.sql). */
static void put_count(struct store *store)
{
    char newest[TIMESTAMP_TEXT_SIZE];

    if (store->rows_due == 0)
        return;
    timestamp_format(newest, store->batch->newest_recorded_at_us);
    buffer_printf(&store->sql, "EXECUTE count_batch('%s');", newest);
    note_statement(store, STORE_OTHER);
}

static void write_batch(struct store *store)
{
    size_t copies = 0;

    store->inserted = 0;
    store->committed = false;
    store->rows_due = 0;
    store->statement_count = 0;
    store->results_seen = 0;
    store->began_ms = uv_now(store->link.loop);
    store->fresh = fresh_span(store);
    peaks_begin(&store->peaks);
    buffer_clear(&store->sql);
    buffer_put_text(&store->sql, "BEGIN;");
    note_statement(store, STORE_OTHER);
    put_enter(store);
    put_fresh(store, &copies);
    put_staged(store, &copies);
    if (store->rows_due > 0)
        store->copies_done++;
    put_rejected(store, &copies);
    put_count(store);
    buffer_put_text(&store->sql, "COMMIT");
    note_statement(store, STORE_COMMIT);
    FAILPOINT("copy_begin");
    submit(store, buffer_text(&store->sql), copies, on_batch_result, on_batch_done);
}

/* ---- devices on first sight ----------------------------------------------------------------- */

static void on_registered_result(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;
    struct devices *devices = store->config.devices;

    for (int row = 0; row < PQntuples(result); row++) {
        bool is_new;
        uint32_t device = devices_find_or_add(devices, PQgetvalue(result, row, 1), &is_new);

        devices_set_database_id(devices, device,
                                (int32_t)strtol(PQgetvalue(result, row, 0), NULL, 10));
    }
}

static void on_registered(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;

    if (error)
        store->failure = *error;
    if (error && error->is_connection)
        return;
    if (!error) {
        next_try(store);
    } else if (pg_error_class(error) == PG_ERROR_TRANSIENT) {
        pause_for(store, backoff_next_ms(&store->backoff));
    } else {
        hold(store, "devices cannot be registered", error);
        pause_for(store, HOLD_RETRY_MS);
    }
}

/* Puts the devices of the batch that have no database id into `out` as an array literal. */
static size_t unregistered_devices(const struct store *store, struct buffer *out)
{
    const struct batch *batch = store->batch;
    size_t count = 0;

    buffer_clear(out);
    buffer_put_text(out, "{");
    for (size_t i = 0; i < batch->count && count < REGISTER_MOST; i++) {
        const struct device *device = &store->config.devices->items[batch_row(batch, i)->device];

        if (device->database_id != 0)
            continue;
        if (count++ > 0)
            buffer_put_text(out, ",");
        buffer_put_text(out, "\"");
        for (const char *c = device->id; *c; c++) {
            if (*c == '"' || *c == '\\')
                buffer_put_text(out, "\\");
            buffer_put(out, c, 1);
        }
        buffer_put_text(out, "\"");
    }
    buffer_put_text(out, "}");
    return count;
}

static void register_devices(struct store *store)
{
    store->params[0] = buffer_text(&store->sql);
    store->query = (struct pg_query){.sql = REGISTER_SQL,
                                     .param_count = 1,
                                     .params = store->params,
                                     .timeout_ms = store->config.watchdog_ms,
                                     .user = store,
                                     .on_result = on_registered_result,
                                     .on_done = on_registered};
    pg_link_submit(&store->link, &store->query);
}

static void next_try(struct store *store)
{
    set_state(store, STORE_WRITING);
    if (!store->is_sorted) {
        if (unregistered_devices(store, &store->sql) > 0) {
            register_devices(store);
            return;
        }
        batch_sort(store->batch, store->config.devices);
        store->is_sorted = true;
        parts_begin(&store->parts, store->batch->sorted_count, store->part_most);
    }
    if (!parts_are_all(&store->parts))
        store->plan = STORE_STAGED; /* sums and peaks beside it are of whole batches */
    write_batch(store);
}

void store_begin(struct store *store, struct batch *batch, bool expects_duplicates)
{
    assert(!store->batch);
    store->batch = batch;
    store->outcome = (struct store_outcome){0};
    buffer_clear(&store->differing);
    store->plan = expects_duplicates ? STORE_STAGED : STORE_PLAIN;
    store->is_sorted = false;
    store->rejected_at = store->rejected_until = 0;
    if (store->state == STORE_READY)
        next_try(store);
}

void store_give_up(struct store *store)
{
    assert(store->state == STORE_READY);
    store->batch = NULL;
    store->is_held = false;
}

/* ---- what others do to the tables ------------------------------------------------------------ */

/* id, device, is_whole: in the order in which they took effect. */
static void on_removals(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;
    bool is_first = store->removals_known < 0; /* nothing was stored or loaded by us yet */

    for (int row = 0; row < PQntuples(result); row++) {
        int32_t database_id = (int32_t)strtol(PQgetvalue(result, row, 1), NULL, 10);
        bool is_whole = *PQgetvalue(result, row, 2) == 't';
        uint32_t device;

        store->removals_known = strtoll(PQgetvalue(result, row, 0), NULL, 10);
        if (is_first || !devices_find_database_id(store->config.devices, database_id, &device))
            continue;
        peaks_forget(&store->peaks, device);
        if (is_whole)
            devices_forget_database_id(store->config.devices, device);
        if (is_whole)
            log_info("store: a device was removed");
        else
            log_info("store: readings of %s were removed", store->config.devices->items[device].id);
        store->config.on_removed(store, device, is_whole);
    }
    if (is_first)
        store->removals_known = store->removals_known < 0 ? 0 : store->removals_known;
    else if (store->state < STORE_READY)
        store->config.on_added_many(store); /* while we were away nobody would have told us */
}

static void on_asked(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    bool tries = store->tries_after_asking;

    store->is_asking = store->tries_after_asking = false;
    if (error && error->is_connection)
        return; /* on_up asks again */
    if (error) {
        pg_link_reset(&store->link, error->text);
        return;
    }
    if (store->state == STORE_PREPARING || store->state == STORE_LOCKED_OUT) {
        become_ready(store);
        return;
    }
    if (!tries)
        return;
    /* Devices may have to be registered again, which changes the order that parts are cut from. */
    store->is_sorted = false;
    next_try(store);
}

static void ask_removals(struct store *store)
{
    if (store->is_asking)
        return;
    store->is_asking = true;
    snprintf(store->ask_sql, sizeof(store->ask_sql),
             "SELECT id, device, is_whole FROM removals WHERE id > %" PRId64 " ORDER BY id",
             store->removals_known);
    store->ask = (struct pg_query){.sql = store->ask_sql,
                                   .timeout_ms = store->config.watchdog_ms,
                                   .user = store,
                                   .on_result = on_removals,
                                   .on_done = on_asked};
    pg_link_submit(&store->link, &store->ask);
}

/* "removed", "many", or the number of a device. */
static void on_notify(struct pg_link *link, const char *payload)
{
    struct store *store = link->config.user;

    if (!store_is_ready(store))
        return;
    if (strcmp(payload, "removed") == 0)
        ask_removals(store);
    else if (strcmp(payload, "many") == 0)
        store->config.on_added_many(store);
    else
        store->config.on_added(store, (int32_t)strtol(payload, NULL, 10));
}

/* ---- the session ---------------------------------------------------------------------------- */

static void become_ready(struct store *store)
{
    set_state(store, STORE_READY);
    store->is_locked_out = false;
    if (store->is_held && !store->batch) {
        log_info("store: no longer on hold");
        store->is_held = false;
    }
    store->config.on_ready(store);
    store->is_turn_new = false;
    if (store->state == STORE_READY && store->batch)
        next_try(store);
}

/* Sessions under other ids are left alone: messages may wait in them, and they may be wanted. */
static void tell_other_sessions(const struct store *store, const char *others)
{
    if (*others)
        log_warning(
            "mqtt: before this client id, %s, this collector had %s: what waits at the broker "
            "in that session is not collected. Start once with MQTT_CLIENT_ID as it was to "
            "collect it; collector --forget %s, while it is stopped, throws it away",
            store->identity.client_id, others, store->config.collector_id);
}

/* installation, client_id, has_begun, former, others */
static void take_identity(struct store *store, const PGresult *result, int column)
{
    store->had_session = strcmp(PQgetvalue(result, 0, column + 2), "t") == 0;
    if (mqtt_identity_set(&store->identity, PQgetvalue(result, 0, column),
                          PQgetvalue(result, 0, column + 1), PQgetvalue(result, 0, column + 3))) {
        store->is_turn_new = true;
        tell_other_sessions(store, PQgetvalue(result, 0, column + 4));
    }
}

/* remote_apply waits for more than on does. */
static bool is_durable(const char *synchronous_commit, const char *fsync)
{
    return (strcmp(synchronous_commit, "on") == 0 ||
            strcmp(synchronous_commit, "remote_apply") == 0) &&
           strcmp(fsync, "on") == 0;
}

static void on_prepared_result(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;

    int64_t turn;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != 9)
        return; /* of the columns that prepare() asks for last */
    store->has_lock = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    store->is_durable = is_durable(PQgetvalue(result, 0, 7), PQgetvalue(result, 0, 8));
    if (!store->has_lock)
        return;
    turn = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    if (store->turn == 0 || turn != store->turn + 1)
        store->is_turn_new = true;
    store->turn = turn;
    take_identity(store, result, 2);
}

static void on_prepared(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    const struct pg_error not_durable = {.sqlstate = "none",
                                         .text = "fsync is off: set fsync = on in postgresql.conf"};

    if (error && error->is_connection)
        return;
    if (!error && store->is_durable && store->has_lock) {
        ask_removals(store); /* before anything is loaded or stored; then it is ready */
        return;
    }
    if (error || !store->is_durable) {
        hold(store, error ? "the session cannot be prepared" : "commits would not be durable",
             error ? error : &not_durable);
        store->is_prepared = false;
        set_state(store, STORE_LOCKED_OUT);
        uv_timer_start(&store->timer, on_timer, HOLD_RETRY_MS, 0);
        return;
    }
    store->is_prepared = true;
    set_state(store, STORE_LOCKED_OUT);
    uv_timer_start(&store->timer, on_timer, LOCK_RETRY_MS, 0);
    if (!store->is_locked_out) {
        log_info("store: another collector with COLLECTOR_ID %s is live; waiting for it to end",
                 store->config.collector_id);
        store->is_locked_out = true;
        store->config.on_locked_out(store);
    }
}

static void prepare(struct store *store)
{
    struct buffer *sql = &store->sql;
    char *id = PQescapeLiteral(store->link.conn, store->config.collector_id,
                               strlen(store->config.collector_id));
    char *filter =
        PQescapeLiteral(store->link.conn, store->config.subscribe, strlen(store->config.subscribe));

    buffer_clear(sql);
    if (!store->is_prepared)
        buffer_put_text(
            sql, "SET highwater.ranks = on; LISTEN highwater;"
                 /* an earlier connection of this process whose end the server has not
                  * noticed still holds the lock, and perhaps half a batch; nobody else's
                  * has this name, which is random and not the URL's to choose */
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                 " pg_backend_pid() AND application_name = current_setting('application_name');"
                 "CREATE TEMP TABLE IF NOT EXISTS readings_stage (LIKE readings)"
                 " ON COMMIT DELETE ROWS;"
                 "CREATE TEMP TABLE IF NOT EXISTS peaks_stage (LIKE peaks)"
                 " ON COMMIT DELETE ROWS;DEALLOCATE ALL;");
    if (!store->is_prepared)
        buffer_printf(sql,
                      "PREPARE count_batch (timestamptz) AS UPDATE collectors"
                      " SET batches = batches + 1, newest = greatest(newest, $1) WHERE id = %s;",
                      id ? id : "''");
    /* what is subscribed to is committed before anything is subscribed to */
    buffer_printf(sql,
                  "SELECT is_ours, turn, installation, client_id, has_begun,"
                  " array_to_string(former, E'\\n'), array_to_string(others, ', '),"
                  " current_setting('synchronous_commit'), current_setting('fsync')"
                  " FROM collector_begin(%s, '%s', %s)",
                  id ? id : "''", store->config.client_id, filter ? filter : "''");
    PQfreemem(id);
    PQfreemem(filter);
    submit(store, buffer_text(sql), 0, on_prepared_result, on_prepared);
}

static void on_up(struct pg_link *link)
{
    struct store *store = link->config.user;

    store->is_prepared = false;
    set_state(store, STORE_PREPARING);
    prepare(store);
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct store *store = link->config.user;
    bool was_ready = store_is_ready(store);

    uv_timer_stop(&store->timer);
    set_state(store, STORE_AWAY);
    if (was_ready)
        store->config.on_unready(store, reason);
}

bool store_start(struct store *store, uv_loop_t *loop, const struct store_config *config,
                 char *error, size_t error_bytes)
{
    uint64_t instance = 0;
    struct pg_link_config link_config = {.name = "database",
                                         .url = config->database_url,
                                         .application_name = store->application_name,
                                         .keeps_name = true,
                                         .warns = true,
                                         .session = {.lock_timeout_ms = LOCK_TIMEOUT_MS},
                                         .user = store,
                                         .on_up = on_up,
                                         .on_down = on_down,
                                         .on_notify = on_notify};

    if (uv_random(NULL, NULL, &instance, sizeof(instance), 0, NULL) != 0)
        instance = uv_hrtime() ^ (uint64_t)uv_os_getpid() << 40;
    *store = (struct store){.config = *config, .removals_known = -1, .part_most = SIZE_MAX};
    snprintf(store->application_name, sizeof(store->application_name),
             "highwater collector %016" PRIx64, instance);
    if (!pg_link_start(&store->link, loop, &link_config, error, error_bytes))
        return false;
    backoff_init(&store->backoff, RETRY_LEAST_MS, RETRY_MOST_MS, (uint64_t)(uintptr_t)store);
    peaks_init(&store->peaks, config->features);
    buffer_put_text(&store->columns, "device, content_hash, recorded_at, received_at, status, seq");
    for (size_t i = 0; i < config->features->count; i++) {
        buffer_printf(&store->columns, ", \"%s\"", config->features->names[i]);
        buffer_printf(&store->features, "%s'%s'", i > 0 ? "," : "ARRAY[",
                      config->features->names[i]);
    }
    buffer_put_text(&store->features, "]");
    uv_timer_init(loop, &store->timer);
    store->timer.data = store;
    return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;

    buffer_release(&store->sql);
    buffer_release(&store->rows);
    buffer_release(&store->fresh_rows);
    peaks_release(&store->peaks);
    buffer_release(&store->peaks_rows);
    buffer_release(&store->rejected);
    buffer_release(&store->columns);
    buffer_release(&store->features);
    buffer_release(&store->differing);
    tally_release(&store->tally);
    mqtt_identity_release(&store->identity);
    store->on_closed(store);
}

static void on_link_closed(struct pg_link *link)
{
    struct store *store = link->config.user;

    uv_close((uv_handle_t *)&store->timer, on_timer_closed);
}

void store_close(struct store *store, void (*on_closed)(struct store *store))
{
    store->on_closed = on_closed;
    pg_link_close(&store->link, on_link_closed);
}
