/* api.h: what the routes stand on, in one place.
 *
 * Owner    main.c fills and frees it; handlers borrow it for a request.
 */
#ifndef HIGHWATER_API_H
#define HIGHWATER_API_H

#include "httpapi/access.h"
#include "httpapi/catalog.h"
#include "httpapi/certificate.h"
#include "httpapi/metrics.h"
#include "httpapi/params.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct board_cache;
struct dashboard;
struct events;
struct mqtt_link;
struct openapi;
struct page;
struct pool;
struct coalescer;
struct crossings;
struct roster;
struct server;

struct api {
    uv_loop_t *loop;
    struct catalog
        *catalog; /* read at the start of a request; a keeper of positions in it holds it */
    struct catalog_chooser chooser;
    struct params_rules rules; /* points into the catalog */
    const char *cors_origin;   /* "" = closed */
    struct access access;
    struct certificate certificate;
    bool has_access_log;
    uint64_t max_event_streams;
    uint64_t max_csv_streams;

    struct server *server;
    struct board_cache *boards;
    struct crossings *crossings;
    struct pool *pool;
    struct roster *roster;
    struct coalescer *coalescer;
    struct dashboard *dashboard;
    struct events *events;
    struct page *page;
    struct server_answer *openapi;
    const struct mqtt_link *broker;
    struct metrics metrics;
    size_t csv_streams;
    int64_t started_us;
};

#endif
