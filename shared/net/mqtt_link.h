/* mqtt_link.h: one MQTT connection on the loop, kept up for good; optionally with its
 * acknowledgements behind a gate.
 *
 * Shape    connects (host names resolved off the loop), reconnects with jittered backoff until
 *          closed. States: off -> waiting/resolving -> connecting -> up -> waiting ...
 *          Every connection has an epoch, one higher than the last.
 *
 * Gate     With `gated`, the PUBACK of a QoS 1 message does not leave when the message arrives. It
 *          is held, with all that were read since the last release, until mqtt_link_release() says
 *          that what was read is stored. A release frees *all* held acknowledgements, so the owner
 *          must not let more be read between the start of a commit and its release:
 *              reading -> mqtt_link_pause() -> [commit] -> mqtt_link_release(epoch) -> _resume() -> reading
 *          A release with the epoch of an older connection frees nothing: the broker will deliver
 *          again what belonged to it. Everything else that this connection sends would wait after
 *          the held acknowledgements, so a gated link only subscribes; publish on another.
 *
 * Units    durations in ms.
 * Errors   reported to on_down as text, followed by another attempt. A URL that cannot be read is
 *          the only failure of mqtt_link_start().
 * Owner    embedded; mqtt_link_close() ends it, on_closed says when its memory may go.
 * Source   MQTT 5.0 sections 3.1.2.11, 4.4, 4.9; libmosquitto's lib/packet_mosq.c and loop.c for
 *          what is queued when.
 */
#ifndef HIGHWATER_MQTT_LINK_H
#define HIGHWATER_MQTT_LINK_H

#include "shared/base/backoff.h"
#include "shared/base/buffer.h"
#include "shared/net/mqtt_subscriptions.h"
#include "shared/net/mqtt_terms.h"
#include "shared/net/mqtt_url.h"
#include "shared/net/read_ahead.h"
#include "shared/net/tls_client.h"
#include "shared/net/write_gather.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct mqtt_link;

/* A connection that ends sooner was none to rely on. */
enum { MQTT_LINK_STEADY_MS = 3000 };

/* For so long a takeover is a fault, though we are back: another that took the session once will again. */
enum { MQTT_LINK_TAKEN_MS = 60000 };

enum mqtt_link_state {
    MQTT_LINK_OFF,     /* not wanted: before start, after mqtt_link_leave() */
    MQTT_LINK_WAITING, /* for the next attempt */
    MQTT_LINK_RESOLVING,
    MQTT_LINK_CONNECTING, /* until CONNACK */
    MQTT_LINK_UP,
    MQTT_LINK_LEAVING, /* DISCONNECT is on its way */
    MQTT_LINK_CLOSED
};

/* How mqtt_link_subscribe_as() differs from a plain subscription. */
enum mqtt_link_subscription {
    MQTT_LINK_NOT_OUR_OWN = 1,     /* nothing that this connection publishes */
    MQTT_LINK_RETAINED_IF_NEW = 2, /* what is retained only when the subscription was not there */
    MQTT_LINK_OPTIONAL = 3,        /* the broker may refuse it */
    MQTT_LINK_OPTIONAL_IF_NEW = 4  /* both of the latter */
};

struct mqtt_delivery {
    const char *topic;
    const void *payload;
    size_t bytes;
    int qos;
    bool retain;
    const void *properties; /* for mqtt_delivery_property() */
};

/* A user property of MQTT 5, which travels with a message. */
struct mqtt_property {
    const char *name;
    const char *value;
};

struct mqtt_link_config {
    const char *name;     /* for the log: "mqtt" */
    const char *url;      /* mqtt://[user:password@]host[:port], mqtts://..., unix:///path */
    const char *username; /* instead of the URL's; NULL = those */
    const char *password;
    const char *password_file; /* instead of the URL's; read at each connect; NULL = none */
    const char *client_id;
    bool durable; /* the broker keeps the session and what arrives meanwhile, for good */
    bool gated;
    bool starts_off; /* stay away until mqtt_link_join() */
    bool is_v311;    /* MQTT 3.1.1, where the broker's limits are not known; default 5.0 */
    bool retains;    /* what it publishes is to be retained */
    bool
        forgets; /* what was not acknowledged is not sent again on the next connection; nor does the
                        library go on with terms of one, such as the largest packet, on the next */
    uint16_t keepalive_s;
    const char *ca_file; /* mqtts: NULL = the system's */
    const char *cert_file;
    const char *key_file;
    const char *will_topic; /* NULL = none; QoS 1 */
    const char *will_payload;
    size_t will_bytes;       /* 0 = up to its NUL */
    bool will_passes;        /* not retained */
    uint64_t read_budget_us; /* how long it may read at a time; 0 = a number of messages */
    uint16_t inflight;       /* how many QoS 1 publications may be unacknowledged; 0 = 65,535 */
    bool quiet;              /* no log lines; devicesim reports changes of its connections in sum */

    void *user;
    void (*on_up)(struct mqtt_link *link, bool session_present);
    void (*on_down)(struct mqtt_link *link, const char *reason); /* only after on_up */
    void (*on_message)(struct mqtt_link *link, const struct mqtt_delivery *delivery);
    void (*on_read)(struct mqtt_link *link);     /* a run of messages was read: time to decide */
    void (*on_released)(struct mqtt_link *link); /* the acknowledgements have left */
    void (*on_published)(struct mqtt_link *link, int mid, int reason_code); /* PUBACK arrived */
    void (*on_subscribed)(struct mqtt_link *link, const char *filter, bool granted);
};

struct mqtt_link {
    struct mqtt_link_config config;
    enum mqtt_link_state state;
    uint64_t epoch;       /* of the current connection; 0 before the first */
    uint64_t held_acks;   /* PUBACKs behind the gate */
    uint64_t connects;    /* times it came up */
    uint64_t takeovers;   /* times another client with our id ended it, as the broker says */
    uint64_t taken_at_ms; /* the last of them */
    uint64_t up_at_ms;    /* of the loop's clock: when it came up last */
    uint64_t down_at_ms;  /* and when it went down; 0 = never */
    bool is_paused;       /* gated: nothing may be read */
    bool is_releasing;    /* gated: held acknowledgements are being written */
    bool has_said_open;   /* that anybody may read the password file */

    uv_loop_t *loop;
    struct mosquitto *mosq;
    struct fd_watch *watch;
    struct read_ahead *ahead;    /* gated, where messages are many: of its socket; else NULL */
    struct write_gather *gather; /* the same of what it writes */
    int leaving_fd;              /* ours of the socket, while DISCONNECT is on its way; 0 = none */
    uv_timer_t timer;            /* next attempt, connect timeout */
    uv_timer_t keepalive;        /* a few times in each keepalive while connected */
    uv_timer_t rest;             /* gated: until it is read again, when busy or read ahead */
    struct backoff backoff;
    struct mqtt_url url;
    struct tls_client *tls;     /* NULL = none */
    struct tls_client *old_tls; /* of the instance that there still is, after a reload */
    struct mqtt_terms terms;    /* of the connection */
    struct mqtt_subscriptions subscriptions;
    char *address;        /* the numeric one in use */
    uint64_t tries;       /* that failed: which of the host's addresses is next */
    unsigned short_lived; /* connections in a row that did not last MQTT_LINK_STEADY_MS */
    unsigned ended;       /* connections in a row that others ended within a minute */
    char last_end[320];   /* why the last that was up ended */
    bool read_something;
    bool in_callback; /* of the library, which then must not be asked to write */
    bool is_holding;  /* publications are collected */
    bool is_resting;  /* the socket is dry, and more is worth waiting for */
    uint64_t busy_ms; /* of the loop's clock: when these messages were read */
    unsigned busy_count;
    unsigned queued;  /* publications not yet written, to know whether a cork is worth it */
    bool tcp_is_open; /* the first writable event of the connection has come */
    bool wants_up;
    bool wants_instance; /* replace the library's, before the next attempt */
    char failure[320];   /* of the last attempt, so that only a new one is logged */
    unsigned open_handles;
    void (*on_closed)(struct mqtt_link *link);
};

/* False when the URL is not legal; `error` says what is. The link is then not started and must not
 * be closed. */
bool mqtt_link_start(struct mqtt_link *link, uv_loop_t *loop, const struct mqtt_link_config *config,
                     char *error, size_t error_bytes);

/* Leaves the broker and stays away until mqtt_link_join(). A gated link drops the connection
 * without a word, because a DISCONNECT would push the held acknowledgements out before it. */
void mqtt_link_leave(struct mqtt_link *link);
void mqtt_link_join(struct mqtt_link *link);

/* From the next connection on it has this client id (and what else of `config` its owner has changed,
 * such as the will), which is kept by the caller. */
void mqtt_link_rename(struct mqtt_link *link, const char *client_id);

/* With TLS the files are read again, and the connection is made again with them; false, with nothing
 * changed, when they are of no use. */
bool mqtt_link_reload(struct mqtt_link *link, char *error, size_t error_bytes);

/* Leaves with a DISCONNECT where nothing is held, and frees everything. */
void mqtt_link_close(struct mqtt_link *link, void (*on_closed)(struct mqtt_link *link));

/* All are false when the link is not up. `mid` (may be NULL) is what on_published gets. */
bool mqtt_link_subscribe(struct mqtt_link *link, const char *filter, int qos);
bool mqtt_link_subscribe_as(struct mqtt_link *link, const char *filter, int qos,
                            enum mqtt_link_subscription how);
bool mqtt_link_unsubscribe(struct mqtt_link *link, const char *filter);
bool mqtt_link_publish(struct mqtt_link *link, int *mid, const char *topic, const void *payload,
                       size_t bytes, int qos, bool retain);

/* The same with a user property. */
bool mqtt_link_publish_with(struct mqtt_link *link, int *mid, const char *topic,
                            const void *payload, size_t bytes, int qos, bool retain,
                            const struct mqtt_property *property);

/* Copies the value of the first user property of this name; false when there is none, or one that
 * does not fit. */
bool mqtt_delivery_property(const struct mqtt_delivery *delivery, const char *name, char *out,
                            size_t out_bytes);

/* Between the two, publications are collected, and then leave in as few segments as they fit. */
void mqtt_link_hold(struct mqtt_link *link);
void mqtt_link_flush(struct mqtt_link *link);

/* Nothing is read between the two, except what it takes to connect. */
void mqtt_link_pause(struct mqtt_link *link);
void mqtt_link_resume(struct mqtt_link *link);

/* The epoch whose acknowledgements may be let out once all that was read so far is stored: the
 * connection's, but 0, which no connection has, while it is not up. For what comes with the CONNACK
 * may be read before it is stored, and a batch that was begun without it must not acknowledge it. */
uint64_t mqtt_link_epoch(const struct mqtt_link *link);

/* Lets out the acknowledgements that are held, if they are of this epoch. While is_releasing is set
 * they are on their way and nothing is read; on_released says when they have left. */
void mqtt_link_release(struct mqtt_link *link, uint64_t epoch);

/* Whether nothing waits to be read. */
bool mqtt_link_is_dry(const struct mqtt_link *link);

/* A line for each reason why a connection that comes up is not what it should be: subscriptions
 * refused, QoS 0 only, a broker that ends it again and again. */
void mqtt_link_write_faults(const struct mqtt_link *link, struct buffer *out);

/* Its connections end soon after they have come up, again and again. */
bool mqtt_link_is_flapping(const struct mqtt_link *link);

/* The library's descriptor, -1 when there is none; for tests and tools. */
int mqtt_link_fd(const struct mqtt_link *link);

#endif
