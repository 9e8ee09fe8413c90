/* Each slot keeps the hash beside the number, so that growing needs no keys, and hardly any key is
 * compared in vain. */
#include "shared/base/hash_index.h"

#include "shared/base/mem.h"

#include <stdlib.h>

enum { SLOTS_LEAST = 64 };

void hash_index_release(struct hash_index *index)
{
    free(index->slots);
    *index = (struct hash_index){0};
}

static uint32_t folded(uint64_t hash)
{
    return (uint32_t)(hash ^ (hash >> 32));
}

static void put(struct hash_index *index, struct hash_index_slot slot)
{
    uint32_t at = slot.hash;

    while (index->slots[at & (index->slot_count - 1)].place)
        at++;
    index->slots[at & (index->slot_count - 1)] = slot;
}

static void enlarge(struct hash_index *index)
{
    struct hash_index old = *index;

    index->slot_count = old.slot_count ? 2 * old.slot_count : SLOTS_LEAST;
    index->slots = mem_calloc(index->slot_count, sizeof(index->slots[0]));
    for (uint32_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i].place)
            put(index, old.slots[i]);
    }
    free(old.slots);
}

void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t number)
{
    if (index->count >= index->slot_count / 2) /* so that a search soon meets an empty slot */
        enlarge(index);
    index->count++;
    put(index, (struct hash_index_slot){.hash = folded(hash), .place = number + 1});
}

struct hash_probe hash_probe_of(uint64_t hash)
{
    return (struct hash_probe){.hash = folded(hash)};
}

uint32_t hash_index_next(const struct hash_index *index, struct hash_probe *probe)
{
    if (index->count == 0)
        return HASH_INDEX_NONE;
    for (;;) {
        const struct hash_index_slot *slot =
            &index->slots[(probe->hash + probe->steps++) & (index->slot_count - 1)];

        if (!slot->place)
            return HASH_INDEX_NONE;
        if (slot->hash == probe->hash)
            return slot->place - 1;
    }
}
