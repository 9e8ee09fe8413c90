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
