/* mqtt_subscriptions.h: what a connection has subscribed to, and what the broker said to that.
 *
 * Shape    filters, each asked for, granted or refused. Those that may be missing (`$SYS`) are
 *          asked for only when all others are answered. A broker that ends the connection then does
 *          so because of them; after the second time it is spared them.
 * Owner    embedded; zeroed is empty; mqtt_subscriptions_release() frees it. Filters are copied. What is
 *          returned is valid until the next is noted.
 */
#ifndef HIGHWATER_MQTT_SUBSCRIPTIONS_H
#define HIGHWATER_MQTT_SUBSCRIPTIONS_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum { MQTT_FILTER_SIZE = 256 };

enum mqtt_subscription_state {
    MQTT_SUBSCRIPTION_NOTED, /* not yet asked for */
    MQTT_SUBSCRIPTION_ASKED,
    MQTT_SUBSCRIPTION_GRANTED,
    MQTT_SUBSCRIPTION_REFUSED
};

struct mqtt_subscription {
    char filter[MQTT_FILTER_SIZE];
    enum mqtt_subscription_state state;
    bool is_optional;
    bool is_refusal_said;
    int qos;
    int options;
    int mid;
    char refusal[96];
};

struct mqtt_subscriptions {
    struct mqtt_subscription *items;
    size_t count;
    size_t capacity;
    unsigned strikes; /* connections in a row that ended when something optional was asked for */
};

void mqtt_subscriptions_release(struct mqtt_subscriptions *subscriptions);

/* A connection has come up, on which nothing was asked for. What was refused before stays known, so
 * that the same is not said twice. */
void mqtt_subscriptions_begin(struct mqtt_subscriptions *subscriptions);

/* NULL when the filter is too long. One that is there already is asked for again.
 */
struct mqtt_subscription *mqtt_subscriptions_note(struct mqtt_subscriptions *subscriptions,
                                                  const char *filter, int qos, int options,
                                                  bool is_optional);

/* The next one to ask for now; NULL = none. */
struct mqtt_subscription *mqtt_subscriptions_next(struct mqtt_subscriptions *subscriptions);

/* The one whose answer this is; NULL = none. */
struct mqtt_subscription *mqtt_subscriptions_find(struct mqtt_subscriptions *subscriptions,
                                                  int mid);

/* The connection is gone. True when from now on nothing optional is asked for. */
bool mqtt_subscriptions_end(struct mqtt_subscriptions *subscriptions);

/* What was refused is asked for once more: the broker's rights may have been corrected. */
void mqtt_subscriptions_retry(struct mqtt_subscriptions *subscriptions);

/* A line for each that was refused and is needed. */
void mqtt_subscriptions_write_refusals(const struct mqtt_subscriptions *subscriptions,
                                       struct buffer *out);

#endif
