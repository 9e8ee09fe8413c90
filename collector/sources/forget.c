/* Three steps, each begun where the one before ends: listen() for a live one, end_session() for each
 * session (a connection with its id and a clean start throws it away), clear() in rounds, until a
 * round finds nothing: the last will of a connection that was still half there comes late. A message
 * of our own, which comes back after all that is retained, ends a round. */
#include "collector/sources/forget.h"

#include "collector/mqtt_identity.h"
#include "collector/settings.h"
#include "collector/sinks/rival.h"
#include "collector/sinks/sparkplug_host.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/pg_session.h"
#include "shared/net/pg_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DATABASE_MS = 10000,
    ANSWER_MS = 10000, /* of the broker */
    LISTEN_MS = 2500,  /* a status comes every second */
    SETTLE_MS = 200,   /* a broker may send what is retained after our own message */
    ROUNDS_MOST = 10
};

#define SESSIONS_SQL                                                                               \
    "SELECT client_id FROM sessions WHERE collector = $1"                                          \
    " UNION SELECT format('highwater-%s-%s', $1::text, id) FROM installation"

struct forget {
    const struct settings *settings;
    const char *collector_id;
    PGconn *conn;
    uv_loop_t loop;
    struct mqtt_link link;    /* listens, and clears */
    struct mqtt_link session; /* has the id of a session */
    uv_timer_t answer;        /* no news for long */
    uv_timer_t pause;
    PGresult *sessions;
    int session_at; /* twice the row, and one more for the boards */
    struct mqtt_identity identity;
    char client_id[64];
    char filter[96];
    char status_topic[96];
    char fence_topic[96];
    char state_topic[SPARKPLUG_STATE_TOPIC_SIZE]; /* "": it was no host of Sparkplug */
    char **topics;                                /* retained */
    size_t topic_count;
    size_t topic_capacity;
    int outstanding;
    unsigned rounds;
    unsigned cleared;
    bool is_known; /* to the database */
    bool is_ending;
    int status;
};

static void end_session(struct forget *f);
static void begin_round(struct forget *f);

static int fail(const char *what, const char *text)
{
    log_complaint(what, text);
    return 1;
}

static int fail_database(const struct forget *f)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", PQerrorMessage(f->conn));
    pg_url_scrub(f->conn, text);
    return fail("database", text);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_link_closed(struct mqtt_link *link)
{
    (void)link;
}

static void end(struct forget *f)
{
    if (f->is_ending)
        return;
    f->is_ending = true;
    uv_close((uv_handle_t *)&f->answer, NULL);
    uv_close((uv_handle_t *)&f->pause, NULL);
    mqtt_link_close(&f->link, on_link_closed);
    if (f->session.loop && !f->session.on_closed)
        mqtt_link_close(&f->session, on_link_closed);
}

static void end_with(struct forget *f, const char *what, const char *text)
{
    if (!f->is_ending)
        f->status = fail(what, text);
    end(f);
}

static void on_no_answer(uv_timer_t *timer)
{
    struct forget *f = timer->data;
    const struct mqtt_link *link = f->session.loop ? &f->session : &f->link;

    end_with(f, "the broker",
             *link->failure ? link->failure : "no answer for 10 s; give the command again");
}

static void note_progress(struct forget *f)
{
    if (!f->is_ending)
        uv_timer_start(&f->answer, on_no_answer, ANSWER_MS, 0);
}

/* ---- what is retained ----------------------------------------------------------------------- */

static void forget_topics(struct forget *f)
{
    for (size_t i = 0; i < f->topic_count; i++)
        free(f->topics[i]);
    f->topic_count = 0;
}

static void note_topic(struct forget *f, const char *topic)
{
    if (f->topic_count == f->topic_capacity) {
        f->topic_capacity = mem_grown(f->topic_capacity, f->topic_count + 1);
        f->topics = mem_realloc(f->topics, f->topic_capacity * sizeof(f->topics[0]));
    }
    f->topics[f->topic_count++] = mem_strdup(topic);
}

/* All that is retained has come. */
static void on_settled(uv_timer_t *timer)
{
    struct forget *f = timer->data;

    if (f->topic_count == 0) {
        end(f);
        return;
    }
    if (f->rounds++ == ROUNDS_MOST) {
        end_with(f, f->topics[0],
                 "it comes back whenever it is cleared: something publishes there");
        return;
    }
    for (size_t i = 0; i < f->topic_count && !f->is_ending; i++) {
        if (mqtt_link_publish(&f->link, NULL, f->topics[i], NULL, 0, 1, true))
            f->outstanding++;
        else
            end_with(f, f->topics[i], "it cannot be cleared");
    }
}

static void on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct forget *f = link->config.user;

    (void)mid;
    note_progress(f);
    if (f->outstanding == 0)
        return; /* the fence's own */
    if (reason_code >= 0x80) {
        end_with(f, f->collector_id,
                 "the broker does not let us clear what is retained under collectors/ID/, or "
                 "the STATE of Sparkplug; allow it to this client");
        return;
    }
    f->cleared++;
    if (--f->outstanding == 0)
        begin_round(f);
}

static void begin_round(struct forget *f)
{
    forget_topics(f);
    mqtt_link_unsubscribe(&f->link, f->filter);
    mqtt_link_subscribe(&f->link, f->filter, 0);
    if (*f->state_topic) {
        mqtt_link_unsubscribe(&f->link, f->state_topic);
        mqtt_link_subscribe(&f->link, f->state_topic, 0);
    }
    mqtt_link_publish(&f->link, NULL, f->fence_topic, "", 0, 0, false);
}

static bool is_clearing(const struct forget *f)
{
    return f->sessions && f->session_at >= 2 * PQntuples(f->sessions);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct forget *f = link->config.user;
    char who[MQTT_IDENTITY_MARK_SIZE];
    char text[256];

    note_progress(f);
    if (!delivery->retain && strcmp(delivery->topic, f->status_topic) == 0 &&
        rival_is_there(delivery->payload, delivery->bytes, who)) {
        snprintf(text, sizeof(text),
                 "it is live: installation %s publishes its status; stop it first", who);
        end_with(f, f->collector_id, text);
    } else if (strcmp(delivery->topic, f->fence_topic) == 0 && is_clearing(f) && !f->is_ending) {
        uv_timer_start(&f->pause, on_settled, SETTLE_MS, 0);
    } else if (strcmp(delivery->topic, f->state_topic) == 0) {
        /* another host may have the name by now */
        if (sparkplug_state_is_offline(delivery->payload, delivery->bytes))
            note_topic(f, delivery->topic);
    } else if (delivery->bytes > 0 && (delivery->retain || is_clearing(f))) {
        /* What is published now may be retained as well: it is not told. */
        note_topic(f, delivery->topic);
    }
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void on_session_up(struct mqtt_link *link, bool session_present)
{
    (void)session_present;
    note_progress(link->config.user);
}

static void on_session_closed(struct mqtt_link *link)
{
    struct forget *f = link->config.user;

    link->loop = NULL;
    f->session_at++;
    if (!f->is_ending)
        end_session(f);
}

/* Not in a callback of the library. */
static void on_look(uv_timer_t *timer)
{
    struct forget *f = timer->data;

    if (f->session.state == MQTT_LINK_UP)
        mqtt_link_close(&f->session, on_session_closed);
    else
        uv_timer_start(&f->pause, on_look, 10, 0);
}

/* The next one, or when there is none, what is retained. */
static void end_session(struct forget *f)
{
    struct mqtt_link_config mqtt = settings_mqtt(f->settings);
    char error[256];

    if (is_clearing(f)) {
        begin_round(f);
        return;
    }
    mqtt_identity_set(&f->identity, "", PQgetvalue(f->sessions, f->session_at / 2, 0), "", "");
    mqtt.name = "mqtt session";
    mqtt.client_id = f->session_at % 2 == 0 ? f->identity.client_id : f->identity.boards_client_id;
    mqtt.keepalive_s = 60;
    mqtt.quiet = true;
    mqtt.user = f;
    mqtt.on_up = on_session_up;
    if (mqtt_link_start(&f->session, &f->loop, &mqtt, error, sizeof(error)))
        uv_timer_start(&f->pause, on_look, 1, 0);
    else
        end_with(f, "mqtt-url", error);
}

/* ---- is it live? ---------------------------------------------------------------------------- */

static void on_listened(uv_timer_t *timer)
{
    end_session(timer->data);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct forget *f = link->config.user;

    (void)session_present;
    note_progress(f);
    mqtt_link_subscribe(link, f->filter, 0);
    uv_timer_start(&f->pause, on_listened, LISTEN_MS, 0);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct forget *f = link->config.user;

    if (!f->is_ending)
        end_with(f, "the broker", reason);
}

static void listen_and_clear(struct forget *f)
{
    struct mqtt_link_config mqtt = settings_mqtt(f->settings);
    char error[256];

    snprintf(f->client_id, sizeof(f->client_id), "highwater-forget-%ld-%llx", (long)getpid(),
             (unsigned long long)uv_hrtime());
    snprintf(f->filter, sizeof(f->filter), "collectors/%s/#", f->collector_id);
    snprintf(f->status_topic, sizeof(f->status_topic), "collectors/%s/status", f->collector_id);
    snprintf(f->fence_topic, sizeof(f->fence_topic), "collectors/%s/forget", f->collector_id);
    mqtt.name = "mqtt";
    mqtt.client_id = f->client_id;
    mqtt.keepalive_s = 60;
    mqtt.quiet = true;
    mqtt.user = f;
    mqtt.on_up = on_up;
    mqtt.on_down = on_down;
    mqtt.on_message = on_message;
    mqtt.on_published = on_published;
    uv_loop_init(&f->loop);
    if (!mqtt_link_start(&f->link, &f->loop, &mqtt, error, sizeof(error))) {
        f->status = fail("mqtt-url", error);
        return;
    }
    uv_timer_init(&f->loop, &f->answer);
    uv_timer_init(&f->loop, &f->pause);
    f->answer.data = f->pause.data = f;
    note_progress(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_loop_close(&f->loop);
}

/* ---- the database --------------------------------------------------------------------------- */

static PGresult *ask(const struct forget *f, const char *sql)
{
    const char *params[] = {f->collector_id};

    return PQexecParams(f->conn, sql, 1, NULL, params, NULL, NULL, 0);
}

/* Nobody becomes live under this id while we hold its lock. */
static bool acquire_lock(struct forget *f)
{
    PGresult *result = ask(f, "SELECT pg_try_advisory_lock(collector_lock($1)),"
                              " EXISTS (SELECT FROM collectors WHERE id = $1),"
                              " EXISTS (SELECT FROM sparkplug_nodes WHERE collector = $1)");
    bool is_answered = PQresultStatus(result) == PGRES_TUPLES_OK;
    bool is_ours = is_answered && *PQgetvalue(result, 0, 0) == 't';

    f->is_known = is_answered && *PQgetvalue(result, 0, 1) == 't';
    if (is_answered && *PQgetvalue(result, 0, 2) == 't')
        sparkplug_state_topic(f->state_topic, f->settings, f->collector_id);
    PQclear(result);
    if (!is_answered)
        f->status = fail_database(f);
    else if (!is_ours)
        f->status = fail(f->collector_id,
                         "it is live: a collector holds its lock in the database; stop it first");
    return is_ours;
}

/* Births and numbers go with the session in which their messages came: what comes in another one has a gap
 * before it, and may have other births. */
static void forget_sessions(struct forget *f)
{
    PGresult *result = ask(f, "WITH nodes AS (DELETE FROM sparkplug_nodes WHERE collector = $1),"
                              " births AS (DELETE FROM sparkplug_births WHERE collector = $1)"
                              " DELETE FROM sessions WHERE collector = $1");

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        f->status = fail_database(f);
    else if (!f->is_known && f->cleared == 0)
        f->status = fail(f->collector_id,
                         "neither the database nor the broker knows a collector of this id");
    else
        printf("collector %s is forgotten: its sessions at the broker, and %u retained messages\n",
               f->collector_id, f->cleared);
    PQclear(result);
}

static void work(struct forget *f)
{
    if (!acquire_lock(f))
        return;
    f->sessions = ask(f, SESSIONS_SQL);
    if (PQresultStatus(f->sessions) != PGRES_TUPLES_OK) {
        f->status = fail_database(f);
        return;
    }
    listen_and_clear(f);
    if (f->status == 0)
        forget_sessions(f);
}

int forget_run(const struct settings *settings)
{
    const struct pg_session session = {.statement_timeout_ms = DATABASE_MS};
    struct forget f = {.settings = settings, .collector_id = settings->forget};
    char reason[320];

    if (strcmp(settings_store_url(settings), settings->database_url) != 0)
        return fail("--forget",
                    "which sessions there were only a database knows, and STORE is none; "
                    "end a session of a collector that is gone at the broker: its client id is "
                    "in the collector's log");
    f.conn = pg_session_open(settings->database_url, "highwater forget", &session, DATABASE_MS,
                             reason, sizeof(reason));
    if (f.conn)
        work(&f);
    else
        f.status = fail("database", reason);
    PQclear(f.sessions);
    pg_session_close(f.conn);
    forget_topics(&f);
    free(f.topics);
    mqtt_identity_release(&f.identity);
    return f.status;
}
