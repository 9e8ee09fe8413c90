#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

static void build_devices(struct query *query)
{
    query_sql(query,
              "WITH d AS MATERIALIZED (SELECT id, device_id, first_seen_at FROM devices WHERE "
              "device_id > ");
    query_bind_text(query, query->params.after, "text");
    if (query->params.q[0]) {
        query_sql(query, " AND strpos(lower(device_id), lower(");
        query_bind_text(query, query->params.q, "text");
        query_sql(query, ")) > 0");
    }
    query_sql(query, " ORDER BY device_id LIMIT ");
    query_bind_count(query, query->params.limit + 1);
    query_sql(query,
              ") SELECT d.device_id, d.first_seen_at, span.first_at, span.last_at, hour.count,"
              " CASE WHEN s.device IS NOT NULL THEN " SEQUENCE_JSON " END"
              " FROM d LEFT JOIN device_spans(ARRAY(SELECT id FROM d)) span ON span.device = d.id"
              " LEFT JOIN LATERAL (SELECT count(*) FROM readings r WHERE r.device = d.id"
              " AND r.recorded_at > ");
    query_bind_timestamp(query, query->as_of_us - 3600 * TIMESTAMP_US_PER_S);
    query_sql(query, ") hour ON true LEFT JOIN device_sequences s ON s.device = d.id"
                     " ORDER BY d.device_id");
}

static void write_devices(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = PQntuples(result);

    query->has_more = (uint64_t)rows > query->params.limit;
    if (query->has_more)
        rows = (int)query->params.limit;
    buffer_put_text(out, "{\"devices\":[");
    for (int row = 0; row < rows; row++) {
        buffer_put_text(out, row > 0 ? ",{\"deviceId\":" : "{\"deviceId\":");
        json_write_string(out, PQgetvalue(result, row, 0));
        buffer_put_text(out, ",\"firstSeenAt\":");
        query_put_timestamp_cell(out, result, row, 1);
        buffer_put_text(out, ",\"firstReadingAt\":");
        query_put_timestamp_cell(out, result, row, 2);
        buffer_put_text(out, ",\"lastReadingAt\":");
        query_put_timestamp_cell(out, result, row, 3);
        buffer_printf(out, ",\"readingsPastHour\":%" PRId64 ",\"sequence\":%s}",
                      pg_cell_integer(result, row, 4),
                      PQgetisnull(result, row, 5) ? "null" : PQgetvalue(result, row, 5));
    }
    buffer_put_text(out, "],\"next\":");
    if (query->has_more) {
        snprintf(query->next, sizeof(query->next), "%s", PQgetvalue(result, rows - 1, 0));
        json_write_string(out, query->next);
    } else {
        buffer_put_text(out, "null");
    }
    buffer_put_text(out, "}");
}

const struct query_kind query_devices = {build_devices, write_devices};
