#include "collector/sinks/sparkplug_host.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/net/mqtt_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, REQUESTS_AT_ONCE = 20, TICKS_UNTIL_SAID_AGAIN = 10 };

struct sparkplug_host {
    struct sparkplug_host_config config;
    bool is_joined;
    bool is_contradicted; /* another has said that we are not there */
    unsigned ticks;
    unsigned open_handles;
    uv_timer_t timer;
    struct mqtt_link link;
    struct buffer request;
    char client_id[160];
    char topic[SPARKPLUG_STATE_TOPIC_SIZE];
    char will[64];
    int64_t since_ms; /* the timestamp of birth and will, which are a pair */
};

void sparkplug_state_topic(char out[SPARKPLUG_STATE_TOPIC_SIZE], const struct settings *settings,
                           const char *collector_id)
{
    bool is_named = *settings->sparkplug_host != '\0';

    snprintf(out, SPARKPLUG_STATE_TOPIC_SIZE, SPARKPLUG_NAMESPACE "/STATE/%s%s",
             is_named ? "" : "highwater-", is_named ? settings->sparkplug_host : collector_id);
}

bool sparkplug_state_is_offline(const void *payload, size_t bytes)
{
    static const char offline[] = "\"online\":false";
    const char *text = payload;
    size_t at = 0;

    while (at + strlen(offline) <= bytes && memcmp(text + at, offline, strlen(offline)) != 0)
        at++;
    return at + strlen(offline) <= bytes;
}

static void format_state(const struct sparkplug_host *host, bool is_online, char *out, size_t size)
{
    snprintf(out, size, "{\"online\":%s,\"timestamp\":%" PRId64 "}", is_online ? "true" : "false",
             host->since_ms);
}

static void say(struct sparkplug_host *host, bool is_online)
{
    char state[sizeof(host->will)];

    format_state(host, is_online, state, sizeof(state));
    mqtt_link_publish(&host->link, NULL, host->topic, state, strlen(state), 1, true);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct sparkplug_host *host = link->config.user;

    (void)session_present;
    mqtt_link_subscribe_as(link, host->topic, 1, MQTT_LINK_OPTIONAL);
    say(host, true);
}

/* Of a former connection of ours, or of another host with this name. */
static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct sparkplug_host *host = link->config.user;

    if (sparkplug_state_is_offline(delivery->payload, delivery->bytes))
        host->is_contradicted = true;
}

static void join(struct sparkplug_host *host)
{
    host->is_joined = true;
    host->since_ms = timestamp_now() / 1000;
    format_state(host, false, host->will, sizeof(host->will));
    snprintf(host->client_id, sizeof(host->client_id), "%s-sparkplug",
             host->config.client_id(host->config.user));
    mqtt_link_rename(&host->link, host->client_id);
    mqtt_link_join(&host->link);
}

static void leave(struct sparkplug_host *host)
{
    host->is_joined = false;
    if (host->link.state == MQTT_LINK_UP)
        say(host, false);
    mqtt_link_leave(&host->link);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void ask(struct sparkplug_host *host, const struct sparkplug_node *node)
{
    char topic[3 * SPARKPLUG_ID_MOST];
    char shown[120];

    snprintf(topic, sizeof(topic), SPARKPLUG_NAMESPACE "/%s/NCMD/%s", node->group, node->edge);
    buffer_clear(&host->request);
    sparkplug_put_request(&host->request, timestamp_now());
    log_debug("sparkplug: asking for a rebirth on %s",
              log_escaped(shown, sizeof(shown), topic, strlen(topic)));
    mqtt_link_publish(&host->link, NULL, topic, host->request.data, host->request.bytes, 0, false);
}

static void ask_some(struct sparkplug_host *host)
{
    const struct sparkplug_node *node;

    for (int i = 0; i < REQUESTS_AT_ONCE && host->link.state == MQTT_LINK_UP; i++) {
        node = sparkplug_next_request(host->config.sparkplug);
        if (!node)
            return;
        ask(host, node);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sparkplug_host *host = timer->data;
    bool is_live = host->config.is_live(host->config.user);

    if (is_live && !host->is_joined)
        join(host);
    else if (!is_live && host->is_joined)
        leave(host);
    ask_some(host);
    if (++host->ticks % TICKS_UNTIL_SAID_AGAIN == 0 && host->is_contradicted &&
        host->link.state == MQTT_LINK_UP) {
        host->is_contradicted = false;
        say(host, true);
    }
}

/* ---- beginning and end ---------------------------------------------------------------------- */

struct sparkplug_host *sparkplug_host_start(const struct sparkplug_host_config *config)
{
    struct sparkplug_host *host = mem_calloc(1, sizeof(*host));
    const struct settings *settings = config->settings;
    struct mqtt_link_config link = settings_mqtt(settings);
    char error[256];

    host->config = *config;
    sparkplug_state_topic(host->topic, settings, settings->collector_id);
    snprintf(host->client_id, sizeof(host->client_id), "highwater-sparkplug"); /* until join() */
    link.name = "mqtt sparkplug";
    link.starts_off = true;
    link.client_id = host->client_id;
    link.will_topic = host->topic;
    link.will_payload = host->will;
    link.forgets = true;
    link.retains = true;
    link.user = host;
    link.on_up = on_up;
    link.on_message = on_message;
    if (!mqtt_link_start(&host->link, config->loop, &link, error, sizeof(error))) {
        log_error("sparkplug: %s", error); /* the URL was read before; not reached */
        free(host);
        return NULL;
    }
    host->open_handles = 2;
    uv_timer_init(config->loop, &host->timer);
    host->timer.data = host;
    uv_timer_start(&host->timer, on_tick, TICK_MS, TICK_MS);
    return host;
}

static void on_part_closed(struct sparkplug_host *host)
{
    if (--host->open_handles > 0)
        return;
    buffer_release(&host->request);
    free(host);
}

static void on_link_closed(struct mqtt_link *link)
{
    on_part_closed(link->config.user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void sparkplug_host_close(struct sparkplug_host *host)
{
    if (!host)
        return;
    if (host->is_joined)
        leave(host);
    uv_close((uv_handle_t *)&host->timer, on_timer_closed);
    mqtt_link_close(&host->link, on_link_closed);
}
