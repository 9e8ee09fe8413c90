/* devices.h: the answer to /devices: what of its parameters goes together.
 *
 * Shape    a page begins after a place: the number that it is ordered by, which is 0 in the order of ids, _ and
 *          an id. It looks the same in every order, so that the contract can say what is legal. So a page begins
 *          where the last one ended, also when the device there has moved meanwhile.
 * Errors   400 where it is no place.
 */
#ifndef HIGHWATER_DEVICES_ANSWER_H
#define HIGHWATER_DEVICES_ANSWER_H

#include "httpapi/route.h"

#define DEVICES_SILENT_FOR_US                                                                      \
    (INT64_C(300) * 1000000) /* of status=silent, unless silentFor says it */

extern const char *const devices_sorts[];  /* as enum devices_sort */
extern const char *const devices_states[]; /* as enum devices_state */

/* The number and the id of a place; false when it is none. */
bool devices_parse_place(const char *text, int64_t *number, const char **id);

void devices_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params);

#endif
