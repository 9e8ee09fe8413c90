/* dashboard.h: who ranks highest, from the boards in memory where they are exact, else from SQL.
 *
 * Shape    answers are kept by their target for as long as the weighed set they come from stands
 *          and is current, so that a thousand screens cost one rendering per set.
 * Owner    dashboard_new() and dashboard_free().
 */
#ifndef HIGHWATER_DASHBOARD_H
#define HIGHWATER_DASHBOARD_H

#include "httpapi/api.h"
#include "httpapi/problem.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

#include <stdbool.h>

struct dashboard;

extern const char *const dashboard_bys[]; /* as enum board_by */

struct dashboard *dashboard_new(void);
void dashboard_free(struct dashboard *dashboard);

/* Answers the request if exactly this target was answered from the same set before. */
bool dashboard_answer_again(struct api *api, struct server_request *request);

void dashboard_answer(struct api *api, struct server_request *request, const struct route *route,
                      struct params *params);

/* The database could not answer: the last set that was whole, with its own as-of. */
void dashboard_on_failed(struct api *api, struct server_request *request, const struct query *query,
                         const struct problem *problem);

#endif
