/* Devices get their ids in the database before the first of their readings is stored. */
#include "collector/stores/postgres/pg_store_inner.h"

#include <stdlib.h>

enum { REGISTER_MOST = 10000 }; /* devices in one statement */

#define REGISTER_SQL                                                                               \
    "WITH wanted AS (SELECT DISTINCT unnest($1::text[]) COLLATE \"C\" AS device_id),"              \
    " added AS (INSERT INTO devices (device_id) SELECT device_id FROM wanted w"                    \
    "  WHERE NOT EXISTS (SELECT FROM devices d WHERE d.device_id = w.device_id)"                   \
    "  ORDER BY device_id ON CONFLICT DO NOTHING RETURNING id, device_id)"                         \
    " SELECT id, device_id FROM added"                                                             \
    " UNION ALL SELECT d.id, d.device_id FROM devices d JOIN wanted USING (device_id)"

static void on_registered_result(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;
    struct devices *devices = store->config.devices;

    for (int row = 0; row < PQntuples(result); row++) {
        bool is_new;
        uint32_t device = devices_find_or_add(devices, PQgetvalue(result, row, 1), &is_new);

        refs_set(&store->refs, device, (int32_t)strtol(PQgetvalue(result, row, 0), NULL, 10));
    }
}

static void on_registered(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;

    if (error)
        store->failure = *error;
    if (error && error->is_connection)
        return;
    if (!error) {
        pg_store_next_try(store);
    } else if (pg_error_class(error) == PG_ERROR_TRANSIENT) {
        pg_store_pause(store, backoff_next_ms(&store->backoff));
    } else {
        pg_store_hold(store, "devices cannot be registered", error);
        pg_store_pause(store, PG_STORE_HOLD_RETRY_MS);
    }
}

/* Puts the devices of the batch that have no database id into `out` as an array literal. */
static size_t unregistered_devices(const struct pg_store *store, struct buffer *out)
{
    const struct batch *batch = store->batch;
    size_t count = 0;

    buffer_clear(out);
    buffer_put_text(out, "{");
    for (size_t i = 0; i < batch->count && count < REGISTER_MOST; i++) {
        uint32_t device = batch_row(batch, i)->device;

        if (refs_of(&store->refs, device) != 0)
            continue;
        if (count++ > 0)
            buffer_put_text(out, ",");
        buffer_put_text(out, "\"");
        for (const char *c = store->config.devices->items[device].id; *c; c++) {
            if (*c == '"' || *c == '\\')
                buffer_put_text(out, "\\");
            buffer_put(out, c, 1);
        }
        buffer_put_text(out, "\"");
    }
    buffer_put_text(out, "}");
    return count;
}

bool pg_store_register_devices(struct pg_store *store)
{
    if (unregistered_devices(store, &store->sql) == 0)
        return false;
    store->params[0] = buffer_text(&store->sql);
    store->query = (struct pg_query){.sql = REGISTER_SQL,
                                     .param_count = 1,
                                     .params = store->params,
                                     .timeout_ms = store->config.watchdog_ms,
                                     .user = store,
                                     .on_result = on_registered_result,
                                     .on_done = on_registered};
    pg_link_submit(&store->link, &store->query);
    return true;
}
