/* devices.h: every device this collector has heard of.
 *
 * Shape    a device has an index, 0, 1, 2 and so on, which everything in this process uses. What a
 *          store knows it by is that store's own.
 * Cost     one probe of a hash table per message; about 64 bytes a device.
 * Owner    whoever embeds the struct. Ids are stable until devices_release().
 */
#ifndef HIGHWATER_DEVICES_H
#define HIGHWATER_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device {
    const char *id;
    bool is_legal; /* what an older version has stored may be so no longer */
};

/* Part of the hash lies in the slot, so that a probe that does not match touches nothing else. */
struct devices_slot {
    uint32_t index; /* + 1, 0 = empty */
    uint32_t hash;
};

struct devices {
    struct device *items;
    uint32_t count;
    uint32_t capacity;
    struct devices_slot *slots; /* a power of two of them */
    uint32_t slot_count;
    char **blocks; /* the texts of the ids */
    size_t block_count;
    size_t block_used;
};

void devices_release(struct devices *devices);

/* The index of a device; a new one is added and *is_new set. */
uint32_t devices_find_or_add(struct devices *devices, const char *id, bool *is_new);

/* The same for the first `bytes` bytes of a text; false when there is no such device. */
bool devices_find(const struct devices *devices, const char *id, size_t bytes, uint32_t *index);

#endif
