#include "collector/monitor.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/http_server.h"
#include "shared/net/prometheus.h"

#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 500 };

struct monitor {
    struct server *server;
    void *user;
    void (*get_view)(void *user, struct metrics_view *view);
};

static void answer(struct server_request *request, int status, const char *content_type,
                   struct buffer *body)
{
    const struct server_header headers[] = {{"Content-Type", content_type},
                                            {"Cache-Control", "no-store"},
                                            {"X-Content-Type-Options", "nosniff"},
                                            {"Allow", "GET, HEAD"}}; /* with 405 */
    size_t count = sizeof(headers) / sizeof(headers[0]) - (status != 405);
    struct server_answer *made =
        server_answer_new(status, headers, count, body, SERVER_ANSWER_GZIP);

    server_respond(request, made);
    server_answer_release(made);
}

static void on_request(void *user, struct server_request *request)
{
    struct monitor *monitor = user;
    size_t path_bytes = strcspn(request->target, "?");
    struct metrics_view view;
    struct buffer body = {0};
    const char *type = "text/plain; charset=utf-8";
    int status = 200;

    monitor->get_view(monitor->user, &view);
    if (request->flaw) {
        status = request->flaw;
        buffer_printf(&body, "%s\n", request->flaw_text);
    } else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        status = 405;
        buffer_put_text(&body, "GET and HEAD only\n");
    } else if (path_bytes == 8 && strncmp(request->target, "/metrics", 8) == 0) {
        type = PROMETHEUS_CONTENT_TYPE;
        metrics_write(&body, &view);
    } else if (path_bytes == 8 && strncmp(request->target, "/healthz", 8) == 0) {
        buffer_put_text(&body, "ok\n");
    } else if (path_bytes == 7 && strncmp(request->target, "/readyz", 7) == 0) {
        if (metrics_is_ready(&body, &view))
            buffer_put_text(&body, "ready\n");
        else
            status = 503;
        board_publisher_put_remarks(view.publisher, &body);
    } else {
        status = 404;
        buffer_put_text(&body, "/metrics, /healthz, /readyz\n");
    }
    answer(request, status, type, &body);
}

static void on_done(void *user, struct server_request *request)
{
    (void)user;
    (void)request;
}

struct monitor *monitor_start(uv_loop_t *loop, const char *listen, const char *hosts, void *user,
                              void (*get_view)(void *user, struct metrics_view *view))
{
    struct monitor *monitor = mem_calloc(1, sizeof(*monitor));
    struct server_config config = {.listen = listen,
                                   .hosts = hosts,
                                   .hosts_setting = "METRICS_HOSTS",
                                   .limits = {.connections = 32,
                                              .target_bytes = 256,
                                              .head_bytes = 8192,
                                              .header_deadline_ms = 5000,
                                              .idle_deadline_ms = 30000,
                                              .stall_deadline_ms = 10000},
                                   .user = monitor,
                                   .on_request = on_request,
                                   .on_done = on_done};
    char error[256];

    monitor->user = user;
    monitor->get_view = get_view;
    if (server_start(&monitor->server, loop, &config, error, sizeof(error)))
        return monitor;
    log_error("metrics: %s; going on without", error);
    free(monitor);
    return NULL;
}

static void on_stopped(void *user)
{
    free(user);
}

void monitor_stop(struct monitor *monitor)
{
    if (monitor)
        server_stop(monitor->server, GRACE_MS, on_stopped);
}
