/* readings.h: the readings of several devices, or of all: a plot's steps, or every one of them, streamed. */
#ifndef HIGHWATER_READINGS_H
#define HIGHWATER_READINGS_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

void readings_answer(struct api *api, struct server_request *request, const struct route *route,
                     struct params *params);

#endif
