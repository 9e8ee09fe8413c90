#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <inttypes.h>

/* The page after the cursor; one row of NULLs when the device has none there. */
static void build_readings(struct query *query)
{
    bool is_desc = query->params.order == ORDER_HIGHEST;

    query_sql(query, "SELECT p.recorded_at, p.content_hash, p.status");
    query_sql_features(query, "p");
    query_sql(query, " FROM devices d LEFT JOIN LATERAL device_page(d.id, ");
    query_bind_span(query);
    buffer_printf(&query->sql, ", %s, %" PRIu64, is_desc ? "true" : "false",
                  query->params.limit + 1);
    query_bind_cursor(query);
    query_sql_wanted(query);
    query_sql(query, ") p ON true WHERE d.device_id = ");
    query_bind_text(query, query->params.device_id, "text");
    buffer_printf(&query->sql, " ORDER BY p.recorded_at %s, p.content_hash %s",
                  is_desc ? "DESC" : "ASC", is_desc ? "DESC" : "ASC");
}

/* How many rows of the page are to be shown; notes where the next begins. */
static int page_rows(struct query *query, const PGresult *result)
{
    uint64_t limit = query->params.limit;
    int rows = PQntuples(result);

    query->is_found = rows > 0;
    if (rows > 0 && PQgetisnull(result, 0, 0))
        rows = 0;
    query->has_more = (uint64_t)rows > limit;
    if (query->has_more)
        rows = (int)limit;
    if (rows > 0)
        query_note_last(query, result, rows - 1, 0);
    return rows;
}

static void write_readings(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = page_rows(query, result);

    if (!query->is_found)
        return;
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, query->params.device_id);
    buffer_put_text(out, ",\"readings\":[");
    for (int row = 0; row < rows; row++) {
        buffer_put_text(out, row > 0 ? "," : "");
        query_put_reading(query, result, row, 0, query->params.device_id);
    }
    buffer_put_text(out, "],\"next\":");
    query_put_next(query);
    buffer_put_text(out, "}");
}

const struct query_kind query_readings = {build_readings, write_readings};
