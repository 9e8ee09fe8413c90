/* board_history.h: the lines beside the rows of boards: the past hour of every device that is on them.
 *
 * Shape    which devices: those of the boards in memory when they are whole, so that it is what the page shows;
 *          else, and of a span of time, those that the tables say. One question for all boards of a page.
 * Limits   BOARD_HISTORY_ROWS in all: of more features, fewer rows each.
 */
#ifndef HIGHWATER_BOARD_HISTORY_H
#define HIGHWATER_BOARD_HISTORY_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

enum {
    BOARD_HISTORY_ROWS = 1200
}; /* an hour of as many devices, a reading a second each: three seconds of SQL */

void board_history_answer(struct api *api, struct server_request *request,
                          const struct route *route, struct params *params);

#endif
