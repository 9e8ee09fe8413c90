/* A value that falls all the time makes every reading a step: a tank that empties, read a hundred
 * times a second, has 360,000 in an hour. One array for them would be copied whole each time it
 * grows, and for half of its length at a late reading. So they are in many, of 8 kB each.
 *
 * Rejected: a B+ tree (the directory is its upper level: at a million steps it has 80 kB, of which
 * one flight in a hundred inserts moves a part; a second level would save that and cost each search a
 * cache line more); a skip list or balanced tree of single steps (half as much memory again, and
 * a cache miss a step); a gap buffer (readings that come back from a gap in the network are late
 * here, live there, in turns). */
#include "collector/tower_inner.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>

void tower_raise(struct staircase *s, struct staircase_kind *kind)
{
    struct tower *t = mem_calloc(1, sizeof(*t));

    t->kind = kind;
    t->pack = kind->budget->pack;
    t->owner = s;
    t->capacity = TOWER_DIRECTORY_LEAST;
    t->directory = mem_calloc(t->capacity, sizeof(*t->directory));
    t->directory[0] = s->flight;
    t->count = 1;
    t->steps = s->flight.count;
    t->slots = s->flight.capacity;
    *s = (struct staircase){.is_tower = true};
    s->tower = t;
    tower_account(t);
}

/* The first of the steps before `high` that are not better than `height`, or `high`. */
static struct tower_place first_beaten(const struct tower *t, struct tower_place high,
                                       double height)
{
    struct tower_place low = high;

    for (;;) {
        const struct flight *f = tower_flight_at(t, low.flight);

        while (low.index > 0 && flight_height(f, t->kind, low.index - 1) <= height)
            low.index--;
        if (low.index > 0 || low.flight == 0 || tower_lowest_height(t, low.flight - 1) > height)
            return low;
        low.flight--;
        low.index = tower_flight_at(t, low.flight)->count;
        if (flight_height(tower_flight_at(t, low.flight), t->kind, 0) <= height)
            low.index = 0; /* all of it */
    }
}

/* Removes the steps [low, high); returns the place of the step after them. */
static struct tower_place remove_steps(struct tower *t, struct tower_place low,
                                       struct tower_place high)
{
    struct flight *first = tower_flight_at(t, low.flight), *last = tower_flight_at(t, high.flight);

    if (low.flight == high.flight) {
        flight_remove(first, t->kind, low.index, high.index);
        high = low;
    } else {
        flight_remove(first, t->kind, low.index, first->count);
        flight_remove(last, t->kind, 0, high.index);
        if (low.index > 0)
            flight_shrink(first, t->kind);
        tower_remove_flights(t, low.flight + (low.index > 0), high.flight);
        high = (struct tower_place){low.flight + (low.index > 0), 0};
    }
    if (tower_flight_at(t, high.flight)->count > 0)
        flight_shrink(tower_flight_at(t, high.flight), t->kind);
    else
        tower_remove_flights(t, high.flight, high.flight + 1);
    if (high.flight == t->count)
        return tower_end_of(t);
    return high;
}

/* Moves the upper half of a full flight into one of its own. */
static void split(struct tower *t, size_t at)
{
    size_t half = tower_flight_at(t, at)->count / 2u;

    tower_add_flight(t, at + 1, 0);
    flight_move(tower_flight_at(t, at + 1), tower_flight_at(t, at), half, t->kind);
}

/* Finds or makes room for a step in front of `place`. */
static struct tower_place make_place(struct tower *t, struct tower_place place)
{
    size_t most = t->kind->flight_steps;
    struct flight *f;

    if (t->count == 0) {
        tower_add_flight(t, 0, 0);
        return place;
    }
    if (place.index == 0 && place.flight > 0 && tower_flight_at(t, place.flight - 1)->count < most)
        return (struct tower_place){place.flight - 1, tower_flight_at(t, place.flight - 1)->count};
    f = tower_flight_at(t, place.flight);
    if (f->count < most)
        return place;
    if (place.index == 0) {
        tower_add_flight(t, place.flight, most - 1);
        return place;
    }
    if (place.index == f->count) {
        tower_add_flight(t, place.flight + 1, 0);
        return (struct tower_place){place.flight + 1, 0};
    }
    split(t, place.flight);
    f = tower_flight_at(t, place.flight);
    if (place.index > f->count)
        return (struct tower_place){place.flight + 1, place.index - f->count};
    return place;
}

static int64_t time_before(const struct tower *t, struct tower_place place)
{
    if (place.index > 0)
        return flight_time(tower_flight_at(t, place.flight), t->kind, place.index - 1);
    return place.flight > 0 ? tower_newest_time(t, place.flight - 1) : INT64_MIN;
}

bool tower_insert(struct staircase *s, const void *step, int64_t expired_us, int64_t *earlier_us)
{
    struct tower *t = s->tower;
    struct staircase_kind *kind = t->kind;
    struct staircase_budget *budget = kind->budget;
    int64_t at_us = step_time(kind, step);
    double height = step_height(kind, step);
    struct tower_usage before = tower_usage_of(t);
    struct tower_place low, high; /* the steps [low, high) give way */
    bool is_new = true;

    if (kind->has_refs)
        t->reading_bytes = pack_mean_bytes(t->pack);
    tower_drop_expired(t, expired_us);
    if (t->count > 0 && tower_newest_time(t, t->count - 1) < at_us)
        low = high = tower_end_of(t);
    else
        low = high = tower_first_after(t, at_us - 1);
    if (!tower_is_end(t, high)) { /* a late one, see staircase.c */
        const void *next = tower_step_at(t, high);

        if (step_time(kind, next) != at_us)
            is_new = step_height(kind, next) < height;
        else if (step_is_better(kind, step, next))
            high.index++;
        else
            is_new = false;
    }
    if (is_new) {
        if (t->count > 0)
            low = first_beaten(t, low, height);
        if (low.flight != high.flight || low.index != high.index)
            low = remove_steps(t, low, high);
        low = make_place(t, low);
        flight_insert(tower_flight_at(t, low.flight), kind, low.index, step);
        *earlier_us = time_before(t, low);
    }
    tower_settle(t, before);
    if (budget->bytes > budget->limit_bytes)
        tower_keep_budget(budget, expired_us);
    return is_new;
}

const void *tower_best_after(const struct tower *t, int64_t after_us)
{
    struct tower_place place = tower_first_after(t, after_us);

    return tower_is_end(t, place) ? NULL : tower_step_at(t, place);
}

const void *tower_newest(const struct tower *t)
{
    const struct flight *f = tower_flight_at(t, t->count - 1);

    return flight_slot(f, t->kind, f->count - 1u);
}

size_t tower_count(const struct tower *t)
{
    return t->steps;
}

void tower_trim(struct staircase *s, int64_t expired_us)
{
    struct tower *t = s->tower;
    struct tower_usage before = tower_usage_of(t);

    tower_drop_expired(t, expired_us);
    if (t->count > 0)
        flight_shrink(tower_flight_at(t, 0), t->kind);
    tower_settle(t, before);
}

void tower_release(struct staircase *s)
{
    struct tower *t = s->tower;

    tower_remove_flights(t, 0, t->count);
    tower_forget(t);
}

void tower_moved(struct staircase *s)
{
    s->tower->owner = s;
}

void tower_keep(struct tower *t, struct pack_move *move)
{
    for (size_t i = 0; i < t->count; i++)
        flight_keep(tower_flight_at(t, i), t->kind, move);
}
