/* latency_probe.h: how long a reading takes until it can be seen on a board.
 *
 * Shape    for each device its last LATENCY_PROBE_KEPT readings, and when they were published. The
 *          first board that shows one of them ends its wait. Only readings good enough for a board
 *          are ever seen, so this is a sample, not a count.
 * Units    recorded_at in microseconds of the wall clock, the rest on the monotonic clock.
 * Errors   none.
 * Owner    embedded; zeroed is empty; latency_probe_release() frees everything.
 */
#ifndef HIGHWATER_LATENCY_PROBE_H
#define HIGHWATER_LATENCY_PROBE_H

#include "devicesim/string_table.h"

#include <stdbool.h>
#include <stdint.h>

enum { LATENCY_PROBE_KEPT = 8 };

struct latency_probe_sent {
    int64_t recorded_at_us;
    uint64_t sent_us; /* 0 = seen, or never sent */
};

struct latency_probe_device {
    struct latency_probe_sent ring[LATENCY_PROBE_KEPT];
    unsigned next;
};

struct latency_probe {
    struct string_table names;
    struct latency_probe_device *devices; /* by the number of the name */
    size_t capacity;
};

void latency_probe_release(struct latency_probe *probe);
void latency_probe_note_sent(struct latency_probe *probe, const char *device_id,
                             int64_t recorded_at_us, uint64_t now_us);

/* True when the reading was sent and not seen before; `took_us` is how long ago it was sent. */
bool latency_probe_seen(struct latency_probe *probe, const char *device_id, int64_t recorded_at_us,
                        uint64_t now_us, uint64_t *took_us);

#endif
