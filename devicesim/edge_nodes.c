#include "devicesim/edge_nodes.h"

#include "devicesim/edge_payload.h"
#include "devicesim/fleet.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/sparkplug_topic.h"

#include <stdlib.h>
#include <string.h>

enum { US_PER_MS = 1000 };

static int64_t now_ms(void)
{
    return timestamp_now() / US_PER_MS;
}

static void put_topic(struct edge_nodes *nodes, struct buffer *out, size_t which,
                      enum sparkplug_message_kind kind)
{
    buffer_clear(out);
    buffer_printf(out, SPARKPLUG_NAMESPACE "/" EDGE_GROUP "/%s/%snode_%zu",
                  sparkplug_kind_text(kind), nodes->config.prefix, which + 1);
}

void edge_nodes_init(struct edge_nodes *nodes, const struct edge_nodes_config *config)
{
    *nodes = (struct edge_nodes){.config = *config};
    nodes->items = mem_calloc(config->connections, sizeof(nodes->items[0]));
}

void edge_nodes_release(struct edge_nodes *nodes)
{
    for (uint32_t i = 0; nodes->items && i < nodes->config.connections; i++) {
        buffer_release(&nodes->items[i].will_topic);
        buffer_release(&nodes->items[i].will);
    }
    free(nodes->items);
    buffer_release(&nodes->topic);
    buffer_release(&nodes->payload);
    *nodes = (struct edge_nodes){0};
}

struct edge_data *edge_nodes_keep(const struct edge_nodes *nodes, uint32_t device,
                                  const struct reading *reading)
{
    size_t bytes = reading_size(nodes->config.features->count);
    struct edge_data *data = mem_alloc(sizeof(*data) + bytes);

    *data = (struct edge_data){.device = device, .reading = (struct reading *)(data + 1)};
    memcpy(data->reading, reading, bytes);
    return data;
}

void edge_nodes_put_will(struct edge_nodes *nodes, size_t which, struct mqtt_link_config *out)
{
    struct edge_node *node = &nodes->items[which];

    put_topic(nodes, &node->will_topic, which, SPARKPLUG_NDEATH);
    buffer_clear(&node->will);
    edge_payload_node_death(&node->will, node->bd_seq);
    out->will_topic = buffer_text(&node->will_topic);
    out->will_payload = (const char *)node->will.data;
    out->will_bytes = node->will.bytes;
    out->will_passes = true;
}

/* ---- births --------------------------------------------------------------------------------- */

static bool publish(struct edge_nodes *nodes, struct mqtt_link *link, int *mid)
{
    return mqtt_link_publish(link, mid, buffer_text(&nodes->topic), nodes->payload.data,
                             nodes->payload.bytes, nodes->config.qos, false);
}

static void put_device_topic(struct edge_nodes *nodes, size_t which,
                             enum sparkplug_message_kind kind, uint32_t device, char *id)
{
    fleet_device_id(id, nodes->config.prefix, device);
    put_topic(nodes, &nodes->topic, which, kind);
    buffer_printf(&nodes->topic, "/%s", id);
}

/* The record has it before it is published: a device may die, for a store, as often as it was born. */
static void bear(struct edge_nodes *nodes, size_t which, uint32_t device, struct mqtt_link *link)
{
    struct edge_node *node = &nodes->items[which];
    char id[DEVICE_ID_SIZE];

    put_device_topic(nodes, which, SPARKPLUG_DBIRTH, device, id);
    buffer_clear(&nodes->payload);
    edge_payload_birth(&nodes->payload, node->seq++, node->born_ms,
                       device / nodes->config.connections, nodes->config.features);
    truth_born(nodes->config.truth, timestamp_now(), id);
    publish(nodes, link, NULL);
}

static void bear_all(struct edge_nodes *nodes, size_t which, struct mqtt_link *link)
{
    struct edge_node *node = &nodes->items[which];

    node->born_ms = now_ms();
    node->seq = 1; /* the node's own is 0 */
    put_topic(nodes, &nodes->topic, which, SPARKPLUG_NBIRTH);
    buffer_clear(&nodes->payload);
    edge_payload_node_birth(&nodes->payload, node->bd_seq, node->born_ms);
    publish(nodes, link, NULL);
    for (uint32_t device = (uint32_t)which; device < nodes->config.devices;
         device += nodes->config.connections)
        bear(nodes, which, device, link);
}

/* ---- the connection ------------------------------------------------------------------------- */

void edge_nodes_on_up(struct edge_nodes *nodes, size_t which, struct mqtt_link *link)
{
    put_topic(nodes, &nodes->topic, which, SPARKPLUG_NCMD);
    mqtt_link_subscribe(link, buffer_text(&nodes->topic), 1);
    bear_all(nodes, which, link);
}

void edge_nodes_on_down(struct edge_nodes *nodes, size_t which, struct mqtt_link *link)
{
    nodes->items[which].bd_seq++;
    edge_nodes_put_will(nodes, which, &link->config);
}

void edge_nodes_on_message(struct edge_nodes *nodes, size_t which, struct mqtt_link *link,
                           const struct mqtt_delivery *delivery)
{
    put_topic(nodes, &nodes->topic, which, SPARKPLUG_NCMD);
    if (strcmp(delivery->topic, buffer_text(&nodes->topic)) == 0 &&
        edge_payload_is_rebirth(delivery->payload, delivery->bytes))
        bear_all(nodes, which, link);
}

/* The message is of now, since hosts do not believe one that is older than its birth; the metrics say
 * when the reading was. */
bool edge_nodes_send(struct edge_nodes *nodes, size_t which, struct mqtt_link *link,
                     const struct edge_data *data, bool is_again, int *mid)
{
    struct edge_node *node = &nodes->items[which];
    bool is_past = is_again || data->reading->recorded_at_us / US_PER_MS < node->born_ms;
    char id[DEVICE_ID_SIZE];

    if (link->state != MQTT_LINK_UP)
        return false;
    put_device_topic(nodes, which, SPARKPLUG_DDATA, data->device, id);
    buffer_clear(&nodes->payload);
    edge_payload_data(&nodes->payload, node->seq++, now_ms(),
                      data->device / nodes->config.connections, data->reading,
                      nodes->config.features, is_past);
    return publish(nodes, link, mid);
}

void edge_nodes_leave(struct edge_nodes *nodes, size_t which, struct mqtt_link *link)
{
    struct edge_node *node = &nodes->items[which];

    mqtt_link_publish(link, NULL, buffer_text(&node->will_topic), node->will.data, node->will.bytes,
                      nodes->config.qos, false);
}
