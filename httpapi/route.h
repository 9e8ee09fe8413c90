/* route.h: what one path is: its parameters, what it answers with and which function makes the answer. */
#ifndef HIGHWATER_ROUTE_H
#define HIGHWATER_ROUTE_H

#include "httpapi/api.h"
#include "httpapi/problem.h"
#include "httpapi/query.h"
#include "shared/net/http_server.h"

#include <stdbool.h>

enum { ROUTE_TYPES_MAX = 3 };

struct route {
    const char *path;       /* {deviceId} stands for one segment */
    const char *name;       /* label of the metrics and operationId */
    enum token_group group; /* which a token must open */
    void (*handle)(struct api *api, struct server_request *request, const struct route *route,
                   struct params *params);
    /* Answers what was answered before, without parsing; false when there is no such answer. NULL =
     * never. */
    bool (*answer_again)(struct api *api, struct server_request *request);
    /* The database could not answer `query`; NULL = the problem is the answer. */
    void (*on_failed)(struct api *api, struct server_request *request, const struct query *query,
                      const struct problem *problem);
    const struct query_kind *query;         /* what the database is asked, NULL where it is not */
    const struct param *params;             /* ended by {0} */
    const char *types[ROUTE_TYPES_MAX + 1]; /* media types on offer, the preferred one first */
    const char *summary;                    /* as in openapi.json */
};

#endif
