/* A page of an export: readings of a device, of the devices named, or of all, device by device, in runs (run.h). So the text
 * is most of the work. The place where it goes on is a device in `after` and a reading of it in `cursor`. */
#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "httpapi/run.h"
#include "shared/base/csv_write.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* A device without a reading in the span costs a third of a millisecond; so a page costs some tens of them. A page of
 * text is held for a client that takes nothing: of two features the first has 3,000 readings, or as many as its last chunk
 * has more, which are a quarter of a megabyte. Four that were taken double the next, to 2 MB. */
enum { PAGE_DEVICES = 100, PAGE_NUMBERS = 12000, PAGE_DOUBLINGS = 3 };

enum {
    COLUMN_KNOWN,
    COLUMN_ID,
    COLUMN_DEVICE, /* NULL: there is no run */
    COLUMN_READINGS,
    COLUMN_FIRST_AT,
    COLUMN_NEXT_AT,
    COLUMN_NEXT_HASH,
    COLUMN_MOMENTS,
    COLUMN_RECORDED_AT,
    COLUMN_STATUS,
    COLUMN_FEATURES
};

#define RUN_COLUMNS                                                                                \
    "p.device, p.readings, p.first_at, p.next_at, p.next_hash, p.moments, p.recorded_at, "         \
    "p.status, p.features"

void query_put_devices(struct query *query)
{
    if (query->params.group[0]) {
        query_sql(query, "ARRAY(SELECT a.device_id FROM device_abouts a WHERE a.group_name = ");
        query_bind_text(query, query->params.group, "text");
        query_sql(query, ")");
        return;
    }
    if (query->params.device_count == 0) {
        query_sql(query, "NULL::text[]");
        return;
    }
    query_sql(query, "ARRAY[");
    for (size_t i = 0; i < query->params.device_count; i++) {
        query_sql(query, i > 0 ? ", " : "");
        query_bind_text(query, query->params.device_ids[i], "text");
    }
    query_sql(query, "]");
}

/* ---- SQL ------------------------------------------------------------------------------------ */

/* Of several devices they come in the order of time alone. */
static bool is_newest_first(const struct query *query)
{
    return query->kind == &query_csv && query->params.order == ORDER_HIGHEST;
}

/* How many readings are asked for. */
static uint64_t page_most(const struct query *query)
{
    uint64_t doublings = query->params.pages_taken / 4;
    uint64_t numbers = (uint64_t)PAGE_NUMBERS
                       << (doublings < PAGE_DOUBLINGS ? doublings : PAGE_DOUBLINGS);
    uint64_t most = numbers / (2 + query->params.feature_count);
    uint64_t limit = query->params.limit;

    return limit > 0 && limit < most ? limit : most;
}

static void put_wanted(struct query *query)
{
    query_sql(query, ", wanted => ARRAY[");
    for (size_t i = 0; i < query->params.feature_count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "",
                      query->features->names[query->params.features[i]]);
    query_sql(query, "]::text[])");
}

static void build_fleet(struct query *query)
{
    query_sql(query, "SELECT known.devices, p.device_id, " RUN_COLUMNS " FROM (SELECT ");
    if (query->params.device_count == 0) {
        query_sql(query, "1::bigint");
    } else {
        query_sql(query, "count(*) FROM devices d WHERE d.device_id = ANY (");
        query_put_devices(query);
        query_sql(query, ")");
        query->bound_count -= (int)query->params.device_count; /* the same are named again */
    }
    query_sql(query, ") known (devices) LEFT JOIN (SELECT d.device_id, q.* FROM fleet_runs(");
    query_put_devices(query);
    query_sql(query, ", ");
    query_bind_span(query);
    buffer_printf(&query->sql, ", %" PRIu64 ", %d, ", page_most(query), PAGE_DEVICES);
    query_bind_text(query, query->params.after, "text");
    query_bind_cursor(query);
    put_wanted(query);
    query_sql(query, " q JOIN devices d ON d.id = q.device) p ON true"
                     " ORDER BY p.device_id, p.first_at");
}

static void build_device(struct query *query)
{
    bool is_desc = is_newest_first(query);

    query_sql(query, "SELECT 1::bigint, d.device_id, " RUN_COLUMNS " FROM devices d"
                     " LEFT JOIN LATERAL device_runs(d.id, ");
    query_bind_span(query);
    buffer_printf(&query->sql, ", %s, %" PRIu64, is_desc ? "true" : "false", page_most(query));
    query_bind_cursor(query);
    put_wanted(query);
    query_sql(query, " p ON true WHERE d.device_id = ");
    query_bind_text(query, query->params.device_id, "text");
    buffer_printf(&query->sql, " ORDER BY p.first_at %s", is_desc ? "DESC" : "ASC");
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Writes a reading of a run, as a line; `known` is what all lines have between its moment and its status. */
typedef void put_fn(struct query *query, const struct buffer *known, const struct run *run,
                    size_t at);

static struct run_cell cell(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return (struct run_cell){0};
    return (struct run_cell){.data = PQgetvalue(result, row, column),
                             .bytes = (size_t)PQgetlength(result, row, column)};
}

static void read_run(struct run *run, const struct query *query, const PGresult *result, int row)
{
    struct run_cells cells = {.moments = cell(result, row, COLUMN_MOMENTS),
                              .recorded_at = cell(result, row, COLUMN_RECORDED_AT),
                              .first_at_us = pg_cell_timestamp(result, row, COLUMN_FIRST_AT),
                              .status = cell(result, row, COLUMN_STATUS),
                              .features = cell(result, row, COLUMN_FEATURES)};

    run_read(run, &cells, (size_t)pg_cell_integer(result, row, COLUMN_READINGS),
             query->params.feature_count, is_newest_first(query));
}

/* Those in the span: a chunk comes as a whole. */
static void put_run(struct query *query, const struct run *run, const struct buffer *known,
                    put_fn *put)
{
    const struct params *params = &query->params;

    for (size_t place = 0; place < run->count; place++) {
        size_t at = run_index(run, place);

        if (run->moments_us[at] < params->from_us || run->moments_us[at] >= params->to_us)
            continue;
        if (params->limit > 0 && query->rows == params->limit)
            return;
        put(query, known, run, at);
        query->rows++;
    }
}

/* Notes where the next page begins. */
static void put_page(struct query *query, const PGresult *result,
                     void (*put_known)(struct buffer *out, const char *device_id), put_fn *put)
{
    struct buffer known = {0};
    struct run run = {0};
    uint64_t told = 0;

    query->is_found = PQntuples(result) > 0 && pg_cell_integer(result, 0, COLUMN_KNOWN) > 0;
    for (int row = 0; query->is_found && row < PQntuples(result); row++) {
        if (PQgetisnull(result, row, COLUMN_DEVICE))
            break;
        snprintf(query->next, sizeof(query->next), "%s", PQgetvalue(result, row, COLUMN_ID));
        if (PQgetisnull(result, row, COLUMN_READINGS)) { /* there were enough devices */
            query->last = (struct params_cursor){0};
            query->has_more = true;
            break;
        }
        query_note_last(query, result, row, COLUMN_NEXT_AT);
        read_run(&run, query, result, row);
        buffer_clear(&known);
        put_known(&known, query->next);
        put_run(query, &run, &known, put);
        told += run.count;
        query->has_more = told >= page_most(query);
    }
    run_release(&run);
    buffer_release(&known);
}

static void put_moment(struct buffer *out, int64_t us)
{
    timestamp_format((char *)buffer_reserve(out, TIMESTAMP_TEXT_SIZE), us);
    out->bytes += TIMESTAMP_TEXT_SIZE - 1;
}

static const char *status_text(const struct run *run, size_t at)
{
    int64_t status = run->statuses[at];

    return status > 0 && status < STATUS_COUNT ? reading_status_text((enum reading_status)status)
                                               : NULL;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

void query_put_csv_head(struct buffer *out, const struct params *params,
                        const struct features *features)
{
    buffer_put_text(out, "timestamp,deviceId,status");
    for (size_t i = 0; i < params->feature_count; i++)
        buffer_printf(out, ",%s", features->names[params->features[i]]);
    buffer_put_text(out, "\r\n");
}

static void put_csv_known(struct buffer *out, const char *device_id)
{
    buffer_put_text(out, ",");
    csv_write_text(out, device_id);
    buffer_put_text(out, ",");
}

static void put_csv(struct query *query, const struct buffer *known, const struct run *run,
                    size_t at)
{
    struct buffer *out = &query->body;
    const char *status = status_text(run, at);

    put_moment(out, run->moments_us[at]);
    buffer_put(out, known->data, known->bytes);
    if (status)
        buffer_put_text(out, status);
    for (size_t i = 0; i < run->feature_count; i++) {
        double value = run->values[i * run->count + at];

        buffer_put(out, ",", 1);
        if (!isnan(value))
            json_write_double(out, value);
    }
    buffer_put(out, "\r\n", 2);
}

static void write_csv(struct query *query, const PGresult *result)
{
    put_page(query, result, put_csv_known, put_csv);
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static void put_line_known(struct buffer *out, const char *device_id)
{
    buffer_put_text(out, "\",\"deviceId\":");
    json_write_string(out, device_id);
    buffer_put_text(out, ",\"status\":");
}

static void put_line(struct query *query, const struct buffer *known, const struct run *run,
                     size_t at)
{
    struct buffer *out = &query->body;
    const char *status = status_text(run, at);

    buffer_put_text(out, "{\"timestamp\":\"");
    put_moment(out, run->moments_us[at]);
    buffer_put(out, known->data, known->bytes);
    if (status)
        json_write_string(out, status);
    else
        buffer_put_text(out, "null");
    for (size_t i = 0; i < run->feature_count; i++) {
        buffer_put_text(out, ",\"");
        buffer_put_text(out, query->features->names[query->params.features[i]]);
        buffer_put_text(out, "\":");
        query_put_float(out, run->values[i * run->count + at]);
    }
    buffer_put_text(out, "}\n");
}

static void write_lines(struct query *query, const PGresult *result)
{
    put_page(query, result, put_line_known, put_line);
}

const struct query_kind query_csv = {build_device, write_csv};
const struct query_kind query_fleet_csv = {build_fleet, write_csv};
const struct query_kind query_fleet_lines = {build_fleet, write_lines};
