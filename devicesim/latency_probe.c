#include "devicesim/latency_probe.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void latency_probe_release(struct latency_probe *probe)
{
    string_table_release(&probe->names);
    free(probe->devices);
    *probe = (struct latency_probe){0};
}

void latency_probe_note_sent(struct latency_probe *probe, const char *device_id,
                             int64_t recorded_at_us, uint64_t now_us)
{
    uint32_t number = string_table_add(&probe->names, device_id);
    struct latency_probe_device *device;

    probe->devices = mem_grow_zeroed(probe->devices, &probe->capacity, (size_t)number + 1,
                                     sizeof(probe->devices[0]));
    device = &probe->devices[number];
    device->ring[device->next] = (struct latency_probe_sent){recorded_at_us, now_us};
    device->next = (device->next + 1) % LATENCY_PROBE_KEPT;
}

bool latency_probe_seen(struct latency_probe *probe, const char *device_id, int64_t recorded_at_us,
                        uint64_t now_us, uint64_t *took_us)
{
    uint32_t number = string_table_find(&probe->names, device_id);

    if (number == STRING_TABLE_NONE)
        return false;
    for (unsigned i = 0; i < LATENCY_PROBE_KEPT; i++) {
        struct latency_probe_sent *sent = &probe->devices[number].ring[i];

        if (sent->sent_us > 0 && sent->recorded_at_us == recorded_at_us) {
            *took_us = now_us - sent->sent_us;
            sent->sent_us = 0;
            return true;
        }
    }
    return false;
}
