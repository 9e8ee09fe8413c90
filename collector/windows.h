/* windows.h: which devices have had the best value of each feature, over any of several spans.
 *
 * Shape    a ranking is a feature with a direction, highest or lowest. Each device has a
 *          staircase per ranking and, inline, the best reading it ever had (its peak). Each
 *          (ranking, interval) has a heap of the devices that have something in it. A board is
 *          the best `top_n` devices, each with its whole best reading of the interval.
 * Order    devices are ranked by value, then later recorded_at, then smaller id (bytes); a
 *          device's own readings by value, then later recorded_at, then larger content_hash.
 * Meaning  a reading is in an interval at `now` when recorded_at > now - length: readings from the
 *          future count, and a reading leaves at exactly recorded_at + length. Inserting is
 *          commutative and idempotent, so live, late, redelivered and reloaded readings need no
 *          distinction. A feature that is NAN is not there. -0.0 and infinite values never arrive.
 * Units    microseconds. `now` comes from the caller, from one clock for all calls. It may stand
 *          still. If it goes back, the boards are at once exact for what is still kept, at the
 *          price of one pass over all devices; what is then missing are readings not after
 *          stats.dropped_until_us, which the caller inserts again.
 * Memory   per device a block, a key in each heap, and up to STAIRCASE_LOW_STEPS steps for each
 *          ranking: about 1 kB with two features. From five features on each reading is held once,
 *          packed, and a device has room only for the features that it has ever sent
 *          (windows_wide.h): about 800 bytes for each of these. What devices with more steps take, because their values worsen all
 *          the time, is limited. Beyond the limit their staircases are coarsened (staircase.h), and
 *          windows_exact_from() says of a board whether it may suffer from that, and until when.
 * Errors   none; memory as in mem.h.
 * Cost     an insert is one device block and the tails of the staircases of the features that the
 *          reading carries; a heap is touched only
 *          by a reading that leads its device's interval. A board is the devices it shows and
 *          those whose time has run out above them; each such repair was paid for by one insert.
 *          A device that went silent costs its block and its all-time entries, once
 *          windows_sweep() came by.
 * Owner    the caller of windows_init(), who leaves the struct where it is; ids are borrowed and outlive the windows. Readings are
 *          copied in. Readings in entries are good until the next call without const.
 */
#ifndef HIGHWATER_WINDOWS_H
#define HIGHWATER_WINDOWS_H

#include "collector/staircase.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which way a feature is ranked; windows_init() takes one or both, or'ed. */
enum windows_order { WINDOWS_HIGHEST = 1, WINDOWS_LOWEST = 2 };

/* How far windows_prefetch() runs ahead of windows_insert(): half of it fetches the device, the
 * other half what the device refers to. */
enum { WINDOWS_AHEAD = 8 };

/* What windows_init() takes for 0. */
#define WINDOWS_MEMORY_LIMIT (UINT64_C(256) << 20)

struct windows_entry {
    uint32_t device;
    const struct reading *reading;
};

struct windows_stats {
    uint64_t devices;
    uint64_t steps;       /* readings kept in staircases */
    uint64_t bytes;       /* asked of the allocator and not given back */
    uint64_t repairs;     /* heap entries lowered or removed because their time had run out */
    uint64_t tower_bytes; /* as the memory limit counts: a reading for each tower that keeps it */
    uint64_t tower_limit_bytes;
    uint64_t coarsened;       /* steps given up to the limit */
    uint64_t rewinds;         /* times that `now` went back */
    int64_t dropped_until_us; /* readings not after this time may be gone */
};

/* One (ranking, interval). 24 bytes a key: the order must be decided without a look at the device.
 */
struct windows_key {
    double height; /* the ranked value, turned so that larger is better */
    int64_t recorded_at_us;
    uint32_t device;
};

struct windows_heap {
    struct windows_key *keys; /* a binary heap, best first */
    uint32_t count;
    uint32_t capacity;
    uint32_t feature;
    uint32_t place; /* among the heaps of the feature */
};

/* A run of device blocks; blocks start on a cache line. */
struct windows_chunk {
    unsigned char *memory;
    unsigned char *blocks;
};

struct windows {
    size_t feature_count;
    unsigned orders;
    size_t top_n;
    bool is_wide;         /* of many features: windows_wide.h */
    uint32_t order_count; /* rankings of a feature */
    uint32_t ranking_count;
    uint32_t interval_count;
    uint32_t device_count;
    uint32_t sweep_next;                   /* the device at which the next sweep goes on */
    int64_t now_us;                        /* as of the latest call; INT64_MIN before the first */
    int64_t expired_us;                    /* readings not after it are in no finite interval */
    int64_t dropped_until_us;              /* the highest expired_us there ever was */
    int64_t *lengths_us;                   /* per interval */
    int64_t *starts_us;                    /* per interval: now - length; all time: INT64_MAX,
                                              since its truth is in no staircase */
    struct staircase_budget budget;        /* of all staircases */
    struct staircase_kind *kinds;          /* per ranking */
    struct windows_heap *heaps;            /* per ranking, per interval */
    uint32_t *frontier;                    /* scratch of windows_board() */
    uint32_t announced[WINDOWS_AHEAD / 2]; /* a ring: by windows_prefetch() */
    uint32_t announced_count;
    struct windows_chunk *chunks;
    size_t chunk_count;
    size_t block_size;
    size_t positions_offset; /* within a block, or a wide device's slot */
    size_t peaks_offset;
    size_t slot_size;     /* of wide devices */
    uint64_t slot_bytes;  /* of all of them together */
    uint64_t pack_bytes;  /* so, too */
    unsigned char *shown; /* so, too: the latest board's readings, unpacked; then the latest peak */
    uint64_t repairs;
    uint64_t rewinds;
};

/* `orders` is WINDOWS_HIGHEST, WINDOWS_LOWEST or both, for every feature. Lengths are positive,
 * INTERVAL_ALL_TIME is the one without an end. Staircases of many steps may take `memory_limit`
 * bytes together; 0 is WINDOWS_MEMORY_LIMIT. */
void windows_init(struct windows *windows, size_t feature_count, unsigned orders,
                  const int64_t *lengths_us, size_t interval_count, size_t top_n,
                  uint64_t memory_limit);

void windows_release(struct windows *windows);

/* The index of a ranking, for an order that windows_init() was given. */
uint32_t windows_ranking(const struct windows *windows, size_t feature, enum windows_order order);

/* Returns the device's index: 0, 1, 2 and so on. */
uint32_t windows_add_device(struct windows *windows, const char *id);

const char *windows_device_id(const struct windows *windows, uint32_t device);

/* Takes one reading into all rankings. */
void windows_insert(struct windows *windows, uint32_t device, const struct reading *reading,
                    int64_t now_us);

/* Takes one reading as an all-time candidate of one ranking only: the peaks that the database keeps
 * of times whose readings are not loaded. */
void windows_insert_peak(struct windows *windows, uint32_t device, uint32_t ranking,
                         const struct reading *reading);

/* Forgets all readings of one device, its peaks included: when some of them are gone from the
 * database, the caller then inserts those that are left. Until it has, boards lack the device. */
void windows_clear_device(struct windows *windows, uint32_t device);

/* Announces an insert, WINDOWS_AHEAD inserts before it: fetches what it will touch. For batches
 * whose devices are in no particular order and do not fit the caches. Costs nothing but time when
 * left out or wrong. */
void windows_prefetch(struct windows *windows, uint32_t device);

/* Writes the board at `now_us`, best first, and returns how many entries it has, at most top_n. */
size_t windows_board(struct windows *windows, uint32_t ranking, uint32_t interval, int64_t now_us,
                     struct windows_entry *entries);

/* INT64_MIN when the board that windows_board() has just given for these is exact. Otherwise some
 * of its entries may be true readings but not the best, because staircases were coarsened, and it
 * is exact from the returned time on, unless they are coarsened again: make it again then. */
int64_t windows_exact_from(const struct windows *windows, uint32_t ranking, uint32_t interval,
                           const struct windows_entry *entries, size_t count);

/* Whether some board is inexact, or may become so without a further reading. */
bool windows_is_coarse(const struct windows *windows);

/* The earliest time at which one of a board's entries leaves its interval, INT64_MAX if none ever
 * does. Until then only an insert can change the board. */
int64_t windows_next_expiry(const struct windows *windows, uint32_t interval,
                            const struct windows_entry *entries, size_t count);

/* The best reading the device ever had in this ranking, or NULL. */
const struct reading *windows_peak(const struct windows *windows, uint32_t device,
                                   uint32_t ranking);

/* Looks at the next `budget` devices, round and round, and frees what has expired: steps, and the
 * heap entries of devices that have nothing left. Boards do not change by it. */
void windows_sweep(struct windows *windows, int64_t now_us, size_t budget);

struct windows_stats windows_stats(const struct windows *windows);

#endif
