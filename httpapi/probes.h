/* probes.h: what the program says of itself and of the collectors: handlers of routes.c that only
 * write down what is known already. */
#ifndef HIGHWATER_PROBES_H
#define HIGHWATER_PROBES_H

#include "httpapi/route.h"

/* True when it can answer from the database and all collectors' boards. Otherwise the reasons are appended, a
 * line each. */
bool probes_is_ready(struct api *api, struct buffer *reasons);

void probes_answer_health(struct api *api, struct server_request *request,
                          const struct route *route, struct params *params);
void probes_answer_verdict(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params);
void probes_answer_readiness(struct api *api, struct server_request *request,
                             const struct route *route, struct params *params);
void probes_answer_collectors(struct api *api, struct server_request *request,
                              const struct route *route, struct params *params);
void probes_answer_metrics(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params);
void probes_answer_openapi(struct api *api, struct server_request *request,
                           const struct route *route, struct params *params);

#endif
