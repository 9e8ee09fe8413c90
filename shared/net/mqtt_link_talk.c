/* What a connection is used for: subscribing, publishing, letting acknowledgements out. */
#include "shared/base/log.h"
#include "shared/net/mqtt_link_inner.h"

#include <mqtt_protocol.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAPS_LEAST = 3 };

void mqtt_link_say_refusal(struct mqtt_link *link, struct mqtt_subscription *one)
{
    const char *name = link->config.name;

    if (one->is_refusal_said)
        return;
    one->is_refusal_said = true;
    if (one->is_optional)
        log_info("%s: the broker refuses the subscription to %s: %s; going on without", name,
                 one->filter, one->refusal);
    else
        log_error("%s: the broker refuses the subscription to %s: %s; allow it in the broker's "
                  "access control",
                  name, one->filter, one->refusal);
}

/* What would end the connection is refused here. */
static bool is_forbidden(struct mqtt_link *link, struct mqtt_subscription *one)
{
    const char *why = mqtt_terms_forbid(&link->terms, one->filter);

    if (!why)
        return false;
    one->state = MQTT_SUBSCRIPTION_REFUSED;
    snprintf(one->refusal, sizeof(one->refusal), "%s", why);
    mqtt_link_say_refusal(link, one);
    return true;
}

void mqtt_link_ask(struct mqtt_link *link)
{
    struct mqtt_subscription *one;

    while (link->state == MQTT_LINK_UP &&
           (one = mqtt_subscriptions_next(&link->subscriptions)) != NULL) {
        int rc;

        if (is_forbidden(link, one))
            continue;
        one->state = MQTT_SUBSCRIPTION_ASKED;
        rc = mosquitto_subscribe_v5(link->mosq, &one->mid, one->filter, one->qos, one->options,
                                    NULL);
        if (rc == MOSQ_ERR_SUCCESS)
            continue;
        one->state = MQTT_SUBSCRIPTION_REFUSED;
        snprintf(one->refusal, sizeof(one->refusal), "%s", mosquitto_strerror(rc));
        mqtt_link_say_refusal(link, one);
    }
    mqtt_link_rearm(link);
}

static bool subscribe(struct mqtt_link *link, const char *filter, int qos, int options,
                      bool is_optional)
{
    struct mqtt_subscription *one;

    if (link->state != MQTT_LINK_UP)
        return false;
    one = mqtt_subscriptions_note(&link->subscriptions, filter, qos, options, is_optional);
    if (!one)
        return false;
    mqtt_link_ask(link);
    return one->state != MQTT_SUBSCRIPTION_REFUSED;
}

bool mqtt_link_subscribe(struct mqtt_link *link, const char *filter, int qos)
{
    /* retain handling 2: what is retained there is not a new reading */
    return subscribe(link, filter, qos, link->config.gated ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : 0,
                     false);
}

bool mqtt_link_subscribe_as(struct mqtt_link *link, const char *filter, int qos,
                            enum mqtt_link_subscription how)
{
    int options = 0;

    if (how == MQTT_LINK_NOT_OUR_OWN)
        options = MQTT_SUB_OPT_NO_LOCAL;
    else if (how == MQTT_LINK_RETAINED_IF_NEW || how == MQTT_LINK_OPTIONAL_IF_NEW)
        options = MQTT_SUB_OPT_SEND_RETAIN_NEW;
    return subscribe(link, filter, qos, options,
                     how == MQTT_LINK_OPTIONAL || how == MQTT_LINK_OPTIONAL_IF_NEW);
}

bool mqtt_link_unsubscribe(struct mqtt_link *link, const char *filter)
{
    int rc;

    if (link->state != MQTT_LINK_UP)
        return false;
    rc = mosquitto_unsubscribe(link->mosq, NULL, filter);
    mqtt_link_rearm(link);
    return rc == MOSQ_ERR_SUCCESS;
}

bool mqtt_link_publish(struct mqtt_link *link, int *mid, const char *topic, const void *payload,
                       size_t bytes, int qos, bool retain)
{
    return mqtt_link_publish_with(link, mid, topic, payload, bytes, qos, retain, NULL);
}

bool mqtt_link_publish_with(struct mqtt_link *link, int *mid, const char *topic,
                            const void *payload, size_t bytes, int qos, bool retain,
                            const struct mqtt_property *property)
{
    mosquitto_property *properties = NULL;
    int rc;

    assert(!link->config.gated);
    if (link->state != MQTT_LINK_UP)
        return false;
    if (property && !link->config.is_v311) /* which has none */
        mqtt_link_require_memory(mosquitto_property_add_string_pair(
            &properties, MQTT_PROP_USER_PROPERTY, property->name, property->value));
    rc = mosquitto_publish_v5(link->mosq, mid, topic, (int)bytes, payload, qos, retain, properties);
    mosquitto_property_free_all(&properties);
    link->queued++;
    if (!link->is_holding)
        mqtt_link_flush(link);
    return rc == MOSQ_ERR_SUCCESS;
}

bool mqtt_delivery_property(const struct mqtt_delivery *delivery, const char *name, char *out,
                            size_t out_bytes)
{
    const mosquitto_property *property = delivery->properties;
    bool skips_first = false;
    bool is_found = false;

    while (property && !is_found) {
        char *found = NULL;
        char *value = NULL;

        property = mosquitto_property_read_string_pair(property, MQTT_PROP_USER_PROPERTY, &found,
                                                       &value, skips_first);
        skips_first = true;
        is_found = found && value && strcmp(found, name) == 0;
        if (is_found && strlen(value) < out_bytes)
            strcpy(out, value);
        else if (is_found)
            property = NULL;
        free(found);
        free(value);
    }
    return property && is_found;
}

void mqtt_link_hold(struct mqtt_link *link)
{
    link->is_holding = true;
}

void mqtt_link_flush(struct mqtt_link *link)
{
    link->is_holding = false;
    if (mqtt_link_is_connected(link))
        mqtt_link_write(link);
    mqtt_link_rearm(link);
}

void mqtt_link_pause(struct mqtt_link *link)
{
    link->is_paused = true;
    mqtt_link_rearm(link);
}

void mqtt_link_resume(struct mqtt_link *link)
{
    link->is_paused = false;
    mqtt_link_rearm(link);
}

uint64_t mqtt_link_epoch(const struct mqtt_link *link)
{
    return link->state == MQTT_LINK_UP ? link->epoch : 0;
}

void mqtt_link_release(struct mqtt_link *link, uint64_t epoch)
{
    if (epoch == link->epoch && link->held_acks > 0 && mqtt_link_is_connected(link)) {
        link->is_releasing = true;
        mqtt_link_write(link);
    }
    mqtt_link_rearm(link);
}

int mqtt_link_fd(const struct mqtt_link *link)
{
    return link->mosq ? mosquitto_socket(link->mosq) : -1;
}

/* ---- what it lacks -------------------------------------------------------------------------- */

unsigned mqtt_link_needs(const struct mqtt_link *link)
{
    const struct mqtt_link_config *config = &link->config;

    return (config->durable ? MQTT_NEEDS_SESSION | MQTT_NEEDS_QOS1 : 0U) |
           (config->retains ? MQTT_NEEDS_RETAINED : 0U);
}

bool mqtt_link_is_flapping(const struct mqtt_link *link)
{
    return link->short_lived >= FLAPS_LEAST &&
           (link->state != MQTT_LINK_UP ||
            uv_now(link->loop) - link->up_at_ms < MQTT_LINK_STEADY_MS);
}

void mqtt_link_write_faults(const struct mqtt_link *link, struct buffer *out)
{
    char line[400];
    unsigned next = 0;
    bool is_fatal;

    if (link->connects == 0)
        return;
    while (mqtt_terms_explain(&link->terms, mqtt_link_needs(link), &next, line, sizeof(line),
                              &is_fatal)) {
        if (is_fatal)
            buffer_printf(out, "%s\n", line);
    }
    mqtt_subscriptions_write_refusals(&link->subscriptions, out);
    if (link->takeovers > 0 && uv_now(link->loop) - link->taken_at_ms < MQTT_LINK_TAKEN_MS)
        buffer_printf(out,
                      "another client connects as %s, and the broker gives it our session: %" PRIu64
                      " times by now; give every client an id of its own\n",
                      link->config.client_id ? link->config.client_id : "we do", link->takeovers);
    else if (mqtt_link_is_flapping(link))
        buffer_printf(out,
                      "the broker ends each connection as %s: %s; perhaps another client "
                      "connects with this id\n",
                      link->config.client_id ? link->config.client_id : "ours", link->last_end);
}
