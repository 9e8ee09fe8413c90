/* kafka_queue.h: a queue of librdkafka's on the loop.
 *
 * Shape    librdkafka's threads call nobody of ours. Where a queue gets its first entry they make an
 *          eventfd readable, and on_ready() takes from the queue until it is empty: only then is there a
 *          next event. Who stops earlier asks for another with kafka_queue_poke().
 * Errors   none but of the system, which has no descriptors left: false.
 * Owner    embedded; zeroed is closed. It takes over the rd_kafka_queue_t. kafka_queue_close() ends it at
 *          once and may come any number of times; on_ready() does not come after it.
 */
#ifndef HIGHWATER_KAFKA_QUEUE_H
#define HIGHWATER_KAFKA_QUEUE_H

#include "shared/net/fd_watch.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct kafka_queue {
    rd_kafka_queue_t *queue; /* NULL = closed */
    struct fd_watch *watch;
    int event;
    void (*on_ready)(void *user);
    void *user;
};

bool kafka_queue_watch(struct kafka_queue *queue, uv_loop_t *loop, rd_kafka_queue_t *of,
                       void (*on_ready)(void *user), void *user);

/* on_ready() comes once more, whatever is in the queue. */
void kafka_queue_poke(struct kafka_queue *queue);

/* Before the rd_kafka_t is destroyed. */
void kafka_queue_close(struct kafka_queue *queue);

#endif
