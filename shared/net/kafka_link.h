/* kafka_link.h: one client of Kafka, producer or consumer, on the loop.
 *
 * Shape    librdkafka connects, and connects again, by itself and in threads of its own. Here are what
 *          both kinds of client share: the configuration (kafka_conf.h), its main queue on the loop
 *          (kafka_queue.h), its lines in our log, its errors told, and its end, which may take time and
 *          so happens off the loop.
 * Callbacks of librdkafka that `set_up` installs (deliveries, rebalances) come inside rd_kafka_poll() or
 *          rd_kafka_consumer_poll(), which on_ready() calls; their opaque is the link.
 * Errors   on_trouble: what librdkafka tells, such as that all brokers are down; it goes on by itself.
 *          on_fatal: it does not, for instance because another has fenced an idempotent producer.
 *          kafka_link_drop() and kafka_link_start() make a new client; not from inside of any of these
 *          callbacks, but once rd_kafka_poll() has returned.
 * Owner    embedded. After kafka_link_close() it is the caller's again with on_closed.
 */
#ifndef HIGHWATER_KAFKA_LINK_H
#define HIGHWATER_KAFKA_LINK_H

#include "shared/net/kafka_conf.h"
#include "shared/net/kafka_queue.h"

enum { KAFKA_LINK_TEXT_SIZE = 256 };

struct kafka_link;

struct kafka_link_config {
    const char *name; /* begins its lines in the log */
    rd_kafka_type_t type;
    const char *brokers;
    const struct kafka_property *properties;
    const char *file; /* KAFKA_CONFIG; "" or NULL = none */
    void *user;
    void (*set_up)(rd_kafka_conf_t *conf); /* NULL = nothing */
    void (*on_ready)(struct kafka_link *link);
    void (*on_trouble)(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text);
    void (*on_fatal)(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text);
};

struct kafka_link {
    struct kafka_link_config config;
    uv_loop_t *loop;
    rd_kafka_t *rk; /* NULL = none */
    struct kafka_queue queue;
    char trouble[KAFKA_LINK_TEXT_SIZE]; /* the last that was told; "" = none yet */
    unsigned ending;                    /* clients that are being destroyed */
    void (*on_closed)(struct kafka_link *link);
};

/* Whether the file of KAFKA_CONFIG is legal beside these properties; no client is made. */
bool kafka_link_check(const struct kafka_property *properties, const char *file, char *error,
                      size_t error_bytes);

/* Makes a client; of a consumer the queue is that of rd_kafka_consumer_poll(). A link that was dropped
 * may be started again at once. False: `error` says why. */
bool kafka_link_start(struct kafka_link *link, uv_loop_t *loop,
                      const struct kafka_link_config *config, char *error, size_t error_bytes);

/* Ends the client, if there is one. No callback of ours comes after this, neither of what was under way; but a
 * member of a group is asked to let go of what it has, in the thread in which it ends. */
void kafka_link_drop(struct kafka_link *link);

/* Forgets the client without an end: it and its threads stay until the process ends. */
void kafka_link_abandon(struct kafka_link *link);

/* The same as kafka_link_drop(), and on_closed once all that were dropped are gone. */
void kafka_link_close(struct kafka_link *link, void (*on_closed)(struct kafka_link *link));

#endif
