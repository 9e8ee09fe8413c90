/* The maximum of a sliding window needs few of its readings: one that is followed by another at
 * least as good can never be the maximum of any window that reaches to the present. Dropping those
 * at once leaves a staircase, and one staircase answers for every window length.
 *
 * Rejected: a ring of all readings (3,600 of them for an hour, read again for each answer); a tree
 * (pointers of 16 bytes for steps of 40, and nine steps are two to six cache lines of an array);
 * buckets by second or minute (not exact at the window's edge); a linked list of cache lines (no
 * bisection, and a staircase of thousands of steps is exactly where late readings hurt).
 *
 * A reading that is newer than all steps, the usual case, touches the tail only: it pops what
 * it equals or beats and stands there. Expired steps at the front are left alone until room is
 * needed, because looking at the front would cost every insert a cache line. */
#include "collector/staircase.h"

#include "collector/flight.h"
#include "collector/tower.h"

#include <assert.h>
#include <math.h>

static_assert(sizeof(struct staircase) == 16, "a staircase in a device's block is 16 bytes");
static_assert(offsetof(struct staircase, is_tower) == offsetof(struct flight, unused),
              "a flight is told from a tower by what it does not use");

void staircase_kind_init(struct staircase_kind *kind, size_t feature_count, size_t feature,
                         bool lowest, struct staircase_budget *budget)
{
    size_t stride = reading_size(feature_count);
    size_t flight_steps = STAIRCASE_FLIGHT_BYTES / stride;

    assert(feature < feature_count);
    *kind = (struct staircase_kind){
        .budget = budget,
        .stride = stride,
        .sign = lowest ? -1 : 1,
        .feature = (uint32_t)feature,
        .low_steps = STAIRCASE_LOW_STEPS,
        .flight_steps = (uint16_t)(flight_steps > STAIRCASE_FLIGHT_STEPS ? flight_steps
                                                                         : STAIRCASE_FLIGHT_STEPS),
        .coarse_until_us = INT64_MIN,
        .coarse_height = -INFINITY,
    };
}

/* Into one array. */
static bool insert_low(struct staircase *s, struct staircase_kind *kind,
                       const struct reading *reading, int64_t expired_us, int64_t *earlier_us)
{
    struct flight *f = &s->flight;
    double height = staircase_height(kind, reading);
    size_t low = f->count, high = f->count; /* the steps [low, high) give way */

    if (f->count > 0 && flight_time(f, kind, f->count - 1u) >= reading->recorded_at_us) {
        const struct reading *next;

        /* A late one. The first step not older than it is the best of all of those. (It is
         * after expired_us, so there is a time before it.) */
        low = high = flight_first_after(f, kind, reading->recorded_at_us - 1);
        next = flight_step(f, kind, high);
        if (next->recorded_at_us == reading->recorded_at_us) {
            if (!staircase_is_better(kind, reading, next))
                return false;
            high++;
        } else if (staircase_height(kind, next) >= height) {
            return false;
        }
    }
    while (low > 0 && flight_height(f, kind, low - 1) <= height)
        low--;

    if (low < high) {
        /* It takes the place of the first that gives way. */
        if (high - low > 1)
            flight_remove(f, kind, low + 1, high);
        memcpy(flight_slot(f, kind, low), reading, kind->stride);
    } else {
        if (f->start + f->count == f->capacity || f->count == kind->low_steps)
            low -= flight_drop_expired(f, kind, expired_us); /* all older, so all before it */
        if (f->count == kind->low_steps) {
            tower_raise(s, kind);
            return tower_insert(s, reading, expired_us, earlier_us);
        }
        flight_insert(f, kind, low, reading);
    }
    flight_shrink(f, kind);
    *earlier_us = low > 0 ? flight_time(f, kind, low - 1) : INT64_MIN;
    return true;
}

bool staircase_insert(struct staircase *s, struct staircase_kind *kind,
                      const struct reading *reading, int64_t expired_us, int64_t *earlier_us)
{
    assert(reading->recorded_at_us > expired_us);
    if (s->is_tower)
        return tower_insert(s, reading, expired_us, earlier_us);
    return insert_low(s, kind, reading, expired_us, earlier_us);
}

const struct reading *staircase_best_after(const struct staircase *s,
                                           const struct staircase_kind *kind, int64_t after_us)
{
    size_t index;

    if (s->is_tower)
        return tower_best_after(s->tower, after_us);
    index = flight_first_after(&s->flight, kind, after_us);
    return index < s->flight.count ? flight_step(&s->flight, kind, index) : NULL;
}

const struct reading *staircase_newest(const struct staircase *s, const struct staircase_kind *kind)
{
    if (s->is_tower)
        return tower_newest(s->tower);
    return s->flight.count > 0 ? flight_step(&s->flight, kind, s->flight.count - 1u) : NULL;
}

size_t staircase_count(const struct staircase *s)
{
    return s->is_tower ? tower_count(s->tower) : s->flight.count;
}

void staircase_trim(struct staircase *s, struct staircase_kind *kind, int64_t expired_us)
{
    if (s->is_tower) {
        tower_trim(s, expired_us);
        return;
    }
    flight_drop_expired(&s->flight, kind, expired_us);
    if (s->flight.count == 0)
        flight_release(&s->flight, kind);
    else
        flight_shrink(&s->flight, kind);
}

void staircase_release(struct staircase *s, struct staircase_kind *kind)
{
    if (s->is_tower)
        tower_release(s);
    else
        flight_release(&s->flight, kind);
}
