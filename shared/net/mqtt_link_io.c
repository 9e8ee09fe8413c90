/* Reading, writing, and the gate.
 *
 * The gate rests on three things libmosquitto does (2.0.11 to 2.1.2): the PUBACK of a message is
 * queued before on_message is called; after mosquitto_threaded_set(true) nothing that is queued is
 * written until mosquitto_loop_write(); and loop_write() writes everything that is queued. So
 * "acknowledge what is stored" comes down to not calling loop_write() at the wrong time, and
 * everything below that calls it asks may_write() first.
 *
 * Rejected: answering with PUBACK ourselves through mosquitto_message_v5 hooks (there are none in
 * 2.0), a codec of our own (a well-kept library beats it), and QoS 2 (no gate either, and half the
 * speed). */
#include "shared/net/mqtt_link_inner.h"

#include "shared/base/failpoint.h"
#include "shared/net/fd_watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    READS_PER_EVENT = 512, /* then the other handles of the loop have their turn */
    REST_MS = 1,
    BUSY_MESSAGES = 8, /* in one millisecond */
    TLS_ALERT = 0x15,  /* how a record of TLS begins */
    TLS_HANDSHAKE = 0x16,
    TLS_MAJOR = 3
};

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

static bool waits_ahead(const struct mqtt_link *link)
{
    return link->ahead && read_ahead_bytes(link->ahead) > 0;
}

bool mqtt_link_is_connected(const struct mqtt_link *link)
{
    return link->watch != NULL;
}

/* False when the connection ended. */
static bool checked(struct mqtt_link *link, int rc)
{
    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_link_go_down_by(link, rc); /* no-op where on_disconnect has said it */
    return mqtt_link_is_connected(link);
}

static void set_cork(struct mqtt_link *link, int on)
{
    if (link->url.port != 0)
        setsockopt(mosquitto_socket(link->mosq), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* Something is to be written, by the library or of what it has written. */
static bool wants_write(const struct mqtt_link *link)
{
    return mosquitto_want_write(link->mosq) ||
           (link->gather && write_gather_bytes(link->gather) > 0);
}

/* False when the connection ended. */
static bool let_out_gathered(struct mqtt_link *link)
{
    if (write_gather_end(link->gather))
        return true;
    mqtt_link_abandon_by(link, MOSQ_ERR_ERRNO); /* the library would not notice */
    return false;
}

/* Many packets leave together: gathered, or where the library does not let that happen in one cork. False
 * when the connection ended. After DISCONNECT the library closes the socket at once. */
static bool write_queued(struct mqtt_link *link)
{
    bool is_many = link->held_acks > 1 || link->queued > 1;
    bool gathers = link->gather && is_many && link->state == MQTT_LINK_UP;
    bool corks = is_many && !(gathers && link->gather->is_used);

    if (link->gather && write_gather_bytes(link->gather) > 0) {
        if (!let_out_gathered(link))
            return false;
        if (write_gather_bytes(link->gather) > 0)
            return true;
    }
    link->queued = 0;
    if (corks)
        set_cork(link, 1);
    if (gathers)
        write_gather_begin(link->gather, mosquitto_socket(link->mosq));
    if (!checked(link, mosquitto_loop_write(link->mosq, 1))) {
        if (gathers)
            write_gather_drop(link->gather);
        return false;
    }
    if (gathers && !let_out_gathered(link))
        return false;
    if (corks)
        set_cork(link, 0);
    return true;
}

void mqtt_link_write(struct mqtt_link *link)
{
    /* In a callback of the library its locks are held; read_available() writes after it. */
    if (link->is_holding || link->in_callback)
        return;
    if (!may_write(link) || !wants_write(link))
        return;
    if (link->is_releasing)
        FAILPOINT_SOON("mid_flush", 100);
    if (!write_queued(link))
        return;
    if (link->is_releasing && !wants_write(link)) {
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

/* One packet per call of loop_read(). The library does not say when the socket is dry, but a call
 * that led to no callback has found nothing whole. */
static void read_available(struct mqtt_link *link)
{
    uint64_t budget_ns = link->config.read_budget_us * 1000;
    uint64_t begun_ns = budget_ns > 0 ? uv_hrtime() : 0;

    for (int i = 0; i < READS_PER_EVENT && may_read(link); i++) {
        link->read_something = false;
        if (!checked(link, mosquitto_loop_read(link->mosq, 1)))
            break;
        if (!link->read_something) {
            rest_when_busy(link);
            break;
        }
        if (link->held_acks == 0)
            mqtt_link_write(link); /* the SUBSCRIBE after a CONNACK must not queue after a PUBACK */
        if (!mqtt_link_is_connected(link) || (budget_ns > 0 && uv_hrtime() - begun_ns >= budget_ns))
            break;
    }
    if (link->config.on_read)
        link->config.on_read(link);
}

static void on_rest(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;

    link->is_resting = false;
    if (mqtt_link_is_connected(link) && may_read(link))
        read_available(link);
    mqtt_link_rearm(link);
}

/* What is in the socket, without taking it: -1 = nothing yet, 0 = its end. */
static ssize_t peek(const struct mqtt_link *link, void *out, size_t bytes)
{
    return recv(mosquitto_socket(link->mosq), out, bytes, MSG_PEEK | MSG_DONTWAIT);
}

/* The library cannot make anything of TLS where it speaks none itself. */
static bool is_answered_in_tls(const struct mqtt_link *link)
{
    unsigned char start[2];

    return !link->tls && peek(link, start, sizeof(start)) == (ssize_t)sizeof(start) &&
           (start[0] == TLS_ALERT || start[0] == TLS_HANDSHAKE) && start[1] == TLS_MAJOR;
}

/* Goes on with the handshake, which is in loop_read(), whichever way the socket is ready. The
 * library does not notice when the other side ends it during that. */
static bool shake_hands(struct mqtt_link *link)
{
    unsigned char start;

    if (!checked(link, mosquitto_loop_read(link->mosq, 1)))
        return false;
    if (link->state == MQTT_LINK_CONNECTING && peek(link, &start, sizeof(start)) == 0)
        mqtt_link_go_down_by(link, MOSQ_ERR_CONN_LOST);
    return mqtt_link_is_connected(link);
}

/* An error of connecting, which the library takes for a handshake that needs more time. A reset is
 * none (before there is a connection it is called a refusal): the handshake begins as soon as the
 * library has a socket, and may be over before the first event of a busy machine. What the other side
 * has said before its reset, such as why, is still to be read. */
static bool is_open(struct mqtt_link *link)
{
    int error = 0;
    socklen_t bytes = sizeof(error);

    if (!link->tcp_is_open)
        getsockopt(mosquitto_socket(link->mosq), SOL_SOCKET, SO_ERROR, &error, &bytes);
    link->tcp_is_open = true;
    if (error == 0 || error == ECONNRESET || error == EPIPE)
        return true;
    mqtt_link_go_down(link, strerror(error));
    return false;
}

void mqtt_link_on_events(void *user, int events)
{
    struct mqtt_link *link = user;

    if (link->state == MQTT_LINK_CONNECTING) {
        if (!is_open(link) || (link->tls && !shake_hands(link)))
            return;
        if (is_answered_in_tls(link)) {
            mqtt_link_abandon(link, "TLS is spoken there; the URL must begin with mqtts://");
            return;
        }
    }
    if (events & UV_WRITABLE)
        mqtt_link_write(link);
    if (mqtt_link_is_connected(link) && (events & UV_READABLE))
        read_available(link);
    mqtt_link_rearm(link);
}

void mqtt_link_rearm(struct mqtt_link *link)
{
    int events = 0;

    if (!mqtt_link_is_connected(link))
        return;
    if (may_read(link))
        events |= UV_READABLE;
    if (may_read(link) && waits_ahead(link)) /* of which the socket tells nothing */
        uv_timer_start(&link->rest, on_rest, 0, 0);
    if ((may_write(link) && !link->is_holding && wants_write(link)) || !link->tcp_is_open)
        events |= UV_WRITABLE;
    fd_watch_want(link->watch, events);
}

bool mqtt_link_is_dry(const struct mqtt_link *link)
{
    int bytes = 0;

    return mqtt_link_is_connected(link) && !waits_ahead(link) &&
           ioctl(mosquitto_socket(link->mosq), FIONREAD, &bytes) == 0 && bytes == 0;
}
