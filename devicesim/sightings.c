#include "devicesim/sightings.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void sightings_release(struct sightings *sightings)
{
    names_release(&sightings->names);
    free(sightings->devices);
    *sightings = (struct sightings){0};
}

void sightings_sent(struct sightings *sightings, const char *device_id, int64_t recorded_at_us,
                    uint64_t now_us)
{
    uint32_t number = names_add(&sightings->names, device_id);
    struct sightings_device *device;

    if (number >= sightings->capacity) {
        uint32_t capacity = (uint32_t)mem_grown(sightings->capacity, (size_t)number + 1);

        sightings->devices =
            mem_realloc(sightings->devices, capacity * sizeof(sightings->devices[0]));
        memset(sightings->devices + sightings->capacity, 0,
               (capacity - sightings->capacity) * sizeof(sightings->devices[0]));
        sightings->capacity = capacity;
    }
    device = &sightings->devices[number];
    device->ring[device->next] = (struct sighting){recorded_at_us, now_us};
    device->next = (device->next + 1) % SIGHTINGS_KEPT;
}

bool sightings_seen(struct sightings *sightings, const char *device_id, int64_t recorded_at_us,
                    uint64_t now_us, uint64_t *took_us)
{
    uint32_t number = names_find(&sightings->names, device_id);

    if (number == NAMES_NONE)
        return false;
    for (unsigned i = 0; i < SIGHTINGS_KEPT; i++) {
        struct sighting *sighting = &sightings->devices[number].ring[i];

        if (sighting->sent_us > 0 && sighting->recorded_at_us == recorded_at_us) {
            *took_us = now_us - sighting->sent_us;
            sighting->sent_us = 0;
            return true;
        }
    }
    return false;
}
