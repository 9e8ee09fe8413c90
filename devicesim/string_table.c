#include "devicesim/string_table.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_LEAST = 64 };

void string_table_release(struct string_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->texts[i]);
    free(table->texts);
    free(table->slots);
    *table = (struct string_table){0};
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}

/* The slot that holds `text`, or the empty one where it belongs. */
static uint32_t slot_of(const struct string_table *table, const char *text)
{
    uint32_t slot = (uint32_t)hash_of(text) & (table->slot_count - 1);

    while (table->slots[slot] && strcmp(table->texts[table->slots[slot] - 1], text) != 0)
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

uint32_t string_table_find(const struct string_table *table, const char *text)
{
    return table->slot_count ? table->slots[slot_of(table, text)] - 1 : STRING_TABLE_NONE;
}

static void rehash(struct string_table *table)
{
    free(table->slots);
    table->slot_count = table->slot_count ? 2 * table->slot_count : SLOTS_LEAST;
    table->slots = mem_calloc(table->slot_count, sizeof(table->slots[0]));
    for (uint32_t i = 0; i < table->count; i++)
        table->slots[slot_of(table, table->texts[i])] = i + 1;
}

uint32_t string_table_add(struct string_table *table, const char *text)
{
    uint32_t slot;

    if (2 * (table->count + 1) > table->slot_count)
        rehash(table);
    slot = slot_of(table, text);
    if (table->slots[slot])
        return table->slots[slot] - 1;
    if (table->count == table->capacity) {
        table->capacity = (uint32_t)mem_grown(table->capacity, table->count + 1);
        table->texts = mem_realloc(table->texts, table->capacity * sizeof(table->texts[0]));
    }
    table->texts[table->count] = mem_strdup(text);
    table->slots[slot] = ++table->count;
    return table->count - 1;
}
