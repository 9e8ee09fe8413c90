/* What is known of Sparkplug nodes (schema/010_sparkplug.sql): saved in a batch's transaction, loaded when another
 * process may have saved since. With a birth the messages that waited for it are fetched, in the same
 * transaction; they are read again after its commit, and their rows go with the batch that they are then in. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/hex.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MOST = 10000, AGAIN_BYTES_MOST = 16 * 1024 * 1024 };

/* ---- text ----------------------------------------------------------------------------------- */

/* As a literal. Texts of topics have no NUL, and backslashes mean nothing in one. */
static void put_text(struct buffer *sql, const char *text)
{
    buffer_put(sql, "'", 1);
    for (; *text; text++) {
        if (*text == '\'')
            buffer_put(sql, "'", 1);
        buffer_put(sql, text, 1);
    }
    buffer_put(sql, "'", 1);
}

static void put_number(struct buffer *sql, int64_t number)
{
    if (number < 0)
        buffer_put_text(sql, ",NULL");
    else
        buffer_printf(sql, ",%" PRId64, number);
}

static void put_key(struct pg_store *store, const char *before, const char *group, const char *edge)
{
    buffer_printf(&store->sql, "%s(", before);
    put_text(&store->sql, store->config.collector_id);
    buffer_put_text(&store->sql, ",");
    put_text(&store->sql, group);
    buffer_put_text(&store->sql, ",");
    put_text(&store->sql, edge);
}

static size_t put_nodes(struct pg_store *store, const struct sparkplug_changes *changes)
{
    const char *before = "INSERT INTO sparkplug_nodes VALUES ";

    for (size_t i = 0; i < changes->node_count; i++) {
        const struct sparkplug_node_change *node = &changes->nodes[i];

        put_key(store, before, node->group, node->edge);
        buffer_put_text(&store->sql, node->is_born ? ",true" : ",false");
        put_number(&store->sql, node->bd_seq);
        put_number(&store->sql, node->seq);
        put_number(&store->sql, node->heard_ms);
        put_number(&store->sql, node->again_ms);
        put_number(&store->sql, node->again_ms < 0 ? -1 : node->again_seq);
        buffer_put_text(&store->sql, ")");
        before = ",";
    }
    if (changes->node_count == 0)
        return 0;
    buffer_put_text(&store->sql,
                    " ON CONFLICT (collector, group_id, edge_node) DO UPDATE SET"
                    " is_born = excluded.is_born, bd_seq = excluded.bd_seq, seq = excluded.seq,"
                    " heard_ms = excluded.heard_ms, again_ms = excluded.again_ms,"
                    " again_seq = excluded.again_seq;");
    return 1;
}

static void put_birth(struct pg_store *store, const char *before,
                      const struct sparkplug_birth_change *birth)
{
    put_key(store, before, birth->group, birth->edge);
    buffer_put_text(&store->sql, ",");
    put_text(&store->sql, birth->device);
    if (birth->payload) {
        buffer_put_text(&store->sql, ",'\\x");
        hex_write(&store->sql, birth->payload, birth->bytes);
        buffer_put_text(&store->sql, "'");
    }
    buffer_put_text(&store->sql, ")");
}

/* Those that hold, or those that hold no longer. */
static size_t put_births(struct pg_store *store, const struct sparkplug_changes *changes,
                         bool holds)
{
    const char *first = holds ? "INSERT INTO sparkplug_births VALUES "
                              : "DELETE FROM sparkplug_births WHERE"
                                " (collector, group_id, edge_node, device) IN (";
    const char *before = first;

    for (size_t i = 0; i < changes->birth_count; i++) {
        if ((changes->births[i].payload != NULL) != holds)
            continue;
        put_birth(store, before, &changes->births[i]);
        before = ",";
    }
    if (before == first)
        return 0;
    buffer_put_text(&store->sql,
                    holds ? " ON CONFLICT (collector, group_id, edge_node, device) DO UPDATE SET"
                            " payload = excluded.payload;"
                          : ");");
    return 1;
}

static size_t put_done(struct pg_store *store, const struct sparkplug_changes *changes)
{
    for (size_t i = 0; i < changes->done_count; i++)
        buffer_printf(&store->sql, "%s%" PRId64,
                      i == 0 ? "DELETE FROM rejected_messages WHERE id IN (" : ",",
                      changes->done[i]);
    if (changes->done_count > 0)
        buffer_put_text(&store->sql, ");");
    return changes->done_count > 0;
}

/* The topics of data that a birth explains. */
static void put_topics(struct pg_store *store, const char *wanted)
{
    buffer_printf(
        &store->sql,
        "SELECT id, topic, payload, received_at FROM (SELECT id, topic, payload, received_at,"
        " sum(octet_length(payload)) OVER (ORDER BY received_at, id) AS bytes"
        " FROM rejected_messages WHERE reason = 'unknown_alias' AND topic IN (%s)"
        " ORDER BY received_at, id LIMIT %d) m WHERE bytes <= %d ORDER BY received_at, id;",
        wanted, AGAIN_MOST, AGAIN_BYTES_MOST);
}

static bool put_waiting(struct pg_store *store, const struct sparkplug_changes *changes)
{
    bool is_wanted;
    struct buffer topics = {0};
    struct buffer topic = {0};

    for (size_t i = 0; i < changes->birth_count; i++) {
        const struct sparkplug_birth_change *birth = &changes->births[i];
        bool is_device = *birth->device != '\0';

        if (!birth->payload)
            continue;
        buffer_clear(&topic);
        buffer_printf(&topic, "spBv1.0/%s/%s/%s%s%s", birth->group, is_device ? "DDATA" : "NDATA",
                      birth->edge, is_device ? "/" : "", birth->device);
        buffer_put_text(&topics, topics.bytes > 0 ? "," : "");
        put_text(&topics, buffer_text(&topic));
    }
    is_wanted = topics.bytes > 0;
    if (is_wanted)
        put_topics(store, buffer_text(&topics));
    buffer_release(&topic);
    buffer_release(&topics);
    return is_wanted;
}

/* ---- a batch -------------------------------------------------------------------------------- */

void pg_store_put_sparkplug(struct pg_store *store)
{
    const struct sparkplug_changes *changes = &store->batch->sparkplug;
    size_t statements;

    pg_store_clear_again(store);
    if (store->parts.to < store->parts.count || sparkplug_changes_are_none(changes))
        return;
    statements = put_nodes(store, changes) + put_births(store, changes, false) +
                 put_births(store, changes, true) + put_done(store, changes);
    while (statements-- > 0)
        pg_store_note_statement(store, PG_STORE_OTHER);
    if (put_waiting(store, changes))
        pg_store_note_statement(store, PG_STORE_AGAIN);
}

/* ---- what waited ---------------------------------------------------------------------------- */

void pg_store_clear_again(struct pg_store *store)
{
    backlog_release(&store->again);
}

void pg_store_on_again(struct pg_store *store, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct source_message message = {.topic = PQgetvalue(result, row, 1),
                                         .said_us = INT64_MIN,
                                         .rejected_id =
                                             strtoll(PQgetvalue(result, row, 0), NULL, 10)};
        unsigned char *payload =
            PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 2), &message.bytes);

        if (!payload)
            continue;
        message.payload = payload;
        timestamp_parse(&message.said_us, PQgetvalue(result, row, 3));
        backlog_put(&store->again, &message);
        PQfreemem(payload);
    }
}

void pg_store_give_again(struct pg_store *store)
{
    while (!backlog_is_empty(&store->again)) {
        store->base.events->on_again(store->base.user, &store->again.first->message);
        backlog_drop(&store->again);
    }
}

/* ---- a start -------------------------------------------------------------------------------- */

static int64_t number_at(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? -1
                                            : strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static void load_nodes(struct pg_store *store, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const struct sparkplug_node_change node = {.group = PQgetvalue(result, row, 0),
                                                   .edge = PQgetvalue(result, row, 1),
                                                   .is_born = *PQgetvalue(result, row, 2) == 't',
                                                   .bd_seq = (int)number_at(result, row, 3),
                                                   .seq = (int)number_at(result, row, 4),
                                                   .heard_ms = number_at(result, row, 5),
                                                   .again_ms = number_at(result, row, 6),
                                                   .again_seq = (int)number_at(result, row, 7)};

        store->base.events->on_node(store->base.user, &node);
    }
}

static void load_births(struct pg_store *store, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct sparkplug_birth_change birth = {.group = PQgetvalue(result, row, 0),
                                               .edge = PQgetvalue(result, row, 1),
                                               .device = PQgetvalue(result, row, 2)};

        birth.payload =
            PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 3), &birth.bytes);
        if (birth.payload)
            store->base.events->on_birth(store->base.user, &birth);
        PQfreemem(birth.payload);
    }
}

static void on_loaded_result(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return;
    if (PQnfields(result) == 8)
        load_nodes(store, result);
    else if (PQnfields(result) == 5)
        load_births(store, result);
    else
        pg_store_on_again(store, result);
}

static void on_loaded(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;

    if (error && error->is_connection)
        return;
    if (error) /* nodes are asked for their births instead */
        log_warning("store: what is known of Sparkplug nodes cannot be loaded: %s", error->text);
    pg_store_ask_removals(store);
}

void pg_store_load_sparkplug(struct pg_store *store)
{
    const struct store_events *events = store->base.events;
    struct buffer *sql = &store->sql;
    struct buffer topics = {0};

    if (!store->is_turn_new || !events->on_nodes || !events->on_nodes(store->base.user)) {
        pg_store_ask_removals(store);
        return;
    }
    pg_store_clear_again(store);
    buffer_clear(sql);
    buffer_put_text(sql, "SELECT group_id, edge_node, is_born, bd_seq, seq, heard_ms,"
                         " again_ms, again_seq"
                         " FROM sparkplug_nodes WHERE collector = ");
    put_text(sql, store->config.collector_id);
    buffer_put_text(sql, ";SELECT group_id, edge_node, device, payload, true"
                         " FROM sparkplug_births WHERE collector = ");
    put_text(sql, store->config.collector_id);
    buffer_put_text(sql, ";");
    buffer_put_text(&topics, "SELECT 'spBv1.0/' || group_id || CASE device WHEN '' THEN '/NDATA/'"
                             " || edge_node ELSE '/DDATA/' || edge_node || '/' || device END"
                             " FROM sparkplug_births WHERE collector = ");
    put_text(&topics, store->config.collector_id);
    put_topics(store, buffer_text(&topics));
    buffer_release(&topics);
    pg_store_submit(store, buffer_text(sql), 0, on_loaded_result, on_loaded);
}
