/* sparkplug_host.h: what a Sparkplug host application says: that it is there, and requests for births.
 *
 * Shape    an ordinary (ungated) connection of its own, since a connection has one last will, and that of the
 *          boards is taken: here it is spBv1.0/STATE/HOST, {"online":false,...}, retained. It is there, and
 *          says {"online":true,...}, while readings are stored: edge nodes that know this host keep
 *          what they have while it is not.
 * Requests are taken ten times a second, at most REQUESTS_AT_ONCE at a time, so that a start that finds
 *          thousands of nodes without their births does not have all of them born at once.
 * Owner    sparkplug_host_start() makes it, sparkplug_host_close() frees it in the end.
 * Source   Eclipse Sparkplug 3.0, 5.14 to 5.17 and 6.4.
 */
#ifndef HIGHWATER_SPARKPLUG_HOST_H
#define HIGHWATER_SPARKPLUG_HOST_H

#include "collector/decoders/sparkplug.h"
#include "collector/settings.h"

#include <uv.h>

enum { SPARKPLUG_STATE_TOPIC_SIZE = 160 };

/* Where a collector of this id says that it is there, unless SPARKPLUG_HOST names it otherwise. */
void sparkplug_state_topic(char out[SPARKPLUG_STATE_TOPIC_SIZE], const struct settings *settings,
                           const char *collector_id);

/* Of what stands there. */
bool sparkplug_state_is_offline(const void *payload, size_t bytes);

struct sparkplug_host_config {
    uv_loop_t *loop;
    const struct settings *settings;
    struct sparkplug *sparkplug;
    void *user;
    bool (*is_live)(void *user);          /* readings are stored */
    const char *(*client_id)(void *user); /* of the collector, once it is live */
};

struct sparkplug_host;

struct sparkplug_host *sparkplug_host_start(const struct sparkplug_host_config *config);

/* Says that we are not there any more, and frees it when that has left. NULL is fine. */
void sparkplug_host_close(struct sparkplug_host *host);

#endif
