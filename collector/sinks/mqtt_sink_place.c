/* Whose our topics are: before anything is published, whether another installation publishes there
 * (rival.h), and what the broker had retained. */
#include "collector/sinks/mqtt_sink.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { CLEARED_LINES_PER_SECOND = 10 };

/* Others would take it for a board of the present. */
static void clear_if_stale(struct mqtt_sink *m, const struct mqtt_delivery *delivery)
{
    char topic[200];

    if (!delivery->retain || delivery->bytes == 0 ||
        m->sink.events->is_kept(m->sink.user, delivery->topic))
        return;
    if (m->cleared_lines++ < CLEARED_LINES_PER_SECOND)
        log_info("boards: %s is no longer kept, and cleared",
                 log_escaped(topic, sizeof(topic), delivery->topic, strlen(delivery->topic)));
    mqtt_link_publish(&m->link, NULL, delivery->topic, NULL, 0, 0, true);
}

/* The topics have become ours on this connection. */
static void speak_if_new(struct mqtt_sink *m)
{
    char filter[MQTT_SINK_TOPIC_SIZE + 1];

    if (!mqtt_sink_may_speak(m) || m->has_spoken)
        return;
    m->has_spoken = true;
    snprintf(filter, sizeof(filter), "%s#", m->boards_topic);
    mqtt_link_subscribe_as(&m->link, filter, 0, MQTT_LINK_NOT_OUR_OWN);
    /* the broker may have come back without what it retained */
    for (size_t i = 0; i < m->sink.config.board_count; i++) {
        m->boards[i].is_retained = false;
        permit_begin(&m->boards[i].permit);
    }
    m->sink.events->on_ready(m->sink.user, &m->sink);
}

/* While we are silent there is no last will either: it would replace the other's status. */
static void set_will(struct mqtt_sink *m, bool is_wanted)
{
    if ((m->link.config.will_topic != NULL) == is_wanted)
        return;
    m->link.config.will_topic = is_wanted ? m->status_topic : NULL;
    mqtt_link_rename(&m->link, m->client_id);
    mqtt_link_leave(&m->link);
    mqtt_link_join(&m->link);
}

void mqtt_sink_watch_rival(struct mqtt_sink *m)
{
    uint64_t now_ms = uv_now(m->link.loop);
    char reason[sizeof(m->rival_reason)] = "";

    if (m->link.state == MQTT_LINK_UP) {
        rival_tick(&m->rival, now_ms);
        set_will(m, m->rival.state != RIVAL_SILENT);
        speak_if_new(m);
    }
    rival_explain(&m->rival, m->sink.config.settings->collector_id, now_ms, reason, sizeof(reason));
    if (strcmp(reason, m->rival_reason) == 0)
        return;
    if (*reason)
        log_error("boards: %s", reason);
    else
        log_info("boards: installation %s is silent; boards and status are ours alone",
                 m->rival.theirs);
    strcpy(m->rival_reason, reason);
}

/* First the one that the broker had retained, if it had; then the one that we have just sent. */
static void note_marker(struct mqtt_sink *m, const struct mqtt_delivery *delivery)
{
    if (delivery->retain)
        m->has_seen_marker = true;
    else if (m->memory == BROKER_UNKNOWN) {
        m->memory = m->has_seen_marker ? BROKER_KEPT : BROKER_FORGOT;
        m->memory_at_ms = uv_now(m->link.loop);
        rival_looked(&m->rival, m->memory_at_ms);
        speak_if_new(m);
    }
}

enum broker_memory mqtt_sink_memory(const struct sink *sink, uint64_t since_ms)
{
    const struct mqtt_sink *m = (const void *)sink;

    return m->memory == BROKER_FORGOT && m->memory_at_ms < since_ms ? BROKER_KEPT : m->memory;
}

static void recall(struct mqtt_sink *m, const struct mqtt_delivery *delivery)
{
    if (delivery->retain && delivery->bytes > 0)
        m->sink.events->on_recalled(m->sink.user, delivery->topic, delivery->payload,
                                    delivery->bytes);
}

static void note_broker(struct mqtt_sink *m, const struct mqtt_delivery *delivery)
{
    if (!broker_report_update(&m->broker, delivery->topic, delivery->payload, delivery->bytes) ||
        m->has_asked_what_is_kept)
        return;
    m->has_asked_what_is_kept = true;
    mqtt_link_subscribe_as(&m->link, BROKER_REPORT_STORED, 0, MQTT_LINK_OPTIONAL);
    mqtt_link_subscribe_as(&m->link, BROKER_REPORT_STORED_BYTES, 0, MQTT_LINK_OPTIONAL);
    mqtt_link_subscribe_as(&m->link, BROKER_REPORT_RETAINED, 0, MQTT_LINK_OPTIONAL);
}

void mqtt_sink_on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct mqtt_sink *m = link->config.user;

    if (strncmp(delivery->topic, m->boards_topic, strlen(m->boards_topic)) == 0)
        clear_if_stale(m, delivery);
    else if (*m->notes_topic &&
             strncmp(delivery->topic, m->notes_topic, strlen(m->notes_topic)) == 0)
        recall(m, delivery);
    else if (strcmp(delivery->topic, m->marker_topic) == 0)
        note_marker(m, delivery);
    else if (strcmp(delivery->topic, m->status_topic) == 0)
        rival_apply_status(&m->rival, delivery->payload, delivery->bytes, delivery->retain,
                           uv_now(link->loop));
    else
        note_broker(m, delivery);
}

static void put_marker(struct mqtt_sink *m)
{
    static const char payload[] = "{}";

    m->has_seen_marker = false;
    m->memory = BROKER_UNKNOWN;
    mqtt_link_subscribe(&m->link, m->marker_topic, 0);
    mqtt_link_publish(&m->link, NULL, m->marker_topic, payload, sizeof(payload) - 1, 0, true);
}

void mqtt_sink_on_up(struct mqtt_link *link, bool session_present)
{
    struct mqtt_sink *m = link->config.user;

    (void)session_present;
    m->has_said_refused = m->has_said_denied = m->has_spoken = false;
    m->has_asked_what_is_kept = false;
    broker_report_begin(&m->broker);
    permit_begin(&m->status.permit);
    permit_begin(&m->notes);
    rival_begin(&m->rival, uv_now(link->loop));
    mqtt_link_subscribe_as(link, m->status_topic, 0, MQTT_LINK_NOT_OUR_OWN);
    put_marker(m); /* which comes back after what is retained */
    mqtt_link_subscribe_as(link, BROKER_REPORT_DROPPED, 0, MQTT_LINK_OPTIONAL);
    mqtt_link_subscribe_as(link, BROKER_REPORT_VERSION, 0, MQTT_LINK_OPTIONAL);
    speak_if_new(m);
}
