/* Rows come in PostgreSQL's binary format, so that a double is the same double and no text has to be
 * parsed. Names of features stand in the SQL itself: features.h lets nothing but lower-case letters,
 * digits and underscores into one. Everything else that comes from a request is a parameter. */
#include "httpapi/queries.h"

#include "shared/base/csv_write.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/reading_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01, in microseconds since 1970 */

/* ---- rows ----------------------------------------------------------------------------------- */

static uint64_t big_endian(const char *data, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)data[i];
    return value;
}

/* smallint, integer or bigint; 0 for NULL. */
static int64_t get_integer(const PGresult *result, int row, int column)
{
    const char *data = PQgetvalue(result, row, column);

    if (PQgetisnull(result, row, column))
        return 0;
    switch (PQgetlength(result, row, column)) {
    case 2:
        return (int16_t)big_endian(data, 2);
    case 4:
        return (int32_t)big_endian(data, 4);
    default:
        return (int64_t)big_endian(data, 8);
    }
}

/* NAN for NULL. */
static double get_double(const PGresult *result, int row, int column)
{
    uint64_t bits;
    double value;

    if (PQgetisnull(result, row, column))
        return (double)NAN;
    bits = big_endian(PQgetvalue(result, row, column), 8);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static int64_t get_moment(const PGresult *result, int row, int column)
{
    return get_integer(result, row, column) + POSTGRES_EPOCH_US;
}

/* From `column` on: recorded_at, content_hash, status, and every feature. */
static void get_reading(const struct query *query, const PGresult *result, int row, int column,
                        union reading_storage *out)
{
    struct reading *reading = &out->reading;
    int64_t status = get_integer(result, row, column + 2);

    memset(out, 0, sizeof(*out));
    reading->recorded_at_us = get_moment(result, row, column);
    reading->content_hash = get_integer(result, row, column + 1);
    reading->status = status >= 0 && status < STATUS_COUNT ? (uint64_t)status : STATUS_ABSENT;
    for (size_t i = 0; i < query->features->count; i++)
        reading->values[i] = get_double(result, row, column + 3 + (int)i);
}

static void put_reading(struct query *query, const PGresult *result, int row, int column,
                        const char *device_id)
{
    union reading_storage storage;

    get_reading(query, result, row, column, &storage);
    reading_json_write(&query->body, device_id, &storage.reading, query->features);
}

static void put_moment(struct buffer *out, int64_t us)
{
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_format(text, us);
    buffer_printf(out, "\"%s\"", text);
}

/* ---- SQL ------------------------------------------------------------------------------------ */

static void sql(struct query *query, const char *text)
{
    buffer_put_text(&query->sql, text);
}

/* , r."temperature", r."pressure" */
static void sql_features(struct query *query, const char *table)
{
    for (size_t i = 0; i < query->features->count; i++)
        buffer_printf(&query->sql, ", %s.\"%s\"", table, query->features->names[i]);
}

/* Binds a text and writes its number, $1. */
static void bind_text(struct query *query, const char *text, const char *type)
{
    snprintf(query->bound_text[query->bound_count], PARAM_TEXT_SIZE, "%s", text);
    query->bound[query->bound_count] = query->bound_text[query->bound_count];
    query->bound_count++;
    buffer_printf(&query->sql, "$%d::%s", query->bound_count, type);
}

static void bind_count(struct query *query, uint64_t count)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, count);
    bind_text(query, text, "bigint");
}

static void bind_moment(struct query *query, int64_t us)
{
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_format(text, us);
    bind_text(query,
              us == INT64_MIN   ? "-infinity"
              : us == INT64_MAX ? "infinity"
                                : text,
              "timestamptz");
}

void query_init(struct query *query, const struct query_kind *kind, const struct params *params,
                struct catalog *catalog, int64_t as_of_us)
{
    *query = (struct query){.kind = kind,
                            .params = *params,
                            .catalog = catalog_hold(catalog),
                            .features = &catalog->features,
                            .as_of_us = as_of_us,
                            .is_found = true};
    kind->build(query);
}

void query_release(struct query *query)
{
    buffer_release(&query->sql);
    buffer_release(&query->body);
    catalog_release(query->catalog);
    query->catalog = NULL;
}

/* ---- boards --------------------------------------------------------------------------------- */

/* As boards are, SQL's are of one moment: nothing counts that was received after it, although the
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
        sql_features(query, "(b.best)");
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

static void take_dashboard(struct query *query, const PGresult *result)
{
    const struct params *params = &query->params;
    int rows = PQntuples(result);

    for (size_t i = 0; i < params->feature_count; i++) {
        bool is_first = true;

        buffer_printf(&query->body, "%s\"%s\":[", i > 0 ? "," : "{",
                      query->features->names[params->features[i]]);
        for (int row = 0; row < rows; row++) {
            if ((size_t)get_integer(result, row, 0) != i)
                continue;
            buffer_put_text(&query->body, is_first ? "" : ",");
            put_reading(query, result, row, 2, PQgetvalue(result, row, 1));
            is_first = false;
        }
        buffer_put_text(&query->body, "]");
    }
    buffer_put_text(&query->body, "}");
}

const struct query_kind query_dashboard = {build_dashboard, take_dashboard};

/* What a device's own numbering says, as JSON; NULL when it does not number its readings. */
#define SEQUENCE_JSON                                                                              \
    "json_build_object('highest', s.highest, 'missing', s.missing, 'repeats', s.repeats,"          \
    " 'restarts', s.restarts)::text"

/* ---- devices -------------------------------------------------------------------------------- */

static void build_devices(struct query *query)
{
    sql(query, "WITH d AS MATERIALIZED (SELECT id, device_id, first_seen_at FROM devices WHERE "
               "device_id > ");
    bind_text(query, query->params.after, "text");
    if (query->params.q[0]) {
        sql(query, " AND strpos(lower(device_id), lower(");
        bind_text(query, query->params.q, "text");
        sql(query, ")) > 0");
    }
    sql(query, " ORDER BY device_id LIMIT ");
    bind_count(query, query->params.limit + 1);
    sql(query, ") SELECT d.device_id, d.first_seen_at, span.first_at, span.last_at, hour.count,"
               " CASE WHEN s.device IS NOT NULL THEN " SEQUENCE_JSON " END"
               " FROM d LEFT JOIN device_spans(ARRAY(SELECT id FROM d)) span ON span.device = d.id"
               " LEFT JOIN LATERAL (SELECT count(*) FROM readings r WHERE r.device = d.id"
               " AND r.recorded_at > ");
    bind_moment(query, query->as_of_us - 3600 * TIMESTAMP_US_PER_S);
    sql(query, ") hour ON true LEFT JOIN device_sequences s ON s.device = d.id"
               " ORDER BY d.device_id");
}

static void put_moment_or_null(struct buffer *out, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        buffer_put_text(out, "null");
    else
        put_moment(out, get_moment(result, row, column));
}

static void take_devices(struct query *query, const PGresult *result)
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
        put_moment_or_null(out, result, row, 1);
        buffer_put_text(out, ",\"firstReadingAt\":");
        put_moment_or_null(out, result, row, 2);
        buffer_put_text(out, ",\"lastReadingAt\":");
        put_moment_or_null(out, result, row, 3);
        buffer_printf(out, ",\"readingsPastHour\":%" PRId64 ",\"sequence\":%s}",
                      get_integer(result, row, 4),
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

const struct query_kind query_devices = {build_devices, take_devices};

/* Rows of one device: what it is about, a feature, a reading, a count. */
enum {
    DEVICE_SELF,
    DEVICE_LATEST,
    DEVICE_HIGHEST,
    DEVICE_LOWEST,
    DEVICE_STATUS,
    DEVICE_SEQUENCE /* its numbering, in the place of the feature */
};

static void sql_device_part(struct query *query, int what, const char *feature,
                            const char *recorded_at, const char *table, const char *count)
{
    buffer_printf(&query->sql, "SELECT %d, %s::text, %s, ", what, feature, recorded_at);
    if (table) {
        buffer_printf(&query->sql, "%s.content_hash, %s.status", table, table);
        sql_features(query, table);
    } else {
        sql(query, what == DEVICE_STATUS ? "NULL::int, r.status" : "NULL::int, NULL::smallint");
        for (size_t i = 0; i < query->features->count; i++)
            sql(query, ", NULL::float8");
    }
    buffer_printf(&query->sql, ", %s::bigint ", count);
}

static void build_device(struct query *query)
{
    sql(query, "WITH d AS MATERIALIZED (SELECT id, first_seen_at FROM devices WHERE device_id = ");
    bind_text(query, query->params.device_id, "text");
    sql(query, ") ");
    sql_device_part(query, DEVICE_SELF, "NULL", "d.first_seen_at", NULL, "NULL");
    sql(query, "FROM d UNION ALL (");
    sql_device_part(query, DEVICE_LATEST, "NULL", "r.recorded_at", "r", "NULL");
    sql(query, "FROM device_page((SELECT id FROM d), '-infinity', 'infinity', true, 1) r)"
               " UNION ALL (");
    buffer_printf(&query->sql,
                  "SELECT CASE p.sort_order WHEN 'desc' THEN %d ELSE %d END, p.feature, "
                  "p.recorded_at, p.content_hash, p.status",
                  DEVICE_HIGHEST, DEVICE_LOWEST);
    sql_features(query, "p");
    sql(query, ", NULL::bigint FROM peaks p WHERE p.device = (SELECT id FROM d)) UNION ALL (");
    sql_device_part(query, DEVICE_STATUS, "NULL", "NULL::timestamptz", NULL, "r.readings");
    sql(query, "FROM d, status_counts(d.id, '-infinity', 'infinity') r) UNION ALL (");
    sql_device_part(query, DEVICE_SEQUENCE, SEQUENCE_JSON, "s.highest_at", NULL, "NULL");
    sql(query, "FROM device_sequences s WHERE s.device = (SELECT id FROM d))");
}

/* {"ON":3,...}: the four always, "none" where readings came without a status. */
static void put_statuses(struct buffer *out, const int64_t *counts)
{
    for (int status = STATUS_ON; status < STATUS_COUNT; status++)
        buffer_printf(out, "%s\"%s\":%" PRId64, status > STATUS_ON ? "," : "{",
                      reading_status_text((enum reading_status)status), counts[status]);
    if (counts[STATUS_ABSENT] > 0)
        buffer_printf(out, ",\"none\":%" PRId64, counts[STATUS_ABSENT]);
    buffer_put_text(out, "}");
}

static void count_status(int64_t *counts, int64_t status, int64_t count)
{
    counts[status > 0 && status < STATUS_COUNT ? status : STATUS_ABSENT] += count;
}

/* The row about `what` (and the feature), -1 when there is none. */
static int find_row(const PGresult *result, int64_t what, const char *feature)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (get_integer(result, row, 0) == what &&
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
        put_reading(query, result, row, 2, query->params.device_id);
}

static void take_device(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int64_t counts[STATUS_COUNT] = {0};
    int self = find_row(result, DEVICE_SELF, NULL);
    int sequence = find_row(result, DEVICE_SEQUENCE, NULL);
    int count_column = 5 + (int)query->features->count;

    query->is_found = self >= 0;
    if (!query->is_found)
        return;
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, query->params.device_id);
    buffer_put_text(out, ",\"firstSeenAt\":");
    put_moment_or_null(out, result, self, 2);
    buffer_put_text(out, ",\"latest\":");
    put_reading_or_null(query, result, find_row(result, DEVICE_LATEST, NULL));
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
        if (get_integer(result, row, 0) == DEVICE_STATUS)
            count_status(counts, get_integer(result, row, 4),
                         get_integer(result, row, count_column));
    }
    buffer_put_text(out, "},\"statuses\":");
    put_statuses(out, counts);
    buffer_printf(out, ",\"sequence\":%s}",
                  sequence < 0 ? "null" : PQgetvalue(result, sequence, 1));
}

const struct query_kind query_device = {build_device, take_device};

/* ---- histograms ----------------------------------------------------------------------------- */

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

static void bind_span(struct query *query)
{
    bind_moment(query, query->params.from_us);
    sql(query, ", ");
    bind_moment(query, query->params.to_us);
}

/* The sums are the database's (schema/004_answers.sql): one row, or rows, of the device that is
 * asked about, which must exist, or of all. */
static void build_histogram(struct query *query)
{
    bool is_of_device = query->params.device_id[0];

    apply_interval(query);
    if (is_of_values(query)) {
        sql(query, is_of_device ? "SELECT h.bin, h.low, h.high, h.readings FROM devices d"
                                  " LEFT JOIN LATERAL value_histogram(d.device_id, "
                                : "SELECT h.bin, h.low, h.high, h.readings FROM"
                                  " value_histogram(NULL, ");
        bind_text(query, query->features->names[query->params.feature], "text");
        sql(query, ", ");
        bind_count(query, query->params.bins);
        sql(query, "::integer, ");
        bind_span(query);
        sql(query, is_of_device ? ") h ON true" : ") h");
    } else {
        sql(query, is_of_device ? "SELECT h.status, h.readings FROM devices d, status_counts(d.id, "
                                : "SELECT h.status, h.readings FROM status_counts(0, ");
        bind_span(query);
        sql(query, ") h");
    }
    if (is_of_device) {
        sql(query, " WHERE d.device_id = ");
        bind_text(query, query->params.device_id, "text");
    }
    if (is_of_values(query))
        sql(query, " ORDER BY h.bin");
}

/* A row per bin; none, or one of NULLs, when there is no value. */
static void put_value_histogram(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = PQntuples(result);
    int bins = rows > 0 && PQgetisnull(result, 0, 0) ? 0 : rows;
    int64_t total = 0;

    for (int i = 0; i < bins; i++)
        total += get_integer(result, i, 3);
    buffer_printf(out, "{\"feature\":\"%s\",\"count\":%" PRId64 ",\"edges\":[",
                  query->features->names[query->params.feature], total);
    for (int i = 0; i < bins; i++) {
        json_write_double(out, get_double(result, i, 1));
        buffer_put_text(out, ",");
    }
    if (bins > 0)
        json_write_double(out, get_double(result, bins - 1, 2));
    buffer_put_text(out, "],\"counts\":[");
    for (int i = 0; i < bins; i++)
        buffer_printf(out, "%s%" PRId64, i > 0 ? "," : "", get_integer(result, i, 3));
    buffer_put_text(out, "]}");
}

static void take_histogram(struct query *query, const PGresult *result)
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
            count_status(counts, get_integer(result, row, 0), get_integer(result, row, 1));
        put_statuses(out, counts);
    }
    if (is_of_device)
        buffer_put_text(out, "}");
}

const struct query_kind query_histogram = {build_histogram, take_histogram};

/* ---- history -------------------------------------------------------------------------------- */

/* A page behind the cursor; one row of NULLs when the device has none there. */
static void build_page(struct query *query, uint64_t rows)
{
    const struct params_cursor *cursor = &query->params.cursor;
    bool is_desc = query->params.order == ORDER_HIGHEST;

    sql(query, "SELECT p.recorded_at, p.content_hash, p.status");
    sql_features(query, "p");
    sql(query, " FROM devices d LEFT JOIN LATERAL device_page(d.id, ");
    bind_span(query);
    buffer_printf(&query->sql, ", %s, %" PRIu64, is_desc ? "true" : "false", rows);
    if (cursor->is_given) {
        char hash[24];

        sql(query, ", ");
        bind_moment(query, cursor->recorded_at_us);
        snprintf(hash, sizeof(hash), "%" PRId64, cursor->content_hash);
        sql(query, ", ");
        bind_text(query, hash, "bigint");
    }
    sql(query, ") p ON true WHERE d.device_id = ");
    bind_text(query, query->params.device_id, "text");
    buffer_printf(&query->sql, " ORDER BY p.recorded_at %s, p.content_hash %s",
                  is_desc ? "DESC" : "ASC", is_desc ? "DESC" : "ASC");
}

/* A row per step (schema/004_answers.sql); one of NULLs when the device has no readings there. */
static void build_points(struct query *query)
{
    sql(query, "SELECT p.first_at, p.last_at, p.step_ms, p.at, p.readings");
    for (size_t i = 1; i <= query->features->count; i++)
        buffer_printf(&query->sql, ", p.lowest[%zu], p.highest[%zu], p.mean[%zu]", i, i, i);
    sql(query, " FROM devices d, device_points(d.id, ");
    bind_span(query);
    sql(query, ", ");
    bind_count(query, query->params.points);
    sql(query, ", ARRAY[");
    for (size_t i = 0; i < query->features->count; i++)
        buffer_printf(&query->sql, "%s'%s'", i > 0 ? ", " : "", query->features->names[i]);
    sql(query, "]) p WHERE d.device_id = ");
    bind_text(query, query->params.device_id, "text");
    sql(query, " ORDER BY p.at");
}

static void build_readings(struct query *query)
{
    if (query->params.points > 0)
        build_points(query);
    else
        build_page(query, query->params.limit + 1);
}

/* The steps as CSV: when each begins, how many, and three columns per feature. */
static void put_points_csv(struct query *query, const PGresult *result)
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

        timestamp_format(when, get_moment(result, row, 3));
        buffer_printf(out, "%s,", when);
        csv_write_text(out, query->params.device_id);
        buffer_printf(out, ",%" PRId64, get_integer(result, row, 4));
        for (int column = 5; column < 5 + 3 * (int)query->features->count; column++) {
            buffer_put_text(out, ",");
            if (!PQgetisnull(result, row, column))
                json_write_double(out, get_double(result, row, column));
        }
        buffer_put_text(out, "\r\n");
    }
}

static void put_points(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, ",\"from\":");
    put_moment_or_null(out, result, 0, 0);
    buffer_put_text(out, ",\"to\":");
    put_moment_or_null(out, result, 0, 1);
    buffer_put_text(out, ",\"stepMs\":");
    json_write_double(out, get_double(result, 0, 2));
    buffer_put_text(out, ",\"points\":[");
    for (int row = 0; row < PQntuples(result) && !PQgetisnull(result, row, 3); row++) {
        buffer_put_text(out, row > 0 ? ",{\"timestamp\":" : "{\"timestamp\":");
        put_moment(out, get_moment(result, row, 3));
        buffer_printf(out, ",\"count\":%" PRId64, get_integer(result, row, 4));
        for (size_t i = 0; i < query->features->count; i++) {
            int column = 5 + 3 * (int)i;

            buffer_printf(out, ",\"%s\":", query->features->names[i]);
            if (PQgetisnull(result, row, column)) {
                buffer_put_text(out, "null");
                continue;
            }
            buffer_put_text(out, "{\"min\":");
            json_write_double(out, get_double(result, row, column));
            buffer_put_text(out, ",\"max\":");
            json_write_double(out, get_double(result, row, column + 1));
            buffer_put_text(out, ",\"mean\":");
            json_write_double(out, get_double(result, row, column + 2));
            buffer_put_text(out, "}");
        }
        buffer_put_text(out, "}");
    }
    buffer_put_text(out, "]}");
}

/* How many rows of the page are to be shown; notes where the next begins. */
static int page_rows(struct query *query, const PGresult *result, uint64_t limit)
{
    int rows = PQntuples(result);

    query->is_found = rows > 0;
    if (rows > 0 && PQgetisnull(result, 0, 0))
        rows = 0;
    query->has_more = (uint64_t)rows > limit;
    if (query->has_more)
        rows = (int)limit;
    if (rows > 0)
        query->last = (struct params_cursor){.is_given = true,
                                             .recorded_at_us = get_moment(result, rows - 1, 0),
                                             .content_hash = get_integer(result, rows - 1, 1)};
    if (query->has_more)
        snprintf(query->next, sizeof(query->next), "%" PRId64 "_%" PRId64,
                 query->last.recorded_at_us, query->last.content_hash);
    return rows;
}

static void take_readings(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    bool is_of_points = query->params.points > 0;
    int rows = is_of_points ? 0 : page_rows(query, result, query->params.limit);

    if (is_of_points)
        query->is_found = PQntuples(result) > 0;
    if (!query->is_found)
        return;
    if (is_of_points && query->params.format == FORMAT_CSV) {
        put_points_csv(query, result);
        return;
    }
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, query->params.device_id);
    if (is_of_points) {
        put_points(query, result);
        return;
    }
    buffer_put_text(out, ",\"readings\":[");
    for (int row = 0; row < rows; row++) {
        buffer_put_text(out, row > 0 ? "," : "");
        put_reading(query, result, row, 0, query->params.device_id);
    }
    buffer_put_text(out, "],\"next\":");
    if (query->has_more)
        json_write_string(out, query->next);
    else
        buffer_put_text(out, "null");
    buffer_put_text(out, "}");
}

const struct query_kind query_readings = {build_readings, take_readings};

void query_csv_header(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, "timestamp,deviceId,status");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, ",%s", features->names[i]);
    buffer_put_text(out, "\r\n");
}

static void build_csv(struct query *query)
{
    uint64_t limit = query->params.limit;

    if (limit == 0 || limit > QUERY_CSV_PAGE_ROWS)
        limit = query->params.limit = QUERY_CSV_PAGE_ROWS;
    build_page(query, limit + 1);
}

static void take_csv(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;
    int rows = page_rows(query, result, query->params.limit);

    for (int row = 0; row < rows; row++) {
        union reading_storage storage;
        const struct reading *reading = &storage.reading;
        const char *status;
        char when[TIMESTAMP_TEXT_SIZE];

        get_reading(query, result, row, 0, &storage);
        timestamp_format(when, reading->recorded_at_us);
        status = reading_status_text((enum reading_status)reading->status);
        buffer_printf(out, "%s,", when);
        csv_write_text(out, query->params.device_id);
        buffer_printf(out, ",%s", status ? status : "");
        for (size_t i = 0; i < query->features->count; i++) {
            buffer_put_text(out, ",");
            if (!isnan(reading->values[i]))
                json_write_double(out, reading->values[i]);
        }
        buffer_put_text(out, "\r\n");
    }
}

const struct query_kind query_csv = {build_csv, take_csv};
