/* sequences.h: the numbering of all devices that number their readings, kept across restarts.
 *
 * Shape    one struct sequence per device that ever sent a "seq" (others cost a pointer). A store that
 *          keeps them writes the changed ones every few seconds, in rounds: all that changed, and after
 *          the last one a mark: what this collector received until then is in there. A start reads the
 *          states, and all numbers received since the earliest mark once more, so an end at any time
 *          loses none. To take one again changes nothing.
 *          Until that is loaded, what arrives is kept aside and taken in afterwards.
 * Limits   with a shared subscription each collector sees a part of a device's numbers: the caller
 *          takes none.
 * Owner    embedded; sequences_release() frees all.
 */
#ifndef HIGHWATER_SEQUENCES_H
#define HIGHWATER_SEQUENCES_H

#include "collector/sequence.h"

#include <stddef.h>

struct sequences_item {
    struct sequence sequence;
    int64_t taken_until_us; /* received_at of the newest number in it */
};

struct sequences_deferred {
    uint32_t device;
    int64_t number;
    int64_t recorded_at_us;
    int64_t received_at_us;
};

/* What a store keeps of a device. */
struct sequences_state {
    int64_t highest;
    int64_t highest_at_us;
    uint64_t missing;
    uint64_t repeats;
    uint64_t restarts;
    int64_t taken_until_us;
    const unsigned char *details;
    size_t details_bytes;
};

/* Over all devices; each ends at UINT64_MAX. */
struct sequences_totals {
    uint64_t missing;
    uint64_t repeats;
    uint64_t restarts; /* as many as there ever seemed to be: it never falls */
};

struct sequences {
    struct sequences_item **items; /* by device; NULL = never numbered */
    size_t item_count;
    uint64_t device_count; /* that are not NULL */
    bool is_loaded;
    struct sequences_deferred *deferred;
    size_t deferred_count;
    size_t deferred_capacity;
    unsigned char *is_dirty; /* by device */
    uint32_t *dirty;         /* devices changed since they were written */
    size_t dirty_count;
    size_t dirty_capacity;
    uint32_t *round; /* devices that are being written */
    size_t round_count;
    size_t round_capacity;
    size_t round_saved;    /* of them, by statements that succeeded */
    size_t round_sent;     /* and by the one that is under way */
    int64_t round_mark_us; /* what will be true when the round is done */
    int64_t marked_us;     /* the last mark; INT64_MIN = none of ours */
    int64_t loaded_at_us;  /* marks of collectors that had ended before are taken over */
    uint64_t restarts_shown;
    uint64_t clears; /* how often it was: what was being written then means nothing any more */
};

void sequences_init(struct sequences *sequences);
void sequences_release(struct sequences *sequences);

/* Forgets all of it: another collector with our id was live, so the database knows better. */
void sequences_clear(struct sequences *sequences);

/* Forgets a device that was removed; what it sends from now on starts again. */
void sequences_forget(struct sequences *sequences, uint32_t device);

/* The number of a reading that was stored just now. */
void sequences_apply(struct sequences *sequences, uint32_t device, int64_t number,
                     int64_t recorded_at_us, int64_t received_at_us);

/* From the database: first the state of each device, then the numbers received since the earliest
 * mark, in their order; then sequences_loaded(). Nothing of it counts once that was called. */
void sequences_load_state(struct sequences *sequences, uint32_t device,
                          const struct sequences_state *state);
void sequences_load_number(struct sequences *sequences, uint32_t device, int64_t number,
                           int64_t recorded_at_us, int64_t received_at_us);
void sequences_loaded(struct sequences *sequences, int64_t now_us);

struct sequences_totals sequences_totals(struct sequences *sequences);

/* Begins a round: those that changed are in `round`. The numbers of all readings received up to
 * `settled_until_us` have been taken, or will never be stored; INT64_MIN: that cannot be said now, so
 * the mark stays where it is. False when there is nothing to write. */
bool sequences_begin_round(struct sequences *sequences, int64_t settled_until_us);

/* The devices of the round up to `round_sent` were written, or not; true when more are due. */
bool sequences_end_statement(struct sequences *sequences, bool succeeded);

/* NULL = it never numbered its readings, or was forgotten. */
const struct sequences_item *sequences_item(const struct sequences *sequences, uint32_t device);

#endif
