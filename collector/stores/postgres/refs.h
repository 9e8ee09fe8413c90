/* refs.h: the numbers that PostgreSQL knows devices by, devices.id.
 *
 * Shape    two arrays: by the index that a device has in this process (devices.h), and back.
 * Errors   none. No memory: mem.h.
 * Owner    embedded; zeroed is empty; refs_release() frees it.
 */
#ifndef HIGHWATER_REFS_H
#define HIGHWATER_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct refs {
    int32_t *by_device; /* 0 = not registered */
    size_t device_count;
    size_t device_capacity;
    uint32_t *by_ref; /* device + 1, 0 = none that is known */
    size_t ref_count;
};

void refs_release(struct refs *refs);

void refs_set(struct refs *refs, uint32_t device, int32_t ref);

/* It is registered no longer. */
void refs_forget(struct refs *refs, uint32_t device);

/* False when no device with this number is known. */
bool refs_find(const struct refs *refs, int32_t ref, uint32_t *device);

/* 0 = not registered. */
static inline int32_t refs_of(const struct refs *refs, uint32_t device)
{
    return device < refs->device_count ? refs->by_device[device] : 0;
}

#endif
