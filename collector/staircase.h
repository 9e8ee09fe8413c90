/* staircase.h: a monotonic queue: what is left of one device's readings when only maxima will be asked
 * for.
 *
 * Shape    the readings that no later reading equals or beats, oldest first: from step to step
 *          time strictly rises and the value strictly worsens. So the best reading since any
 *          time is the first step after that time. Random values leave about ln(n) steps of n
 *          readings: nine for an hour at one reading a second. Inserting in any order, any number
 *          of times, gives the same steps. "Better" is: better value, then later recorded_at, then
 *          larger content_hash.
 * Steps    have two forms, one for each kind. Of few features: the whole reading, a struct reading.
 *          Of many: its ranked value and where the reading is in the device's pack (struct
 *          staircase_ref, pack.h), because the same reading is a step of many staircases. Whose
 *          pack that is stands in the budget, and is set before each call.
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

#include "collector/pack.h"

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
    struct pack *pack; /* of the device whose staircase the next call is about */
};

/* A step that refers to its reading. 12 bytes. */
struct staircase_ref {
    uint32_t at;
    unsigned char value[sizeof(double)];
};

#define STAIRCASE_REF_NONE UINT32_MAX

/* What the staircases of one ranking have in common, and what all of them use. */
struct staircase_kind {
    struct staircase_budget *budget;
    size_t stride;     /* bytes from step to step */
    double sign;       /* 1: the highest value is best, -1: the lowest */
    uint32_t feature;  /* the value that is ranked */
    uint32_t value_at; /* bytes from the start of a step to it */
    bool has_refs;     /* steps are struct staircase_ref, not struct reading */
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

/* Makes it a kind whose steps refer to a pack, before there are any. */
void staircase_kind_use_refs(struct staircase_kind *kind);

/* Adds a step, a reading that has the kind's feature; it must be after `expired_us`. False: nothing
 * has changed, something there equals or beats it. Otherwise *earlier_us is the time of the step
 * before it, INT64_MIN if it is the first. Steps not after `expired_us` may be dropped. */
bool staircase_insert(struct staircase *staircase, struct staircase_kind *kind, const void *step,
                      int64_t expired_us, int64_t *earlier_us);

/* The step that is the best reading after a time, or NULL when there is none. */
const void *staircase_best_after(const struct staircase *staircase,
                                 const struct staircase_kind *kind, int64_t after_us);

/* The newest step, or NULL. */
const void *staircase_newest(const struct staircase *staircase, const struct staircase_kind *kind);

size_t staircase_count(const struct staircase *staircase);

/* Drops the steps not after `expired_us` and gives back memory that is not needed; an empty
 * staircase has none. */
void staircase_trim(struct staircase *staircase, struct staircase_kind *kind, int64_t expired_us);

void staircase_release(struct staircase *staircase, struct staircase_kind *kind);

/* The struct has been copied to where it is now. */
void staircase_moved(struct staircase *staircase);

/* Keeps all readings that its steps refer to, and corrects the references. */
void staircase_keep(struct staircase *staircase, const struct staircase_kind *kind,
                    struct pack_move *move);

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

/* Of a step, in either form. */
static inline const struct packed *staircase_packed(const struct staircase_kind *kind,
                                                    const void *step)
{
    return pack_at(kind->budget->pack, ((const struct staircase_ref *)step)->at);
}

/* For who knows which form it is. */
static inline int64_t step_time_as(const struct staircase_kind *kind, const void *step,
                                   bool has_refs)
{
    return has_refs ? staircase_packed(kind, step)->recorded_at_us
                    : ((const struct reading *)step)->recorded_at_us;
}

static inline int64_t step_time(const struct staircase_kind *kind, const void *step)
{
    return step_time_as(kind, step, kind->has_refs);
}

static inline int64_t step_hash(const struct staircase_kind *kind, const void *step)
{
    return kind->has_refs ? staircase_packed(kind, step)->content_hash
                          : ((const struct reading *)step)->content_hash;
}

/* The ranked value: of a reading turned so that larger is better; of a step; of a step turned so. */
static inline double staircase_height(const struct staircase_kind *kind,
                                      const struct reading *reading)
{
    return kind->sign * reading->values[kind->feature];
}

static inline double step_value(const struct staircase_kind *kind, const void *step)
{
    double value;

    memcpy(&value, (const unsigned char *)step + kind->value_at, sizeof(value));
    return value;
}

static inline double step_height(const struct staircase_kind *kind, const void *step)
{
    return kind->sign * step_value(kind, step);
}

/* True when a comes before b; both are of one device. */
static inline bool step_is_better(const struct staircase_kind *kind, const void *a, const void *b)
{
    double height_a = step_height(kind, a), height_b = step_height(kind, b);
    int rank;

    if (height_a != height_b) /* nearly always, and spares a look at the readings */
        return height_a > height_b;
    rank = reading_rank(height_a, step_time(kind, a), height_b, step_time(kind, b));
    return rank != 0 ? rank > 0 : step_hash(kind, a) > step_hash(kind, b);
}

#endif
