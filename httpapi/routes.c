#include "httpapi/routes.h"

#include "httpapi/ask.h"
#include "httpapi/board_history.h"
#include "httpapi/dashboard.h"
#include "httpapi/devices.h"
#include "httpapi/events.h"
#include "httpapi/history.h"
#include "httpapi/page.h"
#include "httpapi/probes.h"
#include "httpapi/readings.h"
#include "httpapi/rejected.h"
#include "httpapi/reply.h"
#include "httpapi/thresholds.h"
#include "shared/net/prometheus.h"

#include <assert.h>
#include <stddef.h>

#define AT(member) offsetof(struct params, member)

static const struct param no_params[] = {{0}};

#define FROM_AND_TO                                                                                \
    {.name = "from", .kind = PARAM_TIMESTAMP, .offset = AT(from_us)},                              \
    {                                                                                              \
        .name = "to", .kind = PARAM_TIMESTAMP, .offset = AT(to_us)                                 \
    }

#define OF_TIME {.name = "interval", .kind = PARAM_INTERVAL, .fallback = "all_time"}, FROM_AND_TO

#define BINS                                                                                       \
    {.name = "bins",                                                                               \
     .kind = PARAM_COUNT,                                                                          \
     .offset = AT(bins),                                                                           \
     .least = 1,                                                                                   \
     .most = 1000,                                                                                 \
     .fallback = "20"}

#define OF_A_GROUP {.name = "group", .kind = PARAM_TEXT, .offset = AT(group)}

#define TOP_DEVICES                                                                                \
    {.name = "limit", .kind = PARAM_TOP, .offset = AT(limit), .least = 1, .most = BOARD_ENTRIES_MAX}

#define HIGHEST_FIRST {.name = "order", .kind = PARAM_ORDER, .fallback = "desc"}

/* Which board is meant. */
#define OF_A_BOARD                                                                                 \
    {.name = "by",                                                                                 \
     .kind = PARAM_CHOICE,                                                                         \
     .offset = AT(by),                                                                             \
     .choices = dashboard_bys,                                                                     \
     .fallback = "maximum"},                                                                       \
        {.name = "features", .kind = PARAM_FEATURES},                                              \
        {.name = "interval", .kind = PARAM_INTERVAL}, FROM_AND_TO, OF_A_GROUP, TOP_DEVICES,        \
        HIGHEST_FIRST

static const struct param board_params[] = {OF_A_BOARD, {0}};

static const char *const no_or_yes[] = {"false", "true", NULL};

static const struct param line_params[] = {OF_A_BOARD,
                                           {.name = "points",
                                            .kind = PARAM_COUNT,
                                            .offset = AT(points),
                                            .least = 2,
                                            .most = 120,
                                            .fallback = "60"},
                                           {0}};

static const struct param event_params[] = {{.name = "changes",
                                             .kind = PARAM_CHOICE,
                                             .offset = AT(changes),
                                             .choices = no_or_yes,
                                             .fallback = "false"},
                                            {.name = "features", .kind = PARAM_FEATURES},
                                            {.name = "interval", .kind = PARAM_INTERVALS},
                                            HIGHEST_FIRST,
                                            {0}};

static const struct param device_params[] = {
    {.name = "after", .kind = PARAM_TEXT, .offset = AT(after), .most = PARAM_PLACE_CHARACTERS},
    OF_A_GROUP,
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(limit),
     .least = 1,
     .most = 1000,
     .fallback = "100"},
    {.name = "order", .kind = PARAM_ORDER, .fallback = "asc"},
    {.name = "q", .kind = PARAM_TEXT, .offset = AT(q)},
    {.name = "silentFor", .kind = PARAM_DURATION, .offset = AT(silent_for_us)},
    {.name = "sort",
     .kind = PARAM_CHOICE,
     .offset = AT(sort),
     .choices = devices_sorts,
     .fallback = "deviceId"},
    {.name = "status", .kind = PARAM_CHOICE, .offset = AT(state), .choices = devices_states},
    {0}};

static const struct param threshold_params[] = {
    {.name = "feature", .kind = PARAM_FEATURE},
    OF_A_GROUP,
    {.name = "q", .kind = PARAM_TEXT, .offset = AT(q)},
    {.name = "side", .kind = PARAM_CHOICE, .offset = AT(side), .choices = thresholds_sides},
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(limit),
     .least = 1,
     .most = CROSSINGS_PAGE_MAX,
     .fallback = "100"},
    HIGHEST_FIRST,
    {.name = "after", .kind = PARAM_CURSOR, .offset = AT(cursor)},
    {0}};

static const struct param distribution_params[] = {
    {.name = "feature", .kind = PARAM_FEATURE, .is_required = true},
    BINS,
    {.name = "quantiles", .kind = PARAM_QUANTILES, .offset = AT(quantiles)},
    OF_TIME,
    {0}};

static const struct param heatmap_params[] = {
    {.name = "feature", .kind = PARAM_FEATURE, .is_required = true},
    {.name = "columns",
     .kind = PARAM_COUNT,
     .offset = AT(columns),
     .least = 2,
     .most = 400,
     .fallback = "100"},
    {.name = "rows",
     .kind = PARAM_COUNT,
     .offset = AT(bins),
     .least = 1,
     .most = 100,
     .fallback = "32"},
    FROM_AND_TO,
    {.name = "high", .kind = PARAM_NUMBER, .offset = AT(high)},
    {.name = "line", .kind = PARAM_DEVICE, .offset = AT(device_id)},
    {.name = "low", .kind = PARAM_NUMBER, .offset = AT(low)},
    {.name = "since", .kind = PARAM_TIMESTAMP, .offset = AT(since_us)},
    {0}};

static const struct param histogram_params[] = {OF_TIME, {0}};

static const struct param device_histogram_params[] = {
    {.name = "feature", .kind = PARAM_FEATURE}, BINS, OF_TIME, {0}};

static const char *const json_or_csv[] = {"json", "csv", NULL};

static const struct param reading_params[] = {
    FROM_AND_TO,
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(rows),
     .least = 1,
     .most = UINT64_C(1000000000000)},
    HIGHEST_FIRST,
    {.name = "after", .kind = PARAM_CURSOR, .offset = AT(cursor)},
    {.name = "format", .kind = PARAM_FORMAT, .choices = json_or_csv},
    {0}};

static const struct param point_params[] = {
    FROM_AND_TO,
    {.name = "points",
     .kind = PARAM_COUNT,
     .offset = AT(points),
     .least = 1,
     .most = 10000,
     .fallback = "500"},
    {.name = "format", .kind = PARAM_FORMAT, .choices = json_or_csv},
    {0}};

static const char *const json_or_lines[] = {"json", "jsonl", NULL};

static const struct param rejected_params[] = {
    {.name = "reason", .kind = PARAM_TEXT, .offset = AT(reason)},
    {.name = "device", .kind = PARAM_DEVICE, .offset = AT(device_id)},
    FROM_AND_TO,
    {.name = "after", .kind = PARAM_CURSOR, .offset = AT(cursor)},
    {.name = "limit",
     .kind = PARAM_COUNT,
     .offset = AT(rows),
     .least = 1,
     .most = UINT64_C(1000000000000)},
    {.name = "bytes",
     .kind = PARAM_COUNT,
     .offset = AT(payload_bytes),
     .least = 0,
     .most = 16384,
     .fallback = "1024"},
    {.name = "format", .kind = PARAM_FORMAT, .choices = json_or_lines},
    {0}};

static const struct param rejected_count_params[] = {FROM_AND_TO, {0}};

static const char *const any_format[] = {"json", "csv", "jsonl", NULL};

static const struct param compare_params[] = {
    {.name = "deviceId", .kind = PARAM_DEVICES},
    {.name = "features", .kind = PARAM_FEATURES},
    FROM_AND_TO,
    OF_A_GROUP,
    {.name = "points", .kind = PARAM_COUNT, .offset = AT(points), .least = 1, .most = 2000},
    {.name = "format", .kind = PARAM_FORMAT, .choices = any_format},
    {0}};

const struct route routes[] = {
    {.path = "/",
     .name = "page",
     .group = TOKEN_PAGE,
     .handle = page_answer,
     .params = no_params,
     .types = {REPLY_HTML},
     .summary = "The page"},
    {.path = "/dashboard",
     .name = "dashboard",
     .group = TOKEN_READ,
     .handle = dashboard_answer,
     .answer_again = dashboard_answer_again,
     .on_failed = dashboard_on_failed,
     .query = &query_dashboard,
     .params = board_params,
     .types = {REPLY_JSON},
     .summary = "Which devices have the highest values"},
    {.path = "/boards/history",
     .name = "board_history",
     .group = TOKEN_READ,
     .handle = board_history_answer,
     .query = &query_board_history,
     .params = line_params,
     .types = {REPLY_JSON},
     .summary = "The past hour of every device that is on a board"},
    {.path = "/events",
     .name = "events",
     .group = TOKEN_EVENTS,
     .handle = events_answer,
     .params = event_params,
     .types = {REPLY_EVENTS},
     .summary = "Boards as they change"},
    {.path = "/devices",
     .name = "devices",
     .group = TOKEN_READ,
     .handle = devices_answer,
     .query = &query_devices,
     .params = device_params,
     .types = {REPLY_JSON},
     .summary = "All devices, and how each is"},
    {.path = "/thresholds",
     .name = "thresholds",
     .group = TOKEN_READ,
     .handle = thresholds_answer,
     .on_failed = thresholds_on_failed,
     .query = &query_thresholds,
     .params = threshold_params,
     .types = {REPLY_JSON},
     .summary = "Which devices are beyond a threshold"},
    {.path = "/groups",
     .name = "groups",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_groups,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "The groups that devices say they are of"},
    {.path = "/devices/{deviceId}",
     .name = "device",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_device,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "One device"},
    {.path = "/devices/{deviceId}/histogram",
     .name = "device_histogram",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_histogram,
     .params = device_histogram_params,
     .types = {REPLY_JSON},
     .summary = "How often a device had each status"},
    {.path = "/devices/{deviceId}/distribution",
     .name = "device_distribution",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_distribution,
     .params = distribution_params,
     .types = {REPLY_JSON},
     .summary = "How often a device had each value"},
    {.path = "/devices/{deviceId}/points",
     .name = "device_points",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_points,
     .params = point_params,
     .types = {REPLY_JSON, REPLY_CSV},
     .summary = "A device's history in steps"},
    {.path = "/devices/{deviceId}/readings",
     .name = "device_readings",
     .group = TOKEN_READ,
     .handle = history_answer,
     .query = &query_readings,
     .params = reading_params,
     .types = {REPLY_JSON, REPLY_CSV},
     .summary = "What a device sent"},
    {.path = "/readings",
     .name = "readings",
     .group = TOKEN_READ,
     .handle = readings_answer,
     .query = &query_steps,
     .params = compare_params,
     .types = {REPLY_JSON, REPLY_CSV, REPLY_LINES},
     .summary = "What several devices sent, or all of them"},
    {.path = "/histogram",
     .name = "histogram",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_histogram,
     .params = histogram_params,
     .types = {REPLY_JSON},
     .summary = "How often the fleet had each status"},
    {.path = "/distribution",
     .name = "distribution",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_distribution,
     .params = distribution_params,
     .types = {REPLY_JSON},
     .summary = "How often the fleet had each value"},
    {.path = "/rejected",
     .name = "rejected",
     .group = TOKEN_REJECTED,
     .handle = rejected_answer,
     .query = &query_rejected,
     .params = rejected_params,
     .types = {REPLY_JSON, REPLY_LINES},
     .summary = "Messages that were rejected, as they came"},
    {.path = "/rejected/counts",
     .name = "rejected_counts",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_rejected_counts,
     .params = rejected_count_params,
     .types = {REPLY_JSON},
     .summary = "How many messages were rejected in each hour, and why"},
    {.path = "/heatmap",
     .name = "heatmap",
     .group = TOKEN_READ,
     .handle = ask_database,
     .query = &query_heatmap,
     .params = heatmap_params,
     .types = {REPLY_JSON},
     .summary = "The fleet at a glance: time by value"},
    {.path = "/collectors",
     .name = "collectors",
     .group = TOKEN_READ,
     .handle = probes_answer_collectors,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "The collectors and what they last said of themselves"},
    {.path = "/metrics",
     .name = "metrics",
     .group = TOKEN_METRICS,
     .handle = probes_answer_metrics,
     .params = no_params,
     .types = {PROMETHEUS_CONTENT_TYPE},
     .summary = "Metrics of this program, for Prometheus"},
    {.path = "/health",
     .name = "health",
     .group = TOKEN_OPEN,
     .handle = probes_answer_verdict,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "What is wrong, since when, and what to do"},
    {.path = "/healthz",
     .name = "healthz",
     .group = TOKEN_OPEN,
     .handle = probes_answer_health,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "Is the program alive?"},
    {.path = "/readyz",
     .name = "readyz",
     .group = TOKEN_OPEN,
     .handle = probes_answer_readiness,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "Can it answer everything?"},
    {.path = "/openapi.json",
     .name = "openapi",
     .group = TOKEN_READ,
     .handle = probes_answer_openapi,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "This contract"},
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static_assert(sizeof(routes) / sizeof(routes[0]) < METRICS_ROUTES_MAX, "metrics have no room");
