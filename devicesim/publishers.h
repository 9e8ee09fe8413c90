/* publishers.h: the MQTT connections of a run, and what they have published and not yet seen
 * acknowledged.
 *
 * Shape    either one connection for each device, with its client id and last will, or a few that
 *          all devices share. At most CONNECTING_AT_ONCE connect at a time: a broker's backlog is
 *          short, and TCP waits a second before it repeats a connection attempt that did not fit.
 * Units    microseconds on the loop's monotonic clock.
 * Errors   publishers_start() is false for a URL that is not legal. Connections that cannot be made
 *          are tried again forever; publishers_look() has the reason of one of them.
 * Owner    embedded. Messages are copied by the library before publishers_send() returns.
 */
#ifndef HIGHWATER_PUBLISHERS_H
#define HIGHWATER_PUBLISHERS_H

#include "devicesim/edge_nodes.h"
#include "devicesim/outstanding.h"
#include "devicesim/report.h"
#include "devicesim/truth.h"
#include "shared/base/buffer.h"
#include "shared/net/mqtt_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct publishers;

struct publisher {
    struct mqtt_link link;
    struct publishers *all;
    struct outstanding window;
    char *client_id;
    char *will_topic;
    char *about_topic;
    char *about;
    bool has_started;
    bool has_connected; /* once at least */
    bool is_touched;    /* has something to flush */
    bool is_full;       /* its window was, and is not yet half empty again */
    bool wants_reload;  /* of its certificates, once nothing is out */
    bool flaps;
};

struct publisher_identity {
    char *client_id;   /* heap, handed over */
    char *will_topic;  /* heap, handed over; NULL = no will */
    char *about_topic; /* heap, handed over, both; NULL = it says nothing of itself */
    char *about;
    const char *username; /* NULL = what the URL says */
    const char *password;
    bool flaps;
};

struct publishers_config {
    struct mqtt_link_config mqtt; /* what all connections have in common */
    size_t count;
    uint32_t inflight; /* messages that may be out on one connection */
    int qos;
    struct report *report;
    struct truth *truth;
    struct edge_nodes *nodes; /* the connections are these; NULL = plain ones */

    void *user;
    void (*identify)(void *user, size_t which, struct publisher_identity *out);
    void (*on_room)(void *user, size_t which); /* it came up, or something was acknowledged */
};

struct publishers {
    struct publishers_config config;
    uv_loop_t *loop;
    struct publisher *items;
    size_t started;
    size_t connected;  /* have been up at least once */
    size_t failing;    /* have failed and never been up, at the last look */
    bool wants_reload; /* one of them does */
    size_t up;
    size_t closed;
    uint32_t *touched; /* those with something to flush */
    size_t touched_count;
    uint64_t number; /* of the last message */
    void (*on_closed)(struct publishers *publishers);
};

struct message {
    const char *topic;
    struct truth_message truth; /* with the payload */
    uint32_t device;            /* an edge node makes topic and payload of this and the reading */
};

bool publishers_start(struct publishers *publishers, uv_loop_t *loop,
                      const struct publishers_config *config, char *error, size_t error_bytes);

/* True when this connection is up and has room in its window. A window that was full has none
 * until it is half empty, so that a sender that is limited by acknowledgements sends in runs:
 * answering each acknowledgement with one message costs both sides a segment and a wakeup. */
bool publishers_has_room(const struct publishers *publishers, size_t which);

/* How many more messages fit its window. */
uint32_t publishers_room(const struct publishers *publishers, size_t which);

/* Publishes with the next flush. The window is the caller's to keep: a message is sent even when it
 * is full. False when the library refused it, which is counted. */
bool publishers_send(struct publishers *publishers, size_t which, const struct message *message);

/* Writes what was sent since the last flush. */
void publishers_flush(struct publishers *publishers);

/* Cuts the connection as a device that loses its network does; it comes back by itself. */
void publishers_cut(struct publishers *publishers, size_t which);

/* Reads certificates again and makes all connections again. A connection with unacknowledged
 * messages first waits for them, since they would be lost with it, and sends no more until then. */
void publishers_reload(struct publishers *publishers);

/* To be called now and then: starts further connections in the place of those that fail, which go
 * on trying by themselves. Returns why one of those that are not up is not; NULL when there is
 * nothing to tell. */
const char *publishers_look(struct publishers *publishers);

/* Each says that it goes offline, disconnects, and is freed. */
void publishers_close(struct publishers *publishers, void (*on_closed)(struct publishers *));

#endif
