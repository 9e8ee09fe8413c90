#include "collector/decoders/sparkplug_inner.h"

#include "shared/base/hash.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- find and add --------------------------------------------------------------------------- */

static uint64_t node_hash(const struct sparkplug_topic *topic)
{
    return hash_mix(hash_bytes(topic->group.text, topic->group.bytes),
                    hash_bytes(topic->edge.text, topic->edge.bytes));
}

static uint64_t birth_hash(const struct sparkplug_topic *topic)
{
    return hash_mix(node_hash(topic), hash_bytes(topic->device.text, topic->device.bytes));
}

static bool is_text(const char *text, const struct sparkplug_text *other)
{
    return strlen(text) == other->bytes && memcmp(text, other->text, other->bytes) == 0;
}

static bool is_node(const struct sparkplug_node *node, const struct sparkplug_topic *topic)
{
    return is_text(node->edge, &topic->edge) && is_text(node->group, &topic->group);
}

struct sparkplug_node *sparkplug_find_node(const struct sparkplug *state,
                                           const struct sparkplug_topic *topic)
{
    struct hash_probe probe = hash_probe_of(node_hash(topic));
    uint32_t number;

    while ((number = hash_index_next(&state->node_index, &probe)) != HASH_INDEX_NONE) {
        if (is_node(state->nodes[number], topic))
            return state->nodes[number];
    }
    return NULL;
}

struct sparkplug_node *sparkplug_add_node(struct sparkplug *state,
                                          const struct sparkplug_topic *topic)
{
    struct sparkplug_node *node = sparkplug_find_node(state, topic);

    if (node || state->node_count == SPARKPLUG_NODES_MOST)
        return node;
    node = mem_calloc(1, sizeof(*node));
    node->group = mem_strndup(topic->group.text, topic->group.bytes);
    node->edge = mem_strndup(topic->edge.text, topic->edge.bytes);
    node->bd_seq = node->seq = -1;
    node->heard_ms = -1;
    node->replayed_until_ms = -1;
    hash_index_add(&state->node_index, node_hash(topic), (uint32_t)state->node_count);
    state->nodes = mem_grow_zeroed(state->nodes, &state->node_capacity, state->node_count + 1,
                                   sizeof(struct sparkplug_node *));
    state->nodes[state->node_count++] = node;
    return node;
}

struct sparkplug_birth *sparkplug_find_birth(const struct sparkplug *state,
                                             const struct sparkplug_topic *topic)
{
    struct hash_probe probe = hash_probe_of(birth_hash(topic));
    uint32_t number;

    while ((number = hash_index_next(&state->birth_index, &probe)) != HASH_INDEX_NONE) {
        struct sparkplug_birth *birth = state->births[number];

        if (is_text(birth->device, &topic->device) && is_node(birth->node, topic))
            return birth;
    }
    return NULL;
}

struct sparkplug_birth *sparkplug_add_birth(struct sparkplug *state,
                                            const struct sparkplug_topic *topic)
{
    struct sparkplug_birth *birth = sparkplug_find_birth(state, topic);
    struct sparkplug_node *node = sparkplug_add_node(state, topic);

    if (birth || !node || state->birth_count == SPARKPLUG_BIRTHS_MOST)
        return birth;
    birth = mem_calloc(1, sizeof(*birth));
    birth->device = mem_strndup(topic->device.text, topic->device.bytes);
    birth->node = node;
    birth->next = node->births;
    node->births = birth;
    hash_index_add(&state->birth_index, birth_hash(topic), (uint32_t)state->birth_count);
    state->births = mem_grow_zeroed(state->births, &state->birth_capacity, state->birth_count + 1,
                                    sizeof(struct sparkplug_birth *));
    state->births[state->birth_count++] = birth;
    return birth;
}

/* ---- changes -------------------------------------------------------------------------------- */

void sparkplug_node_changed(struct sparkplug *state, struct sparkplug_node *node)
{
    if (!node->is_changed)
        buffer_put(&state->changed_nodes, &node, sizeof(struct sparkplug_node *));
    node->is_changed = true;
}

static void birth_changed(struct sparkplug *state, struct sparkplug_birth *birth)
{
    if (!birth->is_changed)
        buffer_put(&state->changed_births, &birth, sizeof(struct sparkplug_birth *));
    birth->is_changed = true;
}

static void empty_birth(struct sparkplug_birth *birth)
{
    sparkplug_names_release(&birth->names);
    free(birth->payload);
    birth->payload = NULL;
    birth->payload_bytes = 0;
    birth->is_alive = false;
}

void sparkplug_birth_set(struct sparkplug *state, struct sparkplug_birth *birth,
                         struct sparkplug_names *names, int64_t born_ms, const void *payload,
                         size_t bytes)
{
    empty_birth(birth);
    birth->names = *names;
    birth->born_ms = born_ms;
    birth->is_alive = true;
    birth->payload = mem_alloc(bytes + 1);
    if (bytes > 0)
        memcpy(birth->payload, payload, bytes);
    birth->payload_bytes = bytes;
    birth_changed(state, birth);
}

void sparkplug_birth_end(struct sparkplug *state, struct sparkplug_birth *birth)
{
    if (!birth->is_alive)
        return;
    empty_birth(birth);
    birth_changed(state, birth);
}

bool sparkplug_has_changes(const struct sparkplug *state)
{
    return state->changed_nodes.bytes > 0 || state->changed_births.bytes > 0;
}

static void take_node(struct sparkplug_node *node, struct sparkplug_changes *out)
{
    const struct sparkplug_node_change change = {
        .group = mem_strdup(node->group),
        .edge = mem_strdup(node->edge),
        .is_born = node->is_born,
        .bd_seq = node->bd_seq,
        .seq = node->seq,
        .heard_ms = node->heard_ms,
        .again_ms = node->is_replay_over ? -1 : node->replayed_until_ms,
        .again_seq = node->replayed_seq};

    sparkplug_changes_add_node(out, &change);
    node->is_changed = false;
}

static void take_birth(struct sparkplug_birth *birth, struct sparkplug_changes *out)
{
    const struct sparkplug_birth_change change = {.group = mem_strdup(birth->node->group),
                                                  .edge = mem_strdup(birth->node->edge),
                                                  .device = mem_strdup(birth->device),
                                                  .payload = birth->payload,
                                                  .bytes = birth->payload_bytes};

    sparkplug_changes_add_birth(out, &change);
    birth->payload = NULL;
    birth->payload_bytes = 0;
    birth->is_changed = false;
}

void sparkplug_take_changes(struct sparkplug *state, struct sparkplug_changes *out)
{
    struct sparkplug_node *const *nodes = (const void *)state->changed_nodes.data;
    struct sparkplug_birth *const *births = (const void *)state->changed_births.data;

    for (size_t i = 0; i < state->changed_nodes.bytes / sizeof(struct sparkplug_node *); i++)
        take_node(nodes[i], out);
    for (size_t i = 0; i < state->changed_births.bytes / sizeof(struct sparkplug_birth *); i++)
        take_birth(births[i], out);
    buffer_clear(&state->changed_nodes);
    buffer_clear(&state->changed_births);
}

/* ---- load ----------------------------------------------------------------------------------- */

static struct sparkplug_topic topic_of(const char *group, const char *edge, const char *device)
{
    return (struct sparkplug_topic){.group = {group, strlen(group)},
                                    .edge = {edge, strlen(edge)},
                                    .device = {device, strlen(device)}};
}

bool sparkplug_load_node(struct sparkplug *state, const struct sparkplug_node_change *saved)
{
    const struct sparkplug_topic topic = topic_of(saved->group, saved->edge, "");
    struct sparkplug_node *node = sparkplug_add_node(state, &topic);

    if (!node)
        return false;
    node->is_born = saved->is_born;
    node->bd_seq = saved->bd_seq;
    node->seq = saved->seq;
    node->heard_ms = saved->heard_ms;
    node->replayed_until_ms = saved->again_ms;
    node->replayed_seq = saved->again_seq;
    return true;
}

bool sparkplug_load_birth(struct sparkplug *state, const struct sparkplug_birth_change *saved)
{
    const struct sparkplug_topic topic = topic_of(saved->group, saved->edge, saved->device);
    struct sparkplug_payload payload;
    struct sparkplug_names names;
    struct sparkplug_birth *birth;
    enum reading_error error;
    char detail[READING_DETAIL_SIZE];

    if (sparkplug_read(&state->reader, saved->payload, saved->bytes, &payload) != SPARKPLUG_FINE ||
        !sparkplug_names_make(&names, &state->reader, payload.metric_count, &error, detail))
        return false;
    birth = sparkplug_add_birth(state, &topic);
    if (!birth) {
        sparkplug_names_release(&names);
        return false;
    }
    empty_birth(birth);
    birth->names = names;
    birth->born_ms = payload.has_timestamp ? (int64_t)payload.timestamp_ms : -1;
    birth->is_alive = true;
    return true;
}

void sparkplug_clear(struct sparkplug *state)
{
    for (size_t i = 0; i < state->birth_count; i++) {
        empty_birth(state->births[i]);
        free(state->births[i]->device);
        free(state->births[i]);
    }
    for (size_t i = 0; i < state->node_count; i++) {
        free(state->nodes[i]->group);
        free(state->nodes[i]->edge);
        free(state->nodes[i]);
    }
    state->birth_count = state->node_count = 0;
    hash_index_release(&state->node_index);
    hash_index_release(&state->birth_index);
    state->node_index = state->birth_index = (struct hash_index){0};
    buffer_clear(&state->changed_nodes);
    buffer_clear(&state->changed_births);
    buffer_clear(&state->asking);
    buffer_clear(&state->dead);
}

void sparkplug_release(struct sparkplug *state)
{
    sparkplug_clear(state);
    free(state->nodes);
    free(state->births);
    buffer_release(&state->changed_nodes);
    buffer_release(&state->changed_births);
    buffer_release(&state->asking);
    buffer_release(&state->dead);
    sparkplug_reader_release(&state->reader);
    *state = (struct sparkplug){0};
}
