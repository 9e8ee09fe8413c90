#include "httpapi/query_parts.h"

#include <math.h>
#include <stdio.h>

#define DAY_US INT64_C(86400000000)

static void bind_number(struct query *query, double number)
{
    char text[32];

    snprintf(text, sizeof(text), "%.17g", number);
    query_bind_text(query, isnan(number) ? "" : text, "text");
}

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
    query_sql(query, "::integer, ");
    query_bind_timestamp(query, params->since_us);
    query_sql(query, ", nullif(");
    bind_number(query, params->low);
    query_sql(query, ", '')::float8, nullif(");
    bind_number(query, params->high);
    query_sql(query, ", '')::float8, ");
    query_bind_text(query, params->device_id, "text");
    query_sql(query, ")::text");
}

static void write_heatmap(struct query *query, const PGresult *result)
{
    buffer_put(&query->body, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
}

const struct query_kind query_heatmap = {build_heatmap, write_heatmap};
