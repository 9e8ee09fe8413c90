/* Whose our topics are: before anything is published, whether another installation publishes there
 * (rival.h), and what the broker had retained. */
#include "collector/board_publisher_inner.h"

#include "collector/broker_report.h"
#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { CLEARED_LINES_PER_SECOND = 10 };

static bool is_kept(struct board_publisher *publisher, const char *topic)
{
    const struct windows *windows = publisher->config.windows;

    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            if (strcmp(board_publisher_topic(publisher, ranking, interval), topic) == 0)
                return true;
        }
    }
    return false;
}

/* Others would take it for a board of the present. */
static void clear_if_stale(struct board_publisher *publisher, const struct mqtt_delivery *delivery)
{
    char topic[200];

    if (!delivery->retain || delivery->bytes == 0 || is_kept(publisher, delivery->topic))
        return;
    if (publisher->cleared_lines++ < CLEARED_LINES_PER_SECOND)
        log_info("boards: %s is no longer kept, and cleared",
                 log_escaped(topic, sizeof(topic), delivery->topic, strlen(delivery->topic)));
    mqtt_link_publish(&publisher->mqtt, NULL, delivery->topic, NULL, 0, 0, true);
}

/* The topics have become ours on this connection. */
static void speak_if_new(struct board_publisher *publisher)
{
    if (!board_publisher_may_speak(publisher) || publisher->has_spoken)
        return;
    publisher->has_spoken = true;
    buffer_clear(&publisher->topic);
    buffer_printf(&publisher->topic, "%s#", publisher->boards_topic);
    mqtt_link_subscribe_as(&publisher->mqtt, buffer_text(&publisher->topic), 0,
                           MQTT_LINK_NOT_OUR_OWN);
    /* the broker may have come back without what it retained */
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        publisher->copies[i].is_current = publisher->copies[i].is_retained = false;
        permit_begin(&publisher->copies[i].permit);
    }
    board_publisher_note_news(publisher);
    board_publisher_update(publisher);
    board_publisher_send_status(publisher);
}

/* While we are silent there is no last will either: it would replace the other's status. */
static void set_will(struct board_publisher *publisher, bool is_wanted)
{
    if ((publisher->mqtt.config.will_topic != NULL) == is_wanted)
        return;
    publisher->mqtt.config.will_topic = is_wanted ? publisher->status_topic : NULL;
    mqtt_link_rename(&publisher->mqtt, publisher->client_id);
    mqtt_link_leave(&publisher->mqtt);
    mqtt_link_join(&publisher->mqtt);
}

void board_publisher_watch_rival(struct board_publisher *publisher)
{
    uint64_t now_ms = uv_now(publisher->as_of_timer.loop);
    char reason[sizeof(publisher->rival_reason)] = "";

    if (publisher->mqtt.state == MQTT_LINK_UP) {
        rival_tick(&publisher->rival, now_ms);
        set_will(publisher, publisher->rival.state != RIVAL_SILENT);
        speak_if_new(publisher);
    }
    rival_explain(&publisher->rival, publisher->config.collector_id, now_ms, reason,
                  sizeof(reason));
    if (strcmp(reason, publisher->rival_reason) == 0)
        return;
    if (*reason)
        log_error("boards: %s", reason);
    else
        log_info("boards: installation %s is silent; boards and status are ours alone",
                 publisher->rival.theirs);
    strcpy(publisher->rival_reason, reason);
}

/* First the one that the broker had retained, if it had; then the one that we have just sent. */
static void note_marker(struct board_publisher *publisher, const struct mqtt_delivery *delivery)
{
    if (delivery->retain)
        publisher->has_seen_marker = true;
    else if (publisher->memory == BROKER_UNKNOWN) {
        publisher->memory = publisher->has_seen_marker ? BROKER_KEPT : BROKER_FORGOT;
        publisher->memory_at_ms = uv_now(publisher->as_of_timer.loop);
        rival_looked(&publisher->rival, publisher->memory_at_ms);
        speak_if_new(publisher);
    }
}

enum broker_memory board_publisher_broker_memory(const struct board_publisher *publisher,
                                                 uint64_t since_ms)
{
    return publisher->memory == BROKER_FORGOT && publisher->memory_at_ms < since_ms
               ? BROKER_KEPT
               : publisher->memory;
}

void board_publisher_on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct board_publisher *publisher = link->config.user;

    if (strncmp(delivery->topic, publisher->boards_topic, strlen(publisher->boards_topic)) == 0) {
        clear_if_stale(publisher, delivery);
    } else if (strcmp(delivery->topic, publisher->marker_topic) == 0) {
        note_marker(publisher, delivery);
    } else if (strcmp(delivery->topic, publisher->status_topic) == 0) {
        rival_apply_status(&publisher->rival, delivery->payload, delivery->bytes, delivery->retain,
                           uv_now(link->loop));
    } else {
        publisher->config.on_broker_says(publisher->config.user, delivery->topic, delivery->payload,
                                         delivery->bytes);
    }
}

static void put_marker(struct board_publisher *publisher)
{
    static const char payload[] = "{}";

    publisher->has_seen_marker = false;
    publisher->memory = BROKER_UNKNOWN;
    mqtt_link_subscribe(&publisher->mqtt, publisher->marker_topic, 0);
    mqtt_link_publish(&publisher->mqtt, NULL, publisher->marker_topic, payload, sizeof(payload) - 1,
                      0, true);
}

void board_publisher_on_up(struct mqtt_link *link, bool session_present)
{
    struct board_publisher *publisher = link->config.user;

    (void)session_present;
    publisher->has_said_refused = publisher->has_said_denied = publisher->has_spoken = false;
    permit_begin(&publisher->status_permit);
    rival_begin(&publisher->rival, uv_now(link->loop));
    mqtt_link_subscribe_as(link, publisher->status_topic, 0, MQTT_LINK_NOT_OUR_OWN);
    put_marker(publisher); /* which comes back after what is retained */
    mqtt_link_subscribe_as(link, BROKER_REPORT_DROPPED, 0, MQTT_LINK_OPTIONAL);
    mqtt_link_subscribe_as(link, BROKER_REPORT_VERSION, 0, MQTT_LINK_OPTIONAL);
    speak_if_new(publisher);
}

void board_publisher_on_down(struct mqtt_link *link, const char *reason)
{
    struct board_publisher *publisher = link->config.user;

    (void)reason;
    publisher->memory = BROKER_UNKNOWN;
    board_publisher_note_suspect(publisher);
}
