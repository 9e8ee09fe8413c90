#include "httpapi/metrics.h"

#include "httpapi/api.h"
#include "httpapi/board_cache.h"
#include "httpapi/coalescer.h"
#include "httpapi/crossings.h"
#include "httpapi/events.h"
#include "httpapi/pool.h"
#include "httpapi/probes.h"
#include "httpapi/roster.h"
#include "httpapi/routes.h"
#include "shared/base/timestamp.h"
#include "shared/net/http_server.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/prometheus.h"

#include <stdio.h>

static const int statuses[METRICS_STATUSES] = {200, 204, 304, 400, 401, 403, 404, 405,
                                               406, 410, 414, 421, 431, 503, 0};
static const struct bucket_bounds bounds = {
    12, {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5}};

void metrics_note(struct metrics *metrics, size_t route, int status, double duration_s,
                  uint64_t sent_bytes)
{
    size_t code = 0;

    while (code < METRICS_STATUSES - 1 && statuses[code] != status)
        code++;
    metrics->routes[route].answers[code]++;
    buckets_add(&metrics->routes[route].durations, &bounds, duration_s);
    metrics->routes[route].sent_bytes += sent_bytes;
}

uint64_t metrics_answer_count(const struct metrics *metrics)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= routes_count; i++) {
        for (size_t j = 0; j < METRICS_STATUSES; j++)
            sum += metrics->routes[i].answers[j];
    }
    return sum;
}

#define PREFIX "highwater_httpapi_"

static const char *route_name(size_t route)
{
    return route < routes_count ? routes[route].name : "other";
}

static void write_requests(const struct prometheus *to, const struct metrics *metrics)
{
    prometheus_head(to, PREFIX "requests_total", "counter", "Requests by route and status.");
    for (size_t i = 0; i <= routes_count; i++) {
        for (size_t j = 0; j < METRICS_STATUSES; j++) {
            char code[16] = "other";
            const struct prometheus_label labels[] = {{"route", route_name(i)}, {"code", code}};

            if (metrics->routes[i].answers[j] == 0)
                continue;
            if (statuses[j] > 0)
                snprintf(code, sizeof(code), "%d", statuses[j]);
            prometheus_value(to, PREFIX "requests_total", labels, 2,
                             (double)metrics->routes[i].answers[j]);
        }
    }
    prometheus_head(to, PREFIX "sent_bytes_total", "counter", "Bytes of bodies sent, by route.");
    for (size_t i = 0; i <= routes_count; i++)
        prometheus_labelled(to, PREFIX "sent_bytes_total", "route", route_name(i),
                            (double)metrics->routes[i].sent_bytes);
}

static void write_durations(const struct prometheus *to, const struct metrics *metrics)
{
    prometheus_head(
        to, PREFIX "request_duration_seconds", "histogram",
        "From the request line to the end of the answer; streams last as long as they do.");
    for (size_t i = 0; i <= routes_count; i++) {
        const struct prometheus_label route = {"route", route_name(i)};

        if (buckets_count(&metrics->routes[i].durations) > 0)
            prometheus_histogram(to, PREFIX "request_duration_seconds", &route, &bounds,
                                 &metrics->routes[i].durations);
    }
}

static void write_data(const struct prometheus *to, struct api *api)
{
    const struct metrics *metrics = &api->metrics;
    uint64_t now_ms = uv_now(api->loop);

    prometheus_head(to, PREFIX "answers_total", "counter",
                    "Dashboards and other data by where they came from.");
    prometheus_labelled(to, PREFIX "answers_total", "source", "boards",
                        (double)metrics->from_boards);
    prometheus_labelled(to, PREFIX "answers_total", "source", "rendered_before",
                        (double)metrics->cached);
    prometheus_labelled(to, PREFIX "answers_total", "source", "old_boards",
                        (double)metrics->from_old_boards);
    prometheus_labelled(to, PREFIX "answers_total", "source", "database",
                        (double)metrics->from_database);
    prometheus_number(to, PREFIX "broker_up", "gauge", "1 while the broker is connected.",
                      api->broker->state == MQTT_LINK_UP);
    prometheus_number(to, PREFIX "broker_connects_total", "counter",
                      "Times the broker was connected to.", (double)api->broker->connects);
    prometheus_number(to, PREFIX "board_messages_total", "counter", "Boards and statuses read.",
                      (double)board_cache_message_count(api->boards, false));
    prometheus_number(
        to, PREFIX "board_messages_unreadable_total", "counter",
        "Those that were refused: malformed, of the future, or more than strangers to the "
        "database may say.",
        (double)board_cache_message_count(api->boards, true));
    prometheus_number(to, PREFIX "crossing_messages_total", "counter",
                      "Messages read that say which device is beyond a threshold, or is no longer.",
                      (double)crossings_message_count(api->crossings, false));
    prometheus_number(to, PREFIX "crossing_messages_unreadable_total", "counter",
                      "Those that were refused: malformed, on no such topic, or too many.",
                      (double)crossings_message_count(api->crossings, true));
    prometheus_number(to, PREFIX "crossings_kept", "gauge",
                      "How many of them are kept: devices, each with a threshold.",
                      (double)crossings_count(api->crossings));
    prometheus_number(to, PREFIX "board_kept_bytes", "gauge",
                      "About what is kept of boards and statuses.",
                      (double)board_cache_kept_bytes(api->boards));
    prometheus_number(to, PREFIX "collectors_live", "gauge", "Collectors whose boards are current.",
                      (double)board_cache_collector_count(api->boards, COLLECTOR_LIVE, now_ms));
    prometheus_number(to, PREFIX "collectors_warming", "gauge",
                      "Collectors that load their windows.",
                      (double)board_cache_collector_count(api->boards, COLLECTOR_WARMING, now_ms));
    prometheus_number(to, PREFIX "boards_current", "gauge",
                      "1 while boards are current and no collector's readings are missing.",
                      board_cache_verdict(api->boards, now_ms) == WEIGHED_EXACT);
    if (board_cache_as_of(api->boards) != INT64_MIN)
        prometheus_number(to, PREFIX "boards_as_of_seconds", "gauge",
                          "The as-of of the last boards that were whole, since 1970.",
                          (double)board_cache_as_of(api->boards) / 1e6);
    prometheus_number(to, PREFIX "roster_answers_total", "counter",
                      "Times the database said which collectors there are.",
                      (double)roster_answer_count(api->roster));
    prometheus_number(to, PREFIX "roster_failures_total", "counter",
                      "Times it was asked that and did not answer.",
                      (double)roster_failure_count(api->roster));
}

static void write_database(const struct prometheus *to, struct api *api)
{
    int64_t replayed_us;
    bool is_standby = roster_is_standby(api->roster, &replayed_us);

    prometheus_number(to, PREFIX "database_is_standby", "gauge",
                      "1 while the database is a standby, out of which all answers come.",
                      is_standby);
    prometheus_number(to, PREFIX "database_behind_seconds", "gauge",
                      "How far behind its primary the standby is at most, and so the as-of of "
                      "answers; 0 of a primary.",
                      is_standby ? (double)(timestamp_now() - replayed_us) / 1e6 : 0);
    prometheus_number(to, PREFIX "database_connections_up", "gauge",
                      "Connections to the database that are up.", (double)pool_up_count(api->pool));
    prometheus_number(to, PREFIX "database_connections_busy", "gauge",
                      "Connections with a query under way.", (double)pool_busy_count(api->pool));
    prometheus_number(to, PREFIX "database_waiting", "gauge", "Queries that wait for a connection.",
                      (double)pool_waiting_count(api->pool));
    prometheus_number(to, PREFIX "database_queries_total", "counter", "Queries run.",
                      (double)pool_job_count(api->pool));
    prometheus_number(to, PREFIX "database_queries_failed_total", "counter", "Queries that failed.",
                      (double)pool_failed_count(api->pool));
    prometheus_number(to, PREFIX "database_queries_refused_total", "counter",
                      "Queries turned away, since too many waited or the database was not there.",
                      (double)pool_refused_count(api->pool));
    prometheus_number(to, PREFIX "database_queries_cancelled_total", "counter",
                      "Queries that a standby cancelled, to replay what they were in the way of.",
                      (double)pool_cancelled_count(api->pool));
    prometheus_number(to, PREFIX "database_queries_shared_total", "counter",
                      "Requests that joined a query under way.",
                      (double)coalescer_shared_count(api->coalescer));
}

/* Of what there is no certificate, no alert may say that it ends. */
static void write_clients(const struct prometheus *to, const struct api *api)
{
    prometheus_number(to, PREFIX "wrong_tokens_total", "counter",
                      "Tokens of requests that are none of TOKEN_FILE.", (double)api->access.wrong);
    prometheus_number(to, PREFIX "tls_failures_total", "counter",
                      "Connections on which TLS could not be agreed on.",
                      (double)server_tls_failure_count(api->server));
    if (api->certificate.tls)
        prometheus_number(
            to, PREFIX "tls_not_after_timestamp_seconds", "gauge",
            "When our certificate expires, or one between it and its authority, since "
            "1970; only with TLS_CERT.",
            (double)tls_server_not_after(api->certificate.tls));
}

static void write_build(const struct prometheus *to)
{
    prometheus_head(to, PREFIX "build_info", "gauge", "Its version.");
    prometheus_labelled(to, PREFIX "build_info", "version", HIGHWATER_VERSION, 1);
}

void metrics_write(struct buffer *out, struct api *api)
{
    const struct prometheus to = {.out = out};
    struct buffer reasons = {0};

    prometheus_number(&to, PREFIX "ready", "gauge",
                      "1 while it answers with what is current: what /readyz says.",
                      probes_is_ready(api, &reasons));
    buffer_release(&reasons);
    write_requests(&to, &api->metrics);
    write_durations(&to, &api->metrics);
    prometheus_number(&to, PREFIX "connections", "gauge", "Connections of clients.",
                      (double)server_connection_count(api->server));
    prometheus_number(&to, PREFIX "connections_accepted_total", "counter", "Connections taken in.",
                      (double)server_accepted_count(api->server));
    prometheus_number(&to, PREFIX "connections_cut_total", "counter",
                      "Connections ended for being too slow.",
                      (double)server_cut_count(api->server));
    write_clients(&to, api);
    prometheus_number(&to, PREFIX "event_streams", "gauge", "Streams of events.",
                      (double)events_stream_count(api->events));
    prometheus_number(&to, PREFIX "events_sent_total", "counter", "Events sent, to each client.",
                      (double)events_sent_count(api->events));
    prometheus_number(&to, PREFIX "csv_streams", "gauge", "Exports under way.",
                      (double)api->csv_streams);
    write_data(&to, api);
    write_database(&to, api);
    prometheus_process(&to, api->started_us);
    write_build(&to);
}
