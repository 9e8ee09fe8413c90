/* hearing.h: when each device was last heard, and how many are silent.
 *
 * Shape    by arrival: what a device says of its own clock does not matter. Only devices count whose readings
 *          came to this collector. Silence is counted in time in which we could hear: it stands still
 *          while broker or database is away, or readings wait to be stored, so that no device seems
 *          silent because we were deaf.
 *          Beside it, for lists of devices: when the last reading of each came by the clock, and how far its
 *          timestamp was from that.
 * Cost     28 bytes a device; two stores per reading. Counting looks at all: 30 us of 100,000 devices.
 * Units    seconds of that time.
 * Owner    embedded; hearing_release() frees the array.
 */
#ifndef HIGHWATER_HEARING_H
#define HIGHWATER_HEARING_H

#include "collector/batch.h"

#define HEARING_NEVER INT32_MIN

struct hearing_arrival {
    int64_t received_at_us; /* 0 = none */
    int64_t offset_us;      /* the timestamp less that */
    int64_t written_us;     /* received_at_us of the last that was written */
};

struct hearing {
    int32_t *heard_s; /* by device; HEARING_NEVER: not by us */
    struct hearing_arrival *arrivals;
    size_t count;
    int32_t now_s;
    uint64_t clears; /* how often it was emptied */
    bool is_known;   /* what was kept of before has been read, or there is nothing that keeps it */
    bool is_to_compare; /* at once, with what others heard */
};

void hearing_release(struct hearing *hearing);

/* Another process of our id hears them, or has. */
void hearing_clear(struct hearing *hearing);

/* Each second in which we could hear. */
void hearing_tick(struct hearing *hearing);

/* The devices of its readings are heard now. */
void hearing_note(struct hearing *hearing, const struct batch *batch);

/* So long ago was this device heard, by who was this collector before us; unless we have heard it since. */
void hearing_remember(struct hearing *hearing, size_t device, int32_t ago_s);

/* For how long a device of ours has been silent; false: it is not ours. */
bool hearing_silence(const struct hearing *hearing, size_t device, int32_t *silent_s);

/* It is not ours, or gone. */
void hearing_forget(struct hearing *hearing, size_t device);

/* How many are ours, and of these silent for at least so long. */
size_t hearing_count(const struct hearing *hearing);
size_t hearing_count_silent(const struct hearing *hearing, int32_t for_s);

#endif
