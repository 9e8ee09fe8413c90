/* kafka_store.h: puts batches into a topic of Kafka, one at a time, until each is confirmed.
 *
 * Shape    a record for each reading (record.h) on the topic, one for each rejected message on the topic
 *          <topic>.rejected, by an idempotent producer with acks=all. States:
 *          away -> ready -> writing -> ready
 *                           writing <-> pausing (before another try)
 * Promise  on_stored comes when each record has its delivery report, and not before. A try that failed is
 *          made again, without the records that were confirmed; where that cannot be known (the producer
 *          had to be given up) a record may stand there twice, and its identity says so.
 * Order    of a device's readings as they arrived: one partition, one producer. A record that had to be
 *          tried again stands behind those that did not.
 * Errors   a record that the topic takes neither alone is kept as a rejected message. A rejected message
 *          that is larger than a record may be is kept in parts, "part 2 of 4: " before each detail. What
 *          takes longer than the watchdog, or what librdkafka calls fatal: a new producer, and the batch
 *          again. A topic that is not there or may not be written: hold, and say so.
 * Away     a probe, which asks for both topics' metadata off the loop, says whether Kafka is there: once a
 *          second while it is not, when librdkafka has trouble, and when nothing was confirmed of late.
 * Limits   it cannot be asked what it has: no boards, no numbers of devices, no list of rejected messages, and
 *          no lock: of two with one id the broker lets one have the session.
 * Owner    embedded; the batch belongs to the caller and must not change while it is written.
 */
#ifndef HIGHWATER_KAFKA_STORE_H
#define HIGHWATER_KAFKA_STORE_H

#include "collector/devices.h"
#include "collector/store.h"
#include "collector/stores/kafka/kafka_probe.h"
#include "collector/stores/parts.h"
#include "shared/base/backoff.h"
#include "shared/net/kafka_link.h"

struct kafka_store;

enum kafka_store_state {
    KAFKA_STORE_AWAY,
    KAFKA_STORE_READY,
    KAFKA_STORE_WRITING,
    KAFKA_STORE_PAUSING
};

enum { KAFKA_STORE_REASON_SIZE = 768 };

struct kafka_store_config {
    const char *brokers;
    const char *topic;
    const char *rejected_topic;
    const char *file; /* KAFKA_CONFIG */
    const char *collector_id;
    const char *client_id; /* at the MQTT broker, "" = made of the names of collector and cluster */
    const struct features *features;
    const struct devices *devices;
    uint64_t watchdog_ms;
};

/* What became of the records of the current try. */
struct kafka_store_try {
    bool is_of_rejected;
    size_t next;                     /* to be produced: a row, or an entry of the rejected, */
    size_t next_byte;                /* and of that entry the first byte of the next part */
    size_t to;                       /* where the try ends */
    size_t unreported;               /* produced, and no report yet */
    bool is_all_produced;            /* before `to`, because one record is enough */
    size_t unfit;                    /* failed, and alone, or smaller, perhaps do not */
    rd_kafka_resp_err_t unfit_error; /* of the last of these */
    rd_kafka_resp_err_t error;       /* another failure; the first of them */
    size_t unplaced;                 /* said to be delivered, and not where */
};

struct kafka_store {
    struct store base; /* first: a struct store of this kind is one of these */
    struct kafka_store_config config;
    enum kafka_store_state state;
    uv_loop_t *loop;
    struct kafka_link link;
    rd_kafka_topic_t *topic;
    rd_kafka_topic_t *rejected_topic;
    struct kafka_probe probe;
    uv_timer_t tick;  /* once a second */
    uv_timer_t pause; /* before another try */
    struct backoff backoff;
    struct batch *batch; /* being written, NULL = none */
    struct kafka_store_try try;
    struct parts parts;        /* of its rows, which the try is about */
    size_t rejected_at;        /* of batch->rejected: confirmed until here, */
    size_t rejected_byte;      /* and of that entry until there */
    size_t rejected_part_most; /* bytes of a rejected message in a record */
    bool rejected_singly;      /* a record of these at a time */
    uint64_t began_ms;         /* the try, or its latest delivery report */
    uint64_t probed_ms;        /* when the latest probe ended */
    unsigned bad_probes;       /* in a row */
    bool is_fatal;
    bool is_turn_new;
    bool has_said_unfit;   /* of this batch */
    bool wants_new_client; /* once the probe is done */
    bool wants_reload;     /* once the batch is stored, and it is there */
    bool is_denied;        /* by the broker: user, password, certificate */
    bool is_closing;
    bool has_identity;
    struct buffer value;
    struct buffer topic_text;
    uint64_t records; /* confirmed */
    uint64_t rejected_records;
    uint64_t retries;
    uint64_t clients;
    int partitions;
    char fault[KAFKA_STORE_REASON_SIZE]; /* why it is away or held; "" = it is not */
    void (*on_closed)(struct kafka_store *store);
};

/* What the properties of KAFKA_CONFIG stand beside. */
extern const struct kafka_property kafka_store_properties[];

bool kafka_store_start(struct kafka_store *store, uv_loop_t *loop,
                       const struct kafka_store_config *config, char *error, size_t error_bytes);
void kafka_store_close(struct kafka_store *store, void (*on_closed)(struct kafka_store *store));

/* Of struct store_kind. */
void kafka_store_begin(struct store *base, struct batch *batch, bool expects_duplicates);
void kafka_store_give_up(struct store *base);
void kafka_store_reload(struct store *base);
void kafka_store_explain(const struct store *base, struct buffer *out);
void kafka_store_put_faults(const struct store *base, struct buffer *reasons);
void kafka_store_put_metrics(const struct store *base, const struct prometheus *to);

#endif
