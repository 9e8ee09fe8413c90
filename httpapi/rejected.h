/* rejected.h: the answer to /rejected: a page to look at, or all of it as JSON lines (export.h).
 *
 * Shape    both have objects with the same members.
 */
#ifndef HIGHWATER_REJECTED_ANSWER_H
#define HIGHWATER_REJECTED_ANSWER_H

#include "httpapi/route.h"

void rejected_answer(struct api *api, struct server_request *request, const struct route *route,
                     struct params *params);

#endif
