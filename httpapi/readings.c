#include "httpapi/readings.h"

#include "httpapi/ask.h"
#include "httpapi/export.h"
#include "httpapi/reply.h"

#include <string.h>

enum { POINTS = 500 }; /* as many as a plot has room for */

static const struct export_kind csv = {
    .page = &query_fleet_csv, .content_type = REPLY_CSV, .put_head = query_put_csv_head};
static const struct export_kind lines = {.page = &query_fleet_lines, .content_type = REPLY_LINES};

void readings_answer(struct api *api, struct server_request *request, const struct route *route,
                     struct params *params)
{
    struct problem problem = {0};

    if (params->group[0] && params->device_count > 0) {
        problem_set_parameter(&problem, "group", params->group, strlen(params->group),
                              "left out where a deviceId is given");
        reply_problem(api, request, &problem, NULL);
        return;
    }
    if (params->points == 0 && params->format != FORMAT_JSON) {
        export_answer(api, request, params, params->format == FORMAT_CSV ? &csv : &lines);
        return;
    }
    if (params->points == 0)
        params->points = POINTS;
    ask_database(api, request, route, params);
}
