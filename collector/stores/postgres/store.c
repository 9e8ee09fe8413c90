/* The states of the store, and a batch from its beginning to its commit. The other files of the store,
 * and what each does, are listed in store_inner.h. */
#include "collector/stores/postgres/store_inner.h"

#include "shared/base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_LEAST_MS = 50, RETRY_MOST_MS = 2000, LOCK_TIMEOUT_MS = 10000 };

static const char *const state_names[] = {"away",  "preparing", "locked out",
                                          "ready", "writing",   "pausing"};

void store_set_state(struct store *store, enum store_state state)
{
    if (state == store->state)
        return;
    log_debug("store: %s -> %s", state_names[store->state], state_names[state]);
    store->state = state;
}

void store_on_timer(uv_timer_t *timer)
{
    struct store *store = timer->data;

    if (store->state == STORE_PAUSING)
        store_next_try(store);
    else if (store->state == STORE_LOCKED_OUT)
        store_prepare(store);
}

void store_pause(struct store *store, uint64_t ms)
{
    store_set_state(store, STORE_PAUSING);
    uv_timer_start(&store->timer, store_on_timer, ms, 0);
}

void store_hold(struct store *store, const char *what, const struct pg_error *error)
{
    char reason[sizeof(store->hold_reason)];

    snprintf(reason, sizeof(reason), "%s: %s (SQLSTATE %s)", what, error->text, error->sqlstate);
    if (!store->is_held || strcmp(reason, store->hold_reason) != 0)
        log_error("store: on hold: %s; nothing is acknowledged until this is corrected", reason);
    memcpy(store->hold_reason, reason, sizeof(reason));
    store->is_held = true;
}

void store_submit(struct store *store, const char *sql, size_t copy_count,
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

/* ---- a batch ------------------------------------------------------------------------------- */

/* Of some devices the windows would take what the tables do not say: they are loaded again. */
static void report_differing(struct store *store)
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
    if (outcome.refused > STORE_REFUSED_SAID_MOST)
        log_warning("store: the database refused %" PRIu64 " readings of this batch, all kept in "
                    "rejected_messages",
                    outcome.refused);
    backoff_reset(&store->backoff);
    store_set_state(store, STORE_READY);
    report_differing(store); /* so that no board is made of what the batch brings, */
    store->config.on_stored(store, batch, &outcome);
    report_differing(store); /* and it goes again */
    buffer_clear(&store->differing);
}

static void on_part_committed(struct store *store)
{
    struct batch *batch = store->batch;
    struct parts *parts = &store->parts;

    store->outcome.stored += store->inserted;
    store->rejected_at = store->rejected_until;
    store_grow(store);
    if (parts->to == parts->count && store->rejected_at == batch->rejected.count) {
        finish_batch(store);
        return;
    }
    for (size_t i = parts->from; i < parts->to; i++)
        batch_row(batch, batch->order[i])->is_stored = true;
    parts_commit(parts);
    if (parts_know_refused(parts))
        store_refuse_row(store);
    store_next_try(store);
}

static void on_batch_done(struct pg_query *query, const struct pg_error *error)
{
    struct store *store = query->user;
    struct pg_error not_committed = {.sqlstate = "25P02",
                                     .text = "COMMIT was answered with ROLLBACK"};

    if (error && error->is_connection) {
        store->failure = *error;
        if (store_is_too_much(error))
            store_shrink(store);
        return; /* whether it committed is not known; on_up tries again */
    }
    if (error || !store->committed) {
        store->retries++;
        store->failure = error ? *error : not_committed;
        store_submit(store, "ROLLBACK", 0, NULL, store_on_rolled_back);
        return;
    }
    peaks_committed(&store->peaks);
    on_part_committed(store);
}

void store_next_try(struct store *store)
{
    store_set_state(store, STORE_WRITING);
    if (!store->is_sorted) {
        if (store_register_devices(store))
            return;
        batch_sort(store->batch, store->refs.by_device);
        store->is_sorted = true;
        parts_begin(&store->parts, store->batch->sorted_count, store->part_most);
    }
    if (!parts_are_all(&store->parts))
        store->plan = STORE_STAGED; /* sums and peaks beside it are of whole batches */
    store_write_batch(store, on_batch_done);
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
        store_next_try(store);
}

void store_give_up(struct store *store)
{
    assert(store->state == STORE_READY);
    store->batch = NULL;
    store->is_held = false;
}

/* ---- the connection ------------------------------------------------------------------------ */

void store_become_ready(struct store *store)
{
    store_set_state(store, STORE_READY);
    store->is_locked_out = false;
    if (store->is_held && !store->batch) {
        log_info("store: no longer on hold");
        store->is_held = false;
    }
    store->config.on_ready(store);
    store->is_turn_new = false;
    if (store->state == STORE_READY && store->batch)
        store_next_try(store);
}

static void on_up(struct pg_link *link)
{
    struct store *store = link->config.user;

    store->is_prepared = false;
    store_set_state(store, STORE_PREPARING);
    store_prepare(store);
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct store *store = link->config.user;
    bool was_ready = store_is_ready(store);

    uv_timer_stop(&store->timer);
    store_set_state(store, STORE_AWAY);
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
                                         .on_notify = store_on_notify};

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
    buffer_release(&store->unheard);
    buffer_release(&store->names_sql);
    refs_release(&store->refs);
    fleet_rollup_release(&store->rollup);
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
