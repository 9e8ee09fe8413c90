/* One timer looks at how far things are, rather than each callback deciding: what is missing when the time is
 * up is what has to be told. */
#include "shared/net/check_broker.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHAT "broker"
#define SHARED "$share/"

enum {
    LOOK_MS = 20,
    PATIENCE_MS = 3000, /* with a connection that fails: its host may have several addresses */
    LISTEN_MS = 2000
};

enum answer { NO_ANSWER, GRANTED, REFUSED };

struct filter {
    const char *text;
    enum answer answer;
    bool is_heard;
};

struct visit {
    struct check *check;
    const struct check_broker *broker;
    uv_loop_t loop;
    uv_timer_t timer;
    struct mqtt_link link;
    uint64_t began_ms;
    uint64_t up_ms; /* 0 = not yet */
    char client_id[64];
    struct filter *filters;
    struct filter *own; /* the last of them is our own topic; NULL = there is none */
    size_t filter_count;
    char message[40];
    int mid;
    int reason_code; /* of the PUBACK; -1 = none yet */
    bool has_published;
    bool is_read_back;
    bool has_ended; /* the connection, after it was up */
    char end[320];
};

/* ---- what happens --------------------------------------------------------------------------- */

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct visit *visit = link->config.user;

    (void)session_present;
    if (visit->up_ms != 0)
        return;
    visit->up_ms = uv_now(&visit->loop);
    for (size_t i = 0; i < visit->filter_count; i++)
        mqtt_link_subscribe(link, visit->filters[i].text, 1);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct visit *visit = link->config.user;

    visit->has_ended = true;
    snprintf(visit->end, sizeof(visit->end), "%s", reason);
}

static void on_subscribed(struct mqtt_link *link, const char *text, bool granted)
{
    struct visit *visit = link->config.user;
    struct filter *own = visit->own;

    for (size_t i = 0; i < visit->filter_count; i++) {
        if (strcmp(visit->filters[i].text, text) == 0)
            visit->filters[i].answer = granted ? GRANTED : REFUSED;
    }
    if (own && own->answer == GRANTED && !visit->has_published)
        visit->has_published = mqtt_link_publish(link, &visit->mid, own->text, visit->message,
                                                 strlen(visit->message), 1, false);
}

static void on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct visit *visit = link->config.user;

    if (mid == visit->mid)
        visit->reason_code = reason_code;
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct visit *visit = link->config.user;
    const struct filter *own = visit->own;
    bool matches;

    if (own && strcmp(delivery->topic, own->text) == 0 &&
        delivery->bytes == strlen(visit->message) &&
        memcmp(delivery->payload, visit->message, delivery->bytes) == 0)
        visit->is_read_back = true;
    for (size_t i = 0; i < visit->filter_count; i++) {
        if (mosquitto_topic_matches_sub(visit->filters[i].text, delivery->topic, &matches) ==
                MOSQ_ERR_SUCCESS &&
            matches)
            visit->filters[i].is_heard = true;
    }
}

/* ---- what is told --------------------------------------------------------------------------- */

static const char *refusal_of(const struct visit *visit, const char *text)
{
    for (size_t i = 0; i < visit->link.subscriptions.count; i++) {
        if (strcmp(visit->link.subscriptions.items[i].filter, text) == 0)
            return visit->link.subscriptions.items[i].refusal;
    }
    return "";
}

static void tell_terms(struct visit *visit)
{
    unsigned next = 0;
    char text[320];
    bool is_fatal;

    while (mqtt_terms_explain(&visit->link.terms, visit->broker->needs, &next, text, sizeof(text),
                              &is_fatal))
        check_say(visit->check, is_fatal ? CHECK_ERROR : CHECK_WARNING, WHAT, "%s", text);
}

static void tell_filter(struct visit *visit, const struct filter *filter)
{
    if (filter->answer == REFUSED)
        check_say(visit->check, CHECK_ERROR, WHAT, "it refuses the subscription to %s: %s",
                  filter->text, refusal_of(visit, filter->text));
    else if (filter->answer == NO_ANSWER)
        check_say(visit->check, CHECK_ERROR, WHAT, "no answer to the subscription to %s",
                  filter->text);
    else if (filter->is_heard)
        check_say(visit->check, CHECK_OK, WHAT, "subscribed to %s, and read a message",
                  filter->text);
    else
        check_say(visit->check, CHECK_WARNING, WHAT,
                  "subscribed to %s, but nothing came in %d s: nobody publishes there, or the "
                  "broker's access control does not let us read it",
                  filter->text, LISTEN_MS / 1000);
}

static void tell_own(struct visit *visit, const struct filter *own)
{
    if (own->answer != GRANTED)
        tell_filter(visit, own);
    else if (visit->reason_code >= 0x80)
        check_say(visit->check, CHECK_ERROR, WHAT, "it does not let us publish on %s: %s",
                  own->text, mqtt_reason_text(visit->reason_code, visit->broker->mqtt.is_v311));
    else if (visit->is_read_back)
        check_say(visit->check, CHECK_OK, WHAT, "published on %s, and read it back", own->text);
    else
        check_say(visit->check, CHECK_ERROR, WHAT,
                  "what we published on %s did not come back: the broker's access control drops it "
                  "without a word; it has to let us write and read there",
                  own->text);
}

/* Some brokers end the connection over what they do not allow. */
static void tell_end(struct visit *visit, const struct filter *own)
{
    for (size_t i = 0; i < visit->filter_count; i++) {
        if (visit->filters[i].answer == NO_ANSWER) {
            check_say(visit->check, CHECK_ERROR, WHAT,
                      "it ended the connection when we subscribed to %s: %s",
                      visit->filters[i].text, visit->end);
            return;
        }
    }
    if (visit->has_published && !visit->is_read_back)
        check_say(visit->check, CHECK_ERROR, WHAT,
                  "it ended the connection when we published on %s, which its access control may "
                  "not let us: %s",
                  own->text, visit->end);
    else
        check_say(visit->check, CHECK_ERROR, WHAT, "it ended the connection: %s", visit->end);
}

static void tell_all(struct visit *visit)
{
    const struct filter *own = visit->own;

    if (visit->up_ms == 0) {
        check_say(visit->check, CHECK_ERROR, WHAT, "%s",
                  *visit->link.failure ? visit->link.failure : "no answer in time");
        return;
    }
    check_say(visit->check, CHECK_OK, WHAT, "connected to %s with MQTT %s as %s",
              visit->link.address ? visit->link.address : visit->link.url.host,
              visit->broker->mqtt.is_v311 ? "3.1.1" : "5", visit->client_id);
    tell_terms(visit);
    if (visit->has_ended) {
        tell_end(visit, own);
        return;
    }
    for (size_t i = 0; i < visit->broker->filter_count; i++)
        tell_filter(visit, &visit->filters[i]);
    if (own)
        tell_own(visit, own);
}

/* ---- how far it is -------------------------------------------------------------------------- */

static bool is_answered(struct visit *visit)
{
    const struct filter *own = visit->own;

    for (size_t i = 0; i < visit->filter_count; i++) {
        if (visit->filters[i].answer == NO_ANSWER)
            return false;
    }
    return !own || own->answer == REFUSED || visit->is_read_back || visit->reason_code >= 0x80;
}

static bool is_all_heard(const struct visit *visit)
{
    for (size_t i = 0; i < visit->filter_count; i++) {
        if (visit->filters[i].answer == GRANTED && !visit->filters[i].is_heard)
            return false;
    }
    return true;
}

/* A message that was acknowledged and is dropped is missed for LISTEN_MS only, not for the whole time. */
static bool is_over(struct visit *visit)
{
    uint64_t now_ms = uv_now(&visit->loop);
    bool has_listened = visit->up_ms != 0 && now_ms - visit->up_ms >= LISTEN_MS;

    if (visit->has_ended || now_ms - visit->began_ms >= visit->broker->timeout_ms)
        return true;
    if (visit->up_ms == 0)
        return *visit->link.failure && now_ms - visit->began_ms >= PATIENCE_MS;
    if (!is_answered(visit))
        return has_listened && visit->reason_code >= 0;
    return has_listened || is_all_heard(visit);
}

static void on_closed(struct mqtt_link *link)
{
    (void)link;
}

static void on_look(uv_timer_t *timer)
{
    struct visit *visit = timer->data;

    if (!is_over(visit))
        return;
    tell_all(visit);
    uv_close((uv_handle_t *)timer, NULL);
    mqtt_link_close(&visit->link, on_closed);
}

/* To subscribe to $share/group/filter would take messages from the group. */
static const char *unshared(const char *filter)
{
    const char *group =
        strncmp(filter, SHARED, strlen(SHARED)) == 0 ? filter + strlen(SHARED) : NULL;
    const char *rest = group ? strchr(group, '/') : NULL;

    return rest ? rest + 1 : filter;
}

static void init(struct visit *visit)
{
    const struct check_broker *broker = visit->broker;

    visit->filters = mem_calloc(broker->filter_count + 1, sizeof(*visit->filters));
    for (size_t i = 0; i < broker->filter_count; i++)
        visit->filters[i].text = unshared(broker->filters[i]);
    visit->filter_count = broker->filter_count;
    if (broker->topic) {
        visit->own = &visit->filters[visit->filter_count++];
        visit->own->text = broker->topic;
    }
    snprintf(visit->client_id, sizeof(visit->client_id), "highwater-check-%d-%llx", (int)getpid(),
             (unsigned long long)timestamp_now());
    snprintf(visit->message, sizeof(visit->message), "%s",
             visit->client_id + strlen("highwater-check-"));
}

void check_broker_run(struct check *check, const struct check_broker *broker)
{
    struct visit visit = {.check = check, .broker = broker, .reason_code = -1};
    struct mqtt_link_config mqtt = broker->mqtt;
    char error[400];

    init(&visit);
    mqtt.name = WHAT;
    mqtt.client_id = visit.client_id;
    mqtt.forgets = mqtt.quiet = true;
    mqtt.user = &visit;
    mqtt.on_up = on_up;
    mqtt.on_down = on_down;
    mqtt.on_subscribed = on_subscribed;
    mqtt.on_published = on_published;
    mqtt.on_message = on_message;
    uv_loop_init(&visit.loop);
    visit.began_ms = uv_now(&visit.loop);
    if (mqtt_link_start(&visit.link, &visit.loop, &mqtt, error, sizeof(error))) {
        uv_timer_init(&visit.loop, &visit.timer);
        visit.timer.data = &visit;
        uv_timer_start(&visit.timer, on_look, LOOK_MS, LOOK_MS);
        uv_run(&visit.loop, UV_RUN_DEFAULT);
    } else {
        check_say(check, CHECK_ERROR, WHAT, "MQTT_URL: %s", error);
    }
    uv_loop_close(&visit.loop);
    free(visit.filters);
}
