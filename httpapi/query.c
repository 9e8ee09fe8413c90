/* Rows come in PostgreSQL's binary format, so that a double is the same double and no text has to be
 * parsed. Names of features stand in the SQL itself: features.h lets nothing but lower-case letters,
 * digits and underscores into one. Everything else that comes from a request is a parameter. */
#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/model/reading_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void query_init(struct query *query, const struct query_kind *kind, const struct params *params,
                struct catalog *catalog, int64_t as_of_us)
{
    *query = (struct query){.kind = kind,
                            .asked = *params,
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
    buffer_release(&query->about);
    buffer_release(&query->body);
    catalog_release(query->catalog);
    query->catalog = NULL;
}

void query_set_about(struct query *query, struct buffer *rows)
{
    buffer_release(&query->about);
    query->about = *rows;
    *rows = (struct buffer){0};
    query_set_as_of(query, query->as_of_us);
}

void query_set_as_of(struct query *query, int64_t as_of_us)
{
    buffer_clear(&query->sql);
    query->params = query->asked;
    query->bound_count = 0;
    query->as_of_us = as_of_us;
    query->kind->build(query);
}

/* ---- SQL ------------------------------------------------------------------------------------ */

void query_sql(struct query *query, const char *text)
{
    buffer_put_text(&query->sql, text);
}

void query_sql_features(struct query *query, const char *table)
{
    for (size_t i = 0; i < query->features->count; i++)
        buffer_printf(&query->sql, ", %s.\"%s\"", table, query->features->names[i]);
}

void query_sql_wanted(struct query *query)
{
    query_sql(query, ", wanted => ARRAY['status'");
    for (size_t i = 0; i < query->features->count; i++)
        buffer_printf(&query->sql, ", '%s'", query->features->names[i]);
    query_sql(query, "]");
}

void query_bind_text(struct query *query, const char *text, const char *type)
{
    snprintf(query->bound_text[query->bound_count], PARAM_TEXT_SIZE, "%s", text);
    query->bound[query->bound_count] = query->bound_text[query->bound_count];
    query->bound_count++;
    buffer_printf(&query->sql, "$%d::%s", query->bound_count, type);
}

void query_bind_count(struct query *query, uint64_t count)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, count);
    query_bind_text(query, text, "bigint");
}

void query_bind_timestamp(struct query *query, int64_t us)
{
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_format(text, us);
    query_bind_text(query,
                    us == INT64_MIN   ? "-infinity"
                    : us == INT64_MAX ? "infinity"
                                      : text,
                    "timestamptz");
}

void query_sql_has_text(struct query *query, const char *column)
{
    buffer_printf(&query->sql, "strpos(lower(%s), lower(", column);
    query_bind_text(query, query->params.q, "text");
    query_sql(query, ")) > 0");
}

void query_bind_span(struct query *query)
{
    query_bind_timestamp(query, query->params.from_us);
    query_sql(query, ", ");
    query_bind_timestamp(query, query->params.to_us);
}

void query_bind_cursor(struct query *query)
{
    const struct params_cursor *cursor = &query->params.cursor;
    char hash[24];

    if (!cursor->is_given)
        return;
    query_sql(query, ", ");
    query_bind_timestamp(query, cursor->recorded_at_us);
    snprintf(hash, sizeof(hash), "%" PRId64, cursor->content_hash);
    query_sql(query, ", ");
    query_bind_text(query, hash, "bigint");
}

/* ---- answers -------------------------------------------------------------------------------- */

void query_get_reading(const struct query *query, const PGresult *result, int row, int column,
                       union reading_storage *out)
{
    struct reading *reading = &out->reading;
    int64_t status = pg_cell_integer(result, row, column + 2);

    memset(out, 0, sizeof(*out));
    reading->recorded_at_us = pg_cell_timestamp(result, row, column);
    reading->content_hash = pg_cell_integer(result, row, column + 1);
    reading->status = status >= 0 && status < STATUS_COUNT ? (uint64_t)status : STATUS_ABSENT;
    for (size_t i = 0; i < query->features->count; i++)
        reading->values[i] = pg_cell_double(result, row, column + 3 + (int)i);
}

void query_put_reading(struct query *query, const PGresult *result, int row, int column,
                       const char *device_id)
{
    union reading_storage storage;

    query_get_reading(query, result, row, column, &storage);
    reading_json_write(&query->body, device_id, &storage.reading, query->features);
}

void query_note_last(struct query *query, const PGresult *result, int row, int column)
{
    query->last = (struct params_cursor){.is_given = true,
                                         .recorded_at_us = pg_cell_timestamp(result, row, column),
                                         .content_hash = pg_cell_integer(result, row, column + 1)};
}

void query_put_next(struct query *query)
{
    if (query->has_more)
        buffer_printf(&query->body, "\"%" PRId64 "_%" PRId64 "\"", query->last.recorded_at_us,
                      query->last.content_hash);
    else
        buffer_put_text(&query->body, "null");
}

void query_put_float(struct buffer *out, double value)
{
    size_t at = out->bytes;

    json_write_double(out, value);
    if (strspn(buffer_text(out) + at, "-0123456789") == out->bytes - at)
        buffer_put_text(out, ".0");
}

void query_put_timestamp(struct buffer *out, int64_t us)
{
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_format(text, us);
    buffer_printf(out, "\"%s\"", text);
}

void query_put_timestamp_cell(struct buffer *out, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        buffer_put_text(out, "null");
    else
        query_put_timestamp(out, pg_cell_timestamp(result, row, column));
}

void query_put_statuses(struct buffer *out, const int64_t *counts)
{
    for (int status = STATUS_ON; status < STATUS_COUNT; status++)
        buffer_printf(out, "%s\"%s\":%" PRId64, status > STATUS_ON ? "," : "{",
                      reading_status_text((enum reading_status)status), counts[status]);
    if (counts[STATUS_ABSENT] > 0)
        buffer_printf(out, ",\"none\":%" PRId64, counts[STATUS_ABSENT]);
    buffer_put_text(out, "}");
}

void query_count_status(int64_t *counts, int64_t status, int64_t count)
{
    counts[status > 0 && status < STATUS_COUNT ? status : STATUS_ABSENT] += count;
}
