/* Who is beyond is known without the tables (thresholds.c): the question is about that answer, each of whose devices
 * ends in "about":null, and what they say of themselves takes the place of that null. */
#include "httpapi/query_parts.h"

#include <string.h>

static const char devices[] =
    "\"devices\":["; /* a text in JSON has no quotes of its own, so it is the member */

static void build_thresholds(struct query *query)
{
    query->bound[query->bound_count++] = buffer_text(&query->about);
    buffer_printf(&query->sql,
                  "SELECT string_agg(left(d.v::text, -5) || coalesce(" ABOUT_JSON(
                      "d.v->>'deviceId'") ", 'null') || '}', ',' ORDER BY d.place)"
                                          " FROM json_array_elements($%d::json->'devices') WITH "
                                          "ORDINALITY d (v, place)",
                  query->bound_count);
}

static void write_thresholds(struct query *query, const PGresult *result)
{
    const char *about = buffer_text(&query->about);
    const char *begin = strstr(about, devices) + strlen(devices);

    buffer_put(&query->body, about, (size_t)(begin - about));
    buffer_put_text(&query->body, PQgetvalue(result, 0, 0)); /* NULL is "" */
    buffer_put_text(&query->body, "]}");
}

const struct query_kind query_thresholds = {build_thresholds, write_thresholds};

/* ---- which of them are looked for --------------------------------------------------------------- */

/* Groups and labels are the tables'. The question is about the ids of all that are beyond, since what is found is counted, too;
 * it is answered in two texts for each of them, in the order of strcmp(): thresholds.c makes the page. */
static void build_found(struct query *query)
{
    const struct params *params = &query->params;

    query->bound[query->bound_count++] = buffer_text(&query->about);
    buffer_printf(&query->sql,
                  "SELECT d.id, CASE WHEN a.device_id IS NOT NULL THEN " ABOUT_OF_A " END"
                  " FROM (SELECT DISTINCT json_array_elements_text($%d::json)) d (id)"
                  " LEFT JOIN device_abouts a ON a.device_id = d.id WHERE true",
                  query->bound_count);
    if (params->group[0]) {
        query_sql(query, " AND a.group_name = ");
        query_bind_text(query, params->group, "text");
    }
    if (params->q[0]) {
        query_sql(query, " AND (");
        query_sql_has_text(query, "d.id");
        query_sql(query, " OR ");
        query_sql_has_text(query, "a.label");
        query_sql(query, ")");
    }
    query_sql(query, " ORDER BY d.id COLLATE \"C\"");
}

static void write_found(struct query *query, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *id = PQgetvalue(result, row, 0);
        const char *about = PQgetisnull(result, row, 1) ? "null" : PQgetvalue(result, row, 1);

        buffer_put(&query->body, id, strlen(id) + 1);
        buffer_put(&query->body, about, strlen(about) + 1);
        query->rows++;
    }
}

const struct query_kind query_thresholds_found = {build_found, write_found};
