/* httpapi: boards, histograms and history over HTTP. This file wires the parts together and decides
 * nothing. Order of the end: events stop, the server finishes its answers, pool and roster close,
 * then whatever is left. */
#include "httpapi/api.h"
#include "httpapi/board_cache.h"
#include "httpapi/dashboard.h"
#include "httpapi/events.h"
#include "httpapi/openapi.h"
#include "httpapi/page.h"
#include "httpapi/pool.h"
#include "httpapi/questions.h"
#include "httpapi/reply.h"
#include "httpapi/roster.h"
#include "httpapi/routes.h"
#include "shared/base/log.h"
#include "shared/base/options.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/net/http_hosts.h"
#include "shared/net/http_listen.h"
#include "shared/net/http_server.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/signals.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STOP_GRACE_MS = 5000,
    MQTT_KEEPALIVE_S = 10,
    FDS_BESIDES_CLIENTS = 64,
    LACKING_MS = 2000,
    UNREADABLE_EVERY_MS = 10000,
    READ_BUDGET_US =
        2000 /* who may publish can send more than can be read: others have their turn */
};

#define STATUSES "collectors/+/status"
#define BOARDS "collectors/+/boards/#"

struct settings {
    const char *database_url;
    const char *mqtt_url;
    const char *listen;
    const char *hosts;
    const char *features;
    const char *intervals;
    uint64_t top_devices;
    uint64_t database_connections;
    uint64_t database_queue;
    int64_t statement_timeout_us;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t max_event_streams;
    uint64_t max_csv_streams;
    int64_t header_timeout_us;
    int64_t idle_timeout_us;
    int64_t stall_timeout_us;
    const char *cors_origin;
    bool access_log;
    bool core_dumps;
    const char *mqtt_ca;
    const char *mqtt_cert;
    const char *mqtt_key;
    const char *mqtt_password_file;
    const char *mqtt_version;
    bool is_v311;
};

struct app {
    struct api api;
    struct mqtt_link mqtt;
    uint64_t seen_generation;
    uint64_t lacking_since_ms; /* a board that a collector names */
    uint64_t unreadable_ms;    /* when one was told of last; 0 = never */
    struct signals signals;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    bool is_stopping;
};

static const struct program program = {
    .name = "httpapi",
    .summary = "Serves the boards, histograms and history of all readings over HTTP.",
    .epilogue =
        "Boards come from the collectors over MQTT, or from the database while no collector is "
        "live.\nSIGTERM: finishes running answers, ends streams, exits with 0. SIGHUP reads "
        "certificates anew.\n"
        "Exit status: 0 after SIGTERM or SIGINT; 1 when it cannot listen, or after a second "
        "signal; "
        "2 for a\nwrong setting.",
};

/* ---- the broker ----------------------------------------------------------------------------- */

static void on_mqtt_up(struct mqtt_link *link, bool session_present)
{
    struct app *app = link->config.user;

    (void)session_present;
    board_cache_forget(app->api.boards);
    mqtt_link_subscribe(link, STATUSES, 1);
    mqtt_link_subscribe(link, BOARDS, 1);
}

/* Anybody may send thousands of them. */
static void tell_unreadable(struct app *app, const char *topic)
{
    uint64_t now_ms = uv_now(app->api.loop);
    char shown[200];

    if (app->unreadable_ms != 0 && now_ms - app->unreadable_ms < UNREADABLE_EVERY_MS)
        return;
    app->unreadable_ms = now_ms;
    log_warning("broker: %s is not taken: %s (%llu messages so far)",
                log_escaped(shown, sizeof(shown), topic, strlen(topic)),
                board_cache_fault(app->api.boards),
                (unsigned long long)board_cache_message_count(app->api.boards, true));
}

static void on_mqtt_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct app *app = link->config.user;

    if (!board_cache_take(app->api.boards, delivery->topic, delivery->payload, delivery->bytes,
                          delivery->retain, timestamp_now(), uv_now(app->api.loop)))
        tell_unreadable(app, delivery->topic);
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

static uint64_t take_mark(void *user)
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
    openapi_write(&document, &api->rules);
    api->openapi = reply_data(api, REPLY_JSON, &document, 0, NULL);
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

/* Requests that are under way end under the catalog that they began with. All boards are retained, so
 * that they come again for those who subscribe again. */
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
    questions_free(app->api.questions);
    mqtt_link_close(&app->mqtt, on_mqtt_closed);
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
    events_stop(app->api.events);
    server_stop(app->api.server, STOP_GRACE_MS, on_server_stopped);
}

static void on_hangup(void *user)
{
    struct app *app = user;

    if (!app->is_stopping)
        signals_reload(&app->mqtt);
}

/* ---- the start ------------------------------------------------------------------------------ */

/* Every connection is a descriptor: as many as the system lets us have, and the cap lowered to
 * what there is. */
static void fit_descriptors(struct settings *settings)
{
    struct rlimit limit;
    uint64_t wanted = settings->max_connections + FDS_BESIDES_CLIENTS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted
                             ? (rlim_t)wanted
                             : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted) {
        uint64_t left =
            limit.rlim_cur > FDS_BESIDES_CLIENTS + 8 ? limit.rlim_cur - FDS_BESIDES_CLIENTS : 8;

        log_warning("only %llu of %llu connections: the limit of open files is %llu",
                    (unsigned long long)left, (unsigned long long)settings->max_connections,
                    (unsigned long long)limit.rlim_cur);
        settings->max_connections = left;
    }
}

static int parse_settings(struct settings *s, struct api *api, int argc, char **argv)
{
    const struct option options[] = {
        {"database-url", OPTION_URL, &s->database_url, "", 0, 0, "URL",
         "PostgreSQL, postgresql://user@host/database; else the PG* variables", false},
        {"mqtt-url", OPTION_URL, &s->mqtt_url, "mqtt://127.0.0.1:1883", 0, 0, "URL",
         "broker: mqtt://[user:password@]host[:port], mqtts://..., unix:///path", false},
        {"mqtt-ca-file", OPTION_TEXT, &s->mqtt_ca, "", 0, 0, "FILE",
         "certificates that the broker's is checked against; else the system's", false},
        {"mqtt-cert-file", OPTION_TEXT, &s->mqtt_cert, "", 0, 0, "FILE", "our certificate", false},
        {"mqtt-password-file", OPTION_TEXT, &s->mqtt_password_file, NULL, 0, 0, "FILE",
         "the password of the user in MQTT_URL, instead of one in the\nURL; read anew at each "
         "connect",
         false},
        {"mqtt-key-file", OPTION_TEXT, &s->mqtt_key, "", 0, 0, "FILE", "its key", false},
        {"mqtt-version", OPTION_TEXT, &s->mqtt_version, "5", 0, 0, "VERSION", MQTT_VERSION_HELP,
         false},
        {"http-listen", OPTION_TEXT, &s->listen, "127.0.0.1:5000", 0, 0, "HOST:PORT",
         HTTP_LISTEN_HELP, false},
        {"http-hosts", OPTION_TEXT, &s->hosts, "", 0, 0, "NAMES",
         "hosts it answers to beside those of loopback, or *; when empty and not only on "
         "loopback: any",
         false},
        {"features", OPTION_TEXT, &s->features, "", 0, 0, "NAMES",
         "numbers that readings carry; else those that the collectors keep, or the database has",
         false},
        {"intervals", OPTION_TEXT, &s->intervals, "", 0, 0, "NAMES",
         "intervals that boards are kept of; else those of the collectors, or " INTERVALS_DEFAULT,
         false},
        {"num-top-devices", OPTION_COUNT, &s->top_devices, "10", 1, BOARD_ENTRIES_MAX, "N",
         "devices on a board when a request does not say", false},
        {"database-connections", OPTION_COUNT, &s->database_connections, "3", 1,
         POOL_CONNECTIONS_MAX, "N", "connections to the database", false},
        {"database-queue", OPTION_COUNT, &s->database_queue, "200", 0, 100000, "N",
         "questions that may wait for one; more are answered 503", false},
        {"statement-timeout", OPTION_DURATION, &s->statement_timeout_us, "5s", 1e4, 3.6e9,
         "DURATION", "what the database may take for one answer", false},
        {"max-connections", OPTION_COUNT, &s->max_connections, "2000", 1, 1000000, "N",
         "connections of clients; more wait", false},
        {"max-connections-per-address", OPTION_COUNT, &s->max_connections_per_address, "200", 0,
         1000000, "N", "the same, of one address, more are closed; 0 = any, as behind a proxy",
         false},
        {"max-event-streams", OPTION_COUNT, &s->max_event_streams, "1000", 0, 1000000, "N",
         "clients of /events; more are answered 503", false},
        {"max-csv-streams", OPTION_COUNT, &s->max_csv_streams, "16", 0, 100000, "N",
         "exports at a time; more are answered 503", false},
        {"header-timeout", OPTION_DURATION, &s->header_timeout_us, "10s", 1e5, 3.6e9, "DURATION",
         "from connecting to the end of the first request's headers", false},
        {"idle-timeout", OPTION_DURATION, &s->idle_timeout_us, "60s", 1e5, 3.6e9, "DURATION",
         "from an answer to the end of the next request's headers", false},
        {"stall-timeout", OPTION_DURATION, &s->stall_timeout_us, "30s", 1e5, 3.6e9, "DURATION",
         "for which a client may take nothing of its answer", false},
        {"cors-origin", OPTION_TEXT, &s->cors_origin, "", 0, 0, "ORIGIN",
         "which other origin's pages may read the answers, or *; none when empty", false},
        {"access-log", OPTION_SWITCH, &s->access_log, "0", 0, 0, NULL, "a line for each request",
         false},
        {"core-dumps", OPTION_SWITCH, &s->core_dumps, "0", 0, 0, NULL,
         "for debugging: let the kernel write core dumps, which hold\npasswords, and this user "
         "read "
         "the process's memory",
         false},
        {0}};
    struct features features;
    struct intervals intervals;
    struct http_hosts hosts;
    char error[400];
    int status = options_parse(&program, options, argc, argv);

    if (status >= 0)
        return status;
    if (!features_parse(&features, s->features[0] ? s->features : FEATURES_DEFAULT, error,
                        sizeof(error)))
        return options_reject(&program, "FEATURES", s->features, error);
    if (!mqtt_version_parse(&s->is_v311, s->mqtt_version))
        return options_reject(&program, "MQTT_VERSION", s->mqtt_version, MQTT_VERSION_LEGAL);
    if (!intervals_parse(&intervals, s->intervals[0] ? s->intervals : INTERVALS_DEFAULT, error,
                         sizeof(error)))
        return options_reject(&program, "INTERVALS", s->intervals, error);
    if (!http_hosts_parse(&hosts, s->hosts, true, error, sizeof(error)))
        return options_reject(&program, "HTTP_HOSTS", s->hosts, error);
    http_hosts_release(&hosts);
    if (s->cors_origin[strcspn(s->cors_origin, " \t\r\n,\"'")])
        return options_reject(&program, "CORS_ORIGIN", s->cors_origin,
                              "one origin such as https://example.org, or *");
    api->catalog = catalog_new(&features, &intervals);
    catalog_chooser_init(&api->chooser, s->features[0], s->intervals[0]);
    api->rules = (struct params_rules){.features = &api->catalog->features,
                                       .intervals = &api->catalog->intervals,
                                       .top_devices = s->top_devices};
    return -1;
}

static bool start_server(struct app *app, const struct settings *settings, char *error,
                         size_t error_bytes)
{
    struct server_config config = {
        .listen = settings->listen,
        .hosts = settings->hosts,
        .hosts_setting = "HTTP_HOSTS",
        .limits = {.connections = settings->max_connections,
                   .connections_per_address = settings->max_connections_per_address,
                   .target_bytes = 8192,
                   .head_bytes = 8192,
                   .header_deadline_ms = (uint64_t)settings->header_timeout_us / 1000,
                   .idle_deadline_ms = (uint64_t)settings->idle_timeout_us / 1000,
                   .stall_deadline_ms = (uint64_t)settings->stall_timeout_us / 1000},
        .user = &app->api,
        .on_request = routes_on_request,
        .on_done = routes_on_done};

    return server_start(&app->api.server, app->api.loop, &config, error, error_bytes);
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
    struct questions_config questions = {.pool = api->pool,
                                         .user = api,
                                         .on_answer = routes_on_answer,
                                         .on_failed = routes_on_failed};

    api->boards = board_cache_new(&api->catalog->features, &api->catalog->intervals);
    api->questions = questions_new(&questions);
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
    catalog_release(api->catalog);
}

int main(int argc, char **argv)
{
    static struct app app;
    struct settings settings = {0};
    struct api *api = &app.api;
    char error[400];
    int status;

    signals_init();
    status = parse_settings(&settings, api, argc, argv);
    if (status >= 0)
        return status;
    if (!settings.core_dumps)
        secret_protect_process();
    log_init(program.name);
    fit_descriptors(&settings);
    api->loop = uv_default_loop();
    api->cors_origin = settings.cors_origin;
    api->has_access_log = settings.access_log;
    api->max_event_streams = settings.max_event_streams;
    api->max_csv_streams = settings.max_csv_streams;
    api->started_us = timestamp_now();

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
                                                       .take_mark = take_mark,
                                                       .on_columns = on_columns,
                                                       .on_rows = on_rows},
                               error, sizeof(error));
    assert(api->roster); /* the pool found the same string legal */
    if (!start_mqtt(&app, &settings, error, sizeof(error)))
        return options_reject_url(&program, "MQTT_URL", settings.mqtt_url, error);
    if (!start_server(&app, &settings, error, sizeof(error))) {
        fprintf(stderr, "httpapi: HTTP_LISTEN: %s\n", error);
        return 1;
    }
    uv_signal_init(api->loop, &app.sigterm);
    uv_signal_init(api->loop, &app.sigint);
    app.sigterm.data = app.sigint.data = &app;
    signals_start(&app.signals, api->loop, on_hangup, &app);
    uv_signal_start(&app.sigterm, on_signal, SIGTERM);
    uv_signal_start(&app.sigint, on_signal, SIGINT);
    log_info("listening on http://%s", server_address(api->server));

    uv_run(api->loop, UV_RUN_DEFAULT);
    free_parts(&app);
    uv_loop_close(api->loop);
    log_info("stopped");
    return 0;
}
