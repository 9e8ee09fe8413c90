/* Boards are computed only when somebody could see a difference: after a commit, and when the next
 * shown entry expires. All boards are computed together; each takes microseconds, and only those
 * that differ from what was last published go out. */
#include "collector/boards.h"

#include "shared/failpoint.h"
#include "shared/log.h"
#include "shared/mem.h"
#include "shared/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MS = 1000, REJECTED_LINES_PER_SECOND = 10 };

static void schedule_expiry(struct boards *boards, int64_t expiry_us, int64_t now_us);

static struct board_copy *copy_of(struct boards *boards, uint32_t ranking, uint32_t interval)
{
    return &boards->copies[ranking * boards->config.windows->interval_count + interval];
}

static bool is_changed(const struct boards *boards, const struct board_copy *copy, size_t count)
{
    size_t size = reading_size(boards->config.features->count);

    if (!copy->is_published || copy->count != count)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (copy->devices[i] != boards->entries[i].device ||
            memcmp(copy->readings + i * size, boards->entries[i].reading, size) != 0)
            return true;
    }
    return false;
}

static void keep_copy(const struct boards *boards, struct board_copy *copy, size_t count)
{
    size_t size = reading_size(boards->config.features->count);

    for (size_t i = 0; i < count; i++) {
        copy->devices[i] = boards->entries[i].device;
        memcpy(copy->readings + i * size, boards->entries[i].reading, size);
    }
    copy->count = count;
}

static void publish_board(struct boards *boards, uint32_t ranking, uint32_t interval, size_t count,
                          int64_t now_us)
{
    const struct windows *windows = boards->config.windows;
    const struct staircase_kind *kind = &windows->kinds[ranking];
    enum sort_order order = kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST;
    const char *feature = boards->config.features->names[kind->feature];
    const char *interval_name = boards->config.intervals->items[interval].name;
    struct board_copy *copy = copy_of(boards, ranking, interval);

    for (size_t i = 0; i < count; i++)
        boards->named[i] =
            (struct board_entry){.device_id = windows_device_id(windows, boards->entries[i].device),
                                 .reading = boards->entries[i].reading};
    FAILPOINT("board_publish");
    buffer_clear(&boards->topic);
    buffer_clear(&boards->payload);
    board_topic(&boards->topic, boards->config.collector_id, feature, interval_name, order);
    board_write(&boards->payload, boards->config.features, feature, interval_name, order, now_us,
                boards->named, count);
    copy->is_published = mqtt_link_publish(&boards->mqtt, NULL, buffer_text(&boards->topic),
                                           boards->payload.data, boards->payload.bytes, 0, true);
    keep_copy(boards, copy, count);
    boards->boards_published++;
}

static void publish_changes(struct boards *boards)
{
    struct windows *windows = boards->config.windows;
    int64_t now_us = timestamp_now();
    int64_t expiry_us = INT64_MAX;

    uv_timer_stop(&boards->publish);
    if (!boards->is_complete || boards->mqtt.state != MQTT_LINK_UP)
        return; /* on_up and boards_set_complete() come back here */
    boards->published_at_ms = uv_now(boards->publish.loop);
    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            size_t count = windows_board(windows, ranking, interval, now_us, boards->entries);
            int64_t expiry = windows_next_expiry(windows, interval, boards->entries, count);

            if (is_changed(boards, copy_of(boards, ranking, interval), count))
                publish_board(boards, ranking, interval, count, now_us);
            if (expiry < expiry_us)
                expiry_us = expiry;
        }
    }
    if (expiry_us != INT64_MAX)
        schedule_expiry(boards, expiry_us, now_us);
}

static void on_publish(uv_timer_t *timer)
{
    publish_changes(timer->data);
}

static void schedule_expiry(struct boards *boards, int64_t expiry_us, int64_t now_us)
{
    int64_t wait_us = expiry_us > now_us ? expiry_us - now_us : 0;
    uint64_t wait_ms = (uint64_t)wait_us / 1000 + 1;

    if (wait_ms < boards->config.throttle_ms)
        wait_ms = boards->config.throttle_ms;
    uv_timer_start(&boards->publish, on_publish, wait_ms, 0);
}

void boards_changed(struct boards *boards)
{
    uint64_t now_ms = uv_now(boards->publish.loop);
    uint64_t due_ms = boards->published_at_ms + boards->config.throttle_ms;
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;

    if (uv_is_active((uv_handle_t *)&boards->publish) &&
        uv_timer_get_due_in(&boards->publish) <= wait_ms)
        return;
    uv_timer_start(&boards->publish, on_publish, wait_ms, 0);
}

void boards_set_turn(struct boards *boards, bool is_ours)
{
    if (is_ours)
        mqtt_link_join(&boards->mqtt);
    else
        mqtt_link_leave(&boards->mqtt);
}

void boards_set_complete(struct boards *boards, bool is_complete)
{
    boards->is_complete = is_complete;
    if (is_complete)
        publish_changes(boards);
}

static void publish_status(struct boards *boards)
{
    struct buffer *out = &boards->payload;

    buffer_clear(out);
    buffer_put_text(out, "{\"collectorId\":");
    buffer_put_json_string(out, boards->config.collector_id);
    buffer_put_text(out, ",");
    boards->config.put_status(boards->config.user, out, timestamp_now());
    buffer_put_text(out, "}");
    mqtt_link_publish(&boards->mqtt, NULL, boards->status_topic, out->data, out->bytes, 0, true);
}

static void on_status(uv_timer_t *timer)
{
    struct boards *boards = timer->data;

    boards->rejected_lines = 0;
    if (boards->mqtt.state != MQTT_LINK_UP)
        return;
    /* A status promises that the boards are current: what waits for the throttle goes first. */
    if (uv_is_active((uv_handle_t *)&boards->publish) &&
        uv_timer_get_due_in(&boards->publish) < boards->config.throttle_ms)
        publish_changes(boards);
    publish_status(boards);
}

void boards_tell_rejected(struct boards *boards, const char *topic, const char *reason,
                          const char *detail)
{
    struct buffer *out = &boards->payload;
    char line_topic[128];

    if (boards->mqtt.state != MQTT_LINK_UP || boards->rejected_lines++ >= REJECTED_LINES_PER_SECOND)
        return;
    snprintf(line_topic, sizeof(line_topic), "collectors/%s/rejected", boards->config.collector_id);
    buffer_clear(out);
    buffer_put_text(out, "{\"topic\":");
    buffer_put_json_string(out, topic);
    buffer_printf(out, ",\"reason\":\"%s\",\"detail\":", reason);
    buffer_put_json_string(out, detail);
    buffer_put_text(out, "}");
    mqtt_link_publish(&boards->mqtt, NULL, line_topic, out->data, out->bytes, 0, false);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct boards *boards = link->config.user;
    char text[128];

    snprintf(text, sizeof(text), "%.*s", (int)delivery->bytes, (const char *)delivery->payload);
    boards->config.on_broker_says(boards->config.user, delivery->topic, text);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct boards *boards = link->config.user;
    size_t count =
        (size_t)boards->config.windows->ranking_count * boards->config.windows->interval_count;

    (void)session_present;
    mqtt_link_subscribe(link, BOARDS_BROKER_DROPPED, 0);
    mqtt_link_subscribe(link, BOARDS_BROKER_VERSION, 0);
    /* the broker may have come back without what it retained */
    for (size_t i = 0; i < count; i++)
        boards->copies[i].is_published = false;
    publish_changes(boards);
    publish_status(boards);
}

bool boards_start(struct boards *boards, uv_loop_t *loop, const struct boards_config *config,
                  char *error, size_t error_bytes)
{
    size_t count = (size_t)config->windows->ranking_count * config->windows->interval_count;
    struct mqtt_link_config mqtt = config->mqtt;

    *boards = (struct boards){.config = *config};
    snprintf(boards->status_topic, sizeof(boards->status_topic), "collectors/%s/status",
             config->collector_id);
    snprintf(boards->will_payload, sizeof(boards->will_payload),
             "{\"collectorId\":\"%s\",\"state\":\"lost\"}", config->collector_id);
    snprintf(boards->client_id, sizeof(boards->client_id), "highwater-boards-%s",
             config->collector_id);
    mqtt.name = "mqtt boards";
    mqtt.starts_off = true; /* until it is our turn */
    mqtt.client_id = boards->client_id;
    mqtt.will_topic = boards->status_topic;
    mqtt.will_payload = boards->will_payload;
    mqtt.user = boards;
    mqtt.on_up = on_up;
    mqtt.on_message = on_message;
    if (!mqtt_link_start(&boards->mqtt, loop, &mqtt, error, error_bytes))
        return false;
    boards->copies = mem_calloc(count, sizeof(boards->copies[0]));
    for (size_t i = 0; i < count; i++) {
        boards->copies[i].devices = mem_calloc(config->top_n, sizeof(uint32_t));
        boards->copies[i].readings =
            mem_calloc(config->top_n, reading_size(config->features->count));
    }
    boards->entries = mem_calloc(config->top_n, sizeof(boards->entries[0]));
    boards->named = mem_calloc(config->top_n, sizeof(boards->named[0]));
    uv_timer_init(loop, &boards->publish);
    uv_timer_init(loop, &boards->status);
    boards->publish.data = boards->status.data = boards;
    uv_timer_start(&boards->status, on_status, STATUS_MS, STATUS_MS);
    return true;
}

static void on_part_closed(struct boards *boards)
{
    size_t count =
        (size_t)boards->config.windows->ranking_count * boards->config.windows->interval_count;

    if (--boards->open_parts > 0)
        return;
    for (size_t i = 0; i < count; i++) {
        free(boards->copies[i].devices);
        free(boards->copies[i].readings);
    }
    free(boards->copies);
    free(boards->entries);
    free(boards->named);
    buffer_release(&boards->topic);
    buffer_release(&boards->payload);
    boards->on_closed(boards);
}

static void on_mqtt_closed(struct mqtt_link *link)
{
    on_part_closed(link->config.user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void boards_close(struct boards *boards, void (*on_closed)(struct boards *boards))
{
    boards->on_closed = on_closed;
    boards->open_parts = 3;
    publish_changes(boards);
    publish_status(boards);
    uv_close((uv_handle_t *)&boards->publish, on_timer_closed);
    uv_close((uv_handle_t *)&boards->status, on_timer_closed);
    mqtt_link_close(&boards->mqtt, on_mqtt_closed);
}
