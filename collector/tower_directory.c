/* A flight that is full is split in halves, except where only one end of it is wanted: readings in
 * order, in reverse order, and a backlog sorted either way leave full flights behind. Late readings
 * that beat many steps here and there leave flights nearly empty; those are joined. */
#include "collector/tower_inner.h"

#include "shared/base/mem.h"

#include <stdlib.h>

struct tower_place tower_first_after(const struct tower *t, int64_t after_us)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (tower_newest_time(t, middle) > after_us)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == t->count)
        return tower_end_of(t);
    return (struct tower_place){low,
                                flight_first_after(tower_flight_at(t, low), t->kind, after_us)};
}

/* Makes room for one more flight at either end: the flights go to the middle, of a larger
 * directory if this one is nearly full. */
static void make_room(struct tower *t)
{
    size_t capacity = t->capacity, start;

    if (t->capacity - t->count <= t->capacity / 4) {
        capacity = t->count + t->count / 2 + TOWER_DIRECTORY_LEAST;
        t->directory = mem_realloc(t->directory, capacity * sizeof(*t->directory));
        t->capacity = capacity;
    }
    start = (capacity - t->count) / 2;
    memmove(t->directory + start, t->directory + t->start, t->count * sizeof(*t->directory));
    t->start = start;
}

void tower_add_flight(struct tower *t, size_t at, size_t slot)
{
    bool in_front = at < t->count - at;
    struct flight *f;

    if (in_front ? t->start == 0 : t->start + t->count == t->capacity)
        make_room(t);
    if (in_front) {
        t->start--;
        memmove(tower_flight_at(t, 0), tower_flight_at(t, 1), at * sizeof(*t->directory));
    } else {
        memmove(tower_flight_at(t, at + 1), tower_flight_at(t, at),
                (t->count - at) * sizeof(*t->directory));
    }
    t->count++;
    f = tower_flight_at(t, at);
    *f = (struct flight){0};
    flight_set_capacity(f, t->kind, t->kind->flight_steps);
    f->start = (uint16_t)slot;
}

void tower_remove_flights(struct tower *t, size_t low, size_t high)
{
    size_t gone = high - low;

    for (size_t i = low; i < high; i++)
        flight_release(tower_flight_at(t, i), t->kind);
    if (low < t->count - high) {
        memmove(tower_flight_at(t, gone), tower_flight_at(t, 0), low * sizeof(*t->directory));
        t->start += gone;
    } else {
        memmove(tower_flight_at(t, low), tower_flight_at(t, high),
                (t->count - high) * sizeof(*t->directory));
    }
    t->count -= gone;
}

/* Joins neighbours that fit into one flight, if most flights are nearly empty: late readings that
 * beat many steps here and there leave them so. */
static void join_sparse(struct tower *t)
{
    size_t most = t->kind->flight_steps, last = 0;

    if (t->count <= 4 || t->steps >= t->count * most / 4)
        return;
    for (size_t i = 1; i < t->count; i++) {
        struct flight *from = tower_flight_at(t, i);

        if (tower_flight_at(t, last)->count + (size_t)from->count <= most) {
            flight_move(tower_flight_at(t, last), from, 0, t->kind);
            flight_release(from, t->kind);
        } else {
            *tower_flight_at(t, ++last) = *from;
        }
    }
    t->count = last + 1;
}

bool tower_drop_expired(struct tower *t, int64_t expired_us)
{
    size_t gone = 0;

    while (gone < t->count && tower_newest_time(t, gone) <= expired_us)
        gone++;
    tower_remove_flights(t, 0, gone);
    return (t->count > 0 && flight_drop_expired(tower_flight_at(t, 0), t->kind, expired_us) > 0) ||
           gone > 0;
}

/* Makes one flight of it. */
static void level(struct tower *t)
{
    struct staircase *owner = t->owner;
    struct flight all = *tower_flight_at(t, 0);

    if (t->count > 1)
        flight_set_capacity(&all, t->kind, t->steps);
    for (size_t i = 1; i < t->count; i++) {
        flight_move(&all, tower_flight_at(t, i), 0, t->kind);
        flight_release(tower_flight_at(t, i), t->kind);
    }
    flight_shrink(&all, t->kind);
    tower_forget(t);
    owner->flight = all;
}

void tower_settle(struct tower *t, struct tower_usage before)
{
    t->steps += t->kind->steps - before.steps;
    before.steps = t->kind->steps;
    join_sparse(t);
    t->slots += t->kind->slots - before.slots;
    if (t->steps == 0)
        tower_forget(t);
    else if (t->steps <= t->kind->low_steps / 2u)
        level(t);
    else
        tower_account(t);
}
