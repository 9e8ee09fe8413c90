/* The boards are made at the first moment at which they may differ: the one that follows a reading
 * or an expiry. All are made together; each takes microseconds, and only those that differ from what
 * was last published go out. In between, the span of moments that the status vouches for grows.
 * Rejected: a board as of the moment it happens to be published, which is never that of another
 * collector's and, when the loop is late, not even its own. */
#include "collector/boards_rights.h"

#include "collector/broker_report.h"
#include "shared/base/failpoint.h"
#include "shared/base/json_write.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_MS = 1000,
    REJECTED_LINES_PER_SECOND = 10,
    CLEARED_LINES_PER_SECOND = 10,
    READ_BUDGET_US =
        2000 /* who may publish can send more than can be read: others have their turn */
};

static struct board_copy *copy_of(const struct boards *boards, uint32_t ranking, uint32_t interval)
{
    return &boards->copies[ranking * boards->config.windows->interval_count + interval];
}

/* The topics are ours. */
static bool may_speak(const struct boards *boards)
{
    return boards->mqtt.state == MQTT_LINK_UP && rival_may_speak(&boards->rival);
}

/* The first status goes alone: a broker that ends the connection over what it does not allow then
 * leaves no doubt what that is. */
static bool is_speaking(const struct boards *boards)
{
    return boards->is_complete && may_speak(boards) && boards->status_permit.mid == 0;
}

size_t boards_inexact(const struct boards *boards)
{
    size_t inexact = 0;

    for (size_t i = 0; i < boards_count(boards); i++)
        inexact += boards->copies[i].is_current && !boards->copies[i].is_exact;
    return inexact;
}

/* ---- the status ----------------------------------------------------------------------------- */

/* In the order of the copies: by feature, highest and lowest, interval. */
void boards_put_span(const struct boards *boards, struct buffer *out)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, boards->moments.as_of_us);
    buffer_printf(out, "\"asOf\":\"%s\",", when);
    timestamp_format(when, boards->moments.since_us);
    buffer_printf(out, "\"since\":\"%s\",\"generations\":[", when);
    for (size_t i = 0; i < boards_count(boards); i++)
        buffer_printf(out, "%s%" PRId64, i > 0 ? "," : "",
                      boards->is_complete ? boards->copies[i].generation : 0);
    buffer_put_text(out, "]");
}

/* Publishes what is in `payload`, retained; false when it cannot be, of which no news may come. */
static bool publish(struct boards *boards, struct permit *permit, const char *topic)
{
    const struct buffer *payload = &boards->payload;
    int qos = permit_qos(permit);
    int mid = 0;

    if (mqtt_link_publish(&boards->mqtt, &mid, topic, payload->data, payload->bytes, qos, true)) {
        if (qos > 0)
            permit->mid = mid;
        return true;
    }
    if (boards->mqtt.state != MQTT_LINK_UP)
        return false;
    boards->messages_refused++;
    if (!boards->has_said_refused)
        log_error(
            "boards: the broker takes no message of %zu bytes on %s; raise its largest packet "
            "size (max_packet_size in mosquitto.conf), or lower NUM_TOP_DEVICES; httpapi asks "
            "the database meanwhile",
            payload->bytes, topic);
    boards->has_said_refused = true;
    return false;
}

static void publish_status(struct boards *boards)
{
    struct buffer *out = &boards->payload;

    buffer_clear(out);
    buffer_put_text(out, "{\"collectorId\":");
    json_write_string(out, boards->config.collector_id);
    buffer_printf(out, ",\"installation\":\"%s\",", boards->rival.ours);
    boards->config.put_status(boards->config.user, out);
    buffer_put_text(out, "}");
    publish(boards, &boards->status_permit, boards->status_topic);
    boards->status_as_of_us = boards->moments.as_of_us;
}

/* The boards are about to change: the last moment of those that are out is said first. */
static void end_span(struct boards *boards)
{
    if (boards->moments.as_of_us > boards->status_as_of_us)
        publish_status(boards);
}

/* ---- making them ---------------------------------------------------------------------------- */

static bool is_changed(const struct boards *boards, const struct board_copy *copy, size_t count,
                       bool is_exact)
{
    size_t size = reading_size(boards->config.features->count);

    if (!copy->is_current || copy->count != count || copy->is_exact != is_exact)
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
    copy->is_current = true;
}

/* What is retained of a board that can no longer be published would be taken for it. */
static void withdraw(struct boards *boards, struct board_copy *copy)
{
    copy->generation = 0;
    if (copy->is_retained)
        mqtt_link_publish(&boards->mqtt, NULL, buffer_text(&boards->topic), NULL, 0, 0, true);
    copy->is_retained = false;
}

static void publish_board(struct boards *boards, uint32_t ranking, uint32_t interval, size_t count,
                          bool is_exact, int64_t moment_us)
{
    const struct windows *windows = boards->config.windows;
    const struct staircase_kind *kind = &windows->kinds[ranking];
    struct board_copy *copy = copy_of(boards, ranking, interval);
    struct board_head head = {.feature = boards->config.features->names[kind->feature],
                              .interval = boards->config.intervals->items[interval].name,
                              .order = kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST,
                              .as_of_us = moment_us,
                              .generation = ++copy->last_generation,
                              .is_exact = is_exact};

    for (size_t i = 0; i < count; i++)
        boards->named[i] =
            (struct board_entry){.device_id = windows_device_id(windows, boards->entries[i].device),
                                 .reading = boards->entries[i].reading};
    FAILPOINT("board_publish");
    buffer_clear(&boards->topic);
    buffer_clear(&boards->payload);
    board_topic(&boards->topic, boards->config.collector_id, head.feature, head.interval,
                head.order);
    board_write(&boards->payload, boards->config.features, &head, boards->named, count);
    copy->generation = is_exact ? head.generation : 0;
    copy->is_exact = is_exact;
    if (publish(boards, &copy->permit, buffer_text(&boards->topic)))
        copy->is_retained = true;
    else
        withdraw(boards, copy);
    keep_copy(boards, copy, count);
    boards->boards_published++;
}

static void make_boards(struct boards *boards, int64_t moment_us)
{
    struct windows *windows = boards->config.windows;
    int64_t expiry_us = INT64_MAX;
    /* what a load brought may be on none of these, and yet have been missing on an earlier one */
    bool any_changed = boards->is_fresh;

    mqtt_link_hold(&boards->mqtt);
    if (any_changed)
        end_span(boards);
    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            size_t count = windows_board(windows, ranking, interval, moment_us, boards->entries);
            int64_t expiry = windows_next_expiry(windows, interval, boards->entries, count);
            int64_t exact = windows_exact_from(windows, ranking, interval, boards->entries, count);
            bool is_exact = exact == INT64_MIN;

            if (expiry < expiry_us)
                expiry_us = expiry;
            if (!is_exact && exact < expiry_us)
                expiry_us = exact;
            if (!is_changed(boards, copy_of(boards, ranking, interval), count, is_exact))
                continue;
            if (!any_changed)
                end_span(boards);
            any_changed = true;
            publish_board(boards, ranking, interval, count, is_exact, moment_us);
        }
    }
    moments_made(&boards->moments, moment_us, any_changed, expiry_us);
    if (boards->is_fresh)
        boards->config.on_shown(boards->config.user);
    boards->is_fresh = false;
    if (any_changed)
        publish_status(boards);
    mqtt_link_flush(&boards->mqtt);
}

/* Nobody may rely on what was published any longer. */
static void disown_boards(struct boards *boards)
{
    for (size_t i = 0; i < boards_count(boards); i++) {
        boards->copies[i].is_current = false;
        boards->copies[i].generation = 0;
    }
}

/* Arrival stamps may be a little ahead of the clock, and much when the clock went back: such a
 * moment comes later. */
void boards_reach(struct boards *boards, int64_t moment_us)
{
    if (moment_us <= boards->moments.as_of_us || moment_us > timestamp_now())
        return;
    if (is_speaking(boards)) {
        if (moments_reach(&boards->moments, moment_us))
            make_boards(boards, moment_us);
    } else {
        moments_skip(&boards->moments, moment_us);
        disown_boards(boards);
    }
}

void boards_note_news(struct boards *boards)
{
    moments_note_news(&boards->moments);
}

/* ---- when ----------------------------------------------------------------------------------- */

static void on_moment(uv_timer_t *timer);

/* Until the next moment that may have something new. When that is past already it waits for a
 * batch, whose end is told, or for a connection; then the one after now will do. */
static void schedule(struct boards *boards)
{
    int64_t now_us = timestamp_now();
    int64_t next_us = moments_next(&boards->moments);

    uv_timer_stop(&boards->moment);
    if (boards->has_company && boards->moments.as_of_us + BOARD_GRID_US < next_us)
        next_us = boards->moments.as_of_us + BOARD_GRID_US;
    if (next_us == INT64_MAX || !is_speaking(boards))
        return;
    if (next_us <= now_us)
        next_us = board_as_of(now_us) + BOARD_GRID_US;
    uv_timer_start(&boards->moment, on_moment, (uint64_t)(next_us - now_us) / 1000 + 1, 0);
}

void boards_look(struct boards *boards)
{
    int64_t settled_us = boards->config.settled_until_us(boards->config.user, timestamp_now());

    if (settled_us != INT64_MIN) {
        if (boards->is_loading)
            boards_note_news(boards);
        boards_reach(boards, board_as_of(settled_us));
    }
    schedule(boards);
}

static void on_moment(uv_timer_t *timer)
{
    struct boards *boards = timer->data;

    boards_look(boards);
    if (boards->has_company && boards->moments.as_of_us > boards->status_as_of_us)
        publish_status(boards);
}

static void watch_rival(struct boards *boards);

static void on_status(uv_timer_t *timer)
{
    struct boards *boards = timer->data;

    boards_ask_again(boards);
    boards->rejected_lines = boards->cleared_lines = 0;
    watch_rival(boards);
    boards_look(boards);
    boards_tell_status(boards);
}

/* ---- what it is told ------------------------------------------------------------------------ */

void boards_set_identity(struct boards *boards, const struct mqtt_identity *identity)
{
    if (strcmp(boards->client_id, identity->boards_client_id) == 0 &&
        strcmp(boards->rival.ours, identity->installation) == 0)
        return;
    snprintf(boards->client_id, sizeof(boards->client_id), "%s", identity->boards_client_id);
    rival_init(&boards->rival, identity->installation, boards->config.started_at_us);
    snprintf(boards->will_payload, sizeof(boards->will_payload),
             "{\"collectorId\":\"%s\",\"installation\":\"%s\",\"state\":\"lost\"}",
             boards->config.collector_id, identity->installation);
    boards->mqtt.config.will_topic = boards->status_topic;
    mqtt_link_rename(&boards->mqtt, boards->client_id);
    mqtt_link_leave(&boards->mqtt);
}

void boards_set_turn(struct boards *boards, bool is_ours)
{
    if (is_ours)
        mqtt_link_join(&boards->mqtt);
    else
        mqtt_link_leave(&boards->mqtt);
}

void boards_set_loading(struct boards *boards, int64_t snapshot_us)
{
    boards_look(boards);
    boards->is_loading = true;
    moments_spoil(&boards->moments, snapshot_us);
}

void boards_set_complete(struct boards *boards, bool is_complete)
{
    bool was_complete = boards->is_complete;

    boards->is_loading = false;
    boards->is_fresh = is_complete;
    boards->is_complete = is_complete;
    boards_note_news(boards);
    if (!is_complete)
        disown_boards(boards);
    boards_look(boards);
    if (is_complete != was_complete)
        boards_tell_status(boards);
}

void boards_tell_status(struct boards *boards)
{
    if (may_speak(boards))
        publish_status(boards);
}

void boards_set_company(struct boards *boards, bool has_company)
{
    if (has_company == boards->has_company)
        return;
    boards->has_company = has_company;
    schedule(boards);
}

void boards_rewind(struct boards *boards, int64_t now_us)
{
    moments_init(&boards->moments, now_us);
    boards->status_as_of_us = INT64_MIN;
}

void boards_tell_rejected(struct boards *boards, const char *topic, const char *reason,
                          const char *detail)
{
    struct buffer *out = &boards->payload;
    char line_topic[128];

    if (!may_speak(boards) || boards->rejected_lines++ >= REJECTED_LINES_PER_SECOND)
        return;
    snprintf(line_topic, sizeof(line_topic), "collectors/%s/rejected", boards->config.collector_id);
    buffer_clear(out);
    buffer_put_text(out, "{\"topic\":");
    json_write_string(out, topic);
    buffer_printf(out, ",\"reason\":\"%s\",\"detail\":", reason);
    json_write_string(out, detail);
    buffer_put_text(out, "}");
    mqtt_link_publish(&boards->mqtt, NULL, line_topic, out->data, out->bytes, 0, false);
}

/* ---- what it hears -------------------------------------------------------------------------- */

static bool is_kept(struct boards *boards, const char *topic)
{
    const struct windows *windows = boards->config.windows;

    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        const struct staircase_kind *kind = &windows->kinds[ranking];

        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            buffer_clear(&boards->topic);
            board_topic(&boards->topic, boards->config.collector_id,
                        boards->config.features->names[kind->feature],
                        boards->config.intervals->items[interval].name,
                        kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST);
            if (strcmp(buffer_text(&boards->topic), topic) == 0)
                return true;
        }
    }
    return false;
}

/* Others would take it for a board of the present. */
static void clear_if_stale(struct boards *boards, const struct mqtt_delivery *delivery)
{
    char topic[200];

    if (!delivery->retain || delivery->bytes == 0 || is_kept(boards, delivery->topic))
        return;
    if (boards->cleared_lines++ < CLEARED_LINES_PER_SECOND)
        log_info("boards: %s is no longer kept, and cleared",
                 log_escaped(topic, sizeof(topic), delivery->topic, strlen(delivery->topic)));
    mqtt_link_publish(&boards->mqtt, NULL, delivery->topic, NULL, 0, 0, true);
}

/* The topics have become ours on this connection. */
static void speak_if_new(struct boards *boards)
{
    if (!may_speak(boards) || boards->has_spoken)
        return;
    boards->has_spoken = true;
    buffer_clear(&boards->topic);
    buffer_printf(&boards->topic, "%s#", boards->boards_topic);
    mqtt_link_subscribe_as(&boards->mqtt, buffer_text(&boards->topic), 0, MQTT_LINK_NOT_OUR_OWN);
    /* the broker may have come back without what it retained */
    for (size_t i = 0; i < boards_count(boards); i++) {
        boards->copies[i].is_current = boards->copies[i].is_retained = false;
        permit_begin(&boards->copies[i].permit);
    }
    boards_note_news(boards);
    boards_look(boards);
    publish_status(boards);
}

/* Who is silent leaves no last will either: it would be published over the other's status. */
static void set_will(struct boards *boards, bool is_wanted)
{
    if ((boards->mqtt.config.will_topic != NULL) == is_wanted)
        return;
    boards->mqtt.config.will_topic = is_wanted ? boards->status_topic : NULL;
    mqtt_link_rename(&boards->mqtt, boards->client_id);
    mqtt_link_leave(&boards->mqtt);
    mqtt_link_join(&boards->mqtt);
}

static void watch_rival(struct boards *boards)
{
    uint64_t now_ms = uv_now(boards->moment.loop);
    char reason[sizeof(boards->rival_reason)] = "";

    if (boards->mqtt.state == MQTT_LINK_UP) {
        rival_tick(&boards->rival, now_ms);
        set_will(boards, boards->rival.state != RIVAL_SILENT);
        speak_if_new(boards);
    }
    rival_explain(&boards->rival, boards->config.collector_id, now_ms, reason, sizeof(reason));
    if (strcmp(reason, boards->rival_reason) == 0)
        return;
    if (*reason)
        log_error("boards: %s", reason);
    else
        log_info("boards: installation %s is silent; boards and status are ours alone",
                 boards->rival.theirs);
    strcpy(boards->rival_reason, reason);
}

/* First the one that the broker had retained, if it had; then the one that we have just sent. */
static void take_marker(struct boards *boards, const struct mqtt_delivery *delivery)
{
    if (delivery->retain)
        boards->has_seen_marker = true;
    else if (boards->memory == BROKER_UNKNOWN) {
        boards->memory = boards->has_seen_marker ? BROKER_KEPT : BROKER_FORGOT;
        boards->memory_at_ms = uv_now(boards->moment.loop);
        rival_looked(&boards->rival, boards->memory_at_ms);
        speak_if_new(boards);
    }
}

enum broker_memory boards_broker_memory(const struct boards *boards, uint64_t since_ms)
{
    return boards->memory == BROKER_FORGOT && boards->memory_at_ms < since_ms ? BROKER_KEPT
                                                                              : boards->memory;
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct boards *boards = link->config.user;

    if (strncmp(delivery->topic, boards->boards_topic, strlen(boards->boards_topic)) == 0) {
        clear_if_stale(boards, delivery);
    } else if (strcmp(delivery->topic, boards->marker_topic) == 0) {
        take_marker(boards, delivery);
    } else if (strcmp(delivery->topic, boards->status_topic) == 0) {
        rival_take(&boards->rival, delivery->payload, delivery->bytes, delivery->retain,
                   uv_now(link->loop));
    } else {
        boards->config.on_broker_says(boards->config.user, delivery->topic, delivery->payload,
                                      delivery->bytes);
    }
}

static void put_marker(struct boards *boards)
{
    static const char payload[] = "{}";

    boards->has_seen_marker = false;
    boards->memory = BROKER_UNKNOWN;
    mqtt_link_subscribe(&boards->mqtt, boards->marker_topic, 0);
    mqtt_link_publish(&boards->mqtt, NULL, boards->marker_topic, payload, sizeof(payload) - 1, 0,
                      true);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct boards *boards = link->config.user;

    (void)session_present;
    boards->has_said_refused = boards->has_said_denied = boards->has_spoken = false;
    permit_begin(&boards->status_permit);
    rival_begin(&boards->rival, uv_now(link->loop));
    mqtt_link_subscribe_as(link, boards->status_topic, 0, MQTT_LINK_NOT_OUR_OWN);
    put_marker(boards); /* which comes back behind what is retained */
    mqtt_link_subscribe_as(link, BROKER_REPORT_DROPPED, 0, MQTT_LINK_OPTIONAL);
    mqtt_link_subscribe_as(link, BROKER_REPORT_VERSION, 0, MQTT_LINK_OPTIONAL);
    speak_if_new(boards);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct boards *boards = link->config.user;

    (void)reason;
    boards->memory = BROKER_UNKNOWN;
    boards_suspect(boards);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

bool boards_start(struct boards *boards, uv_loop_t *loop, const struct boards_config *config,
                  char *error, size_t error_bytes)
{
    size_t count = (size_t)config->windows->ranking_count * config->windows->interval_count;
    struct mqtt_link_config mqtt = config->mqtt;

    *boards = (struct boards){.config = *config, .status_as_of_us = INT64_MIN};
    moments_init(&boards->moments, timestamp_now());
    snprintf(boards->status_topic, sizeof(boards->status_topic), "collectors/%s/status",
             config->collector_id);
    snprintf(boards->boards_topic, sizeof(boards->boards_topic), "collectors/%s/boards/",
             config->collector_id);
    snprintf(boards->marker_topic, sizeof(boards->marker_topic), "collectors/%s/marker",
             config->collector_id);
    strcpy(boards->client_id, "highwater-boards"); /* until boards_set_identity() */
    mqtt.name = "mqtt boards";
    mqtt.read_budget_us = READ_BUDGET_US;
    mqtt.starts_off = true; /* until it is our turn */
    mqtt.client_id = boards->client_id;
    mqtt.will_topic = boards->status_topic;
    mqtt.will_payload = boards->will_payload;
    mqtt.user = boards;
    mqtt.on_up = on_up;
    mqtt.on_down = on_down;
    mqtt.on_message = on_message;
    mqtt.on_published = boards_on_published;
    mqtt.retains = true;
    mqtt.forgets = true; /* everything is published anew */
    if (!mqtt_link_start(&boards->mqtt, loop, &mqtt, error, error_bytes))
        return false;
    boards->copies = mem_calloc(count, sizeof(boards->copies[0]));
    for (size_t i = 0; i < count; i++) {
        boards->copies[i].last_generation = config->started_at_us;
        boards->copies[i].devices = mem_calloc(config->top_n, sizeof(uint32_t));
        boards->copies[i].readings =
            mem_calloc(config->top_n, reading_size(config->features->count));
    }
    boards->entries = mem_calloc(config->top_n, sizeof(boards->entries[0]));
    boards->named = mem_calloc(config->top_n, sizeof(boards->named[0]));
    uv_timer_init(loop, &boards->moment);
    uv_timer_init(loop, &boards->status);
    boards->moment.data = boards->status.data = boards;
    uv_timer_start(&boards->status, on_status, STATUS_MS, STATUS_MS);
    return true;
}

static void on_part_closed(struct boards *boards)
{
    if (--boards->open_parts > 0)
        return;
    for (size_t i = 0; i < boards_count(boards); i++) {
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

static void finish_close(struct boards *boards)
{
    boards_tell_status(boards);
    uv_close((uv_handle_t *)&boards->moment, on_timer_closed);
    uv_close((uv_handle_t *)&boards->status, on_timer_closed);
    mqtt_link_close(&boards->mqtt, on_mqtt_closed);
}

void boards_close(struct boards *boards, void (*on_closed)(struct boards *boards))
{
    boards->on_closed = on_closed;
    boards->open_parts = 3;
    boards->has_company = false;
    uv_timer_stop(&boards->status);
    boards_look(boards); /* the last moment */
    finish_close(boards);
}
