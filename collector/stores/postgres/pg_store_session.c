/* The session: settings and staging tables, the lock of this collector's id, and who we are at the
 * broker. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/log.h"

#include <stdlib.h>
#include <string.h>

enum { LOCK_RETRY_MS = 500 };

#define POOLED_HINT                                                                                \
    " (or one was killed, and the pooler keeps its session: PgBouncer clears what it keeps with "  \
    "server_reset_query = DISCARD ALL)"

/* Sessions under other ids are left alone: messages may wait in them, and they may be wanted. */
static void warn_of_other_sessions(const struct pg_store *store, const char *others)
{
    if (*others)
        log_warning(
            "mqtt: before this client id, %s, this collector had %s: what waits at the broker "
            "in that session is not collected. Start once with MQTT_CLIENT_ID as it was to "
            "collect it; collector --forget %s, while it is stopped, throws it away",
            store->base.identity.client_id, others, store->config.collector_id);
}

/* installation, client_id, has_begun, former, contract, others */
static void read_identity(struct pg_store *store, const PGresult *result, int column)
{
    store->base.had_session = strcmp(PQgetvalue(result, 0, column + 2), "t") == 0;
    if (mqtt_identity_set(&store->base.identity, PQgetvalue(result, 0, column),
                          PQgetvalue(result, 0, column + 1), PQgetvalue(result, 0, column + 3),
                          PQgetvalue(result, 0, column + 4))) {
        store->is_turn_new = true;
        warn_of_other_sessions(store, PQgetvalue(result, 0, column + 5));
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
    struct pg_store *store = query->user;

    int64_t turn;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != 10)
        return; /* of the columns that pg_store_prepare() asks for last */
    store->has_lock = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    store->is_durable = is_durable(PQgetvalue(result, 0, 8), PQgetvalue(result, 0, 9));
    if (!store->has_lock)
        return;
    turn = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    if (store->base.turn == 0 || turn != store->base.turn + 1)
        store->is_turn_new = true;
    store->base.turn = turn;
    read_identity(store, result, 2);
}

static void on_prepared(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;
    const struct pg_error not_durable = {.sqlstate = "none",
                                         .text = "fsync is off: set fsync = on in postgresql.conf"};

    if (error && error->is_connection)
        return;
    if (!error && store->is_durable && store->has_lock) {
        pg_store_load_sparkplug(store); /* asks for removals, too; then it is ready */
        return;
    }
    if (error || !store->is_durable) {
        pg_store_hold(store,
                      error ? "the session cannot be prepared" : "commits would not be durable",
                      error ? error : &not_durable);
        store->is_prepared = false;
        pg_store_set_state(store, PG_STORE_LOCKED_OUT);
        uv_timer_start(&store->timer, pg_store_on_timer, PG_STORE_HOLD_RETRY_MS, 0);
        return;
    }
    store->is_prepared = true;
    pg_store_set_state(store, PG_STORE_LOCKED_OUT);
    uv_timer_start(&store->timer, pg_store_on_timer, LOCK_RETRY_MS, 0);
    if (!store->is_locked_out) {
        log_info("store: another collector with COLLECTOR_ID %s is live; waiting for it to end%s",
                 store->config.collector_id, store->link.is_pooled ? POOLED_HINT : "");
        store->is_locked_out = true;
        store->base.events->on_locked_out(store->base.user);
    }
}

/* An array of SQL. */
static void put_filters(struct pg_store *store, struct buffer *sql, const struct buffer *lines)
{
    char *literal = PQescapeLiteral(store->link.conn, (const char *)lines->data, lines->bytes);

    /* NULL when they are no text of the database's encoding */
    buffer_printf(sql, "string_to_array(%s, E'\\n')", literal ? literal : "''");
    PQfreemem(literal);
}

static void put_subscriptions(struct pg_store *store, struct buffer *sql)
{
    const struct subscriptions *subscriptions = store->config.subscriptions;
    struct buffer lines = {0};

    subscriptions_join(subscriptions, "\n", &lines);
    put_filters(store, sql, &lines);
    buffer_put_text(sql, ", ");
    buffer_clear(&lines);
    buffer_reserve(&lines, 1);
    for (size_t i = 0; i < subscriptions->contract_count; i++)
        buffer_printf(&lines, "%s%s", i > 0 ? "\n" : "", subscriptions->contract[i].text);
    put_filters(store, sql, &lines);
    buffer_release(&lines);
}

void pg_store_prepare(struct pg_store *store)
{
    struct buffer *sql = &store->sql;
    char *id = PQescapeLiteral(store->link.conn, store->config.collector_id,
                               strlen(store->config.collector_id));

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
                 "CREATE TEMP TABLE IF NOT EXISTS peaks_stage (LIKE peaks INCLUDING STORAGE)"
                 " ON COMMIT DELETE ROWS;DEALLOCATE ALL;"
                 "PREPARE enter (timestamptz, bigint) AS SELECT * FROM ingest_enter($1, $2);");
    if (!store->is_prepared)
        buffer_printf(sql,
                      "PREPARE count_batch (timestamptz) AS UPDATE collectors"
                      " SET batches = batches + 1, newest = greatest(newest, $1) WHERE id = %s;",
                      id ? id : "''");
    /* what is subscribed to is committed before anything is subscribed to */
    buffer_printf(sql,
                  "SELECT is_ours, turn, installation, client_id, has_begun,"
                  " array_to_string(former, E'\\n'), array_to_string(contract, E'\\n'),"
                  " array_to_string(others, ', '),"
                  " current_setting('synchronous_commit'), current_setting('fsync')"
                  " FROM collector_begin(%s, '%s', ",
                  id ? id : "''", store->config.client_id);
    put_subscriptions(store, sql);
    buffer_put_text(sql, ")");
    PQfreemem(id);
    pg_store_submit(store, buffer_text(sql), 0, on_prepared_result, on_prepared);
}
