#include "collector/devices.h"

#include "shared/base/hash.h"
#include "shared/base/mem.h"
#include "shared/model/topic.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, SLOTS_LEAST = 64 };

void devices_release(struct devices *devices)
{
    for (size_t i = 0; i < devices->block_count; i++)
        free(devices->blocks[i]);
    free(devices->blocks);
    free(devices->items);
    free(devices->slots);
    *devices = (struct devices){0};
}

static bool is_in_slot(const struct devices *devices, const struct devices_slot *slot,
                       const char *id, size_t bytes, uint32_t id_hash)
{
    const char *kept;

    if (slot->hash != id_hash)
        return false;
    kept = devices->items[slot->index - 1].id;
    return strncmp(kept, id, bytes) == 0 && kept[bytes] == '\0';
}

/* The slot of an id: its own, or the empty one where it belongs. */
static struct devices_slot *find_slot(const struct devices *devices, const char *id, size_t bytes,
                                      uint32_t id_hash)
{
    uint32_t mask = devices->slot_count - 1;
    uint32_t at = id_hash & mask;

    while (devices->slots[at].index &&
           !is_in_slot(devices, &devices->slots[at], id, bytes, id_hash))
        at = (at + 1) & mask;
    return &devices->slots[at];
}

static void grow_slots(struct devices *devices)
{
    devices->slot_count = devices->slot_count ? devices->slot_count * 2 : SLOTS_LEAST;
    free(devices->slots);
    devices->slots = mem_calloc(devices->slot_count, sizeof(devices->slots[0]));
    for (uint32_t i = 0; i < devices->count; i++) {
        const char *id = devices->items[i].id;
        size_t bytes = strlen(id);
        uint32_t id_hash = (uint32_t)hash_bytes(id, bytes);

        *find_slot(devices, id, bytes, id_hash) = (struct devices_slot){i + 1, id_hash};
    }
}

/* Ids lie one after the other in large blocks, which never move. */
static const char *keep_text(struct devices *devices, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept;

    if (devices->block_count == 0 || devices->block_used + bytes > BLOCK_BYTES) {
        devices->blocks =
            mem_realloc(devices->blocks, (devices->block_count + 1) * sizeof(devices->blocks[0]));
        devices->blocks[devices->block_count++] = mem_alloc(BLOCK_BYTES);
        devices->block_used = 0;
    }
    kept = devices->blocks[devices->block_count - 1] + devices->block_used;
    devices->block_used += bytes;
    memcpy(kept, text, bytes);
    return kept;
}

uint32_t devices_find_or_add(struct devices *devices, const char *id, bool *is_new)
{
    size_t bytes = strlen(id);
    uint32_t id_hash = (uint32_t)hash_bytes(id, bytes);
    struct devices_slot *slot;

    if ((devices->count + 1) * 2 > devices->slot_count)
        grow_slots(devices);
    slot = find_slot(devices, id, bytes, id_hash);
    *is_new = slot->index == 0;
    if (*is_new) {
        if (devices->count == devices->capacity) {
            devices->capacity = (uint32_t)mem_grown(devices->capacity, devices->count + 1);
            devices->items =
                mem_realloc(devices->items, devices->capacity * sizeof(devices->items[0]));
        }
        devices->items[devices->count] = (struct device){.id = keep_text(devices, id),
                                                         .is_legal = device_id_is_legal(id, bytes)};
        *slot = (struct devices_slot){++devices->count, id_hash};
    }
    return slot->index - 1;
}

bool devices_find(const struct devices *devices, const char *id, size_t bytes, uint32_t *index)
{
    const struct devices_slot *slot;

    if (devices->count == 0)
        return false;
    slot = find_slot(devices, id, bytes, (uint32_t)hash_bytes(id, bytes));
    if (slot->index == 0)
        return false;
    *index = slot->index - 1;
    return true;
}
