/* The MQTT source: a session at the broker is what keeps our messages, a gated connection
 * (mqtt_link.h) what delivers them; a mark is the connection's epoch. */
#include "collector/sources/mqtt_source.h"

#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/net/signals.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- what arrives --------------------------------------------------------------------------- */

/* When a message says that it came first, INT64_MIN when it does not. */
static int64_t said_us(const struct mqtt_delivery *delivery)
{
    char text[40];
    int64_t us;

    if (delivery->properties &&
        mqtt_delivery_property(delivery, FIRST_RECEIVED_PROPERTY, text, sizeof(text)) &&
        timestamp_parse(&us, text))
        return us;
    return INT64_MIN;
}

/* Logs, once for each connection, how many messages the broker sends ahead, when that limits batches. */
static void log_window(struct mqtt_source *m)
{
    uint64_t window = m->allowance.window;

    if (m->has_said_allowance || window >= m->source.config.settings->batch_size)
        return;
    m->has_said_allowance = true;
    log_info(
        "mqtt: the broker sends %" PRIu64
        " messages before it waits for acknowledgements, so no batch has more, or devices happen "
        "to send so many at a time; if readings wait at the broker, raise "
        "max_inflight_messages in mosquitto.conf",
        window);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct mqtt_source *m = link->config.user;
    const struct source_message message = {.topic = delivery->topic,
                                           .payload = delivery->payload,
                                           .bytes = delivery->bytes,
                                           .said_us = said_us(delivery),
                                           .is_at_most_once = delivery->qos == 0,
                                           .is_retained = delivery->retain};

    FAILPOINT("on_message");
    if (mqtt_session_is_marker(m, delivery))
        return;
    m->messages++;
    if (m->is_marked && allowance_note_message(&m->allowance, uv_now(link->loop)))
        log_window(m);
    m->is_marked = false;
    m->source.events->on_message(m->source.user, &message);
}

static void on_read(struct mqtt_link *link)
{
    struct mqtt_source *m = link->config.user;

    allowance_note_held(&m->allowance, link->held_acks);
    m->source.events->on_read(m->source.user);
}

static void on_released(struct mqtt_link *link)
{
    struct mqtt_source *m = link->config.user;

    m->source.events->on_released(m->source.user);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct mqtt_source *m = link->config.user;

    (void)reason;
    m->source.events->on_down(m->source.user);
}

/* ---- the gate ------------------------------------------------------------------------------- */

static void join(struct source *source)
{
    mqtt_link_join(&((struct mqtt_source *)source)->link);
}

static void leave(struct source *source)
{
    log_info("mqtt: leaving the broker until readings can be stored again; it keeps what arrives");
    mqtt_link_leave(&((struct mqtt_source *)source)->link);
}

static void pause_reading(struct source *source)
{
    mqtt_link_pause(&((struct mqtt_source *)source)->link);
}

static void resume(struct source *source)
{
    mqtt_link_resume(&((struct mqtt_source *)source)->link);
}

static struct source_mark mark(struct source *source)
{
    struct mqtt_source *m = (void *)source;

    m->is_marked = true;
    return (struct source_mark){.epoch = mqtt_link_epoch(&m->link)};
}

static void release(struct source *source, const struct source_mark *mark)
{
    struct mqtt_source *m = (void *)source;

    allowance_note_release(&m->allowance, m->link.held_acks, mqtt_link_is_dry(&m->link),
                           uv_now(m->link.loop));
    mqtt_link_release(&m->link, mark->epoch);
}

/* The broker delivers again what was not acknowledged, on the next connection. */
static void give_back(struct source *source)
{
    struct mqtt_source *m = (void *)source;

    if (m->link.held_acks > 0)
        mqtt_link_leave(&m->link);
}

static bool is_current(const struct source *source, const struct source_mark *mark)
{
    return mark->epoch == ((const struct mqtt_source *)source)->link.epoch;
}

static bool is_releasing(const struct source *source)
{
    return ((const struct mqtt_source *)source)->link.is_releasing;
}

static bool is_exhausted(const struct source *source)
{
    const struct mqtt_source *m = (const void *)source;

    return allowance_is_used_up(&m->allowance, m->link.held_acks);
}

static bool is_up(const struct source *source)
{
    return ((const struct mqtt_source *)source)->link.state == MQTT_LINK_UP;
}

static uint64_t takeovers(const struct source *source)
{
    return ((const struct mqtt_source *)source)->link.takeovers;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

/* What is committing goes on: it holds acknowledgements of the connection before, which the broker
 * then delivers again. */
static void reload(struct source *source)
{
    signals_reload(&((struct mqtt_source *)source)->link);
}

static void tick(struct source *source)
{
    struct mqtt_source *m = (void *)source;

    mqtt_report_watch_silence(m);
    mqtt_session_judge(m);
}

static struct source *open_source(const struct source_config *config, char *error,
                                  size_t error_bytes)
{
    struct mqtt_source *m = mem_calloc(1, sizeof(*m));
    struct mqtt_link_config link = settings_mqtt(config->settings);

    m->source = (struct source){.kind = &source_mqtt, .config = *config};
    m->is_marked = true;
    session_marker_topic(m->marker_topic, config->settings->collector_id);
    link.name = "mqtt";
    link.client_id = "highwater"; /* until the store is ready */
    link.gated = true;
    link.durable = true;
    link.forgets = true;    /* it publishes nothing */
    link.starts_off = true; /* until the store is ready */
    link.user = m;
    link.on_up = mqtt_session_on_up;
    link.on_down = on_down;
    link.on_message = on_message;
    link.on_read = on_read;
    link.on_released = on_released;
    link.on_subscribed = mqtt_session_on_subscribed;
    if (mqtt_link_start(&m->link, config->loop, &link, error, error_bytes))
        return &m->source;
    free(m);
    return NULL;
}

static void on_link_closed(struct mqtt_link *link)
{
    struct mqtt_source *m = link->config.user;

    m->on_closed(m->source.user);
}

static void close_source(struct source *source, void (*on_closed)(void *user))
{
    struct mqtt_source *m = (void *)source;

    m->on_closed = on_closed;
    mqtt_link_close(&m->link, on_link_closed);
}

static void free_source(struct source *source)
{
    free(source);
}

static const char *const schemes[] = {"mqtt", "mqtts", "unix", NULL};

const struct source_kind source_mqtt = {.schemes = schemes,
                                        .open = open_source,
                                        .close = close_source,
                                        .free = free_source,
                                        .identify = mqtt_session_identify,
                                        .join = join,
                                        .leave = leave,
                                        .pause = pause_reading,
                                        .resume = resume,
                                        .mark = mark,
                                        .release = release,
                                        .give_back = give_back,
                                        .reload = reload,
                                        .tick = tick,
                                        .is_up = is_up,
                                        .is_current = is_current,
                                        .is_releasing = is_releasing,
                                        .is_exhausted = is_exhausted,
                                        .session = mqtt_session_name,
                                        .takeovers = takeovers,
                                        .put_faults = mqtt_report_put_faults,
                                        .put_metrics = mqtt_report_put_metrics};
