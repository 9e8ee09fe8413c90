#include "devicesim/string_table.h"

#include "shared/base/hash.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void string_table_release(struct string_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->texts[i]);
    free(table->texts);
    hash_index_release(&table->index);
    *table = (struct string_table){0};
}

static uint64_t hash_of(const char *text)
{
    return hash_bytes(text, strlen(text));
}

uint32_t string_table_find(const struct string_table *table, const char *text)
{
    struct hash_probe probe = hash_probe_of(hash_of(text));
    uint32_t number;

    do {
        number = hash_index_next(&table->index, &probe);
    } while (number != HASH_INDEX_NONE && strcmp(table->texts[number], text) != 0);
    return number;
}

uint32_t string_table_add(struct string_table *table, const char *text)
{
    uint32_t number = string_table_find(table, text);

    if (number != STRING_TABLE_NONE)
        return number;
    number = table->count++;
    table->texts =
        mem_grow_zeroed(table->texts, &table->capacity, table->count, sizeof(table->texts[0]));
    table->texts[number] = mem_strdup(text);
    hash_index_add(&table->index, hash_of(text), number);
    return number;
}
