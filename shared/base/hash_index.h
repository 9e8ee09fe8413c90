/* hash_index.h: finds the numbers of things by their hash.
 *
 * Shape    an open hash of numbers 0, 1, ... beside the caller's array of the things themselves. A
 *          search yields the numbers with a wanted hash; the caller compares the keys:
 *              struct hash_probe probe = hash_probe_of(hash);
 *              while ((number = hash_index_next(&index, &probe)) != HASH_INDEX_NONE)
 *                  if (the key is the same) ...
 * Errors   none.
 * Owner    embedded; zeroed is empty; hash_index_release() frees the one array.
 */
#ifndef HIGHWATER_HASH_INDEX_H
#define HIGHWATER_HASH_INDEX_H

#include <stdint.h>

#define HASH_INDEX_NONE UINT32_MAX

struct hash_index_slot {
    uint32_t hash;
    uint32_t place; /* the number + 1; 0 = empty */
};

struct hash_index {
    struct hash_index_slot *slots;
    uint32_t slot_count; /* a power of two, or 0 */
    uint32_t count;
};

/* Where a search is. */
struct hash_probe {
    uint32_t hash;
    uint32_t steps;
};

void hash_index_release(struct hash_index *index);

/* Enters a number that is not in it. */
void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t number);

struct hash_probe hash_probe_of(uint64_t hash);

/* The next number with that hash; HASH_INDEX_NONE when there is no further one. */
uint32_t hash_index_next(const struct hash_index *index, struct hash_probe *probe);

#endif
