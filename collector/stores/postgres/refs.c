#include "collector/stores/postgres/refs.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void refs_release(struct refs *refs)
{
    free(refs->by_device);
    free(refs->by_ref);
    *refs = (struct refs){0};
}

static void reserve_device(struct refs *refs, uint32_t device)
{
    size_t count = (size_t)device + 1;

    if (count <= refs->device_count)
        return;
    if (count > refs->device_capacity) {
        refs->device_capacity = mem_grown(refs->device_capacity, count);
        refs->by_device =
            mem_realloc(refs->by_device, refs->device_capacity * sizeof(refs->by_device[0]));
    }
    memset(refs->by_device + refs->device_count, 0,
           (count - refs->device_count) * sizeof(refs->by_device[0]));
    refs->device_count = count;
}

static void reserve_ref(struct refs *refs, size_t ref)
{
    size_t count;

    if (ref < refs->ref_count)
        return;
    count = mem_grown(refs->ref_count, ref + 1);
    refs->by_ref = mem_realloc(refs->by_ref, count * sizeof(refs->by_ref[0]));
    memset(refs->by_ref + refs->ref_count, 0, (count - refs->ref_count) * sizeof(refs->by_ref[0]));
    refs->ref_count = count;
}

void refs_set(struct refs *refs, uint32_t device, int32_t ref)
{
    reserve_device(refs, device);
    reserve_ref(refs, (size_t)ref);
    refs->by_device[device] = ref;
    refs->by_ref[ref] = device + 1;
}

void refs_forget(struct refs *refs, uint32_t device)
{
    int32_t ref = refs_of(refs, device);

    if (ref == 0)
        return;
    refs->by_ref[ref] = 0;
    refs->by_device[device] = 0;
}

bool refs_find(const struct refs *refs, int32_t ref, uint32_t *device)
{
    if (ref < 0 || (size_t)ref >= refs->ref_count || refs->by_ref[ref] == 0)
        return false;
    *device = refs->by_ref[ref] - 1;
    return true;
}
