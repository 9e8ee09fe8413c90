#include "httpapi/devices.h"

#include "httpapi/ask.h"
#include "httpapi/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const devices_sorts[] = {"deviceId", "lastHeardAt",      "clockOffsetMs",
                                     "missing",  "rejectedPastHour", NULL};
const char *const devices_states[] = {"silent", "losing", "refused", NULL};

/* What lies beyond the years that there are is no moment for the database; every number is within. */
#define PLACE_MOST INT64_C(253402300799999999)

bool devices_parse_place(const char *text, int64_t *number, const char **id)
{
    size_t sign = *text == '-';
    size_t digits = strspn(text + sign, "0123456789");

    if (digits == 0 || digits > 18 || text[sign + digits] != '_' || !text[sign + digits + 1])
        return false;
    *number = strtoll(text, NULL, 10);
    *number = *number > PLACE_MOST ? PLACE_MOST : *number < -PLACE_MOST ? -PLACE_MOST : *number;
    *id = text + sign + digits + 1;
    return true;
}

void devices_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params)
{
    struct problem problem = {0};
    const char *id;
    int64_t number;

    if (!params->after[0] || devices_parse_place(params->after, &number, &id)) {
        ask_database(api, request, route, params);
        return;
    }
    problem_set_parameter(&problem, "after", params->after, strlen(params->after),
                          "what an earlier answer gave as \"next\"");
    reply_problem(api, request, &problem, NULL);
}
