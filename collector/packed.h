/* packed.h: one reading in the bytes that it needs: only the features that it carries, and of each the
 * digits that it has.
 *
 * Shape    a head, then an item per feature that the reading carries, in ascending order: a byte that
 *          says how the value is written and how many features are left out before it, then the
 *          value: 21.53 as the integer 2153 and two decimals, in two bytes. What no such integer of
 *          at most four bytes and no float gives back bit for bit is written as the double it is.
 * Units    sizes in words of four bytes, at which packed readings begin.
 * Errors   none.
 * Owner    the caller gives the memory.
 * Source   decimals as integers: Afroozeh, Kuffo, Boncz: ALP, Adaptive Lossless floating-Point
 *          Compression, 2023; here value by value, without a sample of what is to come.
 */
#ifndef HIGHWATER_PACKED_H
#define HIGHWATER_PACKED_H

#include "shared/model/reading.h"

enum {
    PACKED_WORD = 4,
    PACKED_HEAD = 18,
    PACKED_ITEM_MOST = 10, /* of a value: how it is written, the gap before it, a double */
    PACKED_MOST = PACKED_HEAD + FEATURES_MAX * PACKED_ITEM_MOST + PACKED_WORD,
    PACKED_SCRATCH = 8, /* what writing one may touch beyond its end */
};

struct packed {
    int64_t recorded_at_us : 61;
    uint64_t status : 3;
    int64_t content_hash;
    uint16_t words; /* of all of it */
    unsigned char items[];
} __attribute__((packed, aligned(4)));

union packed_storage {
    struct packed packed;
    unsigned char bytes[PACKED_MOST + PACKED_SCRATCH];
};

/* The features that a reading carries, ascending; returns how many. */
size_t packed_carried(const struct reading *reading, size_t feature_count,
                      uint8_t carried[FEATURES_MAX]);

/* Packs a reading that carries these features. The same reading gives the same bytes. */
void packed_write(union packed_storage *out, const struct reading *reading, const uint8_t *carried,
                  size_t count);

/* Gives back the whole reading, NAN for what it does not carry. */
void packed_read(const struct packed *packed, struct reading *out, size_t feature_count);

static inline size_t packed_bytes(const struct packed *packed)
{
    return (size_t)packed->words * PACKED_WORD;
}

static inline bool packed_equals(const struct packed *a, const struct packed *b)
{
    return a->words == b->words && memcmp(a, b, packed_bytes(a)) == 0;
}

#endif
