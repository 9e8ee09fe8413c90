/* check_broker.h: --check of a broker: that it lets us in, subscribe, publish, and read what we publish.
 *
 * Shape    a connection with a client id of its own, and no session: nobody else's is touched. A message of
 *          our own, not retained, on a topic that is ours. What nobody but devices may publish cannot be
 *          read back; there it listens for a moment.
 * Why      a broker may grant a subscription and deliver nothing, or acknowledge a message and drop it:
 *          Mosquitto's acl_file does both.
 * Bounds   LISTEN_MS for messages of others, `timeout_ms` for the rest.
 */
#ifndef HIGHWATER_CHECK_BROKER_H
#define HIGHWATER_CHECK_BROKER_H

#include "shared/base/check.h"
#include "shared/net/mqtt_link.h"

struct check_broker {
    struct mqtt_link_config mqtt; /* how to reach it */
    const char *const *filters;   /* what would be subscribed to */
    size_t filter_count;
    const char *topic; /* ours, to publish on and read back; NULL = there is none */
    unsigned needs;    /* mqtt_terms.h */
    uint64_t timeout_ms;
};

void check_broker_run(struct check *check, const struct check_broker *broker);

#endif
