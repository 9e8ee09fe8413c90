/* sightings.h: how long a reading takes until it can be seen on a board.
 *
 * Shape    for each device its last SIGHTINGS_KEPT readings, with the moment they were published.
 *          The first board that shows one of them tells how long it took. Only readings that are
 *          good enough for a board are ever seen, so this is a sample, not a count.
 * Units    recorded_at in microseconds of the wall clock, the rest on the monotonic clock.
 * Errors   none.
 * Owner    embedded; zeroed is empty; sightings_release() frees everything.
 */
#ifndef HIGHWATER_SIGHTINGS_H
#define HIGHWATER_SIGHTINGS_H

#include "devicesim/names.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIGHTINGS_KEPT = 8 };

struct sighting {
    int64_t recorded_at_us;
    uint64_t sent_us; /* 0 = seen, or never sent */
};

struct sightings_device {
    struct sighting ring[SIGHTINGS_KEPT];
    unsigned next;
};

struct sightings {
    struct names names;
    struct sightings_device *devices; /* by the number of the name */
    uint32_t capacity;
};

void sightings_release(struct sightings *sightings);
void sightings_sent(struct sightings *sightings, const char *device_id, int64_t recorded_at_us,
                    uint64_t now_us);

/* True when the reading was waited for; `took_us` is since it was sent. Only the first time. */
bool sightings_seen(struct sightings *sightings, const char *device_id, int64_t recorded_at_us,
                    uint64_t now_us, uint64_t *took_us);

#endif
