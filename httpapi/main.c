/* httpapi: boards, histograms and history over HTTP. This file wires the parts together and decides
 * nothing. Order of the end: events stop, the server finishes its answers, pool and roster close,
 * then whatever is left. */
#include "httpapi/api.h"
#include "httpapi/ask.h"
#include "httpapi/board_cache.h"
#include "httpapi/check.h"
#include "httpapi/coalescer.h"
#include "httpapi/crossings.h"
#include "httpapi/dashboard.h"
#include "httpapi/dispatch.h"
#include "httpapi/events.h"
#include "httpapi/openapi.h"
#include "httpapi/page.h"
#include "httpapi/pool.h"
#include "httpapi/probes.h"
#include "httpapi/reply.h"
#include "httpapi/roster.h"
#include "httpapi/settings.h"
#include "shared/base/log.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/net/healthcheck.h"
#include "shared/net/http_server.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/pg_password.h"
#include "shared/net/service_notify.h"
#include "shared/net/signals.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_GRACE_MS = 5000,
    MQTT_KEEPALIVE_S = 10,
    LACKING_MS = 2000,
    UNREADABLE_EVERY_MS = 10000,
    READ_BUDGET_US = 2000 /* so that a flood of boards does not keep requests waiting */
};

#define STATUSES "collectors/+/status"
#define BOARDS "collectors/+/boards/#"
#define THRESHOLDS "collectors/+/thresholds/#"

struct app {
    struct api api;
    struct mqtt_link mqtt;
    uint64_t seen_generation;
    uint64_t lacking_since_ms; /* a board that a collector names */
    uint64_t unreadable_ms;    /* when one was logged last; 0 = never */
    struct service_notify notify;
    struct signals signals;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    bool is_stopping;
};

/* ---- the broker ----------------------------------------------------------------------------- */

static void on_mqtt_up(struct mqtt_link *link, bool session_present)
{
    struct app *app = link->config.user;

    (void)session_present;
    board_cache_forget(app->api.boards);
    crossings_forget(app->api.crossings);
    mqtt_link_subscribe(link, STATUSES, 1);
    mqtt_link_subscribe(link, BOARDS, 1);
    mqtt_link_subscribe(link, THRESHOLDS, 1);
}

/* Any client of the broker may send thousands of them, so a line is written every now and then. */
static void log_unreadable(struct app *app, const char *topic, const char *fault)
{
    uint64_t now_ms = uv_now(app->api.loop);
    char shown[200];

    if (app->unreadable_ms != 0 && now_ms - app->unreadable_ms < UNREADABLE_EVERY_MS)
        return;
    app->unreadable_ms = now_ms;
    log_warning("broker: %s is not taken: %s (%llu messages so far)",
                log_escaped(shown, sizeof(shown), topic, strlen(topic)), fault,
                (unsigned long long)(board_cache_message_count(app->api.boards, true) +
                                     crossings_message_count(app->api.crossings, true)));
}

static void on_mqtt_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct app *app = link->config.user;
    const char *fault;

    if (crossings_have(delivery->topic)) {
        if (!crossings_apply(app->api.crossings, board_cache_speakers(app->api.boards),
                             delivery->topic, delivery->payload, delivery->bytes, &fault))
            log_unreadable(app, delivery->topic, fault);
    } else if (!board_cache_apply(app->api.boards, delivery->topic, delivery->payload,
                                  delivery->bytes, delivery->retain, timestamp_now(),
                                  uv_now(app->api.loop))) {
        log_unreadable(app, delivery->topic, board_cache_fault(app->api.boards));
    }
}

/* What has come is not answered from before it is weighed; what it ends, ends now. */

static void on_mqtt_read(struct mqtt_link *link)
{
    struct app *app = link->config.user;

    roster_ask(app->api.roster);
    if (app->seen_generation == board_cache_generation(app->api.boards))
        return;
    app->seen_generation = board_cache_generation(app->api.boards);
    events_look(app->api.events);
}

/* ---- which collectors there are ------------------------------------------------------------- */

static uint64_t get_mark(void *user)
{
    struct app *app = user;

    return board_cache_mark(app->api.boards);
}

/* A board that was lost on the way is still retained: subscribing again brings it. */
static void ask_again_for_boards(struct app *app)
{
    uint64_t now_ms = uv_now(app->api.loop);

    if (!board_cache_lacks_board(app->api.boards, now_ms)) {
        app->lacking_since_ms = now_ms;
    } else if (now_ms - app->lacking_since_ms > LACKING_MS) {
        app->lacking_since_ms = now_ms;
        mqtt_link_subscribe(&app->mqtt, BOARDS, 1);
    }
}

static void on_rows(void *user, const struct roster_row *rows, size_t count, uint64_t mark)
{
    struct app *app = user;

    ask_again_for_boards(app);
    if (!board_cache_weigh(app->api.boards, rows, count, mark, uv_now(app->api.loop)))
        return;
    app->seen_generation = board_cache_generation(app->api.boards);
    events_look(app->api.events);
}

/* ---- which features and intervals there are ------------------------------------------------- */

static void make_contract(struct api *api)
{
    struct buffer document = {0};

    server_answer_release(api->openapi);
    openapi_write(&document, &api->rules, access_asks(&api->access));
    api->openapi = reply_data(api, REPLY_JSON, REPLY_ASKED_AGAIN, &document, 0, NULL, NULL);
}

static void log_catalog(const struct catalog *catalog)
{
    struct buffer text = {0};

    for (size_t i = 0; i < catalog->features.count; i++)
        buffer_printf(&text, "%s%s", i > 0 ? "," : "features ", catalog->features.names[i]);
    for (size_t i = 0; i < catalog->intervals.count; i++)
        buffer_printf(&text, "%s%s", i > 0 ? "," : ", intervals ",
                      catalog->intervals.items[i].name);
    log_info("boards: there are now those of %s", buffer_text(&text));
    buffer_release(&text);
}

/* Requests that are under way end under the catalog that they began with. Boards are retained, so
 * subscribing again brings them all. */
static void use_catalog(struct app *app, struct catalog *catalog)
{
    struct api *api = &app->api;

    catalog_release(api->catalog);
    api->catalog = catalog;
    api->rules.features = &catalog->features;
    api->rules.intervals = &catalog->intervals;
    board_cache_renew(api->boards, &catalog->features, &catalog->intervals);
    events_renew(api->events);
    make_contract(api);
    log_catalog(catalog);
    if (app->mqtt.state == MQTT_LINK_UP) {
        mqtt_link_subscribe(&app->mqtt, STATUSES, 1);
        mqtt_link_subscribe(&app->mqtt, BOARDS, 1);
    }
}

static void on_columns(void *user, const char *columns)
{
    struct app *app = user;
    struct catalog_offer offer;
    struct features features;
    struct catalog *catalog;

    catalog_parse_columns(&features, columns);
    board_cache_offer(app->api.boards, uv_now(app->api.loop), &offer);
    catalog = catalog_choose(&app->api.chooser, app->api.catalog, &offer, &features,
                             uv_now(app->api.loop));
    if (catalog)
        use_catalog(app, catalog);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_mqtt_closed(struct mqtt_link *link)
{
    (void)link;
}

static void on_events_closed(void *user)
{
    struct app *app = user;

    app->api.events = NULL;
}

static void on_roster_closed(void *user)
{
    struct app *app = user;

    app->api.roster = NULL;
    events_close(app->api.events, on_events_closed, app);
    coalescer_free(app->api.coalescer);
    mqtt_link_close(&app->mqtt, on_mqtt_closed);
    service_notify_close(&app->notify);
    certificate_close(&app->api.certificate);
    signals_close(&app->signals);
    uv_close((uv_handle_t *)&app->sigterm, NULL);
    uv_close((uv_handle_t *)&app->sigint, NULL);
}

static void on_pool_closed(void *user)
{
    struct app *app = user;

    app->api.pool = NULL;
    roster_close(app->api.roster, on_roster_closed, app);
}

static void on_server_stopped(void *user)
{
    struct api *api = user;

    api->server = NULL;
    pool_close(api->pool, on_pool_closed, (struct app *)user); /* the api is its first member */
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;

    if (app->is_stopping) {
        log_warning("a second signal: ending at once");
        exit(1);
    }
    app->is_stopping = true;
    log_info("%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    service_notify_stopping(&app->notify, STOP_GRACE_MS);
    events_stop(app->api.events);
    server_stop(app->api.server, STOP_GRACE_MS, on_server_stopped);
}

static void on_hangup(void *user)
{
    struct app *app = user;

    if (app->is_stopping)
        return;
    service_notify_reloading(&app->notify);
    signals_reload(&app->mqtt);
    certificate_reload(&app->api.certificate);
    if (access_reload(&app->api.access))
        events_renew(app->api.events); /* who opens one again is asked for his token */
    service_notify_reloaded(&app->notify);
}

static bool is_ready(void *user, struct buffer *reasons)
{
    struct app *app = user;

    return probes_is_ready(&app->api, reasons);
}

/* ---- the start ------------------------------------------------------------------------------ */

static bool start_server(struct app *app, const struct settings *settings, char *error,
                         size_t error_bytes)
{
    struct server_config config = {
        .listen = settings->listen,
        .hosts = settings->hosts,
        .hosts_setting = "HTTP_HOSTS",
        .tls = app->api.certificate.tls,
        .limits = {.connections = settings->max_connections,
                   .connections_per_address = settings->max_connections_per_address,
                   .target_bytes = 8192,
                   .head_bytes = 8192,
                   .header_deadline_ms = (uint64_t)settings->header_timeout_us / 1000,
                   .idle_deadline_ms = (uint64_t)settings->idle_timeout_us / 1000,
                   .stall_deadline_ms = (uint64_t)settings->stall_timeout_us / 1000},
        .user = &app->api,
        .on_request = dispatch_on_request,
        .on_done = dispatch_on_done,
        .on_tls_failed = dispatch_on_tls_failed};

    return server_start(&app->api.server, app->api.loop, &config, error, error_bytes);
}

/* Where the program listens, and who it lets in. */
static void log_entrance(const struct api *api)
{
    log_info("listening on %s", server_address(api->server));
    if (!access_asks(&api->access))
        return;
    log_info("tokens: %zu are let in", tokens_count(api->access.tokens));
    if (!api->certificate.tls && !server_is_loopback(api->server))
        log_warning("tokens: without TLS anybody on the way can read them; set TLS_CERT, or listen "
                    "on loopback behind a proxy");
}

static bool start_mqtt(struct app *app, const struct settings *settings, char *error,
                       size_t error_bytes)
{
    static char client_id[64];
    struct mqtt_link_config config = {.name = "broker",
                                      .url = settings->mqtt_url,
                                      .client_id = client_id,
                                      .keepalive_s = MQTT_KEEPALIVE_S,
                                      .ca_file = settings->mqtt_ca[0] ? settings->mqtt_ca : NULL,
                                      .cert_file =
                                          settings->mqtt_cert[0] ? settings->mqtt_cert : NULL,
                                      .password_file = settings->mqtt_password_file,
                                      .key_file = settings->mqtt_key[0] ? settings->mqtt_key : NULL,
                                      .is_v311 = settings->is_v311,
                                      .forgets = true, /* it publishes nothing */
                                      .read_budget_us = READ_BUDGET_US,
                                      .user = app,
                                      .on_up = on_mqtt_up,
                                      .on_message = on_mqtt_message,
                                      .on_read = on_mqtt_read};

    /* Two clients of one name would throw each other out. */
    snprintf(client_id, sizeof(client_id), "highwater-httpapi-%d-%llx", (int)getpid(),
             (unsigned long long)timestamp_now());
    app->api.broker = &app->mqtt;
    return mqtt_link_start(&app->mqtt, app->api.loop, &config, error, error_bytes);
}

static void make_parts(struct app *app)
{
    struct api *api = &app->api;
    struct coalescer_config coalescer = {
        .pool = api->pool, .user = api, .on_answer = ask_on_answer, .on_failed = ask_on_failed};

    api->boards = board_cache_new(&api->catalog->features, &api->catalog->intervals);
    api->crossings = crossings_new();
    api->coalescer = coalescer_new(&coalescer);
    api->dashboard = dashboard_new();
    api->events = events_new(api);
    api->page = page_new(api);
    make_contract(api);
}

static void free_parts(struct app *app)
{
    struct api *api = &app->api;

    server_answer_release(api->openapi);
    page_free(api->page);
    dashboard_free(api->dashboard);
    board_cache_free(api->boards);
    crossings_free(api->crossings);
    access_release(&api->access);
    certificate_release(&api->certificate);
    catalog_release(api->catalog);
}

int main(int argc, char **argv)
{
    static struct app app;
    struct settings settings = {0};
    struct api *api = &app.api;
    char error[640];
    int status;

    signals_init();
    status = settings_parse(&settings, argc, argv);
    if (status >= 0)
        return status;
    if (!settings.core_dumps)
        secret_protect_process();
    log_init(program.name);
    pg_password_set_file(settings.database_password_file);
    if (settings.check)
        return check_run(&settings);
    if (settings.healthcheck)
        return healthcheck_run(&(struct healthcheck){.setting = "HTTP_LISTEN",
                                                     .listen = settings.listen,
                                                     .is_tls = settings.tls_cert[0] != '\0'});
    service_notify_init(&app.notify);
    settings_fit_descriptors(&settings);
    api->loop = uv_default_loop();
    api->catalog = catalog_new(&settings.features_parsed, &settings.intervals_parsed);
    catalog_chooser_init(&api->chooser, settings.features[0], settings.intervals[0]);
    api->rules = (struct params_rules){.features = &api->catalog->features,
                                       .intervals = &api->catalog->intervals,
                                       .top_devices = settings.top_devices};
    api->cors_origin = settings.cors_origin;
    api->has_access_log = settings.access_log;
    api->max_event_streams = settings.max_event_streams;
    api->max_csv_streams = settings.max_csv_streams;
    api->started_us = timestamp_now();

    if (!access_init(&api->access, settings.token_file, error, sizeof(error)) ||
        !certificate_start(&api->certificate, api->loop, settings.tls_cert, settings.tls_key, error,
                           sizeof(error)))
        return options_fail(&program, "%s", error);

    struct pool_config pool = {.url = settings.database_url,
                               .connections = settings.database_connections,
                               .queue_limit = settings.database_queue,
                               .statement_timeout_ms =
                                   (uint64_t)settings.statement_timeout_us / 1000};

    api->pool = pool_start(api->loop, &pool, error, sizeof(error));
    if (!api->pool)
        return options_reject_url(&program, "DATABASE_URL", settings.database_url, error);
    make_parts(&app);
    api->roster = roster_start(api->loop,
                               &(struct roster_config){.url = settings.database_url,
                                                       .user = &app,
                                                       .get_mark = get_mark,
                                                       .on_columns = on_columns,
                                                       .on_rows = on_rows},
                               error, sizeof(error));
    assert(api->roster); /* the pool found the same string legal */
    if (!start_mqtt(&app, &settings, error, sizeof(error)))
        return options_reject_url(&program, "MQTT_URL", settings.mqtt_url, error);
    if (!start_server(&app, &settings, error, sizeof(error))) {
        log_complaint("HTTP_LISTEN", error);
        return 1;
    }
    uv_signal_init(api->loop, &app.sigterm);
    uv_signal_init(api->loop, &app.sigint);
    app.sigterm.data = app.sigint.data = &app;
    signals_start(&app.signals, api->loop, on_hangup, &app);
    uv_signal_start(&app.sigterm, on_signal, SIGTERM);
    uv_signal_start(&app.sigint, on_signal, SIGINT);
    service_notify_start(&app.notify, api->loop,
                         &(struct service_notify_config){.user = &app, .is_ready = is_ready});
    log_entrance(api);

    uv_run(api->loop, UV_RUN_DEFAULT);
    free_parts(&app);
    uv_loop_close(api->loop);
    log_info("stopped");
    return 0;
}
