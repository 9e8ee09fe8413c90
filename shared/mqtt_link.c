/* The gate rests on three things libmosquitto does (2.0.11 to 2.1.2): the PUBACK of a message is
 * queued before on_message is called; after mosquitto_threaded_set(true) nothing that is queued is
 * written until mosquitto_loop_write(); and loop_write() writes everything that is queued. So
 * "acknowledge what is stored" comes down to not calling loop_write() at the wrong time, and
 * everything below that calls it asks may_write() first.
 *
 * Rejected: answering with PUBACK ourselves through mosquitto_message_v5 hooks (there are none in
 * 2.0), a codec of our own (a well-kept library beats it), and QoS 2 (no gate either, and half the
 * speed). */
#include "shared/mqtt_link.h"

#include "shared/failpoint.h"
#include "shared/fd_watch.h"
#include "shared/log.h"
#include "shared/mem.h"
#include "shared/resolve.h"
#include "shared/timestamp.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    LEAVE_TIMEOUT_MS = 2000,
    BACKOFF_LEAST_MS = 100,
    BACKOFF_MOST_MS = 5000,
    READS_PER_EVENT = 512, /* then the other handles of the loop have their turn */
    BUSY_MESSAGES = 8,     /* in one millisecond */
    REST_MS = 1
};

static const char *const state_names[] = {"off", "waiting", "resolving", "connecting",
                                          "up",  "leaving", "closed"};

static void attempt(struct mqtt_link *link);
static void rearm(struct mqtt_link *link);

static void set_state(struct mqtt_link *link, enum mqtt_link_state state)
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
    free(link->host);
    free(link->username);
    free(link->password);
    free(link->address);
    link->host = link->username = link->password = link->address = NULL;
    link->on_closed(link);
}

static void finish_close(struct mqtt_link *link)
{
    set_state(link, MQTT_LINK_CLOSED);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->keepalive, on_handle_closed);
    uv_close((uv_handle_t *)&link->rest, on_handle_closed);
}

static void on_timer(uv_timer_t *timer);

/* The socket is gone, or about to be. Also called from inside the library, so it only notes and
 * schedules. */
static void go_down(struct mqtt_link *link, const char *reason)
{
    bool was_up = link->state == MQTT_LINK_UP;
    bool is_news = strcmp(reason, link->failure) != 0;

    if (link->state < MQTT_LINK_RESOLVING || link->state == MQTT_LINK_CLOSED)
        return;
    fd_watch_free(link->watch);
    link->watch = NULL;
    uv_timer_stop(&link->timer);
    uv_timer_stop(&link->keepalive);
    uv_timer_stop(&link->rest);
    link->is_resting = false;
    link->held_acks = 0;
    link->is_releasing = false;
    if (was_up)
        backoff_lasted(&link->backoff, uv_now(link->loop) - link->up_at_ms);
    snprintf(link->failure, sizeof(link->failure), "%s", reason);
    if (!link->wants_up) { /* and not for it is leaving: it may have been joined again */
        set_state(link, MQTT_LINK_OFF);
    } else {
        uint32_t wait_ms = backoff_next_ms(&link->backoff);

        set_state(link, MQTT_LINK_WAITING);
        uv_timer_start(&link->timer, on_timer, wait_ms, 0);
        if (was_up && !link->config.quiet)
            log_warning("%s: up -> down: %s", link->config.name, reason);
        else if (is_news && !link->config.quiet)
            log_warning("%s: %s is not reachable: %s; trying again", link->config.name, link->host,
                        reason);
    }
    if (was_up && link->config.on_down)
        link->config.on_down(link, reason);
    if (link->on_closed && link->state == MQTT_LINK_OFF)
        finish_close(link);
}

static const char *error_text(const struct mqtt_link *link, int rc)
{
    if (rc == MOSQ_ERR_KEEPALIVE)
        return "no answer to PINGREQ in time"; /* 2.0.11 has no text for it */
    /* for the library, a client id in the answer to one who has said his is no MQTT */
    if (rc == MOSQ_ERR_PROTOCOL && link->state == MQTT_LINK_CONNECTING && link->config.client_id)
        return "its answer to CONNECT is not legal: it has assigned a client id although we have "
               "one (let it take those that clients say), or does not speak MQTT";
    return rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
}

/* ---- reading and writing -------------------------------------------------------------------- */

/* The gate: with acknowledgements held, only a release may write. */
static bool may_write(const struct mqtt_link *link)
{
    return link->held_acks == 0 || link->is_releasing;
}

static bool may_read(const struct mqtt_link *link)
{
    return link->state == MQTT_LINK_CONNECTING ||
           (!link->is_paused && !link->is_releasing && !link->is_resting);
}

static bool is_connected(const struct mqtt_link *link)
{
    return link->watch != NULL;
}

/* False when the connection ended. */
static bool checked(struct mqtt_link *link, int rc)
{
    if (rc != MOSQ_ERR_SUCCESS)
        go_down(link, error_text(link, rc)); /* no-op where on_disconnect has said it */
    return is_connected(link);
}

static void set_cork(struct mqtt_link *link, int on)
{
    if (link->port != 0)
        setsockopt(mosquitto_socket(link->mosq), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static void write_queued(struct mqtt_link *link)
{
    bool corks = link->held_acks > 1 || link->queued > 1;

    /* In a callback of the library its locks are held; read_available() writes after it. */
    if (link->is_holding || link->in_callback)
        return;
    if (!may_write(link) || !mosquitto_want_write(link->mosq))
        return;
    link->queued = 0;
    if (corks)
        set_cork(link, 1);
    if (link->is_releasing)
        FAILPOINT_SOON("mid_flush", 100);
    if (!checked(link, mosquitto_loop_write(link->mosq, 1)))
        return;
    if (corks)
        set_cork(link, 0);
    if (link->is_releasing && !mosquitto_want_write(link->mosq)) {
        link->is_releasing = false;
        link->held_acks = 0;
        if (link->config.on_released)
            link->config.on_released(link);
    }
}

static void on_rest(uv_timer_t *timer);

/* At thousands a second each message wakes us alone, and that costs more than the message does. A
 * millisecond later there are some to read together. Only reading rests: what may be written is. */
static void rest_when_busy(struct mqtt_link *link)
{
    if (!link->config.gated || link->busy_count < BUSY_MESSAGES || !may_read(link))
        return;
    link->busy_count = 0;
    link->is_resting = true;
    uv_timer_start(&link->rest, on_rest, REST_MS, 0);
}

static void note_message(struct mqtt_link *link)
{
    uint64_t now_ms = uv_now(link->loop);

    if (link->busy_ms != now_ms)
        link->busy_count = 0;
    link->busy_ms = now_ms;
    link->busy_count++;
}

/* One packet per call of loop_read(). The library does not say when the socket is dry, but a call
 * that led to no callback has found nothing whole. */
static void read_available(struct mqtt_link *link)
{
    for (int i = 0; i < READS_PER_EVENT && may_read(link); i++) {
        link->read_something = false;
        if (!checked(link, mosquitto_loop_read(link->mosq, 1)))
            break;
        if (!link->read_something) {
            rest_when_busy(link);
            break;
        }
        if (link->held_acks == 0)
            write_queued(link); /* the SUBSCRIBE after a CONNACK must not queue behind a PUBACK */
        if (!is_connected(link))
            break;
    }
    if (link->config.on_read)
        link->config.on_read(link);
}

static void on_rest(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;

    link->is_resting = false;
    if (is_connected(link) && may_read(link))
        read_available(link);
    rearm(link);
}

static void on_events(void *user, int events)
{
    struct mqtt_link *link = user;

    if (events & UV_WRITABLE) {
        link->tcp_is_open = true;
        /* with TLS the handshake goes on in loop_read, whichever way the socket is ready */
        if (link->use_tls && link->state == MQTT_LINK_CONNECTING &&
            !checked(link, mosquitto_loop_read(link->mosq, 1)))
            return;
        write_queued(link);
    }
    if (is_connected(link) && (events & UV_READABLE))
        read_available(link);
    rearm(link);
}

/* The last line after any call into the library. */
static void rearm(struct mqtt_link *link)
{
    int events = 0;

    if (!is_connected(link))
        return;
    if (may_read(link))
        events |= UV_READABLE;
    if ((may_write(link) && !link->is_holding && mosquitto_want_write(link->mosq)) ||
        !link->tcp_is_open)
        events |= UV_WRITABLE;
    fd_watch_want(link->watch, events);
}

static void on_keepalive(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;

    if (is_connected(link) && checked(link, mosquitto_loop_misc(link->mosq)))
        rearm(link);
}

/* ---- callbacks of the library --------------------------------------------------------------- */

/* What is left out for want of memory would change what we ask of the broker: without its expiry
 * the session, and what is queued for it, ends with the connection. */
static void require_memory(int rc)
{
    if (rc == MOSQ_ERR_NOMEM) {
        fprintf(stderr, "out of memory: no MQTT client can be made\n");
        abort();
    }
}

/* Under an id that the broker has made up nothing waits for us, and what we leave there waits for
 * nobody. A library that knows our id does not let it come to this (error_text()); one that had no
 * memory for it has forgotten it, which a new instance has not. */
static bool is_renamed(struct mqtt_link *link, const mosquitto_property *properties)
{
    char *assigned = NULL;
    char reason[sizeof(link->failure)];

    if (!link->config.client_id ||
        !mosquitto_property_read_string(properties, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER, &assigned,
                                        false))
        return false;
    snprintf(reason, sizeof(reason),
             "the broker has assigned the client id \"%.40s\" though ours is \"%.80s\"",
             assigned ? assigned : "", link->config.client_id);
    free(assigned);
    link->wants_instance = true;
    go_down(link, reason);
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
        go_down(link, mosquitto_reason_string(reason));
        return;
    }
    uv_timer_stop(&link->timer);
    link->up_at_ms = uv_now(link->loop);
    link->failure[0] = '\0';
    link->connects++;
    set_state(link, MQTT_LINK_UP);
    if (!link->config.quiet)
        log_info("%s: connecting -> up: %s as %s%s", link->config.name, link->host,
                 link->config.client_id ? link->config.client_id : "a guest",
                 flags & 1 ? ", session present" : "");
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
        snprintf(reason, sizeof(reason),
                 "the session was taken over: another client connected as %s",
                 link->config.client_id ? link->config.client_id : "we did");
        go_down(link, reason);
    } else {
        go_down(link, rc >= 0x80 ? mosquitto_reason_string(rc) : error_text(link, rc));
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

static void on_subscribe(struct mosquitto *mosq, void *user, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    struct mqtt_link *link = user;
    bool is_granted = count > 0 && granted[0] <= 2;

    (void)mosq;
    (void)mid;
    (void)properties;
    link->read_something = true;
    if (!is_granted)
        log_error("%s: the broker refused the subscription (%d)", link->config.name,
                  count > 0 ? granted[0] : -1);
    link->in_callback = true;
    if (link->config.on_subscribed)
        link->config.on_subscribed(link, is_granted);
    link->in_callback = false;
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* The CONNECT properties can only be given to the blocking connect call. It keeps them even when it
 * fails, and connecting to "/" as a socket fails at once without leaving the machine; after that
 * the non-blocking call sends them. */
static void set_connect_properties(struct mqtt_link *link)
{
    mosquitto_property *properties = NULL;

    if (link->config.durable)
        require_memory(mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                                    UINT32_MAX));
    require_memory(
        mosquitto_connect_bind_v5(link->mosq, "/", 0, link->config.keepalive_s, NULL, properties));
    mosquitto_property_free_all(&properties);
}

/* The library opens a pair of sockets for each client, to wake a thread that no program here has,
 * and writes a byte into it with every packet. It does without when it gets none; 2.1 has an option
 * for that, before it the one way to refuse is to let no descriptor be opened meanwhile. */
static struct mosquitto *new_without_socketpair(const struct mqtt_link_config *config, void *user)
{
    struct rlimit limit = {0};
    struct rlimit none;
    struct mosquitto *mosq;

    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    mosq = mosquitto_new(config->client_id, !config->durable, user);
    setrlimit(RLIMIT_NOFILE, &limit);
    return mosq;
}

/* False when the files for TLS are of no use. Such an instance must not connect, for it would do so
 * in the clear. */
static bool new_instance(struct mqtt_link *link)
{
    const struct mqtt_link_config *config = &link->config;
    uint16_t inflight = config->inflight ? config->inflight : UINT16_MAX;
    int tls = MOSQ_ERR_SUCCESS;

    link->mosq = new_without_socketpair(config, link);
    if (!link->mosq) {
        log_error("%s: no memory for a client, or the client id \"%s\" is not legal", config->name,
                  config->client_id ? config->client_id : "");
        abort();
    }
    mosquitto_threaded_set(link->mosq, true);
    mosquitto_int_option(link->mosq, MOSQ_OPT_PROTOCOL_VERSION,
                         config->is_v311 ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5);
    mosquitto_int_option(link->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, UINT16_MAX);
    mosquitto_int_option(link->mosq, MOSQ_OPT_SEND_MAXIMUM, inflight);
    mosquitto_int_option(link->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    if (link->username)
        require_memory(mosquitto_username_pw_set(link->mosq, link->username, link->password));
    if (link->use_tls)
        tls = mosquitto_tls_set(link->mosq, config->ca_file,
                                config->ca_file ? NULL : "/etc/ssl/certs", config->cert_file,
                                config->key_file, NULL);
    require_memory(tls);
    if (config->will_topic)
        require_memory(mosquitto_will_set(link->mosq, config->will_topic,
                                          (int)strlen(config->will_payload), config->will_payload,
                                          1, true));
    mosquitto_connect_v5_callback_set(link->mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(link->mosq, on_disconnect);
    mosquitto_message_v5_callback_set(link->mosq, on_message);
    mosquitto_publish_v5_callback_set(link->mosq, on_publish);
    mosquitto_subscribe_v5_callback_set(link->mosq, on_subscribe);
    set_connect_properties(link);
    return tls == MOSQ_ERR_SUCCESS;
}

/* The library sends its PINGREQ when this finds it due, and the broker waits for half a keepalive
 * more: a quarter of one is soon enough, and a fleet of thousands is spared a timer every second.
 */
static uint64_t keepalive_ms(const struct mqtt_link *link)
{
    return link->config.keepalive_s > 4 ? link->config.keepalive_s * UINT64_C(250) : 1000;
}

static void connect_to(struct mqtt_link *link, const char *address)
{
    int rc;

    set_state(link, MQTT_LINK_CONNECTING);
    rc = mosquitto_connect_bind_async(link->mosq, address, link->port, link->config.keepalive_s,
                                      NULL);
    if (rc > 0 || mosquitto_socket(link->mosq) < 0) {
        go_down(link, error_text(link, rc));
        return;
    }
    link->epoch++;
    link->tcp_is_open = false;
    link->watch = fd_watch_new(link->loop, mosquitto_socket(link->mosq), on_events, link);
    uv_timer_start(&link->timer, on_timer, CONNECT_TIMEOUT_MS, 0);
    uv_timer_start(&link->keepalive, on_keepalive, keepalive_ms(link), keepalive_ms(link));
    rearm(link);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct mqtt_link *link = request->data;
    char address[INET6_ADDRSTRLEN];

    free(request);
    if (link->state == MQTT_LINK_RESOLVING && !link->wants_up) {
        go_down(link, "left on purpose");
    } else if (link->state == MQTT_LINK_RESOLVING && status < 0) {
        go_down(link, uv_strerror(status));
    } else if (link->state == MQTT_LINK_RESOLVING) {
        if (resolve_pick(found, link->epoch, address, sizeof(address))) {
            free(link->address);
            link->address = mem_strdup(address);
            connect_to(link, link->address);
        } else {
            go_down(link, "the name has no address");
        }
    }
    uv_freeaddrinfo(found);
}

static void attempt(struct mqtt_link *link)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t *request;
    int error;

    /* TLS compares the certificate with the name it connects to, so there the library gets the
     * name, and looks it up itself, on the loop. */
    if (link->port == 0 || link->use_tls || resolve_is_numeric(link->host)) {
        connect_to(link, link->host);
        return;
    }
    set_state(link, MQTT_LINK_RESOLVING);
    request = mem_calloc(1, sizeof(*request));
    request->data = link;
    error = uv_getaddrinfo(link->loop, request, on_resolved, link->host, NULL, &hints);
    if (error) {
        free(request);
        go_down(link, uv_strerror(error));
    }
}

/* In the place of the one that there is, whose socket it closes. */
static void replace_instance(struct mqtt_link *link)
{
    link->wants_instance = false;
    mosquitto_destroy(link->mosq);
    if (!new_instance(link)) {
        log_error("%s: the certificates can no longer be read", link->config.name);
        abort();
    }
}

/* Drops the connection without a word. The library closes a socket with its instance only, or
 * before it opens the next one. A publisher's instance is kept when there will be a next one,
 * because it remembers what was published and not acknowledged. */
static void abandon(struct mqtt_link *link, const char *reason)
{
    if (!is_connected(link))
        return;
    go_down(link, reason);
    if (link->state == MQTT_LINK_CLOSED)
        return; /* the instance goes with the handles */
    if (link->state == MQTT_LINK_WAITING && !link->config.gated)
        return;
    replace_instance(link);
}

static void on_timer(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;

    if (link->state == MQTT_LINK_WAITING && link->wants_instance)
        replace_instance(link);
    if (link->state == MQTT_LINK_WAITING)
        attempt(link);
    else if (link->state == MQTT_LINK_CONNECTING)
        abandon(link, "no answer to CONNECT in time");
    else if (link->state == MQTT_LINK_LEAVING)
        abandon(link, "DISCONNECT could not be sent in time");
}

/* ---- the URL -------------------------------------------------------------------------------- */

/* Percent-decodes [start, end) into a new string. */
static char *decoded(const char *start, const char *end)
{
    char *out = mem_strndup(start, (size_t)(end - start));
    char *to = out;

    for (const char *from = out; *from; from++) {
        unsigned code;

        if (*from == '%' && sscanf(from + 1, "%2x", &code) == 1 && from[1] && from[2] && code) {
            *to++ = (char)code;
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static bool parse_port(struct mqtt_link *link, const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (end == text || *end || port < 1 || port > 65535)
        return false;
    link->port = (int)port;
    return true;
}

static bool parse_authority(struct mqtt_link *link, const char *text)
{
    const char *end = text + strcspn(text, "/");
    const char *at = NULL;
    const char *host_end;
    char *authority;
    char *colon;
    bool is_legal;

    for (const char *c = text; c < end; c++) {
        if (*c == '@')
            at = c;
    }
    if (*end && end[1])
        return false; /* a path means nothing to MQTT */
    if (at) {
        const char *password = memchr(text, ':', (size_t)(at - text));

        link->username = decoded(text, password ? password : at);
        if (password)
            link->password = decoded(password + 1, at);
        text = at + 1;
    }
    authority = mem_strndup(text, (size_t)(end - text));
    host_end = authority[0] == '[' ? strchr(authority, ']') : NULL;
    colon = strchr(host_end ? host_end : authority, ':');
    is_legal = (!colon || parse_port(link, colon + 1)) && (authority[0] != '[' || host_end);
    if (colon)
        *colon = '\0';
    link->host = host_end ? mem_strndup(authority + 1, (size_t)(host_end - authority - 1))
                          : mem_strdup(authority);
    free(authority);
    /* what is no host is a part of something else, of a password even; it must not be quoted */
    return is_legal && link->host[0] && !strpbrk(link->host, "?#&=@,;!\"' \t");
}

static bool parse_url(struct mqtt_link *link, const char *url)
{
    if (strncmp(url, "unix://", 7) == 0) {
        link->host = mem_strdup(url + 7);
        return link->host[0] == '/';
    }
    link->use_tls = strncmp(url, "mqtts://", 8) == 0;
    if (!link->use_tls && strncmp(url, "mqtt://", 7) != 0)
        return false;
    link->port = link->use_tls ? 8883 : 1883;
    return parse_authority(link, strstr(url, "://") + 3);
}

/* ---- the interface -------------------------------------------------------------------------- */

bool mqtt_link_start(struct mqtt_link *link, uv_loop_t *loop, const struct mqtt_link_config *config,
                     char *error, size_t error_bytes)
{
    *link = (struct mqtt_link){.config = *config, .loop = loop, .wants_up = !config->starts_off};
    if (!parse_url(link, config->url)) {
        snprintf(error, error_bytes,
                 "mqtt://[user:password@]host[:port], mqtts://..., or unix:///path");
        free(link->host);
        free(link->username);
        free(link->password);
        return false;
    }
    if (config->username) {
        free(link->username);
        free(link->password);
        link->username = mem_strdup(config->username);
        link->password = config->password ? mem_strdup(config->password) : NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* the library writes without MSG_NOSIGNAL */
    mosquitto_lib_init();
    if (!new_instance(link)) {
        snprintf(error, error_bytes,
                 "mqtts needs files that can be read: CA %s, certificate %s, key %s",
                 config->ca_file ? config->ca_file : "/etc/ssl/certs",
                 config->cert_file ? config->cert_file : "none",
                 config->key_file ? config->key_file : "none");
        mosquitto_destroy(link->mosq);
        link->mosq = NULL;
        mosquitto_lib_cleanup();
        free(link->host);
        free(link->username);
        free(link->password);
        return false;
    }
    backoff_init(&link->backoff, BACKOFF_LEAST_MS, BACKOFF_MOST_MS,
                 (uint64_t)timestamp_now() ^ (uint64_t)(uintptr_t)link);
    uv_timer_init(loop, &link->timer);
    uv_timer_init(loop, &link->keepalive);
    uv_timer_init(loop, &link->rest);
    link->timer.data = link->keepalive.data = link->rest.data = link;
    link->open_handles = 3;
    if (link->wants_up)
        attempt(link);
    return true;
}

void mqtt_link_leave(struct mqtt_link *link)
{
    link->wants_up = false;
    if (link->state == MQTT_LINK_UP && link->held_acks == 0) {
        mosquitto_disconnect(link->mosq);
        set_state(link, MQTT_LINK_LEAVING);
        uv_timer_start(&link->timer, on_timer, LEAVE_TIMEOUT_MS, 0);
        write_queued(link);
        rearm(link);
    } else if (is_connected(link)) {
        abandon(link, "left on purpose");
    } else if (link->state == MQTT_LINK_WAITING) {
        uv_timer_stop(&link->timer);
        set_state(link, MQTT_LINK_OFF);
    }
    /* while resolving, on_resolved() finds that it is no longer wanted */
}

void mqtt_link_join(struct mqtt_link *link)
{
    if (link->wants_up)
        return;
    link->wants_up = true;
    if (link->state == MQTT_LINK_OFF) {
        set_state(link, MQTT_LINK_WAITING);
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
    if (link->state == MQTT_LINK_LEAVING)
        link->wants_up = false;
    else
        mqtt_link_leave(link);
    if (link->state == MQTT_LINK_OFF)
        finish_close(link);
}

static bool subscribe(struct mqtt_link *link, const char *filter, int qos, int options)
{
    int rc;

    if (link->state != MQTT_LINK_UP)
        return false;
    rc = mosquitto_subscribe_v5(link->mosq, NULL, filter, qos, options, NULL);
    rearm(link);
    return rc == MOSQ_ERR_SUCCESS;
}

bool mqtt_link_subscribe(struct mqtt_link *link, const char *filter, int qos)
{
    /* retain handling 2: what is retained there is not a new reading */
    return subscribe(link, filter, qos, link->config.gated ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : 0);
}

bool mqtt_link_subscribe_as(struct mqtt_link *link, const char *filter, int qos,
                            enum mqtt_link_subscription how)
{
    return subscribe(link, filter, qos,
                     how == MQTT_LINK_NOT_OUR_OWN ? MQTT_SUB_OPT_NO_LOCAL
                                                  : MQTT_SUB_OPT_SEND_RETAIN_NEW);
}

bool mqtt_link_unsubscribe(struct mqtt_link *link, const char *filter)
{
    int rc;

    if (link->state != MQTT_LINK_UP)
        return false;
    rc = mosquitto_unsubscribe(link->mosq, NULL, filter);
    rearm(link);
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
    if (property)
        require_memory(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY,
                                                          property->name, property->value));
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
    if (is_connected(link))
        write_queued(link);
    rearm(link);
}

void mqtt_link_pause(struct mqtt_link *link)
{
    link->is_paused = true;
    rearm(link);
}

void mqtt_link_resume(struct mqtt_link *link)
{
    link->is_paused = false;
    rearm(link);
}

uint64_t mqtt_link_epoch(const struct mqtt_link *link)
{
    return link->state == MQTT_LINK_UP ? link->epoch : 0;
}

void mqtt_link_release(struct mqtt_link *link, uint64_t epoch)
{
    if (epoch == link->epoch && link->held_acks > 0 && is_connected(link)) {
        link->is_releasing = true;
        write_queued(link);
    }
    rearm(link);
}

int mqtt_link_fd(const struct mqtt_link *link)
{
    return link->mosq ? mosquitto_socket(link->mosq) : -1;
}
