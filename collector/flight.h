/* flight.h: a run of a staircase's steps, in one array.
 *
 * Shape    steps in ascending time, side by side; the array may have slots free in
 *          front, whose steps have expired or are still to come, and at the end. A staircase of few
 *          steps is one flight, a tower has many (tower.h). Inside the staircase only: everybody
 *          else includes staircase.h.
 * Units    as in staircase.h; indexes count from the flight's oldest step.
 * Errors   none. No memory: mem.h.
 * Owner    whoever embeds the struct; flight_release() frees the array. The kind's count of steps
 *          and slots is kept by every call.
 */
#ifndef HIGHWATER_FLIGHT_H
#define HIGHWATER_FLIGHT_H

#include "collector/staircase.h"

#include <string.h>

static inline unsigned char *flight_slot(const struct flight *flight,
                                         const struct staircase_kind *kind, size_t index)
{
    return flight->slots + (flight->start + index) * kind->stride;
}

static inline int64_t flight_time(const struct flight *flight, const struct staircase_kind *kind,
                                  size_t index)
{
    return step_time(kind, flight_slot(flight, kind, index));
}

static inline double flight_height(const struct flight *flight, const struct staircase_kind *kind,
                                   size_t index)
{
    return step_height(kind, flight_slot(flight, kind, index));
}

/* The first step whose time is after `after_us`, or count. */
static inline size_t flight_first_after(const struct flight *flight,
                                        const struct staircase_kind *kind, int64_t after_us)
{
    size_t low = 0, high = flight->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (flight_time(flight, kind, middle) > after_us)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Gives the flight so many slots, which are at least its steps. */
void flight_set_capacity(struct flight *flight, struct staircase_kind *kind, size_t capacity);

/* Puts a step in front of the one at `index`, or after the last. */
void flight_insert(struct flight *flight, struct staircase_kind *kind, size_t index,
                   const void *step);

/* Removes the steps [low, high). */
void flight_remove(struct flight *flight, struct staircase_kind *kind, size_t low, size_t high);

/* Removes the steps not after `expired_us`; returns how many went. */
size_t flight_drop_expired(struct flight *flight, struct staircase_kind *kind, int64_t expired_us);

/* Gives back slots if many are free. */
void flight_shrink(struct flight *flight, struct staircase_kind *kind);

/* Moves the steps of `from`, from `index` on, after those of `to`. */
void flight_move(struct flight *to, struct flight *from, size_t index, struct staircase_kind *kind);

void flight_release(struct flight *flight, struct staircase_kind *kind);

/* staircase_keep() of one flight. */
void flight_keep(struct flight *flight, const struct staircase_kind *kind, struct pack_move *move);

#endif
