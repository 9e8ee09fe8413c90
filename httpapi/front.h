/* front.h: how this process fares, for whoever looks at the page: a few of what /metrics has.
 *
 * Shape    {"startedAt","isBrokerUp","databaseConnections","databaseBusy","databaseWaiting",
 *          "databaseFailed","connections","streams","requests","memoryBytes"}
 * Units    `databaseFailed` and `requests` count from `startedAt` on; the others are of now.
 */
#ifndef HIGHWATER_FRONT_H
#define HIGHWATER_FRONT_H

#include "httpapi/api.h"
#include "shared/base/buffer.h"

void front_write(struct buffer *out, const struct api *api);

#endif
