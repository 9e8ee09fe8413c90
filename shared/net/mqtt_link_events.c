/* What the library calls. It holds locks meanwhile, so nothing here writes. */
#include "shared/base/log.h"
#include "shared/net/mqtt_link_inner.h"

#include <mqtt_protocol.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_terms(const struct mqtt_link *link)
{
    char line[400];
    unsigned next = 0;
    bool is_fatal;

    while (mqtt_terms_explain(&link->terms, mqtt_link_needs(link), &next, line, sizeof(line),
                              &is_fatal)) {
        if (link->config.quiet)
            continue;
        if (is_fatal)
            log_error("%s: %s", link->config.name, line);
        else
            log_warning("%s: %s", link->config.name, line);
    }
}

static void note_message(struct mqtt_link *link)
{
    uint64_t now_ms = uv_now(link->loop);

    if (link->busy_ms != now_ms)
        link->busy_count = 0;
    link->busy_ms = now_ms;
    link->busy_count++;
}

/* Under an id that the broker has made up nothing waits for us, and what we leave there waits for
 * nobody. A library that knows our id does not let it come to this (error_text()); one that had no
 * memory for it has forgotten it, which a new instance has not. */
static bool is_renamed(struct mqtt_link *link, const mosquitto_property *properties)
{
    char *assigned = NULL;
    char shown[48];
    char reason[sizeof(link->failure)];

    if (!link->config.client_id ||
        !mosquitto_property_read_string(properties, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER, &assigned,
                                        false))
        return false;
    snprintf(reason, sizeof(reason),
             "the broker has assigned the client id \"%s\" though ours is \"%.80s\"",
             log_escaped(shown, sizeof(shown), assigned, assigned ? strlen(assigned) : 0),
             link->config.client_id);
    free(assigned);
    link->wants_instance = true;
    mqtt_link_go_down(link, reason);
    return true;
}

static void on_connect(struct mosquitto *mosq, void *user, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct mqtt_link *link = user;

    (void)mosq;
    link->read_something = true;
    if (reason == 0 && is_renamed(link, properties))
        return;
    if (reason != 0) {
        mqtt_link_go_down(link, mqtt_connack_text(reason));
        return;
    }
    uv_timer_stop(&link->timer);
    link->terms = mqtt_terms_read(properties);
    link->up_at_ms = uv_now(link->loop);
    link->failure[0] = '\0';
    link->connects++;
    mqtt_link_set_state(link, MQTT_LINK_UP);
    if (link->ahead) /* only now: until here the socket is looked into, too */
        read_ahead_begin(link->ahead, mosquitto_socket(link->mosq));
    if (!link->config.quiet)
        log_info("%s: connecting -> up: %s as %s%s", link->config.name, link->url.host,
                 link->config.client_id ? link->config.client_id : "a guest",
                 flags & 1 ? ", session present" : "");
    mqtt_subscriptions_begin(&link->subscriptions);
    say_terms(link);
    mqtt_link_heed_keepalive(link);
    link->in_callback = true;
    if (link->config.on_up)
        link->config.on_up(link, flags & 1);
    link->in_callback = false;
}

static void on_disconnect(struct mosquitto *mosq, void *user, int rc,
                          const mosquitto_property *properties)
{
    struct mqtt_link *link = user;
    char reason[sizeof(link->failure)];

    (void)mosq;
    (void)properties;
    /* A reason code of the broker's DISCONNECT is at least 0x80, the library's own are below. */
    if (rc == MQTT_RC_SESSION_TAKEN_OVER) {
        link->takeovers++;
        link->taken_at_ms = uv_now(link->loop);
        snprintf(reason, sizeof(reason),
                 "the session was taken over: another client connected as %s",
                 link->config.client_id ? link->config.client_id : "we did");
        mqtt_link_go_down(link, reason);
    } else {
        mqtt_link_go_down_by(link, rc);
    }
}

static void on_message(struct mosquitto *mosq, void *user, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct mqtt_link *link = user;
    struct mqtt_delivery delivery = {.topic = message->topic,
                                     .payload = message->payload ? message->payload : "",
                                     .bytes = (size_t)message->payloadlen,
                                     .qos = message->qos,
                                     .retain = message->retain,
                                     .properties = properties};

    (void)mosq;
    link->read_something = true;
    if (link->config.gated && message->qos > 0)
        link->held_acks++;
    note_message(link);
    link->in_callback = true;
    if (link->config.on_message)
        link->config.on_message(link, &delivery);
    link->in_callback = false;
}

static void on_publish(struct mosquitto *mosq, void *user, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct mqtt_link *link = user;

    (void)mosq;
    (void)properties;
    link->read_something = true;
    link->in_callback = true;
    if (link->config.on_published)
        link->config.on_published(link, mid, reason);
    link->in_callback = false;
}

/* What is stored must have been acknowledged, so there less than asked for is not enough. */
static void apply_suback(struct mqtt_link *link, struct mqtt_subscription *one, int granted)
{
    const char *name = link->config.name;
    bool is_refused = granted < 0 || granted > 2 || (link->config.gated && granted < one->qos);

    one->state = is_refused ? MQTT_SUBSCRIPTION_REFUSED : MQTT_SUBSCRIPTION_GRANTED;
    if (!is_refused) {
        if (one->is_refusal_said && !one->is_optional)
            log_info("%s: the broker grants the subscription to %s now", name, one->filter);
        one->is_refusal_said = false;
        return;
    }
    snprintf(one->refusal, sizeof(one->refusal), "%s",
             granted >= 0 && granted <= 2 ? "it grants QoS 0 only"
                                          : mqtt_reason_text(granted, link->config.is_v311));
    mqtt_link_say_refusal(link, one);
}

static void on_subscribe(struct mosquitto *mosq, void *user, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    struct mqtt_link *link = user;
    struct mqtt_subscription *one = mqtt_subscriptions_find(&link->subscriptions, mid);

    (void)mosq;
    (void)properties;
    link->read_something = true;
    if (!one)
        return; /* asked for once more meanwhile */
    apply_suback(link, one, count > 0 ? granted[0] : -1);
    link->in_callback = true;
    if (link->config.on_subscribed)
        link->config.on_subscribed(link, one->filter, one->state == MQTT_SUBSCRIPTION_GRANTED);
    link->in_callback = false;
    mqtt_link_ask(link);
}

void mqtt_link_listen(struct mqtt_link *link)
{
    mosquitto_connect_v5_callback_set(link->mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(link->mosq, on_disconnect);
    mosquitto_message_v5_callback_set(link->mosq, on_message);
    mosquitto_publish_v5_callback_set(link->mosq, on_publish);
    mosquitto_subscribe_v5_callback_set(link->mosq, on_subscribe);
}
