#include "collector/suggest/heard.h"

#include "collector/subscriptions.h"
#include "collector/suggest/look.h"
#include "shared/base/hash.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_of_no_device(const char *topic)
{
    return *topic == '$' || strncmp(topic, "collectors/", 11) == 0;
}

/* ---- topics by name ------------------------------------------------------------------------- */

static size_t *find_slot(const struct heard_messages *heard, const char *topic, uint64_t hash)
{
    size_t mask = heard->slot_count - 1;
    size_t at = (size_t)hash & mask;

    while (heard->slots[at]) {
        const struct heard_topic *there = &heard->topics[heard->slots[at] - 1];

        if (there->hash == hash && strcmp(there->name, topic) == 0)
            break;
        at = (at + 1) & mask;
    }
    return &heard->slots[at];
}

/* Twice as many slots as there may be topics. */
static void make_slots(struct heard_messages *heard)
{
    if (heard->slots)
        return;
    heard->slot_count = 16384;
    heard->slots = mem_calloc(heard->slot_count, sizeof(heard->slots[0]));
}

/* NULL when it would be one too many. */
static struct heard_topic *topic_of(struct heard_messages *heard, const char *topic)
{
    uint64_t hash = hash_bytes(topic, strlen(topic));
    size_t *slot;
    struct heard_topic *out;

    make_slots(heard);
    slot = find_slot(heard, topic, hash);
    if (*slot)
        return &heard->topics[*slot - 1];
    if (heard->count == HEARD_TOPICS_MOST || heard->bytes + strlen(topic) > HEARD_BYTES_MOST)
        return NULL;
    heard->topics = mem_grow_zeroed(heard->topics, &heard->capacity, heard->count + 1,
                                    sizeof(heard->topics[0]));
    out = &heard->topics[heard->count++];
    *out = (struct heard_topic){.name = mem_strdup(topic), .hash = hash};
    heard->bytes += strlen(topic);
    *slot = heard->count;
    return out;
}

/* ---- payloads ------------------------------------------------------------------------------- */

static bool is_worth_keeping(const struct heard_topic *topic, uint64_t shape, const char *payload,
                             size_t bytes)
{
    bool is_new_shape = true;

    for (size_t i = 0; i < topic->count; i++) {
        const struct heard_payload *there = &topic->payloads[i];

        if (there->bytes == bytes && memcmp(there->text, payload, bytes) == 0)
            return false;
        if (there->shape == shape)
            is_new_shape = false;
    }
    return topic->count < (is_new_shape ? HEARD_SHAPES_MOST : HEARD_ALIKE_MOST);
}

void heard_add(struct heard_messages *heard, const char *topic, const void *payload, size_t bytes,
               int64_t at_us, bool is_retained)
{
    struct heard_topic *there;
    uint64_t shape;

    heard->messages++;
    if (is_of_no_device(topic)) {
        heard->not_of_devices++;
        return;
    }
    /* no mapping may subscribe to a longer one */
    there = strlen(topic) > SUBSCRIPTION_BYTES_MAX ? NULL : topic_of(heard, topic);
    if (!there) {
        heard->left_out++;
        return;
    }
    if (bytes > HEARD_PAYLOAD_MOST) {
        there->has_long = true;
        return;
    }
    if (there->count == HEARD_SHAPES_MOST)
        return;
    shape = look_shape(payload, bytes);
    if (!is_worth_keeping(there, shape, payload, bytes))
        return;
    if (heard->bytes + bytes > HEARD_BYTES_MOST) {
        heard->left_out++;
        return;
    }
    heard->bytes += bytes;
    there->payloads[there->count++] = (struct heard_payload){.text = mem_strndup(payload, bytes),
                                                             .bytes = bytes,
                                                             .shape = shape,
                                                             .at_us = at_us,
                                                             .is_retained = is_retained};
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(((const struct heard_topic *)a)->name, ((const struct heard_topic *)b)->name);
}

void heard_sort(struct heard_messages *heard)
{
    if (heard->count == 0)
        return;
    qsort(heard->topics, heard->count, sizeof(heard->topics[0]), compare_topics);
    memset(heard->slots, 0, heard->slot_count * sizeof(heard->slots[0]));
    for (size_t i = 0; i < heard->count; i++)
        *find_slot(heard, heard->topics[i].name, heard->topics[i].hash) = i + 1;
}

void heard_release(struct heard_messages *heard)
{
    for (size_t i = 0; i < heard->count; i++) {
        for (size_t j = 0; j < heard->topics[i].count; j++)
            free(heard->topics[i].payloads[j].text);
        free(heard->topics[i].name);
    }
    free(heard->topics);
    free(heard->slots);
    *heard = (struct heard_messages){0};
}
