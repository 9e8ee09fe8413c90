/* query_parts.h: what the kinds of queries are made of: pieces of SQL with their parameters, and
 * pieces of answers out of rows. For query_*.c alone. */
#ifndef HIGHWATER_QUERY_PARTS_H
#define HIGHWATER_QUERY_PARTS_H

#include "httpapi/query.h"
#include "shared/model/reading_json.h"

/* What a device says of itself, as JSON; NULL when it says nothing. */
#define ABOUT_JSON(device_id)                                                                      \
    "(SELECT " ABOUT_OF_A " FROM device_abouts a WHERE a.device_id = " device_id ")"
/* The same of a row of device_abouts a. */
#define ABOUT_OF_A                                                                                 \
    "jsonb_build_object('label', a.label, 'group', a.group_name, 'location', a.location)::text"

/* What a device's own numbering says, as JSON, of device_sequences s. */
#define SEQUENCE_JSON                                                                              \
    "json_build_object('highest', s.highest, 'missing', s.missing, 'repeats', s.repeats,"          \
    " 'restarts', s.restarts)::text"

/* ---- SQL ------------------------------------------------------------------------------------ */

void query_sql(struct query *query, const char *text);

/* , r."temperature", r."pressure" */
void query_sql_features(struct query *query, const char *table);

/* , wanted => ARRAY['status', 'temperature']: what a page has to tell, all of it. */
void query_sql_wanted(struct query *query);

/* That `q` of the request is in this column, whatever the case of either. */
void query_sql_has_text(struct query *query, const char *column);

/* Bind a value and write its number, $1::text. */
void query_bind_text(struct query *query, const char *text, const char *type);
void query_bind_count(struct query *query, uint64_t count);
void query_bind_timestamp(struct query *query, int64_t us); /* also -infinity and infinity */
void query_bind_span(struct query *query);                  /* from and to, with a comma */
void query_bind_cursor(
    struct query *query); /* behind a comma each, its two parts; nothing if there is none */
void query_put_devices(
    struct query *query); /* those named, or of the group, as an array; NULL of the fleet */

/* Of boards out of the tables: what they are of, `WITH a (arrived, starts, ends, devices) AS (...)`, and then a SELECT of the
 * rows of all features: the feature's place, device_id, and best, its best reading; by a change that, too. */
void query_put_board_span(struct query *query);
void query_put_boards(struct query *query);

/* ---- answers -------------------------------------------------------------------------------- */

/* From `column` on: recorded_at, content_hash, status, and every feature. */
void query_get_reading(const struct query *query, const PGresult *result, int row, int column,
                       union reading_storage *out);
void query_put_reading(struct query *query, const PGresult *result, int row, int column,
                       const char *device_id);

/* Begins the next page behind a row, whose key is in `column` and the one behind it; and writes that as `next`. */
void query_note_last(struct query *query, const PGresult *result, int row, int column);
void query_put_next(struct query *query);

/* A double that is seen to be one, 100.0: who guesses a column's type by its first values guesses right. */
void query_put_float(struct buffer *out, double value);

void query_put_timestamp(struct buffer *out, int64_t us);
void query_put_timestamp_cell(struct buffer *out, const PGresult *result, int row,
                              int column); /* or null */

/* How many readings had each status: {"ON":3,...}, the four always, "none" where some had none. */
void query_count_status(int64_t *counts, int64_t status, int64_t count);
void query_put_statuses(struct buffer *out, const int64_t *counts);

#endif
