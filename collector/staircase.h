/* staircase.h: a monotonic queue: what is left of one device's readings when only maxima will be asked
 * for.
 *
 * Shape    the readings that no later reading equals or beats, oldest first: from step to step
 *          time strictly rises and the value strictly worsens. So the best reading since any
 *          time is the first step after that time. Random values leave about ln(n) steps of n
 *          readings: nine for an hour at one reading a second. Steps are whole readings;
 *          inserting in any order, any number of times, gives the same steps. "Better" is: better
 *          value, then later recorded_at, then larger content_hash.
 * Memory   up to STAIRCASE_LOW_STEPS steps are one array with little slack (flight.h); beyond, a
 *          directory of such arrays (tower.h), so that no insert moves more than 8 kB of steps.
 *          A slowly worsening value makes every reading a step: what towers take together is
 *          limited by a budget. Beyond it, the largest are coarsened: of the older half every
 *          second step goes, an array at a time.
 * Exact    the kind notes of all steps that went the newest time (coarse_until_us) and the best
 *          height (coarse_height). The best reading since a moment M, as shown, may be wrong only
 *          if M is before coarse_until_us and what is shown is not better than coarse_height; it
 *          is then still a true reading after M, but a worse and later one than the best. Since
 *          any later moment everything is exact, whatever else is inserted.
 * Units    recorded_at and every other time in microseconds, as in reading.h. Nothing here has a clock.
 * Errors   none. No memory: mem.h.
 * Owner    the struct is embedded, and stays where it is until staircase_release() frees what it
 *          holds. Pointers to steps are good until the next call that takes a staircase of the
 *          same budget without const.
 * Source   the monotonic queue of sliding window maxima: Lemire, Streaming Maximum-Minimum Filter
 *          Using No More than Three Comparisons per Element, 2006; here for any order of arrival.
 */
#ifndef HIGHWATER_STAIRCASE_H
#define HIGHWATER_STAIRCASE_H

#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STAIRCASE_LOW_STEPS = 64,      /* with more it is a tower */
    STAIRCASE_FLIGHT_BYTES = 8192, /* an array of a tower has about so many */
    STAIRCASE_FLIGHT_STEPS = 16,   /* but at least so many steps */
    STAIRCASE_SIZES = 48,          /* towers are listed by powers of two of their bytes */
};

/* What towers may take. All staircases that are coarsened for one another share one. */
struct staircase_budget {
    uint64_t limit_bytes;
    uint64_t bytes;       /* of all towers */
    uint64_t table_bytes; /* of that: what is not slots */
    struct tower *towers[STAIRCASE_SIZES];
};

/* What the staircases of one ranking have in common, and what all of them use. */
struct staircase_kind {
    struct staircase_budget *budget;
    size_t stride;    /* bytes from step to step: reading_size() */
    double sign;      /* 1: the highest value is best, -1: the lowest */
    uint32_t feature; /* the value that is ranked */
    uint16_t low_steps;
    uint16_t flight_steps;   /* the most in one array of a tower */
    uint64_t steps;          /* kept now */
    uint64_t slots;          /* room for steps, allocated now */
    uint64_t coarsened;      /* steps ever given up to the budget */
    int64_t coarse_until_us; /* the newest of those, INT64_MIN if there are none */
    double coarse_height;    /* the best of those that have not expired */
};

/* Steps in one array: flight.h. */
struct flight {
    unsigned char *slots;
    uint16_t start; /* slot of the oldest step; the ones before it are free */
    uint16_t count;
    uint16_t capacity; /* in steps */
    uint16_t unused;
};

/* All zero is an empty one. 16 bytes, because four million of them are nothing unusual. */
struct staircase {
    union {
        struct flight flight;
        struct {
            struct tower *tower;
            uint16_t none[3];
            uint16_t is_tower; /* where a flight has nothing */
        };
    };
};

void staircase_kind_init(struct staircase_kind *kind, size_t feature_count, size_t feature,
                         bool lowest, struct staircase_budget *budget);

/* Adds a reading that has the kind's feature; it must be after `expired_us`. False: nothing has
 * changed, something there equals or beats it. Otherwise *earlier_us is the time of the step
 * before it, INT64_MIN if it is the first. Steps not after `expired_us` may be dropped. */
bool staircase_insert(struct staircase *staircase, struct staircase_kind *kind,
                      const struct reading *reading, int64_t expired_us, int64_t *earlier_us);

/* The best reading after a time, or NULL when there is none. */
const struct reading *staircase_best_after(const struct staircase *staircase,
                                           const struct staircase_kind *kind, int64_t after_us);

/* The newest step, or NULL. */
const struct reading *staircase_newest(const struct staircase *staircase,
                                       const struct staircase_kind *kind);

size_t staircase_count(const struct staircase *staircase);

/* Drops the steps not after `expired_us` and gives back memory that is not needed; an empty
 * staircase has none. */
void staircase_trim(struct staircase *staircase, struct staircase_kind *kind, int64_t expired_us);

void staircase_release(struct staircase *staircase, struct staircase_kind *kind);

/* Fetches what an insert of a newer reading will touch: the last step, which is compared, and the
 * slot after it, which is written. */
__attribute__((always_inline)) static inline void
staircase_prefetch(const struct staircase *staircase, const struct staircase_kind *kind)
{
    const struct flight *flight = &staircase->flight;
    const unsigned char *end;

    if (staircase->is_tower) {
        __builtin_prefetch(staircase->tower);
    } else if (flight->count > 0) {
        end = flight->slots + ((size_t)flight->start + flight->count) * kind->stride;
        __builtin_prefetch(end - kind->stride);
        __builtin_prefetch(end);
    }
}

/* The ranked value, turned so that larger is better. */
static inline double staircase_height(const struct staircase_kind *kind,
                                      const struct reading *reading)
{
    return kind->sign * reading->values[kind->feature];
}

/* True when a comes before b; both are of one device and have the feature. */
static inline bool staircase_is_better(const struct staircase_kind *kind, const struct reading *a,
                                       const struct reading *b)
{
    return reading_is_better(a, b, kind->feature, kind->sign);
}

#endif
