#include "devicesim/names.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_LEAST = 64 };

void names_release(struct names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        free(names->texts[i]);
    free(names->texts);
    free(names->slots);
    *names = (struct names){0};
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}

/* The slot that holds `text`, or the empty one where it belongs. */
static uint32_t slot_of(const struct names *names, const char *text)
{
    uint32_t slot = (uint32_t)hash_of(text) & (names->slot_count - 1);

    while (names->slots[slot] && strcmp(names->texts[names->slots[slot] - 1], text) != 0)
        slot = (slot + 1) & (names->slot_count - 1);
    return slot;
}

uint32_t names_find(const struct names *names, const char *text)
{
    return names->slot_count ? names->slots[slot_of(names, text)] - 1 : NAMES_NONE;
}

static void rehash(struct names *names)
{
    free(names->slots);
    names->slot_count = names->slot_count ? 2 * names->slot_count : SLOTS_LEAST;
    names->slots = mem_calloc(names->slot_count, sizeof(names->slots[0]));
    for (uint32_t i = 0; i < names->count; i++)
        names->slots[slot_of(names, names->texts[i])] = i + 1;
}

uint32_t names_add(struct names *names, const char *text)
{
    uint32_t slot;

    if (2 * (names->count + 1) > names->slot_count)
        rehash(names);
    slot = slot_of(names, text);
    if (names->slots[slot])
        return names->slots[slot] - 1;
    if (names->count == names->capacity) {
        names->capacity = (uint32_t)mem_grown(names->capacity, names->count + 1);
        names->texts = mem_realloc(names->texts, names->capacity * sizeof(names->texts[0]));
    }
    names->texts[names->count] = mem_strdup(text);
    names->slots[slot] = ++names->count;
    return names->count - 1;
}
