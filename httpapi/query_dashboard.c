#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

/* As boards are, SQL's have one as-of: nothing counts that was received after it, although the
 * snapshot, which is taken later, may have it. (Of all time the best is kept, and when it was
 * received is not.) */
static void build_dashboard(struct query *query)
{
    const struct params *params = &query->params;
    const struct interval *interval = &params->intervals[0].interval;
    bool is_all_time = interval->length_us == INTERVAL_ALL_TIME;

    for (size_t i = 0; i < params->feature_count; i++) {
        const char *feature = query->features->names[params->features[i]];

        buffer_printf(&query->sql,
                      "%sSELECT %zu, b.device_id, (b.best).recorded_at, (b.best).content_hash,"
                      " (b.best).status",
                      i > 0 ? " UNION ALL " : "", i);
        query_sql_features(query, "(b.best)");
        buffer_printf(&query->sql, " FROM board_of('%s', '%s', %s, %" PRIu64 "%s) b", feature,
                      sort_order_text(params->order),
                      is_all_time ? "'-infinity'" : "$1::timestamptz", params->limit,
                      is_all_time ? "" : ", $2::timestamptz");
    }
    if (!is_all_time) {
        query->bound_count = 2;
        query->bound[0] = query->bound_text[0];
        query->bound[1] = query->bound_text[1];
        timestamp_format(query->bound_text[0], query->as_of_us - interval->length_us);
        timestamp_format(query->bound_text[1], query->as_of_us);
    }
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
            is_first = false;
        }
        buffer_put_text(&query->body, "]");
    }
    buffer_put_text(&query->body, "}");
}

const struct query_kind query_dashboard = {build_dashboard, write_dashboard};
