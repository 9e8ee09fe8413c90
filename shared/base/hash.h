/* hash.h: where something belongs in a hash table in memory.
 *
 * Shape    64 bits, of which the lower ones are as good as the upper: a table masks them.
 * Why      it is for short keys: ids and numbers. It has no seed, so keys can be chosen to collide,
 *          which costs time and nothing else. What is stored or sent is hashed by
 *          reading_content_hash() instead.
 * Source   Fowler, Noll, Vo: FNV-1a, 64 bits.
 */
#ifndef HIGHWATER_HASH_H
#define HIGHWATER_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_bytes(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}

/* The hash of what `hash` is of, and then x. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t x)
{
    hash = (hash ^ x) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 by the golden ratio */
    return hash ^ (hash >> 29);
}

#endif
