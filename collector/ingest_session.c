#include "collector/ingest_session.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { JUDGE_AFTER_MS = 3000 };

/* A database in the place of another has another mark: then the session is another, too. */
void ingest_session_set_client_id(struct ingest *ingest)
{
    const char *client_id = ingest->store.identity.client_id;

    if (strcmp(ingest->client_id, client_id) == 0)
        return;
    snprintf(ingest->client_id, sizeof(ingest->client_id), "%s", client_id);
    ingest->is_subscribed = false;
    mqtt_link_rename(&ingest->mqtt, ingest->client_id);
    mqtt_link_leave(&ingest->mqtt);
}

void ingest_session_on_up(struct mqtt_link *link, bool session_present)
{
    struct ingest *ingest = link->config.user;

    if (link->connects == 1)
        log_info("preflight: in-flight window as the broker has it, %s, batches of up to %zu "
                 "readings",
                 session_present ? "the broker kept our session" : "a new session",
                 ingest->config.batch_size);
    ingest->allowance = (struct allowance){0};
    ingest->has_said_allowance = false;
    ingest->session =
        (struct session){.is_remembered = ingest->store.had_session || ingest->is_subscribed,
                         .is_present = session_present,
                         .was_taken = link->takeovers > ingest->takeovers_judged};
    ingest->takeovers_judged = link->takeovers;
    ingest->is_session_judged = false;
    /* What was read and not acknowledged comes again first. */
    ingest->expects_duplicates = true;
    mqtt_link_subscribe(link, ingest->config.filter.text, 1);
    /* and not before, or what matches both would be missed meanwhile */
    for (size_t i = 0; i < ingest->store.identity.former_count; i++)
        mqtt_link_unsubscribe(link, ingest->store.identity.former[i].text);
    /* at QoS 0: an acknowledgement would be held by the gate. MQTT 3.1.1 cannot ask for what is
     * retained only when the subscription is new, so there the marker would say nothing. */
    if (!link->config.is_v311)
        mqtt_link_subscribe_as(link, ingest->config.marker_topic, 0, MQTT_LINK_RETAINED_IF_NEW);
}

void ingest_session_on_subscribed(struct mqtt_link *link, const char *filter, bool granted)
{
    struct ingest *ingest = link->config.user;

    if (granted && strcmp(filter, ingest->config.filter.text) == 0)
        ingest->is_subscribed = true;
}

/* When it is published again it comes as well, but not as a retained one. */
bool ingest_session_is_marker(struct ingest *ingest, const struct mqtt_delivery *delivery)
{
    if (strcmp(delivery->topic, ingest->config.marker_topic) != 0)
        return false;
    if (delivery->retain) {
        ingest->session.has_marker_come = true;
        ingest->is_session_judged = ingest->is_session_judged && !ingest->session.is_present;
    }
    return true;
}

void ingest_session_judge(struct ingest *ingest, enum broker_memory memory)
{
    const struct mqtt_link *link = &ingest->mqtt;
    char text[512];

    if (ingest->is_session_judged || link->state != MQTT_LINK_UP)
        return;
    if (session_is_lost(&ingest->session)) {
        if (memory == BROKER_UNKNOWN && uv_now(link->loop) < link->up_at_ms + JUDGE_AFTER_MS)
            return;
        ingest->sessions_lost++;
        session_explain(text, sizeof(text), &ingest->session, memory, link->config.client_id);
        log_error("mqtt: %s", text);
    }
    ingest->is_session_judged = true;
}

void ingest_session_log_window(struct ingest *ingest)
{
    uint64_t window = ingest->allowance.window;

    if (ingest->has_said_allowance || window >= ingest->config.batch_size)
        return;
    ingest->has_said_allowance = true;
    log_info("mqtt: the broker sends %" PRIu64
             " messages before it waits for acknowledgements, so no batch has more; raise that "
             "(max_inflight_messages in mosquitto.conf) for more readings a second",
             window);
}
