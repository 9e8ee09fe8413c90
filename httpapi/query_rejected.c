/* Rejected messages, and how many there were. Each filter is read from an index that begins with what is filtered by
 * and goes on in the order of the answer (schema/016_rejected_asked.sql). Both ends are given as whole keys of
 * that index, and no column as equal to a value: so the planner cannot take the index of another order and
 * look for a reason, which nobody has sent for a year, among all that came since. */
#include "httpapi/query_parts.h"

#include "httpapi/payload_json.h"
#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINES_ROWS = 500, LINES_BYTES = 4 * 1024 * 1024, COUNTS_ROWS = 10000 };

enum {
    COLUMN_AT,
    COLUMN_ID,
    COLUMN_TOPIC,
    COLUMN_REASON,
    COLUMN_DETAIL,
    COLUMN_DEVICE,
    COLUMN_BYTES,
    COLUMN_PAYLOAD,
    COLUMN_SINCE
};

/* The moment from which on nothing was deleted for its age or for size. */
#define SINCE_SQL "(SELECT f.until + interval '1 microsecond' FROM rejected_forgotten f)"

/* ---- asked ---------------------------------------------------------------------------------- */

/* (m.device_id, m.reason, m.received_at, m.id) < ($1::text, $2::text, */
static void put_key(struct query *query, const char *operator)
{
    const struct params *params = &query->params;

    query_sql(query, "(");
    query_sql(query, params->device_id[0] ? "m.device_id, " : "");
    query_sql(query, params->reason[0] ? "m.reason, " : "");
    buffer_printf(&query->sql, "m.received_at, m.id) %s (", operator);
    if (params->device_id[0]) {
        query_bind_text(query, params->device_id, "text");
        query_sql(query, ", ");
    }
    if (params->reason[0]) {
        query_bind_text(query, params->reason, "text");
        query_sql(query, ", ");
    }
}

static void put_rows(struct query *query, uint64_t rows)
{
    const struct params *params = &query->params;
    const struct params_cursor *cursor = &params->cursor;
    bool is_after = cursor->is_given && cursor->recorded_at_us < params->to_us;

    query_sql(query, "SELECT m.* FROM rejected_messages m WHERE ");
    put_key(query, "<");
    query_bind_timestamp(query, is_after ? cursor->recorded_at_us : params->to_us);
    buffer_printf(&query->sql, ", %" PRId64 ") AND ", is_after ? cursor->content_hash : 0);
    put_key(query, ">=");
    query_bind_timestamp(query, params->from_us);
    query_sql(query, ", 0)");
    if (params->device_id[0])
        query_sql(query, " AND m.device_id IS NOT NULL"); /* as the indexes have it */
    query_sql(query, " ORDER BY ");
    query_sql(query, params->device_id[0] ? "m.device_id DESC, " : "");
    query_sql(query, params->reason[0] ? "m.reason DESC, " : "");
    buffer_printf(&query->sql, "m.received_at DESC, m.id DESC LIMIT %" PRIu64, rows);
}

#define COLUMNS                                                                                    \
    "m.received_at, m.id, m.topic, m.reason, m.detail, m.device_id, "                              \
    "octet_length(m.payload)::bigint"

static void build_rejected(struct query *query)
{
    buffer_printf(&query->sql,
                  "SELECT " COLUMNS ", substring(m.payload FROM 1 FOR %" PRIu64 "), s.since"
                  " FROM (SELECT " SINCE_SQL " AS since) s LEFT JOIN LATERAL (",
                  query->params.payload_bytes);
    put_rows(query, query->params.limit + 1);
    query_sql(query, ") m ON true ORDER BY m.received_at DESC, m.id DESC");
}

/* As many as there are, or as are LINES_BYTES: of those behind them no payload is read. */
static void build_lines(struct query *query)
{
    uint64_t limit = query->params.limit;

    if (limit == 0 || limit > LINES_ROWS)
        limit = LINES_ROWS;
    query_sql(query, "SELECT " COLUMNS ", m.payload FROM (SELECT m.*, sum(octet_length(m.payload))"
                     " OVER (ORDER BY m.received_at DESC, m.id DESC)"
                     " - octet_length(m.payload) AS before FROM (");
    put_rows(query, limit);
    buffer_printf(&query->sql, ") m) m WHERE m.before < %d ORDER BY m.received_at DESC, m.id DESC",
                  LINES_BYTES);
}

/* ---- answered ------------------------------------------------------------------------------- */

/* What cannot be seen is told where people look; whoever takes all away gets the bytes. */
static void put_message(struct query *query, const PGresult *result, int row, bool is_whole)
{
    struct buffer *out = &query->body;
    const char *payload = PQgetvalue(result, row, COLUMN_PAYLOAD);
    size_t bytes = (size_t)PQgetlength(result, row, COLUMN_PAYLOAD);
    bool is_cut = (int64_t)bytes < pg_cell_integer(result, row, COLUMN_BYTES);
    void (*put_text)(struct buffer *, const char *) =
        is_whole ? json_write_string : payload_json_put_text;

    buffer_printf(out,
                  "{\"id\":%" PRId64 ",\"receivedAt\":", pg_cell_integer(result, row, COLUMN_ID));
    query_put_timestamp_cell(out, result, row, COLUMN_AT);
    buffer_put_text(out, ",\"topic\":");
    put_text(out, PQgetvalue(result, row, COLUMN_TOPIC));
    buffer_put_text(out, ",\"reason\":");
    put_text(out, PQgetvalue(result, row, COLUMN_REASON));
    buffer_put_text(out, ",\"detail\":");
    put_text(out, PQgetvalue(result, row, COLUMN_DETAIL));
    buffer_put_text(out, ",\"deviceId\":");
    if (PQgetisnull(result, row, COLUMN_DEVICE))
        buffer_put_text(out, "null");
    else
        json_write_string(out, PQgetvalue(result, row, COLUMN_DEVICE));
    buffer_printf(out, ",\"payloadBytes\":%" PRId64, pg_cell_integer(result, row, COLUMN_BYTES));
    if (is_whole)
        payload_json_put_whole(out, payload, bytes);
    else
        payload_json_put_shown(out, payload, bytes, is_cut);
    buffer_put_text(out, "}");
}

static void write_rejected(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = PQntuples(result);

    if (rows == 1 && PQgetisnull(result, 0, COLUMN_ID))
        rows = 0; /* nothing but since when */
    query->has_more = (uint64_t)rows > query->params.limit;
    if (query->has_more)
        rows = (int)query->params.limit;
    if (rows > 0)
        query_note_last(query, result, rows - 1, COLUMN_AT);
    buffer_put_text(out, "{\"since\":");
    query_put_timestamp_cell(out, result, 0, COLUMN_SINCE);
    buffer_put_text(out, ",\"messages\":[");
    for (int row = 0; row < rows; row++) {
        buffer_put_text(out, row > 0 ? "," : "");
        put_message(query, result, row, false);
    }
    buffer_put_text(out, "],\"next\":");
    query_put_next(query);
    buffer_put_text(out, "}");
}

static void write_lines(struct query *query, const PGresult *result)
{
    int rows = PQntuples(result);

    query->rows = (uint64_t)rows;
    query->has_more = rows > 0; /* the page after the last is empty */
    if (rows > 0)
        query_note_last(query, result, rows - 1, COLUMN_AT);
    for (int row = 0; row < rows; row++) {
        put_message(query, result, row, true);
        buffer_put_text(&query->body, "\n");
    }
}

const struct query_kind query_rejected = {build_rejected, write_rejected};
const struct query_kind query_rejected_lines = {build_lines, write_lines};

/* ---- counted -------------------------------------------------------------------------------- */

enum { COUNT_HOUR, COUNT_REASON, COUNT_MESSAGES, COUNT_SINCE };

#define HOUR_US (3600 * TIMESTAMP_US_PER_S)

/* The start of the hour; or, upwards, of the first that begins no earlier. */
static int64_t whole_hour(int64_t us, bool is_up)
{
    int64_t rest;

    if (us == INT64_MIN || us == INT64_MAX)
        return us;
    rest = ((us % HOUR_US) + HOUR_US) % HOUR_US;
    return us - rest + (is_up && rest > 0 ? HOUR_US : 0);
}

static void build_counts(struct query *query)
{
    query->params.from_us = whole_hour(query->params.from_us, false);
    query->params.to_us = whole_hour(query->params.to_us, true);
    query_sql(query, "SELECT m.hour, m.reason, m.messages, s.since FROM (SELECT " SINCE_SQL
                     " AS since) s LEFT JOIN LATERAL (SELECT l.hour, l.reason,"
                     " sum(l.messages)::bigint AS messages FROM rejected_log l WHERE l.hour >= ");
    query_bind_timestamp(query, query->params.from_us);
    query_sql(query, " AND l.hour < ");
    query_bind_timestamp(query, query->params.to_us);
    buffer_printf(&query->sql,
                  " GROUP BY 1, 2 HAVING sum(l.messages) > 0 ORDER BY 1 DESC, 3 DESC, 2 LIMIT %d)"
                  " m ON true ORDER BY 1 DESC, 3 DESC, 2",
                  COUNTS_ROWS + 1);
}

static void put_moment(struct buffer *out, int64_t us)
{
    if (us == INT64_MIN || us == INT64_MAX)
        buffer_put_text(out, "null");
    else
        query_put_timestamp(out, us);
}

/* The oldest hour of too many rows is not whole, so it is left out. */
static int whole_rows(struct query *query, const PGresult *result)
{
    int rows = PQntuples(result);
    int64_t oldest;

    if (rows <= COUNTS_ROWS)
        return rows == 1 && PQgetisnull(result, 0, COUNT_HOUR) ? 0 : rows;
    oldest = pg_cell_timestamp(result, rows - 1, COUNT_HOUR);
    while (rows > 0 && pg_cell_timestamp(result, rows - 1, COUNT_HOUR) == oldest)
        rows--;
    query->params.from_us = oldest + HOUR_US;
    return rows;
}

static void write_counts(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = whole_rows(query, result);
    int64_t total = 0;

    buffer_put_text(out, "{\"since\":");
    query_put_timestamp_cell(out, result, 0, COUNT_SINCE);
    buffer_put_text(out, ",\"from\":");
    put_moment(out, query->params.from_us);
    buffer_put_text(out, ",\"to\":");
    put_moment(out, query->params.to_us);
    buffer_put_text(out, ",\"hours\":[");
    for (int row = 0; row < rows; row++) {
        bool is_new = row == 0 || pg_cell_timestamp(result, row, COUNT_HOUR) !=
                                      pg_cell_timestamp(result, row - 1, COUNT_HOUR);

        if (is_new) {
            buffer_put_text(out, row > 0 ? "}},{\"hour\":" : "{\"hour\":");
            query_put_timestamp_cell(out, result, row, COUNT_HOUR);
            buffer_put_text(out, ",\"reasons\":{");
        }
        buffer_put_text(out, is_new ? "" : ",");
        payload_json_put_text(out, PQgetvalue(result, row, COUNT_REASON));
        buffer_printf(out, ":%" PRId64, pg_cell_integer(result, row, COUNT_MESSAGES));
        total += pg_cell_integer(result, row, COUNT_MESSAGES);
    }
    buffer_printf(out, "%s],\"total\":%" PRId64 "}", rows > 0 ? "}}" : "", total);
}

const struct query_kind query_rejected_counts = {build_counts, write_counts};
