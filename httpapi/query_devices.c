/* Each order is an index of device_states (schema/015_device_states.sql), read from the place where the page
 * begins. Only of the devices of the page anything else is looked up.
 *
 * Not where devices are picked by a text, a group or a state that few may be in: along an index all
 * others would be looked at on the way to fifty of them, and all once more for the total. These are
 * found in one pass, which is counted and sorted. A text is in the middle of an id or a label, where no
 * index finds it. */
#include "httpapi/query_parts.h"

#include "httpapi/devices.h"
#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const sort_columns[] = {
    [DEVICES_BY_ID] = NULL,
    [DEVICES_BY_HEARD] = "heard_at",
    [DEVICES_BY_CLOCK] = "clock_offset",
    [DEVICES_BY_MISSING] = "missing",
    [DEVICES_BY_REJECTED] = "rejected",
};

/* Columns of the result; the latest reading comes last. */
enum {
    COLUMN_ID,
    COLUMN_FIRST_SEEN,
    COLUMN_FIRST,
    COLUMN_LAST,
    COLUMN_HEARD,
    COLUMN_OFFSET,
    COLUMN_HOUR,
    COLUMN_REJECTED,
    COLUMN_SEQUENCE,
    COLUMN_TOTAL,
    COLUMN_PLACE,
    COLUMN_ABOUT,
    COLUMN_READING
};

/* ---- asked ---------------------------------------------------------------------------------- */

/* Found in one pass, and not along the index of the order. */
static bool is_picked(const struct params *params)
{
    return params->q[0] || params->group[0] || params->state == DEVICES_LOSING ||
           params->state == DEVICES_REFUSED;
}

/* What they say of themselves, as far as it matters here: a row for each that is in the group, or whose label
 * has the text. */
static void put_abouts(struct query *query)
{
    const struct params *params = &query->params;

    if (!params->q[0] && !params->group[0])
        return;
    buffer_printf(&query->sql, " %sJOIN device_abouts a ON a.device_id = s.device_id AND ",
                  params->group[0] ? "" : "LEFT ");
    if (params->group[0]) {
        query_sql(query, "a.group_name = ");
        query_bind_text(query, params->group, "text");
        return;
    }
    query_sql_has_text(query, "a.label");
}

/* Which devices are meant: all of whose rows of device_states this holds. */
static void put_filter(struct query *query)
{
    const struct params *params = &query->params;
    int64_t silent_us = params->silent_for_us;

    if (silent_us == INT64_MIN && params->state == DEVICES_SILENT)
        silent_us = DEVICES_SILENT_FOR_US;
    query_sql(query, " WHERE true");
    if (params->q[0]) {
        query_sql(query, " AND (");
        query_sql_has_text(query, "s.device_id");
        query_sql(query, " OR ");
        if (params->group[0])
            query_sql_has_text(query, "a.label");
        else
            query_sql(query, "a.device_id IS NOT NULL");
        query_sql(query, ")");
    }
    if (silent_us != INT64_MIN) {
        query_sql(query, " AND s.heard_at <= ");
        query_bind_timestamp(query, query->as_of_us - silent_us);
    }
    if (params->state == DEVICES_LOSING)
        query_sql(query, " AND s.missing > 0");
    if (params->state == DEVICES_REFUSED)
        query_sql(query, " AND (s.rejected > 0 OR s.device IS NULL)");
}

static void put_place(struct query *query, const char *column, bool is_desc)
{
    const char *id;
    int64_t number;

    if (!devices_parse_place(query->params.after, &number, &id))
        return; /* the first page; devices_answer() refuses what is no place */
    buffer_printf(&query->sql, " AND (%s%ss.natural_id) %s (", column ? column : "",
                  column ? ", " : "", is_desc ? "<" : ">");
    if (column) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRId64, number);
        if (query->params.sort == DEVICES_BY_HEARD)
            query_bind_timestamp(query, number);
        else
            query_bind_text(query, text, "bigint");
        query_sql(query, ", ");
    }
    query_sql(query, "natural_id(");
    query_bind_text(query, id, "text");
    query_sql(query, "))");
}

static void put_order(struct query *query, const char *table, const char *column, bool is_desc)
{
    const char *way = is_desc ? "DESC" : "ASC";

    query_sql(query, " ORDER BY ");
    if (column)
        buffer_printf(&query->sql, "%s.%s %s, ", table, column, way);
    buffer_printf(&query->sql, "%s.natural_id %s", table, way);
}

/* p, the devices of the page and one more, and total. */
static void put_page(struct query *query, const char *column, bool is_desc)
{
    bool picks = is_picked(&query->params);
    char place[24];

    snprintf(place, sizeof(place), "s.%s", column ? column : "");
    query_sql(query, "WITH ");
    if (picks) {
        buffer_printf(&query->sql, "found AS MATERIALIZED (SELECT s.natural_id%s%s",
                      column ? ", " : "", column ? place : "");
        query_sql(query, " FROM device_states s");
        put_abouts(query);
        put_filter(query);
        query_sql(query, "), total AS MATERIALIZED (SELECT count(*) AS devices FROM found),"
                         " p AS MATERIALIZED (SELECT s.* FROM (SELECT s.natural_id FROM found s"
                         " WHERE true");
    } else {
        query_sql(query, "total AS MATERIALIZED (SELECT count(*) AS devices FROM device_states s");
        put_filter(query);
        query_sql(query, "), p AS MATERIALIZED (SELECT s.* FROM device_states s");
        put_filter(query);
    }
    put_place(query, column ? place : NULL, is_desc);
    put_order(query, "s", column, is_desc);
    query_sql(query, " LIMIT ");
    query_bind_count(query, query->params.limit + 1);
    query_sql(query, picks ? ") f JOIN device_states s USING (natural_id))" : ")");
}

static void build_devices(struct query *query)
{
    const char *column = sort_columns[query->params.sort];
    bool is_desc = query->params.order == ORDER_HIGHEST;

    put_page(query, column, is_desc);
    query_sql(
        query,
        ", span AS MATERIALIZED (SELECT * FROM device_spans(ARRAY(SELECT p.device FROM p"
        " WHERE p.device IS NOT NULL))), latest AS MATERIALIZED (SELECT * FROM devices_latest("
        "ARRAY(SELECT span.device FROM span ORDER BY 1),"
        " ARRAY(SELECT span.last_at FROM span ORDER BY span.device))), hour AS MATERIALIZED (SELECT"
        " * FROM devices_recent(ARRAY(SELECT span.device FROM span), ");
    query_bind_timestamp(query, query->as_of_us - 3600 * TIMESTAMP_US_PER_S);
    query_sql(query, ")) SELECT p.device_id, d.first_seen_at, span.first_at, span.last_at,"
                     " greatest(p.heard_at, latest.received_at), p.clock_offset, hour.readings,"
                     " p.rejected, CASE WHEN s.device IS NOT NULL THEN " SEQUENCE_JSON " END,"
                     " total.devices, ");
    if (query->params.sort == DEVICES_BY_HEARD)
        query_sql(query, "(extract(epoch FROM p.heard_at) * 1000000)::bigint");
    else
        buffer_printf(&query->sql, "%s%s::bigint", column ? "p." : "", column ? column : "0");
    query_sql(query, ", " ABOUT_JSON("p.device_id"));
    query_sql(query, ", latest.recorded_at, latest.content_hash, latest.status");
    query_sql_features(query, "latest");
    query_sql(
        query,
        " FROM total LEFT JOIN p ON true LEFT JOIN devices d ON d.id = p.device"
        " LEFT JOIN span ON span.device = p.device LEFT JOIN latest ON latest.device = p.device"
        " LEFT JOIN hour ON hour.device = p.device"
        " LEFT JOIN device_sequences s ON s.device = p.device");
    put_order(query, "p", column, is_desc);
}

/* ---- answered ------------------------------------------------------------------------------- */

static void put_offset(struct query *query, const PGresult *result, int row)
{
    if (PQgetisnull(result, row, COLUMN_LAST))
        buffer_put_text(&query->body, "null");
    else
        buffer_printf(&query->body, "%" PRId64, pg_cell_integer(result, row, COLUMN_OFFSET) / 1000);
}

static void put_device(struct query *query, const PGresult *result, int row)
{
    static const struct {
        const char *name;
        int column;
    } moments[] = {{"firstSeenAt", COLUMN_FIRST_SEEN},
                   {"firstReadingAt", COLUMN_FIRST},
                   {"lastReadingAt", COLUMN_LAST},
                   {"lastHeardAt", COLUMN_HEARD}};
    const char *id = PQgetvalue(result, row, COLUMN_ID);
    struct buffer *out = &query->body;

    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, id);
    buffer_printf(out, ",\"about\":%s",
                  PQgetisnull(result, row, COLUMN_ABOUT) ? "null"
                                                         : PQgetvalue(result, row, COLUMN_ABOUT));
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        buffer_printf(out, ",\"%s\":", moments[i].name);
        query_put_timestamp_cell(out, result, row, moments[i].column);
    }
    buffer_put_text(out, ",\"clockOffsetMs\":");
    put_offset(query, result, row);
    buffer_printf(
        out,
        ",\"readingsPastHour\":%" PRId64 ",\"rejectedPastHour\":%" PRId64
        ",\"sequence\":%s,\"latest\":",
        pg_cell_integer(result, row, COLUMN_HOUR), pg_cell_integer(result, row, COLUMN_REJECTED),
        PQgetisnull(result, row, COLUMN_SEQUENCE) ? "null"
                                                  : PQgetvalue(result, row, COLUMN_SEQUENCE));
    if (PQgetisnull(result, row, COLUMN_READING))
        buffer_put_text(out, "null");
    else
        query_put_reading(query, result, row, COLUMN_READING, id);
    buffer_put_text(out, "}");
}

static void put_next(struct query *query, const PGresult *result, int row)
{
    const char *id = PQgetvalue(result, row, COLUMN_ID);

    snprintf(query->next, sizeof(query->next), "%" PRId64 "_%s",
             pg_cell_integer(result, row, COLUMN_PLACE), id);
    json_write_string(&query->body, query->next);
}

static void write_devices(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = PQntuples(result);

    if (rows == 1 && PQgetisnull(result, 0, COLUMN_ID))
        rows = 0; /* nothing but the total */
    query->has_more = (uint64_t)rows > query->params.limit;
    if (query->has_more)
        rows = (int)query->params.limit;
    buffer_put_text(out, "{\"devices\":[");
    for (int row = 0; row < rows; row++) {
        buffer_put_text(out, row > 0 ? "," : "");
        put_device(query, result, row);
    }
    buffer_printf(out,
                  "],\"total\":%" PRId64 ",\"next\":", pg_cell_integer(result, 0, COLUMN_TOTAL));
    if (query->has_more)
        put_next(query, result, rows - 1);
    else
        buffer_put_text(out, "null");
    buffer_put_text(out, "}");
}

const struct query_kind query_devices = {build_devices, write_devices};
