#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <string.h>

#define HOUR_US INT64_C(3600000000)

/* The span that was asked for; of what is open at an end, an hour or until now. Else the past hour in steps that begin
 * where they would a second later, too, so that a line does not tremble; the last of them is under way. */
static void bind_history(struct query *query)
{
    const struct params *params = &query->params;
    int64_t step_us = HOUR_US / (int64_t)params->points;
    int64_t now_us = (query->as_of_us / step_us + 1) * step_us;
    int64_t to_us = params->to_us < INT64_MAX ? params->to_us : now_us;
    int64_t length_us = step_us * (int64_t)params->points;

    query_bind_timestamp(query, params->from_us > INT64_MIN ? params->from_us : to_us - length_us);
    query_sql(query, ", ");
    query_bind_timestamp(query, to_us);
}

/* w (feature, device_id): who is on which board. */
static void put_rows(struct query *query)
{
    if (query->about.bytes > 0) {
        query->bound[query->bound_count++] = buffer_text(&query->about);
        buffer_printf(&query->sql,
                      "WITH w AS (SELECT (e->>1)::int AS feature, e->>0 AS device_id"
                      " FROM json_array_elements($%d::json) e)",
                      query->bound_count);
        return;
    }
    query_put_board_span(query);
    query_sql(query, ", w AS (SELECT b.place AS feature, b.device_id FROM (");
    query_put_boards(query);
    query_sql(query, ") b)");
}

/* A row per device, feature and step; one of NULLs when there is no reading. What the devices are called all say. */
static void build_history(struct query *query)
{
    const struct params *params = &query->params;

    put_rows(query);
    query_sql(query, ", h (starts, ends, points) AS (SELECT ");
    bind_history(query);
    query_sql(query, ", ");
    query_bind_count(query, params->points);
    query_sql(query,
              "), g AS (SELECT w.feature, array_agg(d.id) AS devices FROM w"
              " JOIN devices d ON d.device_id = w.device_id GROUP BY 1)"
              " SELECT s.origin, s.step_us, h.ends, p.feature, p.device_id, p.at, p.lowest, "
              "p.highest, (SELECT jsonb_object_agg(a.device_id, a.label)::text"
              " FROM device_abouts a WHERE a.label IS NOT NULL"
              " AND a.device_id IN (SELECT w.device_id FROM w)) FROM h"
              " CROSS JOIN LATERAL plot_steps(h.starts, h.ends, h.points) s"
              " LEFT JOIN LATERAL (SELECT g.feature, d.device_id, l.at, l.lowest, l.highest FROM g"
              " CROSS JOIN LATERAL board_lines(g.devices, (ARRAY[");
    for (size_t i = 0; i < params->feature_count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "",
                      query->features->names[params->features[i]]);
    query_sql(query, "])[g.feature + 1], h.starts, h.ends, h.points) l JOIN devices d ON d.id = "
                     "l.device) p ON true"
                     " ORDER BY p.feature, p.device_id, p.at");
}

enum { ORIGIN, STEP, ENDS, FEATURE, DEVICE, AT, LOWEST, HIGHEST, LABELS };

static bool is_same_line(const PGresult *result, int row, int other)
{
    return pg_cell_integer(result, row, FEATURE) == pg_cell_integer(result, other, FEATURE) &&
           strcmp(PQgetvalue(result, row, DEVICE), PQgetvalue(result, other, DEVICE)) == 0;
}

/* One value for each step, null where there was no reading. */
static void put_steps(struct buffer *out, const PGresult *result, int from, int until, int column,
                      int64_t steps)
{
    int64_t origin_us = pg_cell_timestamp(result, 0, ORIGIN);
    int64_t step_us = pg_cell_integer(result, 0, STEP);
    int row = from;

    for (int64_t i = 0; i < steps; i++) {
        buffer_put_text(out, i > 0 ? "," : "[");
        if (row < until && pg_cell_timestamp(result, row, AT) < origin_us + (i + 1) * step_us)
            json_write_double(out, pg_cell_double(result, row++, column));
        else
            buffer_put_text(out, "null");
    }
    buffer_put_text(out, "]");
}

static void put_line(struct query *query, const PGresult *result, int from, int until,
                     int64_t steps)
{
    struct buffer *out = &query->body;
    size_t feature = query->params.features[pg_cell_integer(result, from, FEATURE)];

    buffer_put_text(out, from > 0 ? ",{\"deviceId\":" : "{\"deviceId\":");
    json_write_string(out, PQgetvalue(result, from, DEVICE));
    buffer_printf(out, ",\"feature\":\"%s\",\"min\":", query->features->names[feature]);
    put_steps(out, result, from, until, LOWEST, steps);
    buffer_put_text(out, ",\"max\":");
    put_steps(out, result, from, until, HIGHEST, steps);
    buffer_put_text(out, "}");
}

static void write_history(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int64_t origin_us = pg_cell_timestamp(result, 0, ORIGIN);
    int64_t step_us = pg_cell_integer(result, 0, STEP);
    int64_t length_us = pg_cell_timestamp(result, 0, ENDS) - origin_us;
    int64_t steps = length_us > 0 && step_us > 0 ? (length_us + step_us - 1) / step_us : 0;
    int rows = PQgetisnull(result, 0, AT) ? 0 : PQntuples(result);

    buffer_put_text(out, "{\"asOf\":");
    query_put_timestamp(out, query->as_of_us);
    buffer_put_text(out, ",\"from\":");
    query_put_timestamp(out, origin_us);
    buffer_put_text(out, ",\"to\":");
    query_put_timestamp(out, steps > 0 ? origin_us + steps * step_us : origin_us);
    buffer_put_text(out, ",\"stepMs\":");
    json_write_double(out, (double)step_us / 1000);
    buffer_put_text(out, ",\"labels\":");
    buffer_put_text(out, PQgetisnull(result, 0, LABELS) ? "{}" : PQgetvalue(result, 0, LABELS));
    buffer_put_text(out, ",\"series\":[");
    for (int row = 0, next; row < rows; row = next) {
        for (next = row + 1; next < rows && is_same_line(result, row, next);)
            next++;
        put_line(query, result, row, next, steps);
    }
    buffer_put_text(out, "]}");
}

const struct query_kind query_board_history = {build_history, write_history};
