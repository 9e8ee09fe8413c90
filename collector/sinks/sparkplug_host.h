/* sparkplug_host.h: what a Sparkplug host application says: that it is there, and requests for births.
 *
 * Shape    an ordinary (ungated) connection of its own, since a connection has one last will, and that of the
 *          boards is taken: here it is spBv1.0/STATE/HOST, {"online":false,...}, retained. It is there, and
 *          says {"online":true,...}, while readings are stored: edge nodes that know this host keep
 *          what they have while it is not.
 * Requests are taken ten times a second, at most REQUESTS_AT_ONCE at a time, so that a start that finds
 *          thousands of nodes without their births does not have all of them born at once.
 * Owner    embedded; it is open from sparkplug_host_start() until sparkplug_host_close(), or never.
 * Source   Eclipse Sparkplug 3.0, 5.14 to 5.17 and 6.4.
 */
#ifndef HIGHWATER_SPARKPLUG_HOST_H
#define HIGHWATER_SPARKPLUG_HOST_H

#include "collector/decoders/sparkplug.h"
#include "collector/settings.h"
#include "shared/net/mqtt_link.h"

struct sparkplug_host_config {
    uv_loop_t *loop;
    const struct settings *settings;
    struct sparkplug *sparkplug;
    void *user;
    bool (*is_live)(void *user);          /* readings are stored */
    const char *(*client_id)(void *user); /* of the collector, once it is live */
};

struct sparkplug_host {
    struct sparkplug_host_config config;
    bool is_open;
    bool is_joined;
    bool is_contradicted; /* another has said that we are not there */
    unsigned ticks;
    uv_timer_t timer;
    struct mqtt_link link;
    struct buffer request;
    char client_id[160];
    char topic[160];
    char will[64];
    int64_t since_ms; /* the timestamp of birth and will, which are a pair */
};

void sparkplug_host_start(struct sparkplug_host *host, const struct sparkplug_host_config *config);

/* Says that we are not there any more. */
void sparkplug_host_close(struct sparkplug_host *host);

#endif
