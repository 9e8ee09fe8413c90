/* The array grows by one slot and shrinks to three spare ones when five are. A staircase of
 * random values is nine steps on average, but swings: without shrinking it comes to hold room for
 * eighteen; so it holds room for ten, at one reallocation in eight inserts. A slot less costs
 * twice as many of them, half as many cost a slot more. Larger arrays do both in eighths, so that
 * a flight that grows to its limit is not copied all the time. */
#include "collector/flight.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SPARE_SLOTS_MOST = 5,
    SPARE_SLOTS_AFTER_SHRINKING = 3,
    GROWTH_SLOTS = 1,
};

static void move_to_front(struct flight *f, const struct staircase_kind *kind)
{
    if (f->start == 0)
        return;
    memmove(f->slots, flight_slot(f, kind, 0), f->count * kind->stride);
    f->start = 0;
}

void flight_set_capacity(struct flight *f, struct staircase_kind *kind, size_t capacity)
{
    assert(capacity >= f->count && capacity <= UINT16_MAX);
    move_to_front(f, kind);
    f->slots = mem_realloc(f->slots, capacity * kind->stride);
    kind->slots = kind->slots - f->capacity + capacity;
    f->capacity = (uint16_t)capacity;
}

/* Makes room for one more step after the last. */
static void make_room(struct flight *f, struct staircase_kind *kind)
{
    if (f->start + f->count < f->capacity)
        return;
    /* Moving to the front pays only if it frees a fair share of the array: a flight that loses
     * one step at the front for each at the end would be moved every time. */
    if (f->start > 0 && f->start * 16u >= f->capacity)
        move_to_front(f, kind);
    else
        flight_set_capacity(
            f, kind,
            f->capacity + (f->capacity < 8u * GROWTH_SLOTS ? GROWTH_SLOTS : f->capacity / 8u));
}

void flight_insert(struct flight *f, struct staircase_kind *kind, size_t index, const void *step)
{
    if (f->start > 0 && index < f->count / 2u + 1u && index < f->count) {
        f->start--;
        memmove(flight_slot(f, kind, 0), flight_slot(f, kind, 1), index * kind->stride);
    } else {
        make_room(f, kind);
        memmove(flight_slot(f, kind, index + 1), flight_slot(f, kind, index),
                (f->count - index) * kind->stride);
    }
    memcpy(flight_slot(f, kind, index), step, kind->stride);
    f->count++;
    kind->steps++;
}

void flight_remove(struct flight *f, struct staircase_kind *kind, size_t low, size_t high)
{
    if (low == 0)
        f->start = (uint16_t)(f->start + high);
    else
        memmove(flight_slot(f, kind, low), flight_slot(f, kind, high),
                (f->count - high) * kind->stride);
    f->count = (uint16_t)(f->count - (high - low));
    kind->steps -= high - low;
}

size_t flight_drop_expired(struct flight *f, struct staircase_kind *kind, int64_t expired_us)
{
    size_t gone = 0;

    while (gone < f->count && flight_time(f, kind, gone) <= expired_us)
        gone++;
    flight_remove(f, kind, 0, gone);
    return gone;
}

void flight_shrink(struct flight *f, struct staircase_kind *kind)
{
    size_t spare = (size_t)(f->capacity - f->count);

    if (spare >= SPARE_SLOTS_MOST && spare * 4 >= f->capacity)
        flight_set_capacity(f, kind, f->count + SPARE_SLOTS_AFTER_SHRINKING + f->count / 8u);
}

void flight_move(struct flight *to, struct flight *from, size_t index, struct staircase_kind *kind)
{
    size_t count = from->count - index;

    if (to->start + to->count + count > to->capacity) {
        move_to_front(to, kind);
        if (to->count + count > to->capacity)
            flight_set_capacity(to, kind, to->count + count);
    }
    memcpy(flight_slot(to, kind, to->count), flight_slot(from, kind, index), count * kind->stride);
    to->count = (uint16_t)(to->count + count);
    from->count = (uint16_t)index;
}

void flight_release(struct flight *f, struct staircase_kind *kind)
{
    kind->steps -= f->count;
    kind->slots -= f->capacity;
    free(f->slots);
    *f = (struct flight){0};
}

void flight_keep(struct flight *f, const struct staircase_kind *kind, struct pack_move *move)
{
    for (size_t i = 0; i < f->count; i++) {
        struct staircase_ref *ref = (void *)flight_slot(f, kind, i);

        ref->at = pack_keep(move, ref->at);
    }
}
