/* A page of an export: readings of the devices named, or of all, device by device (schema/020_compare.sql).
 * The place where it goes on is a device in `after` and a reading of it in `cursor`. */
#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <stdio.h>

/* A device without a reading in the span costs a third of a millisecond; so a page costs some tens of them. */
enum { PAGE_DEVICES = 100 };

/* Columns of the result; the features come last. */
enum { COLUMN_KNOWN, COLUMN_ID, COLUMN_READING, COLUMN_FEATURES = COLUMN_READING + 3 };

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

static void put_place(struct query *query)
{
    query_sql(query, ", ");
    query_bind_text(query, query->params.after, "text");
    query_bind_cursor(query);
}

static void build_fleet(struct query *query)
{
    query_sql(query, "SELECT known.devices, p.device_id, p.recorded_at, p.content_hash, p.status");
    for (size_t i = 0; i < query->params.feature_count; i++)
        buffer_printf(&query->sql, ", p.\"%s\"", query->features->names[query->params.features[i]]);
    query_sql(query, " FROM (SELECT ");
    if (query->params.device_count == 0) {
        query_sql(query, "1::bigint");
    } else {
        query_sql(query, "count(*) FROM devices d WHERE d.device_id = ANY (");
        query_put_devices(query);
        query_sql(query, ")");
        query->bound_count -= (int)query->params.device_count; /* the same are named again */
    }
    query_sql(query, ") known (devices) LEFT JOIN (SELECT d.device_id, q.* FROM fleet_page(");
    query_put_devices(query);
    query_sql(query, ", ");
    query_bind_span(query);
    buffer_printf(&query->sql, ", %d, %d", QUERY_CSV_PAGE_ROWS + 1, PAGE_DEVICES);
    put_place(query);
    query_sql_wanted(query, query->params.features, query->params.feature_count);
    query_sql(query, ") q JOIN devices d ON d.id = q.device) p ON true"
                     " ORDER BY p.device_id, p.recorded_at, p.content_hash");
}

/* How many rows are to be shown; notes where the next page begins. */
static int page_rows(struct query *query, const PGresult *result)
{
    int rows = PQntuples(result);
    const char *last;

    query->is_found = rows > 0 && pg_cell_integer(result, 0, COLUMN_KNOWN) > 0;
    if (!query->is_found || PQgetisnull(result, 0, COLUMN_ID))
        return 0;
    query->has_more = true;
    last = PQgetvalue(result, rows - 1, COLUMN_ID);
    if (PQgetisnull(result, rows - 1, COLUMN_READING)) { /* there were enough devices */
        snprintf(query->next, sizeof(query->next), "%s", last);
        return rows - 1;
    }
    query->has_more = rows > QUERY_CSV_PAGE_ROWS;
    rows -= query->has_more;
    snprintf(query->next, sizeof(query->next), "%s", PQgetvalue(result, rows - 1, COLUMN_ID));
    query_note_last(query, result, rows - 1, COLUMN_READING);
    return rows;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static void write_csv(struct query *query, const PGresult *result)
{
    int rows = page_rows(query, result);

    for (int row = 0; row < rows; row++)
        query_put_csv_reading(query, result, row, COLUMN_READING,
                              PQgetvalue(result, row, COLUMN_ID));
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static void put_line(struct query *query, const PGresult *result, int row)
{
    struct buffer *out = &query->body;
    const char *status = query_status_text(result, row, COLUMN_READING + 2);

    buffer_put_text(out, "{\"timestamp\":");
    query_put_timestamp(out, pg_cell_timestamp(result, row, COLUMN_READING));
    buffer_put_text(out, ",\"deviceId\":");
    json_write_string(out, PQgetvalue(result, row, COLUMN_ID));
    buffer_put_text(out, ",\"status\":");
    if (status)
        json_write_string(out, status);
    else
        buffer_put_text(out, "null");
    for (size_t i = 0; i < query->params.feature_count; i++) {
        buffer_printf(out, ",\"%s\":", query->features->names[query->params.features[i]]);
        query_put_float(out, pg_cell_double(result, row, COLUMN_FEATURES + (int)i));
    }
    buffer_put_text(out, "}\n");
}

static void write_lines(struct query *query, const PGresult *result)
{
    int rows = page_rows(query, result);

    for (int row = 0; row < rows; row++)
        put_line(query, result, row);
}

const struct query_kind query_fleet_csv = {build_fleet, write_csv};
const struct query_kind query_fleet_lines = {build_fleet, write_lines};
