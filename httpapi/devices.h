/* devices.h: the answer to /devices: what of its parameters goes together.
 *
 * Shape    a page begins after a place: in the order of ids that is an id, in the others the number that it is
 *          ordered by, _ and an id. So a page begins where the last one ended, also when the device there has
 *          moved meanwhile.
 * Errors   400 where the place is of another order.
 */
#ifndef HIGHWATER_DEVICES_ANSWER_H
#define HIGHWATER_DEVICES_ANSWER_H

#include "httpapi/route.h"

#define DEVICES_SILENT_FOR_US                                                                      \
    (INT64_C(300) * 1000000) /* of status=silent, unless silentFor says it */

extern const char *const devices_sorts[];  /* as enum devices_sort */
extern const char *const devices_states[]; /* as enum devices_state */

/* The number and the id of a place of that order; false when it is none. */
bool devices_parse_place(const char *text, int64_t *number, const char **id);

void devices_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params);

#endif
