/* ingest_relay.h: the part of ingest.h that hands on what the store tells, or asks (struct store_events),
 * and the source of its partitions, and that the round has nothing to do with. `user` is the struct ingest.
 */
#ifndef HIGHWATER_INGEST_RELAY_H
#define HIGHWATER_INGEST_RELAY_H

#include "collector/ingest.h"

void ingest_relay_removed(void *user, uint32_t device, bool is_whole);
void ingest_relay_device(void *user, uint32_t device);
void ingest_relay_added(void *user, uint32_t device);
void ingest_relay_added_many(void *user);
void ingest_relay_put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                            struct buffer *out);
bool ingest_relay_nodes(void *user);
void ingest_relay_node(void *user, const struct sparkplug_node_change *node);
void ingest_relay_birth(void *user, const struct sparkplug_birth_change *birth);

/* Partitions of a log came: the store is asked where they stand, and says it. */
void ingest_relay_gained(void *user, const struct source_position *positions, size_t count);
void ingest_relay_positions(void *user, const struct source_position *positions, size_t count);

#endif
