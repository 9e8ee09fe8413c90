/* Steps of a plot, of one device or of several: the same SQL columns, the same cells of CSV and JSON. */
#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/csv_write.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Columns of the result; three of each feature come last. */
enum {
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_STEP,
    COLUMN_AT,
    COLUMN_COUNT,
    COLUMN_ID,
    COLUMN_KNOWN,
    COLUMN_TOTAL,
    COLUMN_LABEL,
    COLUMN_FEATURES
};

static const char *feature_name(const struct query *query, size_t i)
{
    return query->features->names[query->params.features[i]];
}

/* ---- asked ---------------------------------------------------------------------------------- */

static void put_columns(struct query *query)
{
    query_sql(query, "SELECT p.first_at, p.last_at, p.step_ms, p.at, p.readings, ");
}

static void put_feature_columns(struct query *query)
{
    for (size_t i = 1; i <= query->params.feature_count; i++)
        buffer_printf(&query->sql, ", p.lowest[%zu], p.highest[%zu], p.mean[%zu]", i, i, i);
}

/* What both functions want after the devices: the span, the most steps, the features. */
static void put_arguments(struct query *query)
{
    query_bind_span(query);
    query_sql(query, ", ");
    query_bind_count(query, query->params.points);
    query_sql(query, ", ARRAY[");
    for (size_t i = 0; i < query->params.feature_count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "", feature_name(query, i));
    query_sql(query, "]) p");
}

/* A row per step (schema/004_query_functions.sql); one of NULLs when the device has no readings there. */
static void build_points(struct query *query)
{
    put_columns(query);
    query_sql(query, "d.device_id, true, 1::bigint, NULL::text");
    put_feature_columns(query);
    query_sql(query, " FROM devices d, device_points(d.id, ");
    put_arguments(query);
    query_sql(query, " WHERE d.device_id = ");
    query_bind_text(query, query->params.device_id, "text");
    query_sql(query, " ORDER BY p.at");
}

/* Those of the fleet, or of a group: (SELECT what FROM devices d ... end) */
static void put_anybody(struct query *query, const char *what, const char *end)
{
    buffer_printf(&query->sql, "(SELECT %s FROM devices d", what);
    if (query->params.group[0]) {
        query_sql(query, " JOIN device_abouts a ON a.device_id = d.device_id"
                         " WHERE a.group_name = ");
        query_bind_text(query, query->params.group, "text");
    }
    buffer_printf(&query->sql, "%s)", end);
}

/* The same of each device (schema/020_compare.sql): of those named, or of the first ones of a group or the fleet. */
static void build_steps(struct query *query)
{
    size_t named = query->params.device_count;
    char first[64];

    snprintf(first, sizeof(first), " ORDER BY d.device_id LIMIT %d", PARAM_DEVICES_MAX);
    put_columns(query);
    query_sql(query, "p.device_id, p.is_known, ");
    if (named > 0)
        buffer_printf(&query->sql, "%zu::bigint", named);
    else
        put_anybody(query, "count(*)", "");
    query_sql(query, ", about.label");
    put_feature_columns(query);
    query_sql(query, " FROM devices_points(");
    if (named > 0) {
        query_put_devices(query);
    } else {
        query_sql(query, "ARRAY");
        put_anybody(query, "d.device_id", first);
    }
    query_sql(query, ", ");
    put_arguments(query);
    query_sql(query, " LEFT JOIN device_abouts about ON about.device_id = p.device_id"
                     " ORDER BY p.place, p.at");
}

/* ---- CSV and JSON lines --------------------------------------------------------------------- */

static const char *const parts[] = {"min", "max", "mean"};

enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void put_csv_head(struct query *query)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "timestamp,deviceId,count");
    for (size_t i = 0; i < query->params.feature_count; i++) {
        for (size_t part = 0; part < PARTS; part++)
            buffer_printf(out, ",%s_%s", feature_name(query, i), parts[part]);
    }
    buffer_put_text(out, "\r\n");
}

/* When each step begins, of whom, how many, and three columns per feature. */
static void put_csv_row(struct query *query, const PGresult *result, int row)
{
    struct buffer *out = &query->body;
    char when[TIMESTAMP_TEXT_SIZE];
    int columns = PARTS * (int)query->params.feature_count;

    timestamp_format(when, pg_cell_timestamp(result, row, COLUMN_AT));
    buffer_printf(out, "%s,", when);
    csv_write_text(out, PQgetvalue(result, row, COLUMN_ID));
    buffer_printf(out, ",%" PRId64, pg_cell_integer(result, row, COLUMN_COUNT));
    for (int column = COLUMN_FEATURES; column < COLUMN_FEATURES + columns; column++) {
        buffer_put_text(out, ",");
        if (!PQgetisnull(result, row, column))
            json_write_double(out, pg_cell_double(result, row, column));
    }
    buffer_put_text(out, "\r\n");
}

static void put_line(struct query *query, const PGresult *result, int row)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "{\"timestamp\":");
    query_put_timestamp_cell(out, result, row, COLUMN_AT);
    buffer_put_text(out, ",\"deviceId\":");
    json_write_string(out, PQgetvalue(result, row, COLUMN_ID));
    buffer_printf(out, ",\"count\":%" PRId64, pg_cell_integer(result, row, COLUMN_COUNT));
    for (size_t i = 0; i < query->params.feature_count; i++) {
        for (int part = 0; part < PARTS; part++) {
            buffer_printf(out, ",\"%s_%s\":", feature_name(query, i), parts[part]);
            query_put_float(out,
                            pg_cell_double(result, row, COLUMN_FEATURES + PARTS * (int)i + part));
        }
    }
    buffer_put_text(out, "}\n");
}

static void put_rows(struct query *query, const PGresult *result)
{
    bool is_csv = query->params.format == FORMAT_CSV;

    if (is_csv)
        put_csv_head(query);
    for (int row = 0; row < PQntuples(result); row++) {
        if (!PQgetisnull(result, row, COLUMN_AT))
            (is_csv ? put_csv_row : put_line)(query, result, row);
    }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void put_span(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int row = 0;

    /* of an unknown device nothing has a length, of the others all have the same */
    while (row + 1 < PQntuples(result) && PQgetisnull(result, row, COLUMN_STEP))
        row++;
    buffer_put_text(out, "\"from\":");
    query_put_timestamp_cell(out, result, row, COLUMN_FROM);
    buffer_put_text(out, ",\"to\":");
    query_put_timestamp_cell(out, result, row, COLUMN_TO);
    buffer_put_text(out, ",\"stepMs\":");
    json_write_double(out, pg_cell_double(result, row, COLUMN_STEP));
}

static void put_point(struct query *query, const PGresult *result, int row)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "{\"timestamp\":");
    query_put_timestamp(out, pg_cell_timestamp(result, row, COLUMN_AT));
    buffer_printf(out, ",\"count\":%" PRId64, pg_cell_integer(result, row, COLUMN_COUNT));
    for (size_t i = 0; i < query->params.feature_count; i++) {
        int column = COLUMN_FEATURES + PARTS * (int)i;

        buffer_printf(out, ",\"%s\":", feature_name(query, i));
        if (PQgetisnull(result, row, column)) {
            buffer_put_text(out, "null");
            continue;
        }
        for (int part = 0; part < PARTS; part++) {
            buffer_printf(out, "%s\"%s\":", part > 0 ? "," : "{", parts[part]);
            json_write_double(out, pg_cell_double(result, row, column + part));
        }
        buffer_put_text(out, "}");
    }
    buffer_put_text(out, "}");
}

/* From `row` on, as far as they are of the same device; the row after them. */
static int put_points(struct query *query, const PGresult *result, int row)
{
    const char *id = PQgetvalue(result, row, COLUMN_ID);
    bool is_first = true;

    buffer_put_text(&query->body, "\"points\":[");
    for (; row < PQntuples(result) && strcmp(PQgetvalue(result, row, COLUMN_ID), id) == 0; row++) {
        if (PQgetisnull(result, row, COLUMN_AT))
            continue;
        buffer_put_text(&query->body, is_first ? "" : ",");
        put_point(query, result, row);
        is_first = false;
    }
    buffer_put_text(&query->body, "]");
    return row;
}

static void write_points(struct query *query, const PGresult *result)
{
    query->is_found = PQntuples(result) > 0;
    if (!query->is_found)
        return;
    if (query->params.format != FORMAT_JSON) {
        put_rows(query, result);
        return;
    }
    buffer_put_text(&query->body, "{\"deviceId\":");
    json_write_string(&query->body, query->params.device_id);
    buffer_put_text(&query->body, ",");
    put_span(query, result);
    buffer_put_text(&query->body, ",");
    put_points(query, result, 0);
    buffer_put_text(&query->body, "}");
}

static bool is_known(const PGresult *result, int row)
{
    return PQgetvalue(result, row, COLUMN_KNOWN)[0];
}

static void put_devices(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;

    for (int row = 0; row < PQntuples(result);) {
        buffer_put_text(out, row > 0 ? ",{\"deviceId\":" : "{\"deviceId\":");
        json_write_string(out, PQgetvalue(result, row, COLUMN_ID));
        buffer_printf(out, ",\"isKnown\":%s,\"label\":", is_known(result, row) ? "true" : "false");
        if (PQgetisnull(result, row, COLUMN_LABEL))
            buffer_put_text(out, "null");
        else
            json_write_string(out, PQgetvalue(result, row, COLUMN_LABEL));
        buffer_put_text(out, ",");
        row = put_points(query, result, row);
        buffer_put_text(out, "}");
    }
}

static void write_steps(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    bool has_rows = PQntuples(result) > 0; /* none: of a fleet, or group, of nobody */

    query->is_found = query->params.device_count == 0;
    for (int row = 0; row < PQntuples(result); row++)
        query->is_found |= is_known(result, row);
    if (!query->is_found)
        return;
    if (query->params.format != FORMAT_JSON) {
        put_rows(query, result);
        return;
    }
    buffer_put_text(out, "{");
    if (has_rows)
        put_span(query, result);
    else
        buffer_put_text(out, "\"from\":null,\"to\":null,\"stepMs\":null");
    buffer_printf(out, ",\"total\":%" PRId64 ",\"devices\":[",
                  has_rows ? pg_cell_integer(result, 0, COLUMN_TOTAL) : 0);
    put_devices(query, result);
    buffer_put_text(out, "]}");
}

const struct query_kind query_points = {build_points, write_points};
const struct query_kind query_steps = {build_steps, write_steps};
