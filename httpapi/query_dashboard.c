#include "httpapi/query_parts.h"

#include "httpapi/dashboard.h"
#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <inttypes.h>
#include <stdio.h>

/* What is asked of a feature: the function and its span. As boards are, SQL's have one as-of: nothing
 * counts that was received after it, although the snapshot, which is taken later, may have it. (Of
 * all time the best is kept, and when it was received is not.) */
static void put_board(struct query *query, const char *feature)
{
    const struct params *params = &query->params;
    const char *order = sort_order_text(params->order);
    const char *whose = params->group[0] ? ", of_devices => a.devices" : "";

    if (params_have_span(params))
        buffer_printf(&query->sql,
                      "board_of_span('%s', '%s', a.starts, a.ends, %" PRIu64 ", a.arrived%s)",
                      feature, order, params->limit, whose);
    else if (params->intervals[0].interval.length_us == INTERVAL_ALL_TIME)
        buffer_printf(&query->sql, "board_of('%s', '%s', '-infinity', %" PRIu64 "%s)", feature,
                      order, params->limit, whose);
    else
        buffer_printf(&query->sql, "board_of('%s', '%s', a.starts, %" PRIu64 ", a.arrived%s)",
                      feature, order, params->limit, whose);
}

/* Of all features at once: what costs most is a pass over the sums of each device. */
static void put_changes(struct query *query)
{
    const struct params *params = &query->params;

    buffer_printf(&query->sql,
                  "SELECT b.place - 1 AS place, b.device_id, b.best, b.change, b.against, "
                  "b.against_at FROM a, boards_by('%s', ARRAY[",
                  dashboard_bys[params->by]);
    for (size_t i = 0; i < params->feature_count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "",
                      query->features->names[params->features[i]]);
    buffer_printf(&query->sql, "], '%s', a.starts, a.ends, %" PRIu64 ", kept => %s%s) b",
                  sort_order_text(params->order), params->limit,
                  params_have_span(params) ? "false" : "true",
                  params->group[0] ? ", of_devices => a.devices" : "");
}

void query_put_boards(struct query *query)
{
    const struct params *params = &query->params;

    if (params->by != BY_MAXIMUM) {
        put_changes(query);
        return;
    }
    for (size_t i = 0; i < params->feature_count; i++) {
        buffer_printf(&query->sql, "%sSELECT %zu AS place, b.device_id, b.best FROM a, ",
                      i > 0 ? " UNION ALL " : "", i);
        put_board(query, query->features->names[params->features[i]]);
        query_sql(query, " b");
    }
}

void query_put_board_span(struct query *query)
{
    const struct params *params = &query->params;
    const struct interval *interval = &params->intervals[0].interval;

    query_sql(query, "WITH a (arrived, starts, ends, devices) AS (SELECT ");
    query_bind_timestamp(query, query->as_of_us);
    query_sql(query, ", ");
    if (params_have_span(params)) {
        query_bind_span(query);
    } else {
        query_bind_timestamp(query, interval->length_us == INTERVAL_ALL_TIME
                                        ? INT64_MIN
                                        : query->as_of_us - interval->length_us +
                                              (params->by != BY_MAXIMUM));
        query_sql(query, ", 'infinity'::timestamptz");
    }
    query_sql(query, ", ");
    if (params->group[0]) {
        query_sql(query, "devices_of_group(");
        query_bind_text(query, params->group, "text");
        query_sql(query, "))");
    } else {
        query_sql(query, "NULL::integer[])");
    }
}

static void build_dashboard(struct query *query)
{
    const struct params *params = &query->params;

    query_put_board_span(query);
    query_sql(query, " SELECT b.place, b.device_id, (b.best).recorded_at, (b.best).content_hash,"
                     " (b.best).status");
    query_sql_features(query, "(b.best)");
    if (params->by != BY_MAXIMUM)
        query_sql(query, ", b.change, b.against, b.against_at");
    query_sql(query, " FROM (");
    query_put_boards(query);
    query_sql(query, ") b");
}

/* Behind the reading's own members, under a name that no feature may have. */
static void put_change(struct query *query, const PGresult *result, int row)
{
    struct buffer *out = &query->body;
    int column = 5 + (int)query->features->count;

    out->bytes--; /* the brace */
    buffer_put_text(out, ",\"value\":{\"change\":");
    json_write_double(out, pg_cell_double(result, row, column));
    buffer_put_text(out, ",\"against\":");
    json_write_double(out, pg_cell_double(result, row, column + 1));
    buffer_put_text(out, ",\"againstAt\":");
    query_put_timestamp_cell(out, result, row, column + 2);
    buffer_put_text(out, "}}");
}

static void write_dashboard(struct query *query, const PGresult *result)
{
    const struct params *params = &query->params;
    int rows = PQntuples(result);

    for (size_t i = 0; i < params->feature_count; i++) {
        bool is_first = true;

        buffer_printf(&query->body, "%s\"%s\":[", i > 0 ? "," : "{",
                      query->features->names[params->features[i]]);
        for (int row = 0; row < rows; row++) {
            if ((size_t)pg_cell_integer(result, row, 0) != i)
                continue;
            buffer_put_text(&query->body, is_first ? "" : ",");
            query_put_reading(query, result, row, 2, PQgetvalue(result, row, 1));
            if (params->by != BY_MAXIMUM)
                put_change(query, result, row);
            is_first = false;
        }
        buffer_put_text(&query->body, "]");
    }
    buffer_put_text(&query->body, "}");
}

const struct query_kind query_dashboard = {build_dashboard, write_dashboard};
