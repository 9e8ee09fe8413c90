#include "collector/ingest_relay.h"

#include "collector/intake.h"

void ingest_relay_removed(void *user, uint32_t device, bool is_whole)
{
    struct ingest *ingest = user;

    ingest->config.on_removed(ingest, device, is_whole);
}

void ingest_relay_device(void *user, uint32_t device)
{
    struct ingest *ingest = user;

    ingest->config.on_device(ingest, device);
}

void ingest_relay_added(void *user, uint32_t device)
{
    struct ingest *ingest = user;

    ingest->config.on_added(ingest, device);
}

void ingest_relay_added_many(void *user)
{
    struct ingest *ingest = user;

    ingest->config.on_added_many(ingest);
}

void ingest_relay_put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                            struct buffer *out)
{
    intake_put_topic(user, batch, row, out);
}

bool ingest_relay_nodes(void *user)
{
    struct ingest *ingest = user;

    sparkplug_clear(&ingest->sparkplug);
    return mappings_have_sparkplug(ingest->config.mappings);
}

void ingest_relay_node(void *user, const struct sparkplug_node_change *node)
{
    struct ingest *ingest = user;

    sparkplug_load_node(&ingest->sparkplug, node);
}

void ingest_relay_birth(void *user, const struct sparkplug_birth_change *birth)
{
    struct ingest *ingest = user;

    sparkplug_load_birth(&ingest->sparkplug, birth);
}

void ingest_relay_gained(void *user, const struct source_position *positions, size_t count)
{
    struct ingest *ingest = user;

    store_find_positions(ingest->store, positions, count);
}

/* Whoever had them before has stored what our windows lack, and numbers of its devices that ours continue.
 * What is loaded from now on has all of it: from a position that has moved since, nothing of ours is stored. */
void ingest_relay_positions(void *user, const struct source_position *positions, size_t count)
{
    struct ingest *ingest = user;

    if (source_place(ingest->source, positions, count))
        ingest->config.on_behind(ingest);
}
