#include "collector/sinks/mqtt_sink.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who may publish can send more than can be read: other work gets its share of the loop. */
enum { READ_BUDGET_US = 2000 };

/* ---- what is put ------------------------------------------------------------------------------ */

static void note_topic(struct mqtt_place *place, const char *topic)
{
    if (place->topic && strcmp(place->topic, topic) == 0)
        return;
    free(place->topic);
    place->topic = mem_strdup(topic);
}

/* Whether the broker took it is told later, if at all. */
static bool publish(struct mqtt_sink *m, struct mqtt_place *place, const struct sink_item *item)
{
    const struct buffer *payload = item->bytes;
    int qos = permit_qos(&place->permit);
    int mid = 0;

    note_topic(place, item->key);
    if (mqtt_link_publish(&m->link, &mid, item->key, payload->data, payload->bytes, qos, true)) {
        if (qos > 0)
            place->permit.mid = mid;
        return true;
    }
    if (m->link.state != MQTT_LINK_UP)
        return false;
    m->messages_refused++;
    if (!m->has_said_refused)
        log_error(
            "boards: the broker takes no message of %zu bytes on %s; raise its largest packet "
            "size (max_packet_size in mosquitto.conf), or lower NUM_TOP_DEVICES; httpapi asks "
            "the database meanwhile",
            payload->bytes, item->key);
    m->has_said_refused = true;
    return false;
}

/* What is retained of a board that can no longer be published would be taken for it. */
static bool put_board(struct mqtt_sink *m, const struct sink_item *item)
{
    struct mqtt_place *place = &m->boards[item->board];
    bool is_sent = publish(m, place, item);

    if (!is_sent && place->is_retained)
        mqtt_link_publish(&m->link, NULL, item->key, NULL, 0, 0, true);
    place->is_retained = is_sent;
    return is_sent;
}

/* Each is waited for: who is to be woken by it must not miss it. */
static bool put_note(struct mqtt_sink *m, const struct sink_item *item)
{
    int mid = 0;

    if (!mqtt_link_publish(&m->link, &mid, item->key, item->bytes->data, item->bytes->bytes, 1,
                           true))
        return false;
    if (m->notes.mid == 0)
        m->notes.mid = mid;
    return true;
}

static bool recall(struct mqtt_sink *m, const struct sink_item *item)
{
    char filter[MQTT_SINK_TOPIC_SIZE + 1];

    snprintf(m->notes_topic, sizeof(m->notes_topic), "%s", item->key);
    snprintf(filter, sizeof(filter), "%s#", item->key);
    return mqtt_link_subscribe_as(&m->link, filter, 0, MQTT_LINK_NOT_OUR_OWN);
}

static bool put(struct sink *sink, const struct sink_item *item)
{
    struct mqtt_sink *m = (void *)sink;

    switch (item->what) {
    case SINK_STATUS:
        return publish(m, &m->status, item);
    case SINK_BOARD:
        return put_board(m, item);
    case SINK_NOTE:
        return put_note(m, item);
    case SINK_RECALL:
        return recall(m, item);
    case SINK_LINE:
        break;
    }
    return mqtt_link_publish(&m->link, NULL, item->key, item->bytes->data, item->bytes->bytes, 0,
                             false);
}

static void hold(struct sink *sink)
{
    mqtt_link_hold(&((struct mqtt_sink *)sink)->link);
}

static void flush(struct sink *sink)
{
    mqtt_link_flush(&((struct mqtt_sink *)sink)->link);
}

/* ---- what is asked ---------------------------------------------------------------------------- */

static bool is_ready(const struct sink *sink)
{
    return mqtt_sink_may_speak((const struct mqtt_sink *)sink);
}

/* The first status goes alone: a broker that ends the connection over what it does not allow then
 * leaves no doubt what that is. */
static bool takes_boards(const struct sink *sink)
{
    const struct mqtt_sink *m = (const void *)sink;

    return mqtt_sink_may_speak(m) && m->status.permit.mid == 0;
}

static bool lacks(const struct sink *sink, size_t board)
{
    return ((const struct mqtt_sink *)sink)->boards[board].permit.is_denied;
}

static uint64_t takeovers(const struct sink *sink)
{
    return ((const struct mqtt_sink *)sink)->link.takeovers;
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void identify(struct sink *sink, const struct mqtt_identity *identity)
{
    struct mqtt_sink *m = (void *)sink;

    if (strcmp(m->client_id, identity->boards_client_id) == 0 &&
        strcmp(m->rival.ours, identity->installation) == 0)
        return;
    snprintf(m->client_id, sizeof(m->client_id), "%s", identity->boards_client_id);
    rival_init(&m->rival, identity->installation, sink->config.started_at_us);
    snprintf(m->will_payload, sizeof(m->will_payload),
             "{\"collectorId\":\"%s\",\"installation\":\"%s\",\"state\":\"lost\"}",
             sink->config.settings->collector_id, identity->installation);
    m->link.config.will_topic = m->status_topic;
    mqtt_link_rename(&m->link, m->client_id);
    mqtt_link_leave(&m->link);
}

static void join(struct sink *sink)
{
    mqtt_link_join(&((struct mqtt_sink *)sink)->link);
}

static void leave(struct sink *sink)
{
    mqtt_link_leave(&((struct mqtt_sink *)sink)->link);
}

static void reload(struct sink *sink)
{
    signals_reload(&((struct mqtt_sink *)sink)->link);
}

static void tick(struct sink *sink)
{
    struct mqtt_sink *m = (void *)sink;

    m->cleared_lines = 0;
    mqtt_sink_watch_rival(m);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct mqtt_sink *m = link->config.user;

    (void)reason;
    m->memory = BROKER_UNKNOWN;
    mqtt_sink_note_suspect(m);
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void set_topics(struct mqtt_sink *m)
{
    const char *id = m->sink.config.settings->collector_id;

    snprintf(m->status_topic, sizeof(m->status_topic), "collectors/%s/status", id);
    snprintf(m->boards_topic, sizeof(m->boards_topic), "collectors/%s/boards/", id);
    session_marker_topic(m->marker_topic, id);
    note_topic(&m->status, m->status_topic);
}

static void free_sink(struct sink *sink)
{
    struct mqtt_sink *m = (void *)sink;

    for (size_t i = 0; i < sink->config.board_count; i++)
        free(m->boards[i].topic);
    free(m->status.topic);
    free(m->boards);
    free(m);
}

static struct sink *open_sink(const struct sink_config *config, char *error, size_t error_bytes)
{
    struct mqtt_sink *m = mem_calloc(1, sizeof(*m));
    struct mqtt_link_config link = settings_mqtt(config->settings);

    m->sink = (struct sink){.kind = &sink_mqtt, .config = *config};
    m->boards = mem_calloc(config->board_count, sizeof(m->boards[0]));
    set_topics(m);
    strcpy(m->client_id, "highwater-boards"); /* until identify() */
    link.name = "mqtt boards";
    link.read_budget_us = READ_BUDGET_US;
    link.starts_off = true; /* until it is our turn */
    link.client_id = m->client_id;
    link.will_topic = m->status_topic;
    link.will_payload = m->will_payload;
    link.user = m;
    link.on_up = mqtt_sink_on_up;
    link.on_down = on_down;
    link.on_message = mqtt_sink_on_message;
    link.on_published = mqtt_sink_on_published;
    link.retains = true;
    link.forgets = true; /* everything is published again */
    if (mqtt_link_start(&m->link, config->loop, &link, error, error_bytes))
        return &m->sink;
    free_sink(&m->sink);
    return NULL;
}

static void on_link_closed(struct mqtt_link *link)
{
    struct mqtt_sink *m = link->config.user;

    m->on_closed(m->sink.user);
}

static void close_sink(struct sink *sink, void (*on_closed)(void *user))
{
    struct mqtt_sink *m = (void *)sink;

    m->on_closed = on_closed;
    mqtt_link_close(&m->link, on_link_closed);
}

static const char *url(const struct settings *settings)
{
    return settings->mqtt_url;
}

const struct sink_kind sink_mqtt = {.setting = "mqtt-url",
                                    .url = url,
                                    .open = open_sink,
                                    .close = close_sink,
                                    .free = free_sink,
                                    .identify = identify,
                                    .join = join,
                                    .leave = leave,
                                    .reload = reload,
                                    .tick = tick,
                                    .put = put,
                                    .hold = hold,
                                    .flush = flush,
                                    .is_ready = is_ready,
                                    .takes_boards = takes_boards,
                                    .lacks = lacks,
                                    .memory = mqtt_sink_memory,
                                    .takeovers = takeovers,
                                    .put_away = mqtt_sink_put_away,
                                    .put_faults = mqtt_sink_put_faults,
                                    .put_metrics = mqtt_sink_put_metrics,
                                    .put_status = mqtt_sink_put_status};
