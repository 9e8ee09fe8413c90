#include "collector/sources/mqtt_source.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGE_AFTER_MS = 3000 };

/* A database in the place of another has another mark: then the session is another, too. */
void mqtt_session_identify(struct source *source, const struct mqtt_identity *identity,
                           bool had_session)
{
    struct mqtt_source *m = (void *)source;

    m->identity = identity;
    m->had_session = had_session;
    if (strcmp(m->client_id, identity->client_id) == 0)
        return;
    snprintf(m->client_id, sizeof(m->client_id), "%s", identity->client_id);
    m->is_subscribed = false;
    mqtt_link_rename(&m->link, m->client_id);
    mqtt_link_leave(&m->link);
}

/* Those that the session has had before have been stored. A broker whose rules are from before may refuse it. */
static void subscribe_to_abouts(struct mqtt_source *m)
{
    const struct subscriptions *subscriptions = &m->source.config.settings->subscriptions;

    for (size_t i = 0; i < subscriptions->about_count; i++)
        mqtt_link_subscribe_as(&m->link, subscriptions->about_texts[i], 1,
                               MQTT_LINK_OPTIONAL_IF_NEW);
    for (size_t i = 0; i < m->identity->former_count; i++) {
        char *former = subscriptions_about_of(m->identity->former[i]);

        if (former && !subscriptions_has_about(subscriptions, former))
            mqtt_link_unsubscribe(&m->link, former);
        free(former);
    }
}

static void subscribe(struct mqtt_source *m)
{
    const struct subscriptions *subscriptions = &m->source.config.settings->subscriptions;
    const struct mqtt_identity *identity = m->identity;

    for (size_t i = 0; i < subscriptions->count; i++) {
        if (subscriptions->is_retained[i])
            mqtt_link_subscribe_as(&m->link, subscriptions->texts[i], 1, MQTT_LINK_RETAINED_IF_NEW);
        else
            mqtt_link_subscribe(&m->link, subscriptions->texts[i], 1);
    }
    /* and not before, or what matches both would be missed meanwhile */
    for (size_t i = 0; i < identity->former_count; i++)
        mqtt_link_unsubscribe(&m->link, identity->former[i]);
    subscribe_to_abouts(m);
    /* at QoS 0: an acknowledgement would be held by the gate. MQTT 3.1.1 cannot ask for what is
     * retained only when the subscription is new, so there the marker would say nothing. */
    if (!m->link.config.is_v311)
        mqtt_link_subscribe_as(&m->link, m->marker_topic, 0, MQTT_LINK_RETAINED_IF_NEW);
}

void mqtt_session_on_up(struct mqtt_link *link, bool session_present)
{
    struct mqtt_source *m = link->config.user;

    if (link->connects == 1)
        log_info("preflight: in-flight window as the broker has it, %s, batches of up to %zu "
                 "readings",
                 session_present ? "the broker kept our session" : "a new session",
                 (size_t)m->source.config.settings->batch_size);
    m->allowance = (struct allowance){0};
    m->has_said_allowance = false;
    m->session = (struct session){.is_remembered = m->had_session || m->is_subscribed,
                                  .is_present = session_present,
                                  .was_taken = link->takeovers > m->takeovers_judged};
    m->takeovers_judged = link->takeovers;
    m->is_session_judged = false;
    m->source.events->on_up(m->source.user);
    subscribe(m);
}

void mqtt_session_on_subscribed(struct mqtt_link *link, const char *filter, bool granted)
{
    struct mqtt_source *m = link->config.user;

    if (granted && subscriptions_has(&m->source.config.settings->subscriptions, filter))
        m->is_subscribed = true;
}

/* When it is published again it comes as well, but not as a retained one. */
bool mqtt_session_is_marker(struct mqtt_source *m, const struct mqtt_delivery *delivery)
{
    if (strcmp(delivery->topic, m->marker_topic) != 0)
        return false;
    if (delivery->retain) {
        m->session.has_marker_come = true;
        m->is_session_judged = m->is_session_judged && !m->session.is_present;
    }
    return true;
}

void mqtt_session_judge(struct mqtt_source *m)
{
    const struct mqtt_link *link = &m->link;
    const struct source_config *config = &m->source.config;
    char text[512];

    if (m->is_session_judged || link->state != MQTT_LINK_UP)
        return;
    if (session_is_lost(&m->session)) {
        enum broker_memory memory = config->broker_memory(config->user, link->down_at_ms);

        if (memory == BROKER_UNKNOWN && uv_now(link->loop) < link->up_at_ms + JUDGE_AFTER_MS)
            return;
        m->sessions_lost++;
        session_explain(text, sizeof(text), &m->session, memory, link->config.client_id);
        log_error("mqtt: %s", text);
    }
    m->is_session_judged = true;
}

const char *mqtt_session_name(const struct source *source)
{
    const struct mqtt_source *m = (const void *)source;

    return m->is_subscribed ? m->client_id : NULL;
}
