/* devices.h: every device this collector has heard of.
 *
 * Shape    a device has an index, 0, 1, 2 and so on, which everything in this process uses, and a
 *          number that the store knows it by, which it gets when it is registered there. That one means
 *          something to the store alone (in PostgreSQL devices.id); others only hand it back.
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
    int32_t store_ref; /* 0 = not registered yet */
    bool is_legal;     /* what an older version has stored may be so no longer */
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
    uint32_t *by_store_ref; /* index + 1, by store_ref */
    size_t by_store_ref_count;
};

void devices_release(struct devices *devices);

/* The index of a device; a new one is added and *is_new set. */
uint32_t devices_find_or_add(struct devices *devices, const char *id, bool *is_new);

/* The same for the first `bytes` bytes of a text; false when there is no such device. */
bool devices_find(const struct devices *devices, const char *id, size_t bytes, uint32_t *index);

void devices_set_store_ref(struct devices *devices, uint32_t index, int32_t store_ref);

/* It is registered no longer. */
void devices_forget_store_ref(struct devices *devices, uint32_t index);

/* False when no device with this store_ref is known. */
bool devices_find_store_ref(const struct devices *devices, int32_t store_ref, uint32_t *index);

#endif
