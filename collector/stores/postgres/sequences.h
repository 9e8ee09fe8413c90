/* sequences.h: the numbering of all devices that number their readings, kept across restarts.
 *
 * Shape    one struct sequence per device that ever sent a "seq" (others cost a pointer). Changed ones
 *          are written to device_sequences every few seconds, in rounds: all that changed, in the
 *          order of their database ids, so that two collectors never wait for each other; and after
 *          the last one a mark (sequence_marks): what this collector received until then is in there.
 *          A start reads the states, and all numbers received since the earliest mark once more from
 *          readings, so an end at any time loses none. To take one again changes nothing.
 *          Until that is loaded, what arrives is kept aside and taken in afterwards.
 * Limits   with a shared subscription each collector sees a part of a device's numbers: the caller
 *          takes none.
 * Owner    embedded; sequences_release() frees all, once no round is under way.
 */
#ifndef HIGHWATER_SEQUENCES_H
#define HIGHWATER_SEQUENCES_H

#include "collector/sequence.h"
#include "collector/stores/postgres/refs.h"
#include "shared/base/buffer.h"
#include "shared/net/pg_link.h"

#include <stddef.h>

enum { SEQUENCES_SAVE_MOST = 5000 }; /* devices in one statement */

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

/* A row of device_sequences. */
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
    const struct refs *refs;
    const char *collector_id;
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
    unsigned ticks; /* since the last round */
    bool is_saving;
    bool is_cleared; /* while a statement was under way, whose end means nothing any more */
    struct pg_link *link;
    struct pg_query query;
    struct buffer sql;
};

void sequences_init(struct sequences *sequences, const struct refs *refs, const char *collector_id);
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

/* Call once a second. Every few seconds, with the link up, it writes what changed. The numbers of all
 * readings received up to `settled_until_us` have been taken, or will never be stored; INT64_MIN:
 * that cannot be said now, so the mark stays where it is. */
void sequences_tick(struct sequences *sequences, struct pg_link *link, int64_t settled_until_us);

struct sequences_totals sequences_totals(struct sequences *sequences);

/* The parts of sequences_tick(): begins a round, false when there is nothing to write; puts the next
 * statement; takes note of its end, true when another is due. */
bool sequences_begin_round(struct sequences *sequences, int64_t settled_until_us);
void sequences_put_statement(struct sequences *sequences, struct buffer *out);
bool sequences_end_statement(struct sequences *sequences, bool succeeded);

#endif
