#include "httpapi/routes.h"

#include "httpapi/board_cache.h"
#include "httpapi/dashboard.h"
#include "httpapi/events.h"
#include "httpapi/history.h"
#include "httpapi/page.h"
#include "httpapi/pool.h"
#include "httpapi/questions.h"
#include "httpapi/reply.h"
#include "httpapi/roster.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/accept.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/prometheus.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- handlers that need no file of their own ------------------------------------------------ */

static void ask(struct api *api, struct server_request *request, const struct route *route,
                struct params *params)
{
    questions_ask(api->questions, request, route->query, api->catalog, params, route->params,
                  timestamp_now());
}

static void respond_live(struct api *api, struct server_request *request, const char *type,
                         struct buffer *body)
{
    struct server_answer *answer = reply_live(api, 200, type, body);

    server_respond(request, answer);
    server_answer_release(answer);
}

static void answer_health(struct api *api, struct server_request *request,
                          const struct route *route, struct params *params)
{
    struct buffer body = {0};

    (void)route;
    (void)params;
    buffer_put_text(&body, "{\"status\":\"ok\",\"version\":\"" HIGHWATER_VERSION "\"}");
    respond_live(api, request, REPLY_JSON, &body);
}

static void answer_readiness(struct api *api, struct server_request *request,
                             const struct route *route, struct params *params)
{
    struct buffer body = {0};
    struct buffer reasons = {0};
    struct problem problem;
    enum weighing_verdict verdict = board_cache_verdict(api->boards, uv_now(api->loop));

    (void)route;
    (void)params;
    if (pool_up_count(api->pool) == 0)
        buffer_printf(&reasons, "the database is not usable: %s\n", pool_failure(api->pool));
    else if (roster_lacks(api->roster)[0])
        buffer_printf(&reasons, "the database: %s\n", roster_lacks(api->roster));
    if (verdict != WEIGHED_EXACT)
        buffer_printf(&reasons, "%s\n", weighing_verdict_text(verdict));
    mqtt_link_write_faults(api->broker, &reasons);
    if (reasons.bytes == 0) {
        buffer_put_text(&body, "{\"status\":\"ready\"}");
        respond_live(api, request, REPLY_JSON, &body);
        return;
    }
    reasons.bytes--; /* the last line's end */
    for (unsigned char *end; (end = memchr(reasons.data, '\n', reasons.bytes)) != NULL;)
        *end = ';';
    problem_set_unavailable(&problem, 2, "%s", buffer_text(&reasons));
    reply_problem(api, request, &problem, NULL);
    buffer_release(&reasons);
}

static void answer_collectors(struct api *api, struct server_request *request,
                              const struct route *route, struct params *params)
{
    struct buffer body = {0};

    (void)route;
    (void)params;
    buffer_put_text(&body, "{\"collectors\":");
    board_cache_write_collectors(api->boards, &body, uv_now(api->loop));
    buffer_put_text(&body, "}");
    respond_live(api, request, REPLY_JSON, &body);
}

static void answer_metrics(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params)
{
    struct buffer body = {0};

    (void)route;
    (void)params;
    metrics_write(&body, api);
    respond_live(api, request, PROMETHEUS_CONTENT_TYPE, &body);
}

static void answer_openapi(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params)
{
    (void)route;
    (void)params;
    server_respond(request, api->openapi);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define AT(member) offsetof(struct params, member)

static const struct param no_params[] = {{0}};

static const struct param board_params[] = {
    {.name = "features", .kind = PARAM_FEATURES, .help = "which features; all when not given"},
    {.name = "interval",
     .kind = PARAM_INTERVAL,
     .help = "how far back from now; past_minute when not given. Configured intervals are kept in "
             "memory, others are computed by the database"},
    {.name = "limit",
     .kind = PARAM_TOP,
     .offset = AT(limit),
     .least = 1,
     .most = BOARD_ENTRIES_MAX,
     .help = "devices per feature"},
    {.name = "order",
     .kind = PARAM_ORDER,
     .fallback = "desc",
     .help = "desc: the highest values, asc: the lowest"},
    {0}};

static const struct param event_params[] = {
    {.name = "features", .kind = PARAM_FEATURES, .help = "which features; all when not given"},
    {.name = "interval", .kind = PARAM_INTERVALS, .help = "which intervals; all when not given"},
    {.name = "order",
     .kind = PARAM_ORDER,
     .fallback = "desc",
     .help = "desc: the highest values, asc: the lowest"},
    {0}};

static const struct param device_params[] = {
    {.name = "after",
     .kind = PARAM_TEXT,
     .offset = AT(after),
     .help = "the device id behind which the page begins: \"next\" of the page before"},
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(limit),
     .least = 1,
     .most = 1000,
     .fallback = "100",
     .help = "devices per page"},
    {.name = "q",
     .kind = PARAM_TEXT,
     .offset = AT(q),
     .help = "only devices whose id has this in it, whatever the case"},
    {0}};

#define FROM_AND_TO                                                                                \
    {.name = "from",                                                                               \
     .kind = PARAM_MOMENT,                                                                         \
     .offset = AT(from_us),                                                                        \
     .help = "readings of this moment and later; from the first one when not given"},              \
        {.name = "to",                                                                             \
         .kind = PARAM_MOMENT,                                                                     \
         .offset = AT(to_us),                                                                      \
         .help =                                                                                   \
             "readings before this moment, which is not included; to the last one when not given"}

static const struct param histogram_params[] = {
    {.name = "feature",
     .kind = PARAM_FEATURE,
     .help = "count values of this feature in bins of equal width, rather than statuses"},
    {.name = "bins",
     .kind = PARAM_COUNT,
     .offset = AT(bins),
     .least = 1,
     .most = 1000,
     .fallback = "20",
     .help = "how many bins, with feature; fewer where there are not so many different numbers"},
    {.name = "interval",
     .kind = PARAM_INTERVAL,
     .fallback = "all_time",
     .help = "how far back from now; all time when not given"},
    FROM_AND_TO,
    {0}};

static const struct param reading_params[] = {
    FROM_AND_TO,
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(rows),
     .least = 1,
     .most = UINT64_C(1000000000000),
     .help =
         "readings at most: in JSON 1000 when not given and 10000 however many are asked for; in "
         "CSV all, or this many"},
    {.name = "order",
     .kind = PARAM_ORDER,
     .fallback = "desc",
     .help = "desc: the latest first, asc: the earliest first"},
    {.name = "after",
     .kind = PARAM_CURSOR,
     .offset = AT(cursor),
     .help = "where the page begins: \"next\" of the page before"},
    {.name = "points",
     .kind = PARAM_COUNT,
     .offset = AT(points),
     .least = 1,
     .most = 10000,
     .help = "for a plot: this many steps at most, each with minimum, maximum and mean of every "
             "feature, so that no peak is lost. A step holds its first moment and not its last"},
    {.name = "format", .kind = PARAM_FORMAT, .help = "json or csv; wins over Accept"},
    {0}};

const struct route routes[] = {
    {.path = "/",
     .name = "page",
     .handle = page_answer,
     .params = no_params,
     .types = {REPLY_HTML},
     .summary = "The page",
     .help = "What is to be seen, in a browser."},
    {.path = "/dashboard",
     .name = "dashboard",
     .handle = dashboard_answer,
     .query = &query_dashboard,
     .params = board_params,
     .types = {REPLY_JSON},
     .schema = "Dashboard",
     .summary = "Which devices have the highest values",
     .help = "For each feature the top devices, each once, with the whole of its best reading."},
    {.path = "/events",
     .name = "events",
     .handle = events_answer,
     .params = event_params,
     .types = {REPLY_EVENTS},
     .summary = "Boards as they change",
     .help = "Server-sent events: `board` with a whole board, first all that were asked for, then "
             "each that changes; `status` every second. A client that reconnects with "
             "Last-Event-ID gets what changed since."},
    {.path = "/devices",
     .name = "devices",
     .handle = ask,
     .query = &query_devices,
     .params = device_params,
     .types = {REPLY_JSON},
     .schema = "Devices",
     .summary = "All devices, by id",
     .help = "Pages by cursor: pass \"next\" as `after` until it is null."},
    {.path = "/devices/{deviceId}",
     .name = "device",
     .handle = ask,
     .query = &query_device,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Device",
     .summary = "One device",
     .help = "Its latest reading, its all-time peaks, its readings by status."},
    {.path = "/devices/{deviceId}/histogram",
     .name = "device_histogram",
     .handle = ask,
     .query = &query_histogram,
     .params = histogram_params,
     .types = {REPLY_JSON},
     .schema = "DeviceHistogram",
     .summary = "How often a device had each status, or value",
     .help = "Counts of statuses, or with `feature` of values in bins of equal width."},
    {.path = "/devices/{deviceId}/readings",
     .name = "device_readings",
     .handle = history_answer,
     .query = &query_readings,
     .params = reading_params,
     .types = {REPLY_JSON, REPLY_CSV},
     .schema = "Readings",
     .summary = "What a device sent",
     .help = "Its readings, page by page in JSON or all of them as CSV; with `points` condensed "
             "for a plot."},
    {.path = "/histogram",
     .name = "histogram",
     .handle = ask,
     .query = &query_histogram,
     .params = histogram_params,
     .types = {REPLY_JSON},
     .schema = "Histogram",
     .summary = "How often the fleet had each status, or value",
     .help = "The histogram of all devices together."},
    {.path = "/collectors",
     .name = "collectors",
     .handle = answer_collectors,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Collectors",
     .summary = "The collectors and what they last said of themselves",
     .help = "Their counters are in their own metrics."},
    {.path = "/metrics",
     .name = "metrics",
     .handle = answer_metrics,
     .params = no_params,
     .types = {PROMETHEUS_CONTENT_TYPE},
     .summary = "Metrics of this program, for Prometheus",
     .help = "Text format 0.0.4."},
    {.path = "/healthz",
     .name = "healthz",
     .handle = answer_health,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Health",
     .summary = "Is the program alive?",
     .help = "200 as long as it answers at all."},
    {.path = "/readyz",
     .name = "readyz",
     .handle = answer_readiness,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Health",
     .summary = "Can it answer everything?",
     .help = "200 with a database and current boards, else 503 with the reasons."},
    {.path = "/openapi.json",
     .name = "openapi",
     .handle = answer_openapi,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "This contract",
     .help = "OpenAPI 3.1, made from the table that routes requests."},
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static_assert(sizeof(routes) / sizeof(routes[0]) < METRICS_ROUTES_MAX, "metrics have no room");

/* ---- routing -------------------------------------------------------------------------------- */

/* A target, cut up: [path, path + path_bytes) and the query behind its `?`, or NULL. */
struct target {
    const char *path;
    size_t path_bytes;
    const char *query;
};

static struct target split_target(const char *text)
{
    struct target target;

    /* A proxy's form: http://host/path. The authority is the proxy's affair. */
    if (strncasecmp(text, "http://", 7) == 0)
        text += 7 + strcspn(text + 7, "/?");
    target.path = *text == '?' || !*text ? "/" : text;
    target.path_bytes = *text == '?' || !*text ? 1 : strcspn(text, "?");
    target.query = strchr(text, '?');
    if (target.query)
        target.query++;
    return target;
}

/* Compares segment by segment; a {name} takes whatever stands there. */
static bool matches(const char *pattern, const struct target *target, const char **segment,
                    size_t *segment_bytes)
{
    const char *path = target->path;
    const char *end = path + target->path_bytes;

    while (*pattern && path < end) {
        if (*pattern == '{') {
            const char *from = path;

            while (path < end && *path != '/')
                path++;
            if (path == from)
                return false;
            *segment = from;
            *segment_bytes = (size_t)(path - from);
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && path == end;
}

static const struct route *find_route(const struct target *target, const char **segment,
                                      size_t *segment_bytes)
{
    *segment = NULL;
    for (size_t i = 0; i < routes_count; i++) {
        if (matches(routes[i].path, target, segment, segment_bytes))
            return &routes[i];
    }
    return NULL;
}

bool routes_parse(struct api *api, const struct server_request *request, struct params *out,
                  struct problem *problem)
{
    struct target target = split_target(request->target);
    size_t segment_bytes;
    const char *segment;
    const struct route *route = find_route(&target, &segment, &segment_bytes);

    params_init(out, &api->rules);
    return (!segment || params_parse_device(out, segment, segment_bytes, problem)) &&
           params_parse(out, route->params, target.query, &api->rules, problem);
}

/* Until it is known which features and intervals there are, no name of one is wrong. */
static void excuse_guess(const struct api *api, struct problem *problem)
{
    if (!api->chooser.is_settled && (strncmp(problem->parameter, "feature", 7) == 0 ||
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
    reply_problem(api, request, &problem, "GET, HEAD");
}

static void refuse_types(struct api *api, struct server_request *request, const struct route *route)
{
    struct problem problem;

    problem_set(&problem, 406, "this is available as %s%s%s", route->types[0],
                route->types[1] ? " and as " : "", route->types[1] ? route->types[1] : "");
    reply_problem(api, request, &problem, NULL);
}

static void answer_options(struct api *api, struct server_request *request)
{
    struct reply_headers headers;
    struct buffer nothing = {0};
    struct server_answer *answer;

    reply_headers_init(&headers, api, NULL, "no-store", REPLY_CSP_DATA);
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
    reply_headers_init(&headers, api, NULL, "no-store", REPLY_CSP_DATA);
    reply_header_add(&headers, "Access-Control-Allow-Methods", "GET, HEAD");
    reply_header_add(&headers, "Access-Control-Allow-Headers", "Last-Event-ID, If-None-Match");
    reply_header_add(&headers, "Access-Control-Max-Age", "86400");
    answer = server_answer_new(204, headers.items, headers.count, &nothing, 0);
    server_respond(request, answer);
    server_answer_release(answer);
    return true;
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

void routes_on_request(void *user, struct server_request *request)
{
    struct api *api = user;
    struct target target = split_target(request->target);
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
    if (!route && reads && page_answer_file(api, request, target.path, target.path_bytes))
        return;
    if (!route) {
        refuse_path(api, request, &target);
        return;
    }
    if (!reads) {
        if (!answer_preflight(api, request))
            refuse_method(api, request);
        return;
    }
    type = choose_type(request, route);
    if (type < 0) {
        refuse_types(api, request, route);
        return;
    }
    if (route->handle == dashboard_answer && dashboard_answer_again(api, request))
        return;
    if (!routes_parse(api, request, &params, &problem)) {
        excuse_guess(api, &problem);
        reply_problem(api, request, &problem, NULL);
        return;
    }
    if (params.format == FORMAT_UNSET)
        params.format = strncmp(route->types[type], "text/csv", 8) == 0 ? FORMAT_CSV : FORMAT_JSON;
    route->handle(api, request, route, &params);
}

struct server_answer *routes_on_answer(void *user, struct query *query)
{
    struct api *api = user;

    api->metrics.from_database++;
    return reply_data(api, query->params.format == FORMAT_CSV ? REPLY_CSV : REPLY_JSON,
                      &query->body, query->as_of_us, "database");
}

void routes_on_failed(void *user, struct server_request *request, const struct problem *problem)
{
    struct api *api = user;
    const struct route *route = request->route;

    if (route && route->handle == dashboard_answer)
        dashboard_fall_back(api, request, problem);
    else
        reply_problem(api, request, problem, NULL);
}

/* ---- afterwards ----------------------------------------------------------------------------- */

static void log_access(const struct server_request *request, double duration_s)
{
    char address[SERVER_ADDRESS_SIZE];
    char method[24];
    char target[400];

    server_request_address(request, address);
    log_escaped(method, sizeof(method), request->method, strlen(request->method));
    log_escaped(target, sizeof(target), request->target, strlen(request->target));
    log_info("access: %s %s %s %d %llu %.1fms%s", address, method, target, request->status,
             (unsigned long long)request->sent_bytes, duration_s * 1e3,
             request->was_complete ? "" : " cut off");
}

void routes_on_done(void *user, struct server_request *request)
{
    struct api *api = user;
    const struct route *route = request->route;
    double duration_s = (double)(uv_hrtime() - request->began_ns) / 1e9;

    metrics_note(&api->metrics, route ? (size_t)(route - routes) : routes_count, request->status,
                 duration_s, request->sent_bytes);
    if (api->has_access_log)
        log_access(request, duration_s);
}
