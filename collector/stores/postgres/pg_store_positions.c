/* Where we stand in the logs that we read (schema/011_positions.sql): moved in a batch's transaction, and
 * looked up when partitions come.
 *
 * The move stands before the readings: of two that hold the same records the second waits for the first at
 * the row of the position, and has not copied anything when it fails. A batch that is stored in parts moves it with
 * the last of them; those before it are held to where it stands, so none of them is of a batch that is stale. */
#include "collector/stores/postgres/pg_store_inner.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- in a transaction ----------------------------------------------------------------------- */

static void put_number(struct buffer *sql, int64_t number)
{
    if (number == SOURCE_POSITION_NEW)
        buffer_put_text(sql, "NULL");
    else
        buffer_printf(sql, "%" PRId64, number);
}

enum member { MEMBER_GROUP, MEMBER_TOPIC, MEMBER_PARTITION, MEMBER_FROM, MEMBER_TO };

/* One of its members of all positions, as an array of SQL. */
static void put_array(const struct pg_store *store, struct buffer *sql,
                      const struct source_position *positions, size_t count, enum member member)
{
    static const char *const types[] = {"text", "text", "integer", "bigint", "bigint"};

    for (size_t i = 0; i < count; i++) {
        const struct source_position *position = &positions[i];

        buffer_put_text(sql, i > 0 ? "," : "ARRAY[");
        if (member == MEMBER_GROUP)
            pg_store_put_literal(store, sql, position->group);
        else if (member == MEMBER_TOPIC)
            pg_store_put_literal(store, sql, position->topic);
        else if (member == MEMBER_PARTITION)
            put_number(sql, position->partition);
        else
            put_number(sql, member == MEMBER_FROM ? position->from : position->to);
    }
    buffer_printf(sql, "]::%s[]", types[member]);
}

static void put_names(const struct pg_store *store, struct buffer *sql,
                      const struct source_position *positions, size_t count)
{
    for (int member = MEMBER_GROUP; member <= MEMBER_PARTITION; member++) {
        if (member > MEMBER_GROUP)
            buffer_put_text(sql, ",");
        put_array(store, sql, positions, count, (enum member)member);
    }
}

void pg_store_put_positions(struct pg_store *store, bool is_last)
{
    const struct batch *batch = store->batch;
    const struct source_mark *mark = &batch->mark;
    struct buffer *sql = &store->sql;

    if (mark->position_count == 0)
        return;
    buffer_put_text(sql, "SELECT positions_move(");
    put_names(store, sql, mark->positions, mark->position_count);
    buffer_put_text(sql, ",");
    put_array(store, sql, mark->positions, mark->position_count, MEMBER_FROM);
    buffer_put_text(sql, ",");
    put_array(store, sql, mark->positions, mark->position_count,
              is_last && !batch->is_part ? MEMBER_TO : MEMBER_FROM);
    buffer_put_text(sql, ");");
    pg_store_note_statement(store, PG_STORE_OTHER);
}

/* ---- looked up ------------------------------------------------------------------------------ */

static void release(struct pg_store_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++) {
        free((char *)positions->items[i].group);
        free((char *)positions->items[i].topic);
    }
    free(positions->items);
    *positions = (struct pg_store_positions){0};
}

static struct source_position *find(struct pg_store_positions *positions, const char *group,
                                    const char *topic, int32_t partition)
{
    for (size_t i = 0; i < positions->count; i++) {
        struct source_position *item = &positions->items[i];

        if (item->partition == partition && strcmp(item->topic, topic) == 0 &&
            strcmp(item->group, group) == 0)
            return item;
    }
    return NULL;
}

static void want(struct pg_store *store, const struct source_position *position)
{
    struct pg_store_positions *wanted = &store->wanted;

    if (find(wanted, position->group, position->topic, position->partition))
        return;
    if (wanted->count == wanted->capacity) {
        wanted->capacity = mem_grown(wanted->capacity, wanted->count + 1);
        wanted->items = mem_realloc(wanted->items, wanted->capacity * sizeof(wanted->items[0]));
    }
    wanted->items[wanted->count++] = (struct source_position){.group = mem_strdup(position->group),
                                                              .topic = mem_strdup(position->topic),
                                                              .partition = position->partition,
                                                              .from = SOURCE_POSITION_NEW,
                                                              .to = SOURCE_POSITION_NEW};
}

/* group_id, topic, partition, next */
static void on_found(struct pg_query *query, const PGresult *result)
{
    struct pg_store *store = query->user;

    for (int row = 0; row < PQntuples(result); row++) {
        struct source_position *item =
            find(&store->asked, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                 (int32_t)strtol(PQgetvalue(result, row, 2), NULL, 10));

        if (item && !PQgetisnull(result, row, 3))
            item->from = item->to = strtoll(PQgetvalue(result, row, 3), NULL, 10);
    }
}

static void on_answered(struct pg_query *query, const struct pg_error *error)
{
    struct pg_store *store = query->user;
    struct pg_store_positions asked = store->asked;

    store->asked = (struct pg_store_positions){0};
    store->is_finding = false;
    if (error) {
        for (size_t i = 0; i < asked.count; i++)
            want(store, &asked.items[i]);
    } else {
        store->base.events->on_positions(store->base.user, asked.items, asked.count);
    }
    release(&asked);
    if (error && !error->is_connection)
        pg_link_reset(&store->link, error->text); /* with its pause before the next attempt */
    if (!error)
        pg_store_ask_positions(store);
}

/* While a batch is under way it may yet move them. */
void pg_store_ask_positions(struct pg_store *store)
{
    if (store->is_finding || store->wanted.count == 0 || store->batch ||
        store->state != PG_STORE_READY)
        return;
    store->is_finding = true;
    store->asked = store->wanted;
    store->wanted = (struct pg_store_positions){0};
    buffer_clear(&store->find_sql);
    buffer_put_text(&store->find_sql, "SELECT * FROM positions_find(");
    put_names(store, &store->find_sql, store->asked.items, store->asked.count);
    buffer_put_text(&store->find_sql, ")");
    store->finding = (struct pg_query){.sql = buffer_text(&store->find_sql),
                                       .timeout_ms = store->config.watchdog_ms,
                                       .user = store,
                                       .on_result = on_found,
                                       .on_done = on_answered};
    pg_link_submit(&store->link, &store->finding);
}

void pg_store_find_positions(struct store *base, const struct source_position *positions,
                             size_t count)
{
    struct pg_store *store = (struct pg_store *)base;

    for (size_t i = 0; i < count; i++)
        want(store, &positions[i]);
    pg_store_ask_positions(store);
}

void pg_store_release_positions(struct pg_store *store)
{
    release(&store->wanted);
    release(&store->asked);
    buffer_release(&store->find_sql);
}
