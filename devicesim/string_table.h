/* string_table.h: device ids and the numbers they get, in order of their first appearance.
 *
 * Shape    an array of texts and an open hash over it.
 * Errors   none; string_table_find() gives STRING_TABLE_NONE for an unknown text.
 * Owner    embedded; zeroed is empty; string_table_release() frees everything. Texts are
 *          copied in and stay where they are until then.
 */
#ifndef HIGHWATER_STRING_TABLE_H
#define HIGHWATER_STRING_TABLE_H

#include "shared/base/hash_index.h"

#include <stddef.h>
#include <stdint.h>

#define STRING_TABLE_NONE HASH_INDEX_NONE

struct string_table {
    char **texts;
    uint32_t count;
    size_t capacity;
    struct hash_index index;
};

void string_table_release(struct string_table *table);
uint32_t string_table_find(const struct string_table *table, const char *text);

/* The number of `text`, a new one if need be. */
uint32_t string_table_add(struct string_table *table, const char *text);

#endif
