/* The states of the store, and a batch from its beginning to its commit. The other files of the store,
 * and what each does, are listed in pg_store_inner.h. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_LEAST_MS = 50, RETRY_MOST_MS = 2000, LOCK_TIMEOUT_MS = 10000 };

static const char *const state_names[] = {"away",  "preparing", "locked out",
                                          "ready", "writing",   "pausing"};

void pg_store_set_state(struct pg_store *store, enum pg_store_state state)
{
    if (state == store->state)
        return;
    log_debug("store: %s -> %s", state_names[store->state], state_names[state]);
    store->state = state;
    store->base.is_ready = state >= PG_STORE_READY;
}

void pg_store_on_timer(uv_timer_t *timer)
{
    struct pg_store *store = timer->data;

    if (store->state == PG_STORE_PAUSING)
        pg_store_next_try(store);
    else if (store->state == PG_STORE_LOCKED_OUT)
        pg_store_prepare(store);
}

void pg_store_pause(struct pg_store *store, uint64_t ms)
{
    pg_store_set_state(store, PG_STORE_PAUSING);
    uv_timer_start(&store->timer, pg_store_on_timer, ms, 0);
}

void pg_store_hold(struct pg_store *store, const char *what, const struct pg_error *error)
{
    char reason[sizeof(store->hold_reason)];

    snprintf(reason, sizeof(reason), "%s: %s (SQLSTATE %s)", what, error->text, error->sqlstate);
    if (!store->base.is_held || strcmp(reason, store->hold_reason) != 0)
        log_error("store: on hold: %s; nothing is acknowledged until this is corrected", reason);
    memcpy(store->hold_reason, reason, sizeof(reason));
    store->base.is_held = true;
}

void pg_store_submit(struct pg_store *store, const char *sql, size_t copy_count,
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
static void report_differing(struct pg_store *store)
{
    const uint32_t *devices = (const void *)store->differing.data;

    for (size_t i = 0; i < store->differing.bytes / sizeof(*devices); i++)
        store->base.events->on_removed(store->base.user, devices[i], false);
}

static void let_go(struct pg_store *store)
{
    store->batch = NULL;
    if (store->base.is_held)
        log_info("store: no longer on hold");
    store->base.is_held = false;
    store->failure = (struct pg_error){0};
    backoff_reset(&store->backoff);
    pg_store_set_state(store, PG_STORE_READY);
    pg_store_ask_positions(store); /* before the next batch begins */
}

static void finish_batch(struct pg_store *store)
{
    struct batch *batch = store->batch;
    struct store_outcome outcome = store->base.outcome;
    bool was_staged = store->was_staged;

    outcome.duplicates = batch->count - outcome.stored - outcome.refused;
    if (outcome.refused > PG_STORE_REFUSED_SAID_MOST)
        log_warning("store: the database refused %" PRIu64 " readings of this batch, all kept in "
                    "rejected_messages",
                    outcome.refused);
    let_go(store);
    report_differing(store); /* so that no board is made of what the batch brings, */
    pg_store_give_again(store);
    store->base.events->on_stored(store->base.user, batch, &outcome);
    if (was_staged)
        store->config.on_staged(store);
    report_differing(store); /* and it goes again */
    buffer_clear(&store->differing);
}

/* Parts of it that were committed are in the store, and in nobody's windows. */
void pg_store_fence(struct pg_store *store)
{
    struct batch *batch = store->batch;
    bool was_staged = store->was_staged;

    log_info("store: %s", store->failure.text);
    pg_store_clear_again(store);
    buffer_clear(&store->differing);
    let_go(store);
    store->base.events->on_fenced(store->base.user, batch);
    if (was_staged)
        store->config.on_staged(store);
}

static void on_part_committed(struct pg_store *store)
{
    struct batch *batch = store->batch;
    struct parts *parts = &store->parts;

    store->base.outcome.stored += store->inserted;
    store->rejected_at = store->rejected_until;
    pg_store_grow(store);
    if (parts->to == parts->count && store->rejected_at == batch->rejected.count) {
        finish_batch(store);
        return;
    }
    for (size_t i = parts->from; i < parts->to; i++)
        batch_row(batch, batch->order[i])->is_stored = true;
    parts_commit(parts);
    if (parts_know_refused(parts))
        pg_store_refuse_row(store);
    pg_store_next_try(store);
}

static void on_batch_done(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;
    struct pg_error not_committed = {.sqlstate = "25P02",
                                     .text = "COMMIT was answered with ROLLBACK"};
    struct pg_error not_replicated = {.sqlstate = "57000",
                                      .text = "COMMIT was answered with a warning: the wait for "
                                              "the standby was cancelled"};

    if (error && error->is_connection) {
        store->failure = *error;
        if (pg_store_is_too_much(error))
            pg_store_shrink(store);
        return; /* whether it committed is not known; on_up tries again */
    }
    if (error || !store->committed) {
        store->retries++;
        store->failure = error ? *error : store->is_alone ? not_replicated : not_committed;
        pg_store_submit(store, "ROLLBACK", 0, NULL, pg_store_on_rolled_back);
        return;
    }
    peaks_committed(&store->peaks);
    on_part_committed(store);
}

void pg_store_next_try(struct pg_store *store)
{
    pg_store_set_state(store, PG_STORE_WRITING);
    if (!store->is_sorted) {
        if (pg_store_register_devices(store))
            return;
        batch_sort(store->batch, store->refs.by_device);
        store->is_sorted = true;
        parts_begin(&store->parts, store->batch->sorted_count, store->part_most);
    }
    if (!parts_are_all(&store->parts))
        store->plan = PG_STORE_STAGED; /* sums and peaks beside it are of whole batches */
    pg_store_write_batch(store, on_batch_done);
}

void pg_store_begin(struct store *base, struct batch *batch, bool expects_duplicates)
{
    struct pg_store *store = (struct pg_store *)base;

    assert(!store->batch);
    store->batch = batch;
    store->was_staged = false;
    buffer_clear(&store->differing);
    store->plan = expects_duplicates ? PG_STORE_STAGED : PG_STORE_PLAIN;
    store->is_sorted = false;
    store->rejected_at = store->rejected_until = 0;
    if (store->state == PG_STORE_READY)
        pg_store_next_try(store);
}

void pg_store_give_up(struct store *base)
{
    struct pg_store *store = (struct pg_store *)base;

    assert(store->state == PG_STORE_READY);
    store->batch = NULL;
    store->base.is_held = false;
    pg_store_ask_positions(store);
}

/* ---- what it says --------------------------------------------------------------------------- */

void pg_store_explain(const struct store *base, struct buffer *out)
{
    const struct pg_store *store = (const struct pg_store *)base;
    const struct pg_error *failure = &store->failure;

    if (store->state == PG_STORE_WRITING)
        buffer_printf(out, "; PostgreSQL has worked on the transaction for %.1f s",
                      (double)(uv_now(store->link.loop) - store->began_ms) / 1e3);
    if (failure->text[0])
        buffer_printf(out, "; the last try: %s%s%s%s", failure->text,
                      failure->sqlstate[0] ? " (SQLSTATE " : "", failure->sqlstate,
                      failure->sqlstate[0] ? ")" : "");
}

void pg_store_put_faults(const struct pg_store *store, struct buffer *reasons)
{
    if (store->base.is_held)
        buffer_printf(reasons, "on hold: %s\n", store->hold_reason);
    else if (store->state == PG_STORE_LOCKED_OUT)
        buffer_put_text(reasons, "another collector with this id is live\n");
    else if (!store->base.is_ready)
        buffer_printf(reasons, "the database is away: %s\n", store->link.failure);
}

/* ---- the connection ------------------------------------------------------------------------ */

void pg_store_become_ready(struct pg_store *store)
{
    pg_store_set_state(store, PG_STORE_READY);
    store->is_locked_out = false;
    if (store->base.is_held && !store->batch) {
        log_info("store: no longer on hold");
        store->base.is_held = false;
    }
    pg_store_ask_positions(store);
    store->base.events->on_ready(store->base.user, store->is_turn_new);
    store->is_turn_new = false;
    pg_store_give_again(store);
    if (store->state == PG_STORE_READY && store->batch)
        pg_store_next_try(store);
}

static void on_up(struct pg_link *link)
{
    struct pg_store *store = link->config.user;

    store->is_prepared = false;
    pg_store_set_state(store, PG_STORE_PREPARING);
    pg_store_prepare(store);
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct pg_store *store = link->config.user;
    bool was_ready = store_is_ready(&store->base);

    (void)reason;

    uv_timer_stop(&store->timer);
    pg_store_set_state(store, PG_STORE_AWAY);
    if (was_ready)
        store->base.events->on_unready(store->base.user);
}

bool pg_store_start(struct pg_store *store, uv_loop_t *loop, const struct pg_store_config *config,
                    char *error, size_t error_bytes)
{
    struct store base = store->base;
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
                                         .on_notify = pg_store_on_notify};

    if (uv_random(NULL, NULL, &instance, sizeof(instance), 0, NULL) != 0)
        instance = uv_hrtime() ^ (uint64_t)uv_os_getpid() << 40;
    *store = (struct pg_store){
        .base = base, .config = *config, .removals_known = -1, .part_most = SIZE_MAX};
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
    struct pg_store *store = handle->data;

    pg_store_clear_again(store);
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
    fleet_rollup_release(&store->rollup);
    pg_store_release_positions(store);
    store->on_closed(store);
}

static void on_link_closed(struct pg_link *link)
{
    struct pg_store *store = link->config.user;

    uv_close((uv_handle_t *)&store->timer, on_timer_closed);
}

void pg_store_close(struct pg_store *store, void (*on_closed)(struct pg_store *store))
{
    store->on_closed = on_closed;
    pg_link_close(&store->link, on_link_closed);
}
