#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <inttypes.h>
#include <string.h>

/* Rows of one device: what it is about, a feature, a reading, a count. */
enum {
    DEVICE_SELF,
    DEVICE_LATEST,
    DEVICE_HIGHEST,
    DEVICE_LOWEST,
    DEVICE_STATUS,
    DEVICE_HEARD,    /* when, and in the place of the count the offset of its clock */
    DEVICE_SEQUENCE, /* its numbering, in the place of the feature */
    DEVICE_STORAGE /* since when, RETENTION in the place of the feature, bytes in that of the count */
};

static void sql_device_part(struct query *query, int what, const char *feature,
                            const char *recorded_at, const char *table, const char *count)
{
    buffer_printf(&query->sql, "SELECT %d, %s::text, %s, ", what, feature, recorded_at);
    if (table) {
        buffer_printf(&query->sql, "%s.content_hash, %s.status", table, table);
        query_sql_features(query, table);
    } else {
        query_sql(query,
                  what == DEVICE_STATUS ? "NULL::int, r.status" : "NULL::int, NULL::smallint");
        for (size_t i = 0; i < query->features->count; i++)
            query_sql(query, ", NULL::float8");
    }
    buffer_printf(&query->sql, ", %s::bigint ", count);
}

static void build_device(struct query *query)
{
    query_sql(
        query,
        "WITH d AS MATERIALIZED (SELECT s.device_id, s.device AS id, d.first_seen_at, s.heard_at,"
        " s.clock_offset, s.rejected FROM device_states s LEFT JOIN devices d ON d.id = s.device"
        " WHERE s.natural_id = natural_id(");
    query_bind_text(query, query->params.device_id, "text");
    query_sql(query, ")) ");
    sql_device_part(query, DEVICE_SELF, ABOUT_JSON("d.device_id"), "d.first_seen_at", NULL,
                    "d.rejected");
    query_sql(query, "FROM d UNION ALL (");
    sql_device_part(query, DEVICE_HEARD, "NULL", "d.heard_at", NULL, "d.clock_offset");
    query_sql(query, "FROM d) UNION ALL (");
    sql_device_part(query, DEVICE_LATEST, "NULL", "r.recorded_at", "r", "NULL");
    query_sql(query, "FROM device_page((SELECT id FROM d), '-infinity', 'infinity', true, 1) r)"
                     " UNION ALL (");
    buffer_printf(&query->sql,
                  "SELECT CASE p.sort_order WHEN 'desc' THEN %d ELSE %d END, p.feature, "
                  "p.recorded_at, p.content_hash, p.status",
                  DEVICE_HIGHEST, DEVICE_LOWEST);
    query_sql_features(query, "p");
    query_sql(query,
              ", NULL::bigint FROM peaks p WHERE p.device = (SELECT id FROM d)) UNION ALL (");
    sql_device_part(query, DEVICE_STATUS, "NULL", "NULL::timestamptz", NULL, "r.readings");
    query_sql(query, "FROM (SELECT d.id FROM d WHERE d.id IS NOT NULL) d,"
                     " status_counts(d.id, '-infinity', 'infinity') r) UNION ALL (");
    sql_device_part(query, DEVICE_SEQUENCE, SEQUENCE_JSON, "s.highest_at", NULL, "NULL");
    query_sql(query, "FROM device_sequences s WHERE s.device = (SELECT id FROM d)) UNION ALL (");
    sql_device_part(query, DEVICE_STORAGE, "s.retention_ms", "s.since", NULL, "s.estimated_bytes");
    query_sql(query, "FROM (SELECT d.id FROM d WHERE d.id IS NOT NULL) d, device_storage(d.id) s)");
}

/* The row about `what` (and the feature), -1 when there is none. */
static int find_row(const PGresult *result, int64_t what, const char *feature)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (pg_cell_integer(result, row, 0) == what &&
            (!feature || strcmp(PQgetvalue(result, row, 1), feature) == 0))
            return row;
    }
    return -1;
}

static void put_reading_or_null(struct query *query, const PGresult *result, int row)
{
    if (row < 0)
        buffer_put_text(&query->body, "null");
    else
        query_put_reading(query, result, row, 2, query->params.device_id);
}

static void put_heard(struct query *query, const PGresult *result, int self, bool has_clock)
{
    int heard = find_row(result, DEVICE_HEARD, NULL);
    int count_column = 5 + (int)query->features->count;
    struct buffer *out = &query->body;

    buffer_put_text(out, ",\"lastHeardAt\":");
    query_put_timestamp_cell(out, result, heard, 2);
    if (has_clock)
        buffer_printf(out, ",\"clockOffsetMs\":%" PRId64,
                      pg_cell_integer(result, heard, count_column) / 1000);
    else
        buffer_put_text(out, ",\"clockOffsetMs\":null");
    buffer_printf(out, ",\"rejectedPastHour\":%" PRId64,
                  pg_cell_integer(result, self, count_column));
}

static void put_storage(struct query *query, const PGresult *result)
{
    int row = find_row(result, DEVICE_STORAGE, NULL);
    int count_column = 5 + (int)query->features->count;
    struct buffer *out = &query->body;

    if (row < 0) {
        buffer_put_text(out, "null");
        return;
    }
    buffer_put_text(out, "{\"since\":");
    query_put_timestamp_cell(out, result, row, 2);
    buffer_printf(out, ",\"retentionMs\":%s,\"estimatedBytes\":",
                  PQgetisnull(result, row, 1) ? "null" : PQgetvalue(result, row, 1));
    if (PQgetisnull(result, row, count_column))
        buffer_put_text(out, "null}");
    else
        buffer_printf(out, "%" PRId64 "}", pg_cell_integer(result, row, count_column));
}

static void write_device(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int64_t counts[STATUS_COUNT] = {0};
    int self = find_row(result, DEVICE_SELF, NULL);
    int latest = find_row(result, DEVICE_LATEST, NULL);
    int sequence = find_row(result, DEVICE_SEQUENCE, NULL);
    int count_column = 5 + (int)query->features->count;

    query->is_found = self >= 0;
    if (!query->is_found)
        return;
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, query->params.device_id);
    buffer_printf(out, ",\"about\":%s",
                  PQgetisnull(result, self, 1) ? "null" : PQgetvalue(result, self, 1));
    buffer_put_text(out, ",\"firstSeenAt\":");
    query_put_timestamp_cell(out, result, self, 2);
    put_heard(query, result, self, latest >= 0);
    buffer_put_text(out, ",\"latest\":");
    put_reading_or_null(query, result, latest);
    buffer_put_text(out, ",\"peaks\":{");
    for (size_t i = 0; i < query->features->count; i++) {
        const char *feature = query->features->names[i];

        buffer_printf(out, "%s\"%s\":{\"highest\":", i > 0 ? "," : "", feature);
        put_reading_or_null(query, result, find_row(result, DEVICE_HIGHEST, feature));
        buffer_put_text(out, ",\"lowest\":");
        put_reading_or_null(query, result, find_row(result, DEVICE_LOWEST, feature));
        buffer_put_text(out, "}");
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (pg_cell_integer(result, row, 0) == DEVICE_STATUS)
            query_count_status(counts, pg_cell_integer(result, row, 4),
                               pg_cell_integer(result, row, count_column));
    }
    buffer_put_text(out, "},\"statuses\":");
    query_put_statuses(out, counts);
    buffer_printf(out, ",\"sequence\":%s,\"storage\":",
                  sequence < 0 ? "null" : PQgetvalue(result, sequence, 1));
    put_storage(query, result);
    buffer_put_text(out, "}");
}

const struct query_kind query_device = {build_device, write_device};
