/* history.h: the readings of one device: a JSON page, a plot's steps, or all of it as CSV.
 *
 * Shape    CSV is a stream made page by page, each page a query of its own after the last row of
 *          the page before. So a slow reader holds neither a connection to the database nor more
 *          than one page of memory, and may take as long as the server's deadlines allow.
 * Limits   api->max_csv_streams at a time; a database that fails midway cuts the connection, which
 *          the client sees as a stream that did not end.
 */
#ifndef HIGHWATER_HISTORY_H
#define HIGHWATER_HISTORY_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

void history_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params);

#endif
