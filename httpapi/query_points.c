#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/csv_write.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>

/* A row per step (schema/004_query_functions.sql); one of NULLs when the device has no readings there. */
static void build_points(struct query *query)
{
    query_sql(query, "SELECT p.first_at, p.last_at, p.step_ms, p.at, p.readings");
    for (size_t i = 1; i <= query->features->count; i++)
        buffer_printf(&query->sql, ", p.lowest[%zu], p.highest[%zu], p.mean[%zu]", i, i, i);
    query_sql(query, " FROM devices d, device_points(d.id, ");
    query_bind_span(query);
    query_sql(query, ", ");
    query_bind_count(query, query->params.points);
    query_sql(query, ", ARRAY[");
    for (size_t i = 0; i < query->features->count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "", query->features->names[i]);
    query_sql(query, "]) p WHERE d.device_id = ");
    query_bind_text(query, query->params.device_id, "text");
    query_sql(query, " ORDER BY p.at");
}

/* The steps as CSV: when each begins, how many, and three columns per feature. */
static void put_csv(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "timestamp,deviceId,count");
    for (size_t i = 0; i < query->features->count; i++) {
        const char *name = query->features->names[i];

        buffer_printf(out, ",%s_min,%s_max,%s_mean", name, name, name);
    }
    buffer_put_text(out, "\r\n");
    for (int row = 0; row < PQntuples(result) && !PQgetisnull(result, row, 3); row++) {
        char when[TIMESTAMP_TEXT_SIZE];

        timestamp_format(when, pg_cell_timestamp(result, row, 3));
        buffer_printf(out, "%s,", when);
        csv_write_text(out, query->params.device_id);
        buffer_printf(out, ",%" PRId64, pg_cell_integer(result, row, 4));
        for (int column = 5; column < 5 + 3 * (int)query->features->count; column++) {
            buffer_put_text(out, ",");
            if (!PQgetisnull(result, row, column))
                json_write_double(out, pg_cell_double(result, row, column));
        }
        buffer_put_text(out, "\r\n");
    }
}

static void put_json(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, query->params.device_id);
    buffer_put_text(out, ",\"from\":");
    query_put_timestamp_cell(out, result, 0, 0);
    buffer_put_text(out, ",\"to\":");
    query_put_timestamp_cell(out, result, 0, 1);
    buffer_put_text(out, ",\"stepMs\":");
    json_write_double(out, pg_cell_double(result, 0, 2));
    buffer_put_text(out, ",\"points\":[");
    for (int row = 0; row < PQntuples(result) && !PQgetisnull(result, row, 3); row++) {
        buffer_put_text(out, row > 0 ? ",{\"timestamp\":" : "{\"timestamp\":");
        query_put_timestamp(out, pg_cell_timestamp(result, row, 3));
        buffer_printf(out, ",\"count\":%" PRId64, pg_cell_integer(result, row, 4));
        for (size_t i = 0; i < query->features->count; i++) {
            int column = 5 + 3 * (int)i;

            buffer_printf(out, ",\"%s\":", query->features->names[i]);
            if (PQgetisnull(result, row, column)) {
                buffer_put_text(out, "null");
                continue;
            }
            buffer_put_text(out, "{\"min\":");
            json_write_double(out, pg_cell_double(result, row, column));
            buffer_put_text(out, ",\"max\":");
            json_write_double(out, pg_cell_double(result, row, column + 1));
            buffer_put_text(out, ",\"mean\":");
            json_write_double(out, pg_cell_double(result, row, column + 2));
            buffer_put_text(out, "}");
        }
        buffer_put_text(out, "}");
    }
    buffer_put_text(out, "]}");
}

static void write_points(struct query *query, const PGresult *result)
{
    query->is_found = PQntuples(result) > 0;
    if (!query->is_found)
        return;
    if (query->params.format == FORMAT_CSV)
        put_csv(query, result);
    else
        put_json(query, result);
}

const struct query_kind query_points = {build_points, write_points};
