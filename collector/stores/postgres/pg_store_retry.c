/* What follows a try that failed. A refused row is searched for by halves (parts.h), each in a
 * transaction of its own: that part of a batch is committed early is no harm, for nothing is
 * acknowledged before all of it is. The same goes for a batch that takes longer than the watchdog or
 * statement_timeout allow: tried as it is, it would do so for ever. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { PART_LARGE = 1000000 }; /* parts of so many rows are as good as whole batches */

#define LATE_SQLSTATE "HW001"    /* ingest_enter(): what was to be fresh is late */
#define REMOVED_SQLSTATE "HW002" /* ingest_enter(): there was a removal that we do not know of */
#define FENCED_SQLSTATE "HW004"  /* positions_move(): another has stored what the batch has */
#define NO_PARTITION_SQLSTATE "42P01" /* it was dropped */

void pg_store_refuse_row(struct pg_store *store)
{
    const struct pg_error *error = &store->refusal;
    struct batch *batch = store->batch;
    struct batch_row *row = batch_row(batch, batch->order[store->parts.from]);
    char detail[sizeof(error->text) + 32];

    snprintf(detail, sizeof(detail), "SQLSTATE %s: %s", error->sqlstate, error->text);
    store_refuse_row(&store->base, batch, row, detail);
    if (store->base.outcome.refused <= PG_STORE_REFUSED_SAID_MOST)
        log_warning("store: the database refuses a reading of %s: %s",
                    store->config.devices->items[row->device].id, detail);
    parts_refuse(&store->parts);
}

static void on_refused(struct pg_store *store, const struct pg_error *error)
{
    store->refusal = *error;
    store->plan = PG_STORE_STAGED;
    if (store->parts.to - store->parts.from > 1)
        parts_halve(&store->parts);
    else
        pg_store_refuse_row(store);
    pg_store_next_try(store);
}

/* Rows of one kind or the other in the current try. */
static size_t rows_tried(const struct pg_store *store)
{
    size_t readings = store->parts.to - store->parts.from;
    size_t rejected = store->rejected_until - store->rejected_at;

    return readings > rejected ? readings : rejected;
}

bool pg_store_shrink(struct pg_store *store)
{
    size_t rows = rows_tried(store);

    store->part_most = rows > 1 ? rows / 2 : 1;
    store->plan = PG_STORE_STAGED;
    parts_limit(&store->parts, store->part_most);
    if (rows > 1)
        log_warning("store: %zu rows are too much for a transaction; trying %zu", rows,
                    store->part_most);
    return rows > 1;
}

/* 57014 statement_timeout, 53200 out of memory. A lock that others hold (55P03) is
 * not for smaller parts to cure. */
bool pg_store_is_too_much(const struct pg_error *error)
{
    return error->is_timeout || strcmp(error->sqlstate, "57014") == 0 ||
           strcmp(error->sqlstate, "53200") == 0;
}

void pg_store_on_rolled_back(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;
    struct pg_error cause = store->failure;

    if (error) {
        if (!error->is_connection) /* a new session has no transaction; on_up goes on */
            pg_link_reset(&store->link, error->text);
        return;
    }
    if (store->plan == PG_STORE_PLAIN && (strcmp(cause.sqlstate, LATE_SQLSTATE) == 0 ||
                                          strcmp(cause.sqlstate, NO_PARTITION_SQLSTATE) == 0)) {
        store->partition[0] = '\0';
        store->plan = PG_STORE_STAGED;
        pg_store_next_try(store);
        return;
    }
    if (strcmp(cause.sqlstate, FENCED_SQLSTATE) == 0) {
        pg_store_fence(store);
        return;
    }
    if (strcmp(cause.sqlstate, REMOVED_SQLSTATE) == 0) {
        store->tries_after_asking = true;
        pg_store_ask_removals(store);
        return;
    }
    if (pg_store_is_too_much(&cause) && pg_store_shrink(store)) {
        pg_store_next_try(store);
        return;
    }
    switch (pg_error_class(&cause)) {
    case PG_ERROR_DUPLICATE:
        if (store->plan == PG_STORE_PLAIN) {
            store->plan = PG_STORE_STAGED;
            pg_store_next_try(store);
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
        pg_store_pause(store, backoff_next_ms(&store->backoff));
        return;
    case PG_ERROR_SCHEMA:
        break;
    }
    pg_store_hold(store, "the batch does not fit the schema", &cause);
    pg_store_pause(store, PG_STORE_HOLD_RETRY_MS);
}

void pg_store_grow(struct pg_store *store)
{
    uint64_t took_ms = uv_now(store->link.loop) - store->began_ms;

    if (store->part_most == SIZE_MAX || took_ms * 4 > store->config.watchdog_ms)
        return;
    store->part_most = store->part_most < PART_LARGE ? store->part_most * 2 : SIZE_MAX;
    store->parts.most = store->part_most;
}
