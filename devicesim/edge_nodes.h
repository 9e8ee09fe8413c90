/* edge_nodes.h: the connections of a run as Sparkplug edge nodes, with their devices beneath them.
 *
 * Shape    one node for each connection: PREFIXnode_N in the group "devicesim", and the devices that send over
 *          that connection. It is born with its devices when it comes up and when a host asks, dies by
 *          its last will, and numbers what it publishes: `seq` in the order of publishing, `bdSeq` from
 *          connection to connection.
 *          After a reconnect the library must send nothing again by itself (mqtt_link's `forgets`): births
 *          come first, and the numbers are other ones. What was not acknowledged is sent again as
 *          historical.
 * Units    the wall clock.
 * Errors   edge_nodes_send() is false when the library refuses a message.
 * Owner    embedded; edge_nodes_release() once the links are closed.
 * Source   Eclipse Sparkplug 3.0, chapter 5. Other than there, births and data have the QoS of the
 *          run, by default 1: what is lost on the way is no evidence.
 */
#ifndef HIGHWATER_EDGE_NODES_H
#define HIGHWATER_EDGE_NODES_H

#include "devicesim/truth.h"
#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"
#include "shared/net/mqtt_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDGE_GROUP "devicesim"

struct edge_nodes_config {
    uint32_t devices;
    uint32_t connections;
    const char *prefix; /* of device ids */
    const struct features *features;
    int qos;
    struct truth *truth;
};

struct edge_node {
    int64_t born_ms;
    struct buffer will_topic;
    struct buffer will;
    uint8_t seq; /* of its next message */
    uint8_t bd_seq;
};

struct edge_nodes {
    struct edge_nodes_config config;
    struct edge_node *items;
    struct buffer topic;
    struct buffer payload;
};

/* A reading that is kept until it is acknowledged. */
struct edge_data {
    uint32_t device;
    struct reading *reading; /* in the same allocation */
};

void edge_nodes_init(struct edge_nodes *nodes, const struct edge_nodes_config *config);
void edge_nodes_release(struct edge_nodes *nodes);

/* On the heap, for free(). */
struct edge_data *edge_nodes_keep(const struct edge_nodes *nodes, uint32_t device,
                                  const struct reading *reading);

/* The last will of its next connection. */
void edge_nodes_put_will(struct edge_nodes *nodes, size_t which, struct mqtt_link_config *out);

void edge_nodes_on_up(struct edge_nodes *nodes, size_t which, struct mqtt_link *link);
void edge_nodes_on_down(struct edge_nodes *nodes, size_t which, struct mqtt_link *link);
void edge_nodes_on_message(struct edge_nodes *nodes, size_t which, struct mqtt_link *link,
                           const struct mqtt_delivery *delivery);
bool edge_nodes_send(struct edge_nodes *nodes, size_t which, struct mqtt_link *link,
                     const struct edge_data *data, bool is_again, int *mid);

/* Says that it dies, before it disconnects. */
void edge_nodes_leave(struct edge_nodes *nodes, size_t which, struct mqtt_link *link);

#endif
