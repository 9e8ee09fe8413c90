/* kafka_probe.h: asks Kafka for the metadata of two topics, off the loop.
 *
 * Shape    rd_kafka_metadata() waits, so it is called from a thread of libuv's pool. One at a time.
 * Errors   an error of Kafka's, or of librdkafka's own, such as a timeout; `fault` is the sentence.
 * Owner    embedded; the client and the texts must stay until on_probed.
 */
#ifndef HIGHWATER_KAFKA_PROBE_H
#define HIGHWATER_KAFKA_PROBE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <uv.h>

enum { KAFKA_PROBE_FAULT_SIZE = 400, KAFKA_PROBE_CLUSTER_SIZE = 64, KAFKA_PROBE_TOPICS = 2 };

struct kafka_probe {
    uv_work_t work;
    bool is_running;
    rd_kafka_t *rk;
    const char *topics[KAFKA_PROBE_TOPICS];
    void *user;
    void (*on_probed)(void *user);
    /* the answer */
    bool is_answered;  /* by a broker, whatever it said */
    bool needs_person; /* what it said does not pass by itself */
    bool is_good;
    int partitions; /* of the first topic */
    char cluster[KAFKA_PROBE_CLUSTER_SIZE];
    char fault[KAFKA_PROBE_FAULT_SIZE];
};

/* Both topics must be known to the client (rd_kafka_topic_new()). Nothing happens when one is running. */
void kafka_probe_start(struct kafka_probe *probe, uv_loop_t *loop, rd_kafka_t *rk);

#endif
