/* staircase.h: what is left of one device's readings when only maxima will be asked for.
 *
 * Shape    the readings that no later reading equals or beats, oldest first: from step to step
 *          time strictly rises and the value strictly worsens. So the best reading since any
 *          moment is the first step after that moment. Random values leave about ln(n) steps of n
 *          readings: nine for an hour at one reading a second. Steps are whole readings in one
 *          array with little slack; inserting in any order, any number of times, gives the same
 *          steps. "Better" is: better value, then later recorded_at, then larger content_hash.
 * Units    recorded_at and every moment in microseconds, as in reading.h. Nothing here has a clock.
 * Limit    a slowly worsening value makes every reading a step. At `step_limit` steps an insert
 *          first halves the older half: every second step goes, the oldest stays; `coarsened`
 *          counts those that went. From then on the best reading since a moment M may be wrong in
 *          one way only: it is a true reading after M, but a worse and later one than the best.
 *          It is so only while M lies between two neighbouring steps from between which steps
 *          were removed, and the best was worse than the older of the two. Moments in the newer
 *          half stay exact.
 * Errors   none. No memory: mem.h.
 * Owner    the struct is embedded; staircase_release() frees the one array. Pointers to steps are
 *          good until the next call that takes the staircase without const.
 * Source   the monotonic queue of sliding window maxima: Lemire, Streaming Maximum-Minimum Filter
 *          Using No More than Three Comparisons per Element, 2006; here for any order of arrival.
 */
#ifndef HIGHWATER_STAIRCASE_H
#define HIGHWATER_STAIRCASE_H

#include "shared/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STAIRCASE_STEP_LIMIT = 4096, /* the documented limit; more than an hour at one a second */
    STAIRCASE_STEP_LIMIT_LEAST = 4,
    STAIRCASE_STEP_LIMIT_MOST = 32768
};

/* staircase_insert() left the staircase as it was: something there equals or beats the reading. */
#define STAIRCASE_UNCHANGED SIZE_MAX

/* What the staircases of one ranking have in common, and the tally over all of them. */
struct staircase_kind {
    size_t stride;    /* bytes from step to step: reading_size() */
    double sign;      /* 1: the highest value is best, -1: the lowest */
    uint32_t feature; /* the value that is ranked */
    uint32_t step_limit;
    uint64_t steps;     /* kept now */
    uint64_t slots;     /* room for steps, allocated now */
    uint64_t coarsened; /* steps ever given up to step_limit */
};

/* All zero is an empty one. 16 bytes, because four million of them are nothing unusual. */
struct staircase {
    unsigned char *slots;
    uint16_t start; /* slot of the oldest step; the ones before it have expired */
    uint16_t count;
    uint16_t capacity; /* in steps */
    uint16_t unused;
};

void staircase_kind_init(struct staircase_kind *kind, size_t feature_count, size_t feature,
                         bool lowest, size_t step_limit);

/* Adds a reading that has the kind's feature. Returns where it now stands, 0 = oldest, or
 * STAIRCASE_UNCHANGED. When room is short, steps not after `expired_us` are dropped first; the
 * reading itself must be after it. */
size_t staircase_insert(struct staircase *staircase, struct staircase_kind *kind,
                        const struct reading *reading, int64_t expired_us);

/* The best reading after a moment, or NULL when there is none. */
const struct reading *staircase_best_after(const struct staircase *staircase,
                                           const struct staircase_kind *kind, int64_t moment_us);

/* Drops the steps not after `expired_us` and gives back memory that is not needed; an empty
 * staircase has none. */
void staircase_trim(struct staircase *staircase, struct staircase_kind *kind, int64_t expired_us);

void staircase_release(struct staircase *staircase, struct staircase_kind *kind);

static inline const struct reading *staircase_step(const struct staircase *staircase,
                                                   const struct staircase_kind *kind, size_t index)
{
    return (const void *)(staircase->slots + (staircase->start + index) * kind->stride);
}

/* The ranked value, turned so that larger is better. */
static inline double staircase_height(const struct staircase_kind *kind,
                                      const struct reading *reading)
{
    return kind->sign * reading->values[kind->feature];
}

/* True when a comes before b. The order is total for the readings of one device that have the
 * feature: neither is better only if they are the same reading. */
static inline bool staircase_is_better(const struct staircase_kind *kind, const struct reading *a,
                                       const struct reading *b)
{
    double height_a = staircase_height(kind, a);
    double height_b = staircase_height(kind, b);

    if (height_a != height_b)
        return height_a > height_b;
    if (a->recorded_at_us != b->recorded_at_us)
        return a->recorded_at_us > b->recorded_at_us;
    return a->content_hash > b->content_hash;
}

#endif
