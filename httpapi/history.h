/* history.h: the readings of one device: a JSON page, or all of it as CSV.
 *
 * Shape    what is asked for decides; CSV of all is a stream (export.h).
 */
#ifndef HIGHWATER_HISTORY_H
#define HIGHWATER_HISTORY_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

void history_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params);

#endif
