/* The states of a connection, how it ends, and the interface. Each attempt is in mqtt_link_connect.c,
 * reading, writing and the gate in mqtt_link_io.c, what the library calls in mqtt_link_events.c, what
 * it is used for in mqtt_link_talk.c. */
#include "shared/net/mqtt_link_inner.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/net/fd_watch.h"
#include "shared/net/mqtt_farewell.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDED_SOON_MS = 60000, ENDED_SAID = 5 };
enum { LEAVE_TIMEOUT_MS = 2000, BACKOFF_LEAST_MS = 100, BACKOFF_MOST_MS = 5000 };

static const char *const state_names[] = {"off", "waiting", "resolving", "connecting",
                                          "up",  "leaving", "closed"};

void mqtt_link_set_state(struct mqtt_link *link, enum mqtt_link_state state)
{
    if (state == link->state)
        return;
    if (!link->config.quiet)
        log_debug("%s: %s -> %s", link->config.name, state_names[link->state], state_names[state]);
    if (link->state == MQTT_LINK_UP)
        link->down_at_ms = uv_now(link->loop);
    link->state = state;
}

/* ---- the end of a connection ---------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct mqtt_link *link = handle->data;

    assert(link->open_handles > 0);
    if (--link->open_handles > 0)
        return;
    mosquitto_destroy(link->mosq);
    link->mosq = NULL;
    mosquitto_lib_cleanup();
    tls_client_free(link->old_tls);
    tls_client_free(link->tls); /* which the instance used to its end */
    link->tls = link->old_tls = NULL;
    mqtt_subscriptions_release(&link->subscriptions);
    mqtt_url_release(&link->url);
    free(link->address);
    link->address = NULL;
    free(link->ahead);
    link->ahead = NULL;
    free(link->gather);
    link->gather = NULL;
    link->on_closed(link);
}

static void finish_close(struct mqtt_link *link)
{
    mqtt_link_set_state(link, MQTT_LINK_CLOSED);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->keepalive, on_handle_closed);
    uv_close((uv_handle_t *)&link->rest, on_handle_closed);
}

static void on_timer(uv_timer_t *timer);

void mqtt_link_start_timer(struct mqtt_link *link, uint64_t after_ms)
{
    uv_timer_start(&link->timer, on_timer, after_ms, 0);
}

/* Two clients with one id end each other's connections for as long as both run, and few brokers tell them
 * why. Each waits longer from time to time, so these may last for seconds. */
static void note_rival(struct mqtt_link *link, uint64_t lasted_ms)
{
    if (!link->wants_up)
        return; /* we have ended it */
    link->ended = lasted_ms < ENDED_SOON_MS ? link->ended + 1 : 0;
    if (link->ended == ENDED_SAID && link->takeovers == 0 && link->config.client_id &&
        !link->config.quiet)
        log_warning(
            "%s: %d connections in a row as %s have been ended within a minute each; unless "
            "the broker restarts that often, another client connects with this id, such as "
            "a collector with another database: give every client an id of its own",
            link->config.name, ENDED_SAID, link->config.client_id);
}

/* Notes of the connection that ends what readiness and the next attempt want to know. */
static void note_end(struct mqtt_link *link, const char *reason, bool was_up)
{
    uint64_t lasted_ms = uv_now(link->loop) - link->up_at_ms;

    if (link->state == MQTT_LINK_CONNECTING)
        link->tries++; /* the next address of the host */
    snprintf(link->failure, sizeof(link->failure), "%s", reason);
    if (!was_up)
        return;
    backoff_lasted(&link->backoff, lasted_ms);
    link->short_lived = lasted_ms < MQTT_LINK_STEADY_MS ? link->short_lived + 1 : 0;
    note_rival(link, lasted_ms);
    snprintf(link->last_end, sizeof(link->last_end), "%s", reason);
    if (mqtt_subscriptions_end(&link->subscriptions) && !link->config.quiet)
        log_warning("%s: the broker ends the connection when it is asked for $SYS; going on "
                    "without",
                    link->config.name);
}

void mqtt_link_go_down(struct mqtt_link *link, const char *reason)
{
    bool was_up = link->state == MQTT_LINK_UP;
    bool was_leaving = link->state == MQTT_LINK_LEAVING;
    bool is_news = strcmp(reason, link->failure) != 0;

    if (link->state < MQTT_LINK_RESOLVING || link->state == MQTT_LINK_CLOSED)
        return;
    fd_watch_free(link->watch);
    link->watch = NULL;
    if (link->ahead)
        read_ahead_end(link->ahead);
    if (link->gather)
        write_gather_drop(link->gather);
    if (link->leaving_fd > 0)
        mqtt_farewell_start(link->loop, link->leaving_fd);
    link->leaving_fd = 0;
    uv_timer_stop(&link->timer);
    uv_timer_stop(&link->keepalive);
    uv_timer_stop(&link->rest);
    link->is_resting = false;
    link->held_acks = 0;
    link->is_releasing = false;
    note_end(link, reason, was_up);
    if (!link->wants_up) {
        mqtt_link_set_state(link, MQTT_LINK_OFF);
    } else {
        uint32_t wait_ms = was_leaving ? 0 : backoff_next_ms(&link->backoff);

        mqtt_link_set_state(link, MQTT_LINK_WAITING);
        uv_timer_start(&link->timer, on_timer, wait_ms, 0);
        if (was_up && !link->config.quiet)
            log_warning("%s: up -> down: %s", link->config.name, reason);
        else if (is_news && !was_leaving && !link->config.quiet)
            log_warning("%s: %s is not reachable: %s; trying again", link->config.name,
                        link->url.host, reason);
    }
    if (was_up && link->config.on_down)
        link->config.on_down(link, reason);
    if (link->on_closed && link->state == MQTT_LINK_OFF)
        finish_close(link);
}

/* The other side has ended it, whichever of read, write and TLS has met that, and as what: the library
 * says EPROTO for all that ends TLS. */
static bool is_ended(const struct mqtt_link *link, int rc, int error)
{
    return rc == MOSQ_ERR_CONN_LOST ||
           (rc == MOSQ_ERR_ERRNO &&
            (error == ECONNRESET || error == EPIPE || (link->tls && error == EPROTO)));
}

/* In words, of which some are in `out`. */
static const char *end_text(struct mqtt_link *link, int rc, char *out, size_t out_bytes)
{
    const char *text;

    if (is_ended(link, rc, errno))
        rc = MOSQ_ERR_CONN_LOST;
    text = rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);

    if (link->tls &&
        tls_client_explain(link->tls, link->state == MQTT_LINK_CONNECTING, out, out_bytes))
        return out;
    if (rc == MOSQ_ERR_KEEPALIVE)
        text = "no answer to PINGREQ in time"; /* 2.0.11 has no text for it */
    else if (rc >= MQTT_RC_UNSPECIFIED)
        text = mosquitto_reason_string(rc); /* the broker's DISCONNECT; the library's are below */
    else if (link->state == MQTT_LINK_CONNECTING && mqtt_link_connect_error(link, rc))
        text = mqtt_link_connect_error(link, rc);
    return text;
}

void mqtt_link_go_down_by(struct mqtt_link *link, int rc)
{
    char reason[sizeof(link->failure)];

    mqtt_link_go_down(link, end_text(link, rc, reason, sizeof(reason)));
}

/* What is left out for want of memory would change what we ask of the broker: without its expiry
 * the session, and what is queued for it, ends with the connection. */
void mqtt_link_require_memory(int rc)
{
    if (rc == MOSQ_ERR_NOMEM) {
        fprintf(stderr, "out of memory: no MQTT client can be made\n");
        abort();
    }
}

/* ---- the instance ----------------------------------------------------------------------------- */

/* In the place of the one that there is, whose socket it closes. */
static void replace_instance(struct mqtt_link *link)
{
    link->wants_instance = false;
    mosquitto_destroy(link->mosq);
    tls_client_free(link->old_tls);
    link->old_tls = NULL;
    mqtt_link_new_instance(link);
}

/* The library closes a socket with its instance only, or
 * before it opens the next one. A publisher's instance is kept when there will be a next one,
 * because it remembers what was published and not acknowledged. */
void mqtt_link_abandon(struct mqtt_link *link, const char *reason)
{
    if (!mqtt_link_is_connected(link))
        return;
    mqtt_link_go_down(link, reason);
    if (link->state == MQTT_LINK_CLOSED)
        return; /* the instance goes with the handles */
    if (link->state == MQTT_LINK_WAITING && !link->config.gated)
        return;
    replace_instance(link);
}

void mqtt_link_abandon_by(struct mqtt_link *link, int rc)
{
    char reason[sizeof(link->failure)];

    mqtt_link_abandon(link, end_text(link, rc, reason, sizeof(reason)));
}

static void on_timer(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;

    if (link->state == MQTT_LINK_WAITING && (link->wants_instance || link->config.forgets))
        replace_instance(link);
    if (link->state == MQTT_LINK_WAITING)
        mqtt_link_attempt(link);
    else if (link->state == MQTT_LINK_CONNECTING)
        mqtt_link_abandon(link, "no answer to CONNECT in time");
    else if (link->state == MQTT_LINK_LEAVING)
        mqtt_link_abandon(link, "DISCONNECT could not be sent in time");
}

/* ---- the interface -------------------------------------------------------------------------- */

static struct tls_client *new_tls(const struct mqtt_link *link, char *error, size_t error_bytes)
{
    const struct tls_client_config config = {
        .names = {.setting = "MQTT", .peer = "the broker", .plain_scheme = "mqtt"},
        .host = link->url.host,
        .ca_file = link->config.ca_file,
        .cert_file = link->config.cert_file,
        .key_file = link->config.key_file};

    return tls_client_new(&config, error, error_bytes);
}

static bool parse_url(struct mqtt_link *link, char *error, size_t error_bytes)
{
    const struct mqtt_link_config *config = &link->config;

    if (!mqtt_url_parse(&link->url, config->url)) {
        snprintf(error, error_bytes, MQTT_URL_LEGAL);
        return false;
    }
    if (config->username) {
        free(link->url.username);
        free(link->url.password);
        link->url.username = mem_strdup(config->username);
        link->url.password = config->password ? mem_strdup(config->password) : NULL;
    }
    if (link->url.use_tls)
        link->tls = new_tls(link, error, error_bytes);
    return !link->url.use_tls || link->tls;
}

static bool has_user(const struct mqtt_link *link, char *error, size_t error_bytes)
{
    if (!link->config.password_file || link->url.username)
        return true;
    snprintf(error, error_bytes,
             "with MQTT_PASSWORD_FILE it names the user: mqtt://user@host[:port]");
    return false;
}

bool mqtt_link_start(struct mqtt_link *link, uv_loop_t *loop, const struct mqtt_link_config *config,
                     char *error, size_t error_bytes)
{
    *link = (struct mqtt_link){.config = *config, .loop = loop, .wants_up = !config->starts_off};
    if (!parse_url(link, error, error_bytes) || !has_user(link, error, error_bytes)) {
        mqtt_url_release(&link->url);
        return false;
    }
    signal(SIGPIPE, SIG_IGN); /* the library writes without MSG_NOSIGNAL */
    mosquitto_lib_init();
    mqtt_link_new_instance(link);
    if (config->gated) {
        link->ahead = mem_calloc(1, sizeof(*link->ahead));
        link->gather = mem_calloc(1, sizeof(*link->gather));
    }
    backoff_init(&link->backoff, BACKOFF_LEAST_MS, BACKOFF_MOST_MS,
                 (uint64_t)timestamp_now() ^ (uint64_t)(uintptr_t)link);
    uv_timer_init(loop, &link->timer);
    uv_timer_init(loop, &link->keepalive);
    uv_timer_init(loop, &link->rest);
    link->timer.data = link->keepalive.data = link->rest.data = link;
    link->open_handles = 3;
    if (link->wants_up)
        mqtt_link_attempt(link);
    return true;
}

/* The library closes its descriptor once DISCONNECT is written. Ours is watched instead, since one that
 * is closed behind the loop's back cannot be taken out of its poll. */
static void keep_socket(struct mqtt_link *link)
{
    int fd = mqtt_farewell_descriptor(mosquitto_socket(link->mosq));

    if (fd < 0)
        return;
    link->leaving_fd = fd;
    fd_watch_free(link->watch);
    link->watch = fd_watch_new(link->loop, fd, mqtt_link_on_events, link);
}

void mqtt_link_leave(struct mqtt_link *link)
{
    link->wants_up = false;
    if (link->state == MQTT_LINK_UP && link->held_acks == 0) {
        keep_socket(link);
        mosquitto_disconnect(link->mosq);
        mqtt_link_set_state(link, MQTT_LINK_LEAVING);
        uv_timer_start(&link->timer, on_timer, LEAVE_TIMEOUT_MS, 0);
        mqtt_link_write(link);
        mqtt_link_rearm(link);
    } else if (mqtt_link_is_connected(link)) {
        mqtt_link_abandon(link, "left on purpose");
    } else if (link->state == MQTT_LINK_WAITING) {
        uv_timer_stop(&link->timer);
        mqtt_link_set_state(link, MQTT_LINK_OFF);
    }
    /* while resolving, on_resolved() finds that it is no longer wanted */
}

void mqtt_link_join(struct mqtt_link *link)
{
    if (link->wants_up)
        return;
    link->wants_up = true;
    if (link->state == MQTT_LINK_OFF) {
        mqtt_link_set_state(link, MQTT_LINK_WAITING);
        uv_timer_start(&link->timer, on_timer, 0, 0);
    }
}

void mqtt_link_rename(struct mqtt_link *link, const char *client_id)
{
    link->config.client_id = client_id;
    link->wants_instance = true;
}

void mqtt_link_close(struct mqtt_link *link, void (*on_closed)(struct mqtt_link *link))
{
    assert(!link->on_closed);
    link->on_closed = on_closed;
    if (link->state != MQTT_LINK_LEAVING)
        mqtt_link_leave(link);
    if (link->state == MQTT_LINK_OFF)
        finish_close(link);
}

bool mqtt_link_reload(struct mqtt_link *link, char *error, size_t error_bytes)
{
    struct tls_client *tls;

    if (!link->tls || link->on_closed)
        return true;
    tls = new_tls(link, error, error_bytes);
    if (!tls)
        return false;
    /* the instance uses its own to its end, which comes only with the next attempt */
    if (link->old_tls)
        tls_client_free(link->tls);
    else
        link->old_tls = link->tls;
    link->tls = tls;
    link->wants_instance = true;
    if (link->wants_up) {
        mqtt_link_leave(link);
        mqtt_link_join(link);
    }
    return true;
}
