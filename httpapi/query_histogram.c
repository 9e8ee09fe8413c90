#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <inttypes.h>
#include <string.h>

static bool is_of_values(const struct query *query)
{
    return query->params.feature < query->features->count;
}

/* interval=past_hour is from=<an hour ago>. */
static void apply_interval(struct query *query)
{
    int64_t length_us = query->params.intervals[0].interval.length_us;

    if (length_us != INTERVAL_ALL_TIME && query->params.from_us == INT64_MIN)
        query->params.from_us =
            query->as_of_us - length_us + 1; /* an interval excludes its start */
}

static void bind_quantiles(struct query *query)
{
    struct buffer text = {0};

    buffer_put_text(&text, "{");
    quantiles_put(&text, &query->params.quantiles);
    buffer_put_text(&text, "}");
    query_bind_text(query, buffer_text(&text), "float8[]");
    buffer_release(&text);
}

/* The sums are the database's (schema/004_query_functions.sql, schema/024_values.sql): one row, or rows, of the device that is
 * asked about, which must exist, or of all. */
static void build_histogram(struct query *query)
{
    bool is_of_device = query->params.device_id[0];

    apply_interval(query);
    if (is_of_values(query)) {
        query_sql(query, is_of_device
                             ? "SELECT h.bin, h.low, h.high, h.readings, h.quantile FROM devices d"
                               " LEFT JOIN LATERAL value_distribution(d.device_id, "
                             : "SELECT h.bin, h.low, h.high, h.readings, h.quantile FROM"
                               " value_distribution(NULL, ");
        query_bind_text(query, query->features->names[query->params.feature], "text");
        query_sql(query, ", ");
        query_bind_count(query, query->params.bins);
        query_sql(query, "::integer, ");
        bind_quantiles(query);
        query_sql(query, ", ");
        query_bind_span(query);
        query_sql(query, is_of_device ? ") h ON true" : ") h");
    } else {
        query_sql(query, is_of_device
                             ? "SELECT h.status, h.readings FROM devices d, status_counts(d.id, "
                             : "SELECT h.status, h.readings FROM status_counts(0, ");
        query_bind_span(query);
        query_sql(query, ") h");
    }
    if (is_of_device) {
        query_sql(query, " WHERE d.device_id = ");
        query_bind_text(query, query->params.device_id, "text");
    }
    if (is_of_values(query))
        query_sql(query, " ORDER BY h.bin, h.quantile");
}

/* Where it lies for certain, as a value and how far that may be off. */
static void put_quantile(struct buffer *out, const PGresult *result, int row)
{
    double low = pg_cell_double(result, row, 1);
    double high = pg_cell_double(result, row, 2);

    buffer_put_text(out, "{\"quantile\":");
    json_write_double(out, pg_cell_double(result, row, 4));
    buffer_put_text(out, ",\"value\":");
    json_write_double(out, low < high ? low / 2 + high / 2 : low);
    buffer_put_text(out, ",\"error\":");
    json_write_double(out, high / 2 - low / 2);
    buffer_put_text(out, "}");
}

/* A row per bin, and after them one per quantile; none, or one of NULLs, when there is no value. */
static void put_value_histogram(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = PQntuples(result);
    int bins = 0;
    int64_t total = 0;

    while (bins < rows && !PQgetisnull(result, bins, 0))
        bins++;
    for (int i = 0; i < bins; i++)
        total += pg_cell_integer(result, i, 3);
    buffer_printf(out, "{\"feature\":\"%s\",\"count\":%" PRId64 ",\"edges\":[",
                  query->features->names[query->params.feature], total);
    for (int i = 0; i < bins; i++) {
        json_write_double(out, pg_cell_double(result, i, 1));
        buffer_put_text(out, ",");
    }
    if (bins > 0)
        json_write_double(out, pg_cell_double(result, bins - 1, 2));
    buffer_put_text(out, "],\"counts\":[");
    for (int i = 0; i < bins; i++)
        buffer_printf(out, "%s%" PRId64, i > 0 ? "," : "", pg_cell_integer(result, i, 3));
    buffer_put_text(out, "],\"quantiles\":[");
    for (int i = bins; bins > 0 && i < rows; i++) {
        buffer_put_text(out, i > bins ? "," : "");
        put_quantile(out, result, i);
    }
    buffer_put_text(out, "]}");
}

static void write_histogram(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int64_t counts[STATUS_COUNT] = {0};
    bool is_of_device = query->params.device_id[0];

    query->is_found = !is_of_device || PQntuples(result) > 0;
    if (!query->is_found)
        return;
    if (is_of_device) {
        buffer_put_text(out, "{");
        json_write_string(out, query->params.device_id);
        buffer_put_text(out, ":");
    }
    if (is_of_values(query)) {
        put_value_histogram(query, result);
    } else {
        for (int row = 0; row < PQntuples(result); row++)
            query_count_status(counts, pg_cell_integer(result, row, 0),
                               pg_cell_integer(result, row, 1));
        query_put_statuses(out, counts);
    }
    if (is_of_device)
        buffer_put_text(out, "}");
}

const struct query_kind query_histogram = {build_histogram, write_histogram};

static void write_distribution(struct query *query, const PGresult *result)
{
    query->is_found = !query->params.device_id[0] || PQntuples(result) > 0;
    if (query->is_found)
        put_value_histogram(query, result);
}

const struct query_kind query_distribution = {build_histogram, write_distribution};
