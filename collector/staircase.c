/* The maximum of a sliding window needs few of its readings: one that is followed by another at
 * least as good can never be the maximum of any window that reaches to the present. Dropping those
 * at once leaves a staircase, and one staircase answers for every window length.
 *
 * Rejected: a ring of all readings (3,600 of them for an hour, read again for each answer); a tree
 * (pointers of 16 bytes for steps of 12 or 40, and nine steps are two to six cache lines of an array);
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
        .value_at = (uint32_t)reading_size(feature),
        .low_steps = STAIRCASE_LOW_STEPS,
        .flight_steps = (uint16_t)(flight_steps > STAIRCASE_FLIGHT_STEPS ? flight_steps
                                                                         : STAIRCASE_FLIGHT_STEPS),
        .coarse_until_us = INT64_MIN,
        .coarse_height = -INFINITY,
    };
}

void staircase_kind_use_refs(struct staircase_kind *kind)
{
    kind->has_refs = true;
    kind->stride = sizeof(struct staircase_ref);
    kind->value_at = offsetof(struct staircase_ref, value);
    kind->flight_steps = (uint16_t)(STAIRCASE_FLIGHT_BYTES / kind->stride);
}

/* Into one array. Compiled once for each form of step: with two features, asking each time which it
 * is would be a thirtieth of an insert. */
__attribute__((always_inline)) static inline bool insert_low(struct staircase *s,
                                                             struct staircase_kind *kind,
                                                             const void *step, int64_t expired_us,
                                                             int64_t *earlier_us, bool has_refs)
{
    struct flight *f = &s->flight;
    int64_t at_us = step_time_as(kind, step, has_refs);
    double height = step_height(kind, step);
    size_t low = f->count, high = f->count; /* the steps [low, high) give way */

    assert(at_us > expired_us);
    if (f->count > 0 &&
        step_time_as(kind, flight_slot(f, kind, f->count - 1u), has_refs) >= at_us) {
        const void *next;

        /* A late one. The first step not older than it is the best of all of those. (It is
         * after expired_us, so there is a time before it.) */
        low = high = flight_first_after(f, kind, at_us - 1);
        next = flight_slot(f, kind, high);
        if (step_time(kind, next) == at_us) {
            if (!step_is_better(kind, step, next))
                return false;
            high++;
        } else if (step_height(kind, next) >= height) {
            return false;
        }
    }
    while (low > 0 && flight_height(f, kind, low - 1) <= height)
        low--;

    if (low < high) {
        /* It takes the place of the first that gives way. */
        if (high - low > 1)
            flight_remove(f, kind, low + 1, high);
        memcpy(flight_slot(f, kind, low), step, kind->stride);
    } else {
        if (f->start + f->count == f->capacity || f->count == kind->low_steps)
            low -= flight_drop_expired(f, kind, expired_us); /* all older, so all before it */
        if (f->count == kind->low_steps) {
            tower_raise(s, kind);
            return tower_insert(s, step, expired_us, earlier_us);
        }
        flight_insert(f, kind, low, step);
    }
    flight_shrink(f, kind);
    *earlier_us = low > 0 ? step_time_as(kind, flight_slot(f, kind, low - 1), has_refs) : INT64_MIN;
    return true;
}

bool staircase_insert(struct staircase *s, struct staircase_kind *kind, const void *step,
                      int64_t expired_us, int64_t *earlier_us)
{
    if (s->is_tower)
        return tower_insert(s, step, expired_us, earlier_us);
    return kind->has_refs ? insert_low(s, kind, step, expired_us, earlier_us, true)
                          : insert_low(s, kind, step, expired_us, earlier_us, false);
}

const void *staircase_best_after(const struct staircase *s, const struct staircase_kind *kind,
                                 int64_t after_us)
{
    size_t index;

    if (s->is_tower)
        return tower_best_after(s->tower, after_us);
    index = flight_first_after(&s->flight, kind, after_us);
    return index < s->flight.count ? flight_slot(&s->flight, kind, index) : NULL;
}

const void *staircase_newest(const struct staircase *s, const struct staircase_kind *kind)
{
    if (s->is_tower)
        return tower_newest(s->tower);
    return s->flight.count > 0 ? flight_slot(&s->flight, kind, s->flight.count - 1u) : NULL;
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

void staircase_moved(struct staircase *s)
{
    if (s->is_tower)
        tower_moved(s);
}

void staircase_keep(struct staircase *s, const struct staircase_kind *kind, struct pack_move *move)
{
    if (s->is_tower)
        tower_keep(s->tower, move);
    else
        flight_keep(&s->flight, kind, move);
}
