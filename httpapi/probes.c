#include "httpapi/probes.h"

#include "httpapi/board_cache.h"
#include "httpapi/health_facts.h"
#include "httpapi/pool.h"
#include "httpapi/reply.h"
#include "httpapi/roster.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/prometheus.h"

#include <string.h>

static void respond_live(struct api *api, struct server_request *request, const char *type,
                         struct buffer *body)
{
    struct server_answer *answer = reply_live(api, 200, type, body);

    server_respond(request, answer);
    server_answer_release(answer);
}

void probes_answer_health(struct api *api, struct server_request *request,
                          const struct route *route, struct params *params)
{
    struct buffer body = {0};

    (void)route;
    (void)params;
    buffer_put_text(&body, "{\"status\":\"ok\"");
    if (access_knows(api, request)) /* a stranger learns no version */
        buffer_put_text(&body, ",\"version\":\"" HIGHWATER_VERSION "\"");
    buffer_put_text(&body, "}");
    respond_live(api, request, REPLY_JSON, &body);
}

/* Always 200: it is to be read, and what decides by a status asks /readyz. A stranger learns no names. */
void probes_answer_verdict(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params)
{
    struct buffer body = {0};
    struct health health;

    (void)route;
    (void)params;
    health_look(api, &health);
    if (access_knows(api, request))
        health_write(&body, &health);
    else
        buffer_printf(&body, "{\"level\":\"%s\"}", health_level_text(health.level));
    respond_live(api, request, REPLY_JSON, &body);
}

bool probes_is_ready(struct api *api, struct buffer *reasons)
{
    size_t before = reasons->bytes;
    int64_t replayed_us;
    enum weighing_verdict verdict = board_cache_verdict(api->boards, uv_now(api->loop));

    if (pool_up_count(api->pool) == 0)
        buffer_printf(reasons, "the database is not usable: %s\n", pool_failure(api->pool));
    else if (roster_lacks(api->roster)[0])
        buffer_printf(reasons, "the database: %s\n", roster_lacks(api->roster));
    /* a standby answers all by itself */
    if (verdict != WEIGHED_EXACT && !roster_is_standby(api->roster, &replayed_us))
        buffer_printf(reasons, "%s\n", weighing_verdict_text(verdict));
    mqtt_link_write_faults(api->broker, reasons);
    return reasons->bytes == before;
}

void probes_answer_readiness(struct api *api, struct server_request *request,
                             const struct route *route, struct params *params)
{
    struct buffer body = {0};
    struct buffer reasons = {0};
    struct problem problem;

    (void)route;
    (void)params;
    if (probes_is_ready(api, &reasons)) {
        buffer_put_text(&body, "{\"status\":\"ready\"}");
        respond_live(api, request, REPLY_JSON, &body);
        return;
    }
    reasons.bytes--; /* the last line's end */
    for (unsigned char *end; (end = memchr(reasons.data, '\n', reasons.bytes)) != NULL;)
        *end = ';';
    if (access_knows(api, request)) /* nor whose names are in the reasons */
        problem_set_unavailable(&problem, 2, "%s", buffer_text(&reasons));
    else
        problem_set_unavailable(&problem, 2, "the reasons are told to who has a token");
    reply_problem(api, request, &problem, NULL);
    buffer_release(&reasons);
}

void probes_answer_collectors(struct api *api, struct server_request *request,
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

void probes_answer_metrics(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params)
{
    struct buffer body = {0};

    (void)route;
    (void)params;
    metrics_write(&body, api);
    respond_live(api, request, PROMETHEUS_CONTENT_TYPE, &body);
}

void probes_answer_openapi(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params)
{
    (void)route;
    (void)params;
    server_respond(request, api->openapi);
}
