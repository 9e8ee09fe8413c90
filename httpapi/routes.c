#include "httpapi/routes.h"

#include "httpapi/ask.h"
#include "httpapi/dashboard.h"
#include "httpapi/events.h"
#include "httpapi/history.h"
#include "httpapi/page.h"
#include "httpapi/probes.h"
#include "httpapi/reply.h"
#include "shared/net/prometheus.h"

#include <assert.h>
#include <stddef.h>

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
     .answer_again = dashboard_answer_again,
     .on_failed = dashboard_on_failed,
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
     .handle = ask_database,
     .query = &query_devices,
     .params = device_params,
     .types = {REPLY_JSON},
     .schema = "Devices",
     .summary = "All devices, by id",
     .help = "Pages by cursor: pass \"next\" as `after` until it is null."},
    {.path = "/devices/{deviceId}",
     .name = "device",
     .handle = ask_database,
     .query = &query_device,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Device",
     .summary = "One device",
     .help = "Its latest reading, its all-time peaks, its readings by status."},
    {.path = "/devices/{deviceId}/histogram",
     .name = "device_histogram",
     .handle = ask_database,
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
     .handle = ask_database,
     .query = &query_histogram,
     .params = histogram_params,
     .types = {REPLY_JSON},
     .schema = "Histogram",
     .summary = "How often the fleet had each status, or value",
     .help = "The histogram of all devices together."},
    {.path = "/collectors",
     .name = "collectors",
     .handle = probes_answer_collectors,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Collectors",
     .summary = "The collectors and what they last said of themselves",
     .help = "Their counters are in their own metrics."},
    {.path = "/metrics",
     .name = "metrics",
     .handle = probes_answer_metrics,
     .params = no_params,
     .types = {PROMETHEUS_CONTENT_TYPE},
     .summary = "Metrics of this program, for Prometheus",
     .help = "Text format 0.0.4."},
    {.path = "/healthz",
     .name = "healthz",
     .handle = probes_answer_health,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Health",
     .summary = "Is the program alive?",
     .help = "200 as long as it answers at all."},
    {.path = "/readyz",
     .name = "readyz",
     .handle = probes_answer_readiness,
     .params = no_params,
     .types = {REPLY_JSON},
     .schema = "Health",
     .summary = "Can it answer everything?",
     .help = "200 with a database and current boards, else 503 with the reasons."},
    {.path = "/openapi.json",
     .name = "openapi",
     .handle = probes_answer_openapi,
     .params = no_params,
     .types = {REPLY_JSON},
     .summary = "This contract",
     .help = "OpenAPI 3.1, made from the table that routes requests."},
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static_assert(sizeof(routes) / sizeof(routes[0]) < METRICS_ROUTES_MAX, "metrics have no room");
