#include "httpapi/query_parts.h"

#define DAY_US INT64_C(86400000000)

/* The whole answer is the database's (schema/019_heatmap.sql); of the past day, if nothing else is said. */
static void build_heatmap(struct query *query)
{
    struct params *params = &query->params;

    if (params->to_us == INT64_MAX)
        params->to_us =
            params->from_us > query->as_of_us ? params->from_us + DAY_US : query->as_of_us + 1;
    if (params->from_us == INT64_MIN)
        params->from_us = params->to_us - DAY_US;
    query_sql(query, "SELECT heatmap(");
    query_bind_text(query, query->features->names[params->feature], "text");
    query_sql(query, ", ");
    query_bind_span(query);
    query_sql(query, ", ");
    query_bind_count(query, params->columns);
    query_sql(query, "::integer, ");
    query_bind_count(query, params->bins);
    query_sql(query, "::integer)::text");
}

static void write_heatmap(struct query *query, const PGresult *result)
{
    buffer_put(&query->body, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
}

const struct query_kind query_heatmap = {build_heatmap, write_heatmap};
