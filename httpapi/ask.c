#include "httpapi/ask.h"

#include "httpapi/file_name.h"
#include "httpapi/reply.h"
#include "httpapi/thresholds.h"
#include "shared/base/timestamp.h"

void ask_query(struct api *api, struct server_request *request, const struct route *route,
               const struct query_kind *kind, const struct params *params)
{
    coalescer_ask(api->coalescer, request, kind, api->catalog, params, route->params, NULL,
                  timestamp_now());
}

void ask_database(struct api *api, struct server_request *request, const struct route *route,
                  struct params *params)
{
    ask_query(api, request, route, route->query, params);
}

void ask_about(struct api *api, struct server_request *request, const struct route *route,
               const struct query_kind *kind, const struct params *params, struct buffer *rows)
{
    coalescer_ask(api->coalescer, request, kind, api->catalog, params, route->params, rows,
                  timestamp_now());
}

/* What has been over for a minute hardly changes: who has the answer may show it again for as long,
 * with its as-of; but not where the same words are about another span by then. Readings that come late, or are removed, show by then. */
static enum reply_cache cache_of(const struct query *query)
{
    bool is_board = query->kind == &query_dashboard;

    if (query->kind == &query_rejected)
        return REPLY_NOT_KEPT; /* no browser is to have it on its disk */
    return is_board && !query->params.is_relative &&
                   query->params.to_us <= query->as_of_us - 60 * TIMESTAMP_US_PER_S
               ? REPLY_KEPT_A_MINUTE
               : REPLY_ASKED_AGAIN;
}

/* /devices/{deviceId}/histogram?feature=: since when there is /devices/{deviceId}/distribution
 * (RFC 9745, seconds since 1970). */
static const struct server_header deprecated[] = {{"Deprecation", "@1795737600"}, {0}};

static bool is_deprecated(const struct query *query)
{
    return query->kind == &query_histogram && query->params.feature < query->features->count;
}

/* What is asked once and is no JSON: the steps of a plot, as a file. */
static struct server_answer *reply_steps(struct api *api, struct query *query)
{
    struct buffer disposition = {0};
    struct server_header headers[] = {{"Content-Disposition", NULL}, {0}};
    struct server_answer *answer;

    file_name_put_disposition(&disposition, "steps", &query->params);
    headers[0].value = buffer_text(&disposition);
    answer = reply_data(api, query->params.format == FORMAT_CSV ? REPLY_CSV : REPLY_LINES,
                        REPLY_ASKED_AGAIN, &query->body, query->as_of_us, "database", headers);
    buffer_release(&disposition);
    return answer;
}

struct server_answer *ask_on_answer(void *user, struct query *query)
{
    struct api *api = user;

    api->metrics.from_database++;
    if (query->kind == &query_thresholds_found)
        thresholds_write_found(api, query);
    if (query->params.format == FORMAT_CSV || query->params.format == FORMAT_LINES)
        return reply_steps(api, query);
    return reply_data(api, REPLY_JSON, cache_of(query), &query->body, query->as_of_us, "database",
                      is_deprecated(query) ? deprecated : NULL);
}

void ask_on_failed(void *user, struct server_request *request, const struct query *query,
                   const struct problem *problem)
{
    struct api *api = user;
    const struct route *route = request->route;

    if (route->on_failed)
        route->on_failed(api, request, query, problem);
    else
        reply_problem(api, request, problem, NULL);
}
