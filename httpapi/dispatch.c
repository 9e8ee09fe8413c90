#include "httpapi/dispatch.h"

#include "httpapi/api.h"
#include "httpapi/page.h"
#include "httpapi/reply.h"
#include "httpapi/routes.h"
#include "httpapi/target.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/accept.h"

#include <stdio.h>
#include <string.h>

/* ---- refusals ------------------------------------------------------------------------------- */

/* While it is not known which features and intervals there are, or others are about to come, no name
 * of one is wrong. */
static void excuse_guess(const struct api *api, struct problem *problem)
{
    if ((!api->chooser.is_settled || api->chooser.is_waiting) &&
        (strncmp(problem->parameter, "feature", 7) == 0 ||
         strcmp(problem->parameter, "interval") == 0))
        problem_set_unavailable(problem, 1,
                                "it is not known yet which features and intervals there are");
}

static void refuse_flaw(struct api *api, struct server_request *request)
{
    struct problem problem;

    problem_set(&problem, request->flaw, "%s", request->flaw_text);
    reply_problem(api, request, &problem, NULL);
}

static void refuse_path(struct api *api, struct server_request *request,
                        const struct target *target)
{
    struct problem problem;
    char path[160];

    log_escaped(path, sizeof(path), target->path, target->path_bytes);
    problem_set(&problem, 404, "there is nothing at %s; / and /openapi.json say what there is",
                path);
    reply_problem(api, request, &problem, NULL);
}

static void refuse_method(struct api *api, struct server_request *request)
{
    struct problem problem;
    char method[40];

    log_escaped(method, sizeof(method), request->method, strlen(request->method));
    problem_set(&problem, 405, "%s is not possible here: everything is read with GET or HEAD",
                method);
    reply_problem(api, request, &problem, (struct server_header[]){{"Allow", "GET, HEAD"}, {0}});
}

static void refuse_types(struct api *api, struct server_request *request, const struct route *route)
{
    struct problem problem;
    char types[240] = "";

    for (size_t i = 0; route->types[i]; i++)
        snprintf(types + strlen(types), sizeof(types) - strlen(types), "%s%s",
                 i > 0 ? " and as " : "", route->types[i]);
    problem_set(&problem, 406, "this is available as %s", types);
    reply_problem(api, request, &problem, NULL);
}

/* ---- answers that no route makes ------------------------------------------------------------ */

static void answer_options(struct api *api, struct server_request *request)
{
    struct reply_headers headers;
    struct buffer nothing = {0};
    struct server_answer *answer;

    reply_headers_init(&headers, api, NULL, REPLY_NOT_KEPT, REPLY_CSP_DATA);
    reply_header_add(&headers, "Allow", "GET, HEAD");
    answer = server_answer_new(204, headers.items, headers.count, &nothing, 0);
    server_respond(request, answer);
    server_answer_release(answer);
}

/* A browser asks before it lets a page of another origin send headers of its own. */
static bool answer_preflight(struct api *api, struct server_request *request)
{
    struct reply_headers headers;
    struct buffer nothing = {0};
    struct server_answer *answer;

    if (!api->cors_origin[0] || strcmp(request->method, "OPTIONS") != 0 ||
        !server_request_header(request, "Access-Control-Request-Method"))
        return false;
    reply_headers_init(&headers, api, NULL, REPLY_NOT_KEPT, REPLY_CSP_DATA);
    reply_header_add(&headers, "Access-Control-Allow-Methods", "GET, HEAD");
    reply_header_add(&headers, "Access-Control-Allow-Headers",
                     "Authorization, Last-Event-ID, If-None-Match");
    reply_header_add(&headers, "Access-Control-Max-Age", "86400");
    answer = server_answer_new(204, headers.items, headers.count, &nothing, 0);
    server_respond(request, answer);
    server_answer_release(answer);
    return true;
}

/* ---- the way to the route ------------------------------------------------------------------- */

static const struct route *find_route(const struct target *target, const char **segment,
                                      size_t *segment_bytes)
{
    *segment = NULL;
    for (size_t i = 0; i < routes_count; i++) {
        if (target_matches(target, routes[i].path, segment, segment_bytes))
            return &routes[i];
    }
    return NULL;
}

/* A token must open the route; of a path where there is nothing, whatever it opens. */
static bool is_admitted(struct api *api, struct server_request *request, const struct route *route,
                        const struct target *target)
{
    if (route)
        return access_admit(api, request, route->group);
    return access_admit(api, request,
                        page_has(api, target->path, target->path_bytes) ? TOKEN_PAGE : TOKEN_ALL);
}

static size_t count_types(const struct route *route)
{
    size_t count = 0;

    while (route->types[count])
        count++;
    return count;
}

/* Media types are compared without their parameters. */
static int choose_type(const struct server_request *request, const struct route *route)
{
    const char *accept = server_request_header(request, "Accept");
    char bare[ROUTE_TYPES_MAX][64];
    const char *offered[ROUTE_TYPES_MAX] = {0};
    size_t count = count_types(route);

    if (!accept)
        return 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(bare[i], sizeof(bare[i]), "%.*s", (int)strcspn(route->types[i], ";"),
                 route->types[i]);
        offered[i] = bare[i];
    }
    return accept_choose(accept, offered, count);
}

void dispatch_on_request(void *user, struct server_request *request)
{
    struct api *api = user;
    struct target target = target_split(request->target);
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    const char *segment;
    size_t segment_bytes;
    const struct route *route;
    struct params params;
    struct problem problem;
    int type;

    if (request->flaw) {
        refuse_flaw(api, request);
        return;
    }
    if (strcmp(request->target, "*") == 0) { /* OPTIONS, of the server as a whole */
        answer_options(api, request);
        return;
    }
    if (strcmp(request->method, "CONNECT") == 0) { /* its target is no path */
        refuse_method(api, request);
        return;
    }
    route = find_route(&target, &segment, &segment_bytes);
    request->route = route;
    if (route && answer_preflight(api, request))
        return;
    if (!is_admitted(api, request, route, &target))
        return;
    if (!route && reads && page_answer_file(api, request, target.path, target.path_bytes))
        return;
    if (!route) {
        refuse_path(api, request, &target);
        return;
    }
    if (!reads) {
        refuse_method(api, request);
        return;
    }
    type = choose_type(request, route);
    if (type < 0) {
        refuse_types(api, request, route);
        return;
    }
    if (route->answer_again && route->answer_again(api, request))
        return;
    params_init(&params, &api->rules);
    if ((segment && !params_parse_device(&params, segment, segment_bytes, &problem)) ||
        !params_parse(&params, route->params, target.query, &api->rules, timestamp_now(),
                      &problem)) {
        excuse_guess(api, &problem);
        reply_problem(api, request, &problem, NULL);
        return;
    }
    if (params.format == FORMAT_UNSET)
        params.format = params_format_of_type(route->types[type]);
    route->handle(api, request, route, &params);
}

/* ---- afterwards ----------------------------------------------------------------------------- */

/* A token has no business in a URL, and less in a log. */
static void hide_token(char *target)
{
    static const char name[] = "access_token=";
    char *value = strstr(target, name);

    if (value && value[sizeof(name) - 1]) {
        value += sizeof(name) - 1;
        *value = '*';
        memmove(value + 1, value + strcspn(value, "&"), strlen(value + strcspn(value, "&")) + 1);
    }
}

static void log_access(const struct server_request *request, double duration_s)
{
    char address[SERVER_ADDRESS_SIZE];
    char method[24];
    char target[400];

    server_request_address(request, address);
    log_escaped(method, sizeof(method), request->method, strlen(request->method));
    log_escaped(target, sizeof(target), request->target, strlen(request->target));
    hide_token(target);
    log_info("access: %s %s %s %d %llu %.1fms%s", address, method, target, request->status,
             (unsigned long long)request->sent_bytes, duration_s * 1e3,
             request->was_complete ? "" : " cut off");
}

void dispatch_on_tls_failed(void *user, const char *address, const char *reason)
{
    (void)user;
    log_debug("TLS: with %s it failed: %s", address, reason);
}

void dispatch_on_done(void *user, struct server_request *request)
{
    struct api *api = user;
    const struct route *route = request->route;
    double duration_s = (double)(uv_hrtime() - request->began_ns) / 1e9;

    metrics_note(&api->metrics, route ? (size_t)(route - routes) : routes_count, request->status,
                 duration_s, request->sent_bytes);
    if (api->has_access_log)
        log_access(request, duration_s);
}
