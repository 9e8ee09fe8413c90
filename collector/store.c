/* One simple-protocol string holds the whole transaction, so a batch costs one round trip however
 * many statements it has:
 *     BEGIN; COPY readings ...; [COPY peaks_stage ...; INSERT INTO peaks ...;]
 *     [COPY rejected_messages ...;] COMMIT
 * Plain COPY is two to three times as fast as a staging table with ON CONFLICT, and duplicates are
 * rare, so COPY goes first and staging is the answer to 23505 (and to what is probably delivered
 * again: after a reconnect, or while the last batch had duplicates).
 *
 * A refused row is searched for by halves, each half in a transaction of its own: that part of a
 * batch is committed early is no harm, for nothing is acknowledged before all of it is. When a half
 * is taken, the culprit is in the other half, so that is never tried as a whole; what is left over
 * goes in one last COPY. */
#include "collector/store.h"

#include "collector/peaks.h"
#include "collector/pg_binary.h"
#include "shared/failpoint.h"
#include "shared/log.h"
#include "shared/random.h"
#include "shared/topic.h"

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
    REGISTER_MOST = 10000 /* devices in one statement */
};

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

static void finish_batch(struct store *store)
{
    struct batch *batch = store->batch;
    struct store_outcome outcome = store->outcome;

    outcome.duplicates = batch->count - outcome.stored - outcome.refused;
    store->batch = NULL;
    if (store->is_held)
        log_info("store: no longer on hold");
    store->is_held = false;
    backoff_reset(&store->backoff);
    set_state(store, STORE_READY);
    store->config.on_stored(store, batch, &outcome);
}

/* The one suspect left is the culprit. */
static void refuse_row(struct store *store, const struct pg_error *error)
{
    struct batch *batch = store->batch;
    struct batch_row *row = batch_row(batch, batch->order[store->suspect_from]);
    struct buffer topic = {0};
    struct topic_filter filter;
    char detail[sizeof(error->text) + 32];
    bool is_legal = topic_filter_parse(&filter, store->config.subscribe);

    assert(is_legal);
    (void)is_legal;
    buffer_put(&topic, filter.prefix, filter.prefix_bytes);
    buffer_put_text(&topic, store->config.devices->items[row->device].id);
    buffer_put_text(&topic, filter.suffix);
    snprintf(detail, sizeof(detail), "SQLSTATE %s: %s", error->sqlstate, error->text);
    batch_reject(batch, buffer_text(&topic), (const char *)batch->payloads.data + row->payload_at,
                 row->payload_bytes, row->received_at_us,
                 reading_error_text(READING_REFUSED_BY_DATABASE), detail);
    buffer_release(&topic);
    row->is_refused = true;
    store->outcome.refused++;
    log_warning("store: the database refuses a reading of %s: %s",
                store->config.devices->items[row->device].id, detail);
}

static size_t suspect_middle(const struct store *store)
{
    return store->suspect_from + (store->suspect_to - store->suspect_from) / 2;
}

/* The suspects were cut in half; go on with the rest, or with all when the culprit is found. */
static void narrow(struct store *store)
{
    if (store->suspect_to - store->suspect_from > 1) {
        store->plan = STORE_PART;
    } else {
        refuse_row(store, &store->refusal);
        store->plan = STORE_STAGED;
    }
    next_try(store);
}

static void on_part_taken(struct store *store)
{
    struct batch *batch = store->batch;
    size_t middle = suspect_middle(store);

    for (size_t i = store->suspect_from; i < middle; i++)
        batch_row(batch, batch->order[i])->is_stored = true;
    store->outcome.stored += store->inserted;
    store->suspect_from = middle;
    narrow(store);
}

static void on_refused(struct store *store, const struct pg_error *error)
{
    store->refusal = *error;
    if (store->plan == STORE_PART) {
        store->suspect_to = suspect_middle(store);
    } else {
        store->suspect_from = 0;
        store->suspect_to = store->batch->sorted_count;
    }
    narrow(store);
}

static void on_rolled_back(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    struct pg_error cause = store->failure;

    if (error)
        return; /* the link went down; on_up goes on */
    switch (pg_error_class(&cause)) {
    case PG_ERROR_DUPLICATE:
        if (store->plan == STORE_PLAIN) {
            store->plan = STORE_STAGED;
            next_try(store);
            return;
        }
        break;
    case PG_ERROR_DATA:
        if (!store->rows_taken) {
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

static void on_batch_result(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;
    const char *tag = PQcmdStatus((PGresult *)result);
    const char *rows_tag = store->plan == STORE_PLAIN ? "COPY " : "INSERT 0 ";

    if (!store->rows_taken && strncmp(tag, rows_tag, strlen(rows_tag)) == 0) {
        store->rows_taken = true;
        store->inserted = strtoull(tag + strlen(rows_tag), NULL, 10);
    }
    store->committed = strcmp(tag, "COMMIT") == 0;
}

static void on_batch_done(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    struct pg_error not_committed = {.sqlstate = "25P02",
                                     .text = "COMMIT was answered with ROLLBACK"};

    if (error && error->is_connection)
        return; /* whether it committed is not known; on_up tries again */
    if (error || !store->committed) {
        store->retries++;
        store->failure = error ? *error : not_committed;
        submit(store, "ROLLBACK", 0, NULL, on_rolled_back);
        return;
    }
    if (store->plan == STORE_PART) {
        on_part_taken(store);
        return;
    }
    store->outcome.stored += store->inserted;
    finish_batch(store);
}

static void put_rows(struct store *store, size_t from, size_t to)
{
    buffer_clear(&store->rows);
    pg_put_header(&store->rows);
    store->rows_sent = batch_encode(store->batch, store->config.devices, from, to, &store->rows);
    pg_put_trailer(&store->rows);
}

static void add_copy(struct store *store, size_t *count, const struct buffer *data)
{
    store->copies[(*count)++] = (struct pg_copy_in){.data = data->data, .bytes = data->bytes};
}

static void write_batch(struct store *store)
{
    const struct features *features = store->config.features;
    struct batch *batch = store->batch;
    struct buffer *sql = &store->sql;
    const char *columns = buffer_text(&store->columns);
    bool is_part = store->plan == STORE_PART;
    size_t copies = 0;

    buffer_clear(sql);
    buffer_put_text(sql, "BEGIN;");
    put_rows(store, is_part ? store->suspect_from : 0,
             is_part ? suspect_middle(store) : batch->sorted_count);
    store->inserted = 0;
    store->committed = false;
    store->rows_taken = store->rows_sent == 0;
    if (store->rows_sent > 0) {
        store->copies_done++;
        add_copy(store, &copies, &store->rows);
        buffer_printf(sql, "COPY %s (%s) FROM STDIN (FORMAT binary);",
                      store->plan == STORE_PLAIN ? "readings" : "readings_stage", columns);
        if (store->plan != STORE_PLAIN)
            buffer_printf(sql,
                          "INSERT INTO readings (%s) SELECT %s FROM readings_stage"
                          " ORDER BY device, recorded_at, content_hash ON CONFLICT DO NOTHING;",
                          columns, columns);
    }
    buffer_clear(&store->peaks);
    if (!is_part && peaks_encode(batch, store->config.devices, store->config.windows, features,
                                 &store->peaks)) {
        add_copy(store, &copies, &store->peaks);
        buffer_put_text(sql, "COPY peaks_stage (");
        peaks_columns(sql, features);
        buffer_put_text(sql, ") FROM STDIN (FORMAT binary);");
        peaks_merge_sql(sql, features);
    }
    if (!is_part && batch->rejected_count > 0) {
        buffer_clear(&store->rejected);
        pg_put_header(&store->rejected);
        buffer_put(&store->rejected, batch->rejected_rows.data, batch->rejected_rows.bytes);
        pg_put_trailer(&store->rejected);
        add_copy(store, &copies, &store->rejected);
        buffer_put_text(sql, "COPY rejected_messages (" REJECTED_COLUMNS
                             ") FROM STDIN (FORMAT binary);");
    }
    buffer_put_text(sql, "COMMIT");
    FAILPOINT("copy_begin");
    submit(store, buffer_text(sql), copies, on_batch_result, on_batch_done);
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
    }
    write_batch(store);
}

void store_begin(struct store *store, struct batch *batch, bool expects_duplicates)
{
    assert(!store->batch);
    store->batch = batch;
    store->outcome = (struct store_outcome){0};
    store->plan = expects_duplicates ? STORE_STAGED : STORE_PLAIN;
    store->is_sorted = false;
    if (store->state == STORE_READY)
        next_try(store);
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
    if (store->state == STORE_READY && store->batch)
        next_try(store);
}

static void on_prepared_result(struct pg_query *query, const PGresult *result)
{
    struct store *store = query->user;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != 3)
        return; /* of the three columns that prepare() asks for last */
    store->has_lock = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    store->is_durable =
        strcmp(PQgetvalue(result, 0, 1), "on") == 0 && strcmp(PQgetvalue(result, 0, 2), "on") == 0;
}

static void on_prepared(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    const struct pg_error not_durable = {.sqlstate = "none",
                                         .text = "fsync is off: set fsync = on in postgresql.conf"};

    if (error && error->is_connection)
        return;
    if (!error && store->is_durable && store->has_lock) {
        become_ready(store);
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

    buffer_clear(sql);
    if (!store->is_prepared)
        buffer_put_text(
            sql, "SET synchronous_commit = on; SET client_min_messages = error;"
                 "SET TimeZone = 'UTC'; SET lock_timeout = '10s';"
                 "SET idle_in_transaction_session_timeout = '60s';"
                 "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
                 "SET tcp_keepalives_count = 3;"
                 /* an earlier connection of this process whose end the server has not
                  * noticed still holds the lock, and perhaps half a batch */
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                 " pg_backend_pid() AND application_name = current_setting('application_name');"
                 "CREATE TEMP TABLE IF NOT EXISTS readings_stage (LIKE readings)"
                 " ON COMMIT DELETE ROWS;"
                 "CREATE TEMP TABLE IF NOT EXISTS peaks_stage (LIKE peaks)"
                 " ON COMMIT DELETE ROWS;");
    buffer_printf(sql,
                  "SELECT pg_try_advisory_lock(hashtextextended('highwater collector ' || %s, 0)),"
                  " current_setting('synchronous_commit'), current_setting('fsync')",
                  id ? id : "''");
    PQfreemem(id);
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
    uint64_t instance = uv_hrtime() ^ (uint64_t)uv_os_getpid() << 40;
    struct pg_link_config link_config = {.name = "database",
                                         .url = config->database_url,
                                         .application_name = store->application_name,
                                         .user = store,
                                         .on_up = on_up,
                                         .on_down = on_down};

    *store = (struct store){.config = *config};
    snprintf(store->application_name, sizeof(store->application_name),
             "highwater collector %016" PRIx64, random_next(&instance));
    if (!pg_link_start(&store->link, loop, &link_config, error, error_bytes))
        return false;
    backoff_init(&store->backoff, RETRY_LEAST_MS, RETRY_MOST_MS, (uint64_t)(uintptr_t)store);
    buffer_put_text(&store->columns, "device, content_hash, recorded_at, received_at, status, seq");
    for (size_t i = 0; i < config->features->count; i++)
        buffer_printf(&store->columns, ", %s", config->features->names[i]);
    uv_timer_init(loop, &store->timer);
    store->timer.data = store;
    return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;

    buffer_release(&store->sql);
    buffer_release(&store->rows);
    buffer_release(&store->peaks);
    buffer_release(&store->rejected);
    buffer_release(&store->columns);
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
