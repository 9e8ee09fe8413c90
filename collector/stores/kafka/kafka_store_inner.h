/* kafka_store_inner.h: what the files of the store know of each other.
 *
 *   kafka_store.c         states, a batch from its beginning to its end, what it says
 *   kafka_store_client.c  the client: coming, going, is it there
 *   kafka_store_write.c   records of a batch into librdkafka's queue, their delivery reports
 *   kafka_probe.c         whether the topics can be written
 */
#ifndef HIGHWATER_KAFKA_STORE_INNER_H
#define HIGHWATER_KAFKA_STORE_INNER_H

#include "collector/stores/kafka/kafka_store.h"

/* ---- kafka_store.c */

void kafka_store_set_state(struct kafka_store *store, enum kafka_store_state state);
void kafka_store_set_ready(struct kafka_store *store);
void kafka_store_set_unready(struct kafka_store *store);

/* Says once why nothing goes on: `is_held` = it needs a person. */
void kafka_store_put_fault(struct kafka_store *store, bool is_held, const char *fault);

void kafka_store_next_try(struct kafka_store *store);

/* All of the try was produced, and all of that has its report. */
void kafka_store_end_try(struct kafka_store *store);

void kafka_store_on_pause(uv_timer_t *timer);

/* ---- kafka_store_client.c */

/* The client is given up, with what was under way; another comes. */
void kafka_store_renew(struct kafka_store *store);

void kafka_store_probe(struct kafka_store *store);

/* ---- kafka_store_write.c */

/* Produces what is left of the try, as far as there is room; goes on with the next delivery reports. */
void kafka_store_produce(struct kafka_store *store);

bool kafka_store_try_is_over(const struct kafka_store *store);

/* The opaque of `rk` is the link. */
void kafka_store_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

/* The row is to be kept as a rejected message. */
void kafka_store_refuse_row(struct kafka_store *store, size_t index, rd_kafka_resp_err_t error);

#endif
