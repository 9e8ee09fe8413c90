/* sequences.h: the numbering of all devices that number their readings, kept across restarts.
 *
 * Shape    one struct sequence per device that ever sent a "seq" (others cost a pointer). Changed ones
 *          are written to device_sequences every few seconds, for people and for the next start.
 *          Until the earlier state is loaded, what arrives is kept aside and taken in afterwards.
 * Limits   with a shared subscription each collector sees a part of a device's numbers, so the
 *          counts mean nothing there.
 * Owner    embedded; sequences_release() frees all.
 */
#ifndef HIGHWATER_SEQUENCES_H
#define HIGHWATER_SEQUENCES_H

#include "collector/devices.h"
#include "collector/sequence.h"
#include "shared/buffer.h"
#include "shared/pg_link.h"

#include <stddef.h>

struct sequences_deferred {
    uint32_t device;
    int64_t number;
    int64_t recorded_at_us;
};

struct sequences {
    const struct devices *devices;
    struct sequence **items; /* by device; NULL = never numbered */
    size_t item_count;
    bool is_loaded;
    struct sequences_deferred *deferred;
    size_t deferred_count;
    size_t deferred_capacity;
    uint32_t *dirty; /* devices changed since they were written */
    size_t dirty_count;
    size_t dirty_capacity;
    unsigned char *is_dirty; /* by device */
    uint64_t device_count;   /* totals over all devices */
    uint64_t missing;
    uint64_t repeats;
    uint64_t restarts;
    struct pg_query query;
    struct buffer sql;
    bool is_saving;
    unsigned ticks; /* since the last write */
};

void sequences_init(struct sequences *sequences, const struct devices *devices);
void sequences_release(struct sequences *sequences);

/* The number of a reading that was stored just now. */
void sequences_take(struct sequences *sequences, uint32_t device, int64_t number,
                    int64_t recorded_at_us);

/* From the database: first the state of each device, then the numbers of later readings, in the
 * order of their time; then sequences_loaded(). */
void sequences_load_state(struct sequences *sequences, uint32_t device, int64_t highest,
                          int64_t highest_at_us, uint64_t missing, uint64_t repeats,
                          uint64_t restarts);
void sequences_load_number(struct sequences *sequences, uint32_t device, int64_t number,
                           int64_t recorded_at_us);
void sequences_loaded(struct sequences *sequences);

/* Call once a second with the link up. Every few seconds it writes what changed. */
void sequences_tick(struct sequences *sequences, struct pg_link *link);

#endif
