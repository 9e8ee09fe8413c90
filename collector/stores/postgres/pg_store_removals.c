/* What others do to the tables: removals, and readings that were stored without a collector. A
 * notification tells of it; nothing is stored before the removals that it stands for are known. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- removals ------------------------------------------------------------------------------- */

/* id, device, is_whole: in the order in which they took effect. */
static void on_removals(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;
    bool is_first = store->removals_known < 0; /* nothing was stored or loaded by us yet */

    for (int row = 0; row < PQntuples(result); row++) {
        int32_t database_id = (int32_t)strtol(PQgetvalue(result, row, 1), NULL, 10);
        bool is_whole = *PQgetvalue(result, row, 2) == 't';
        uint32_t device;

        store->removals_known = strtoll(PQgetvalue(result, row, 0), NULL, 10);
        if (is_first || !refs_find(&store->refs, database_id, &device))
            continue;
        peaks_forget(&store->peaks, device);
        if (is_whole)
            refs_forget(&store->refs, device);
        if (is_whole)
            log_info("store: a device was removed");
        else
            log_info("store: readings of %s were removed", store->config.devices->items[device].id);
        store->base.events->on_removed(store->base.user, device, is_whole);
    }
    if (is_first)
        store->removals_known = store->removals_known < 0 ? 0 : store->removals_known;
    else if (store->state < PG_STORE_READY)
        store->base.events->on_added_many(
            store->base.user); /* while we were away nobody would have told us */
}

static void on_asked(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;
    bool tries = store->tries_after_asking;

    store->is_asking = store->tries_after_asking = false;
    if (error && error->is_connection)
        return; /* on_up asks again */
    if (error) {
        pg_link_reset(&store->link, error->text);
        return;
    }
    if (store->state == PG_STORE_PREPARING || store->state == PG_STORE_LOCKED_OUT) {
        pg_store_become_ready(store);
        return;
    }
    if (!tries)
        return;
    /* Devices may have to be registered again, which changes the order that parts are cut from. */
    store->is_sorted = false;
    pg_store_next_try(store);
}

void pg_store_ask_removals(struct pg_store *store)
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

/* ---- what others stored ---------------------------------------------------------------------- */

/* id, device_id */
static void on_names(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;

    for (int row = 0; row < PQntuples(result); row++) {
        uint32_t device;
        bool is_new;

        device = devices_find_or_add(store->config.devices, PQgetvalue(result, row, 1), &is_new);
        if (is_new)
            store->base.events->on_device(store->base.user, device);
        refs_set(&store->refs, device, (int32_t)strtol(PQgetvalue(result, row, 0), NULL, 10));
        store->base.events->on_added(store->base.user, device);
    }
}

static void ask_names(struct pg_store *store);

static void on_named(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;

    store->is_naming = false;
    if (!error) {
        ask_names(store);
        return;
    }
    buffer_clear(&store->unheard); /* when we are back all is loaded again */
    if (!error->is_connection)
        pg_link_reset(&store->link, error->text);
}

/* A device that others made is known by its number alone: what is it called? */
static void ask_names(struct pg_store *store)
{
    if (store->is_naming || store->unheard.bytes == 0)
        return;
    store->is_naming = true;
    buffer_clear(&store->names_sql);
    buffer_printf(&store->names_sql, "SELECT id, device_id FROM devices WHERE id IN (%s)",
                  buffer_text(&store->unheard));
    buffer_clear(&store->unheard);
    store->names = (struct pg_query){.sql = buffer_text(&store->names_sql),
                                     .timeout_ms = store->config.watchdog_ms,
                                     .user = store,
                                     .on_result = on_names,
                                     .on_done = on_named};
    pg_link_submit(&store->link, &store->names);
}

static void note_added(struct pg_store *store, int32_t ref)
{
    uint32_t device;

    if (refs_find(&store->refs, ref, &device)) {
        store->base.events->on_added(store->base.user, device);
        return;
    }
    buffer_printf(&store->unheard, "%s%" PRId32, store->unheard.bytes > 0 ? "," : "", ref);
    ask_names(store);
}

/* "removed", "many", or the number of a device. */
void pg_store_on_notify(struct pg_link *link, const char *payload)
{
    struct pg_store *store = link->config.user;

    if (!store_is_ready(&store->base))
        return;
    if (strcmp(payload, "removed") == 0)
        pg_store_ask_removals(store);
    else if (strcmp(payload, "many") == 0)
        store->base.events->on_added_many(store->base.user);
    else
        note_added(store, (int32_t)strtol(payload, NULL, 10));
}
