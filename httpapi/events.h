/* events.h: boards as server-sent events, to every client that listens.
 *
 * Shape    one slot per board that a client listens to. A slot that changes gets the next number, and
 *          its event is rendered once, however many clients it goes to. A client is only a position in these
 *          numbers: it is sent every slot above it, lowest first. So a client that cannot keep up
 *          skips to the present on its own, none has a queue, and Last-Event-ID is nothing but a
 *          position.
 *          event: board   {"feature","interval","order","asOf","source","readings":[...]}
 *          event: change  {"feature",...,"source","upon","removed","added"}, to a client that wants changes and
 *                         has the board that this one goes upon (board_changes.h)
 *          event: status  {"source","at","asOf","health","reason","collectors":[...],"front"}, every second,
 *                         which is the heartbeat too
 * Limits   api->max_event_streams, each with 64 kB more for a client that takes gzip; a client that takes
 *          nothing is cut by the server's deadline.
 * Owner    events_new(); events_close() when no request is left.
 * Source   HTML Living Standard, section 9.2.
 */
#ifndef HIGHWATER_EVENTS_H
#define HIGHWATER_EVENTS_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

#include <stddef.h>
#include <stdint.h>

struct events;

struct events *events_new(struct api *api);

/* No more questions to the database; streams that are left end with what they have. */
void events_stop(struct events *events);
void events_close(struct events *events, void (*on_closed)(void *user), void *user);

/* The weighed set, or whether it is current, may have changed. */
/* There is another catalog. Streams end; a client that reconnects gets the boards that there are now. */
void events_renew(struct events *events);

void events_look(struct events *events);

/* The route /events. */
void events_answer(struct api *api, struct server_request *request, const struct route *route,
                   struct params *params);

size_t events_stream_count(const struct events *events);
uint64_t events_sent_count(const struct events *events);

#endif
