/* routes.h: THE table: every path, its parameters, what it answers with and who makes the answer.
 *
 * Shape    routing, the index page and the OpenAPI document all come from this table.
 * Errors   whatever does not fit it is answered with a problem.
 */
#ifndef HIGHWATER_ROUTES_H
#define HIGHWATER_ROUTES_H

#include "httpapi/api.h"
#include "httpapi/problem.h"
#include "httpapi/queries.h"
#include "shared/net/http_server.h"

#include <stdbool.h>
#include <stddef.h>

enum { ROUTE_TYPES_MAX = 2 };

struct route {
    const char *path; /* {deviceId} stands for one segment */
    const char *name; /* label of the metrics and operationId */
    void (*handle)(struct api *api, struct server_request *request, const struct route *route,
                   struct params *params);
    const struct query_kind *query;         /* what the database is asked, NULL where it is not */
    const struct param *params;             /* ended by {0} */
    const char *types[ROUTE_TYPES_MAX + 1]; /* media types on offer, the preferred one first */
    const char *schema;                     /* of the JSON, among those of openapi.c */
    const char *summary;
    const char *help;
};

extern const struct route routes[];
extern const size_t routes_count;

/* The parameters of a request that has its route. */
bool routes_parse(struct api *api, const struct server_request *request, struct params *out,
                  struct problem *problem);

/* The server's callbacks; `user` is the struct api. */
void routes_on_request(void *user, struct server_request *request);
void routes_on_done(void *user, struct server_request *request);

/* The callbacks of questions.h. */
struct server_answer *routes_on_answer(void *user, struct query *query);
void routes_on_failed(void *user, struct server_request *request, const struct problem *problem);

#endif
