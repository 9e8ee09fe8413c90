/* A value that falls all the time makes every reading a step: a tank that empties, read a hundred
 * times a second, has 360,000 in an hour. One array for them would be copied whole each time it
 * grows, and for half of its length at a late reading. So they are in many, of 8 kB each.
 *
 * Rejected: a B+ tree (the directory is its upper level: at a million steps it has 80 kB, of which
 * one flight in a hundred inserts moves a part; a second level would save that and cost each search a
 * cache line more); a skip list or balanced tree of single steps (half as much memory again, and
 * a cache miss a step); a gap buffer (readings that come back from a gap in the network are late
 * here, live there, in turns).
 *
 * A flight that is full is split in halves, except where only one end of it is wanted: readings in
 * order, in reverse order, and a backlog sorted either way leave full flights behind. */
#include "collector/tower.h"

#include "collector/flight.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { DIRECTORY_LEAST = 4 };

struct tower {
    struct flight *directory;
    size_t start; /* entry of the oldest flight */
    size_t count; /* of flights, none of them empty */
    size_t capacity;
    size_t coarse_next; /* the flight to be coarsened next */
    uint64_t steps;
    uint64_t slots;
    uint64_t bytes;       /* as the budget knows it */
    uint64_t table_bytes; /* so, too */
    struct staircase *owner;
    struct staircase_kind *kind;
    struct tower *next;  /* in the budget's list of its size */
    struct tower **link; /* what points to it there */
};

/* A step: `index` of a flight; or the place after the last flight's last. */
struct place {
    size_t flight;
    size_t index;
};

static struct flight *flight_at(const struct tower *t, size_t flight)
{
    return &t->directory[t->start + flight];
}

static const struct reading *step_at(const struct tower *t, struct place place)
{
    return flight_step(flight_at(t, place.flight), t->kind, place.index);
}

static int64_t newest_time(const struct tower *t, size_t flight)
{
    const struct flight *f = flight_at(t, flight);

    return flight_time(f, t->kind, f->count - 1u);
}

static double lowest_height(const struct tower *t, size_t flight)
{
    const struct flight *f = flight_at(t, flight);

    return flight_height(f, t->kind, f->count - 1u);
}

static struct place end_of(const struct tower *t)
{
    if (t->count == 0)
        return (struct place){0};
    return (struct place){t->count - 1, flight_at(t, t->count - 1)->count};
}

static bool is_end(const struct tower *t, struct place place)
{
    return t->count == 0 || place.index == flight_at(t, place.flight)->count;
}

/* The first step after that time, or the end. */
static struct place first_after(const struct tower *t, int64_t after_us)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (newest_time(t, middle) > after_us)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == t->count)
        return end_of(t);
    return (struct place){low, flight_first_after(flight_at(t, low), t->kind, after_us)};
}

/* ---- the directory ---- */

/* Makes room for one more flight at either end: the flights go to the middle, of a larger
 * directory if this one is nearly full. */
static void make_room(struct tower *t)
{
    size_t capacity = t->capacity, start;

    if (t->capacity - t->count <= t->capacity / 4) {
        capacity = t->count + t->count / 2 + DIRECTORY_LEAST;
        t->directory = mem_realloc(t->directory, capacity * sizeof(*t->directory));
        t->capacity = capacity;
    }
    start = (capacity - t->count) / 2;
    memmove(t->directory + start, t->directory + t->start, t->count * sizeof(*t->directory));
    t->start = start;
}

/* Puts an empty flight in front of flight `at`, or after the last. Its array has all its slots;
 * the first step goes into `slot`. */
static void add_flight(struct tower *t, size_t at, size_t slot)
{
    bool in_front = at < t->count - at;
    struct flight *f;

    if (in_front ? t->start == 0 : t->start + t->count == t->capacity)
        make_room(t);
    if (in_front) {
        t->start--;
        memmove(flight_at(t, 0), flight_at(t, 1), at * sizeof(*t->directory));
    } else {
        memmove(flight_at(t, at + 1), flight_at(t, at), (t->count - at) * sizeof(*t->directory));
    }
    t->count++;
    f = flight_at(t, at);
    *f = (struct flight){0};
    flight_set_capacity(f, t->kind, t->kind->flight_steps);
    f->start = (uint16_t)slot;
}

/* Frees the flights [low, high) with all their steps. */
static void remove_flights(struct tower *t, size_t low, size_t high)
{
    size_t gone = high - low;

    for (size_t i = low; i < high; i++)
        flight_release(flight_at(t, i), t->kind);
    if (low < t->count - high) {
        memmove(flight_at(t, gone), flight_at(t, 0), low * sizeof(*t->directory));
        t->start += gone;
    } else {
        memmove(flight_at(t, low), flight_at(t, high), (t->count - high) * sizeof(*t->directory));
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
        struct flight *from = flight_at(t, i);

        if (flight_at(t, last)->count + (size_t)from->count <= most) {
            flight_move(flight_at(t, last), from, 0, t->kind);
            flight_release(from, t->kind);
        } else {
            *flight_at(t, ++last) = *from;
        }
    }
    t->count = last + 1;
}

/* ---- the budget ---- */

static size_t size_of(uint64_t bytes)
{
    size_t size = 0;

    while (bytes > 1 && size < STAIRCASE_SIZES - 1) {
        bytes /= 2;
        size++;
    }
    return size;
}

static void unlist(struct tower *t)
{
    if (!t->link)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->link = NULL;
}

static void list(struct tower *t)
{
    struct tower **head = &t->kind->budget->towers[size_of(t->bytes)];

    unlist(t);
    t->next = *head;
    if (t->next)
        t->next->link = &t->next;
    *head = t;
    t->link = head;
}

/* Reports to the budget what the tower takes. */
static void account(struct tower *t)
{
    struct staircase_budget *budget = t->kind->budget;
    uint64_t table_bytes = sizeof(*t) + t->capacity * sizeof(*t->directory);
    uint64_t bytes = table_bytes + t->slots * t->kind->stride;
    bool has_size_changed;

    if (bytes == t->bytes)
        return;
    has_size_changed = !t->link || size_of(bytes) != size_of(t->bytes);
    budget->bytes += bytes - t->bytes;
    budget->table_bytes += table_bytes - t->table_bytes;
    t->bytes = bytes;
    t->table_bytes = table_bytes;
    if (has_size_changed)
        list(t);
}

static void forget(struct tower *t)
{
    t->kind->budget->bytes -= t->bytes;
    t->kind->budget->table_bytes -= t->table_bytes;
    unlist(t);
    *t->owner = (struct staircase){0};
    free(t->directory);
    free(t);
}

/* Makes one flight of it. */
static void level(struct tower *t)
{
    struct staircase *owner = t->owner;
    struct flight all = *flight_at(t, 0);

    if (t->count > 1)
        flight_set_capacity(&all, t->kind, t->steps);
    for (size_t i = 1; i < t->count; i++) {
        flight_move(&all, flight_at(t, i), 0, t->kind);
        flight_release(flight_at(t, i), t->kind);
    }
    flight_shrink(&all, t->kind);
    forget(t);
    owner->flight = all;
}

/* What all staircases of the kind used before a change. */
struct usage {
    uint64_t steps;
    uint64_t slots;
};

static struct usage usage_of(const struct tower *t)
{
    return (struct usage){t->kind->steps, t->kind->slots};
}

/* Ends every change. The tower may be gone afterwards. */
static void settle(struct tower *t, struct usage before)
{
    t->steps += t->kind->steps - before.steps;
    before.steps = t->kind->steps;
    join_sparse(t);
    t->slots += t->kind->slots - before.slots;
    if (t->steps == 0)
        forget(t);
    else if (t->steps <= t->kind->low_steps / 2u)
        level(t);
    else
        account(t);
}

/* ---- coarsening ---- */

/* Of a flight's first `count` steps every second goes. */
static void thin(struct tower *t, struct flight *f, size_t count)
{
    struct staircase_kind *kind = t->kind;
    size_t kept = 1;

    if (count < 2)
        return;
    for (size_t i = 1; i < count; i += 2) {
        if (i == 1 && flight_height(f, kind, i) > kind->coarse_height)
            kind->coarse_height = flight_height(f, kind, i);
        if (flight_time(f, kind, i) > kind->coarse_until_us)
            kind->coarse_until_us = flight_time(f, kind, i);
        if (i + 1 < count)
            memmove(flight_slot(f, kind, kept++), flight_slot(f, kind, i + 1), kind->stride);
    }
    kind->coarsened += count - kept;
    flight_remove(f, kind, kept, count);
}

/* One flight of the older half, round and round; it joins the one before it when both fit into
 * one. Of the flight in the middle, which may be the only one, it is the older half of the steps. */
static void coarsen(struct tower *t, int64_t expired_us)
{
    size_t half = t->count / 2;
    size_t at = t->coarse_next <= half ? t->coarse_next : 0;
    struct flight *f = flight_at(t, at);

    if (t->kind->coarse_until_us <= expired_us)
        t->kind->coarse_height = -INFINITY; /* what went before is in no interval any more */
    thin(t, f, at < half ? f->count : f->count - f->count / 2u);
    if (at > 0 && flight_at(t, at - 1)->count + (size_t)f->count <= t->kind->flight_steps) {
        flight_move(flight_at(t, at - 1), f, 0, t->kind);
        remove_flights(t, at, at + 1);
        t->coarse_next = at;
    } else {
        flight_shrink(f, t->kind);
        t->coarse_next = at + 1;
    }
}

/* Drops what has expired; returns whether anything has. */
static bool drop_expired(struct tower *t, int64_t expired_us)
{
    size_t gone = 0;

    while (gone < t->count && newest_time(t, gone) <= expired_us)
        gone++;
    remove_flights(t, 0, gone);
    return (t->count > 0 && flight_drop_expired(flight_at(t, 0), t->kind, expired_us) > 0) ||
           gone > 0;
}

static struct tower *largest(const struct staircase_budget *budget)
{
    size_t size = STAIRCASE_SIZES - 1;

    while (size > 0 && !budget->towers[size])
        size--;
    return budget->towers[size];
}

/* Keeps the budget. Ends: each turn takes a step or a flight away, or goes on to another flight of
 * which it will; and a tower of few steps is none any more. */
static void keep_budget(struct staircase_budget *budget, int64_t expired_us)
{
    while (budget->bytes > budget->limit_bytes) {
        struct tower *t = largest(budget);
        struct usage before = usage_of(t);

        if (drop_expired(t, expired_us)) {
            if (t->count > 0)
                flight_shrink(flight_at(t, 0), t->kind);
        } else {
            coarsen(t, expired_us);
        }
        settle(t, before);
    }
}

/* ---- the calls ---- */

void tower_raise(struct staircase *s, struct staircase_kind *kind)
{
    struct tower *t = mem_calloc(1, sizeof(*t));

    t->kind = kind;
    t->owner = s;
    t->capacity = DIRECTORY_LEAST;
    t->directory = mem_calloc(t->capacity, sizeof(*t->directory));
    t->directory[0] = s->flight;
    t->count = 1;
    t->steps = s->flight.count;
    t->slots = s->flight.capacity;
    *s = (struct staircase){.is_tower = true};
    s->tower = t;
    account(t);
}

/* The first of the steps before `high` that are not better than `height`, or `high`. */
static struct place first_beaten(const struct tower *t, struct place high, double height)
{
    struct place low = high;

    for (;;) {
        const struct flight *f = flight_at(t, low.flight);

        while (low.index > 0 && flight_height(f, t->kind, low.index - 1) <= height)
            low.index--;
        if (low.index > 0 || low.flight == 0 || lowest_height(t, low.flight - 1) > height)
            return low;
        low.flight--;
        low.index = flight_at(t, low.flight)->count;
        if (flight_height(flight_at(t, low.flight), t->kind, 0) <= height)
            low.index = 0; /* all of it */
    }
}

/* Removes the steps [low, high); returns the place of the step after them. */
static struct place remove_steps(struct tower *t, struct place low, struct place high)
{
    struct flight *first = flight_at(t, low.flight), *last = flight_at(t, high.flight);

    if (low.flight == high.flight) {
        flight_remove(first, t->kind, low.index, high.index);
        high = low;
    } else {
        flight_remove(first, t->kind, low.index, first->count);
        flight_remove(last, t->kind, 0, high.index);
        if (low.index > 0)
            flight_shrink(first, t->kind);
        remove_flights(t, low.flight + (low.index > 0), high.flight);
        high = (struct place){low.flight + (low.index > 0), 0};
    }
    if (flight_at(t, high.flight)->count > 0)
        flight_shrink(flight_at(t, high.flight), t->kind);
    else
        remove_flights(t, high.flight, high.flight + 1);
    if (high.flight == t->count)
        return end_of(t);
    return high;
}

/* Moves the upper half of a full flight into one of its own. */
static void split(struct tower *t, size_t at)
{
    size_t half = flight_at(t, at)->count / 2u;

    add_flight(t, at + 1, 0);
    flight_move(flight_at(t, at + 1), flight_at(t, at), half, t->kind);
}

/* Finds or makes room for a step in front of `place`. */
static struct place make_place(struct tower *t, struct place place)
{
    size_t most = t->kind->flight_steps;
    struct flight *f;

    if (t->count == 0) {
        add_flight(t, 0, 0);
        return place;
    }
    if (place.index == 0 && place.flight > 0 && flight_at(t, place.flight - 1)->count < most)
        return (struct place){place.flight - 1, flight_at(t, place.flight - 1)->count};
    f = flight_at(t, place.flight);
    if (f->count < most)
        return place;
    if (place.index == 0) {
        add_flight(t, place.flight, most - 1);
        return place;
    }
    if (place.index == f->count) {
        add_flight(t, place.flight + 1, 0);
        return (struct place){place.flight + 1, 0};
    }
    split(t, place.flight);
    f = flight_at(t, place.flight);
    if (place.index > f->count)
        return (struct place){place.flight + 1, place.index - f->count};
    return place;
}

static int64_t time_before(const struct tower *t, struct place place)
{
    if (place.index > 0)
        return flight_time(flight_at(t, place.flight), t->kind, place.index - 1);
    return place.flight > 0 ? newest_time(t, place.flight - 1) : INT64_MIN;
}

bool tower_insert(struct staircase *s, const struct reading *reading, int64_t expired_us,
                  int64_t *earlier_us)
{
    struct tower *t = s->tower;
    struct staircase_kind *kind = t->kind;
    struct staircase_budget *budget = kind->budget;
    double height = staircase_height(kind, reading);
    struct usage before = usage_of(t);
    struct place low, high; /* the steps [low, high) give way */
    bool is_new = true;

    drop_expired(t, expired_us);
    if (t->count > 0 && newest_time(t, t->count - 1) < reading->recorded_at_us)
        low = high = end_of(t);
    else
        low = high = first_after(t, reading->recorded_at_us - 1);
    if (!is_end(t, high)) { /* a late one, see staircase.c */
        const struct reading *next = step_at(t, high);

        if (next->recorded_at_us != reading->recorded_at_us)
            is_new = staircase_height(kind, next) < height;
        else if (staircase_is_better(kind, reading, next))
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
        flight_insert(flight_at(t, low.flight), kind, low.index, reading);
        *earlier_us = time_before(t, low);
    }
    settle(t, before);
    if (budget->bytes > budget->limit_bytes)
        keep_budget(budget, expired_us);
    return is_new;
}

const struct reading *tower_best_after(const struct tower *t, int64_t after_us)
{
    struct place place = first_after(t, after_us);

    return is_end(t, place) ? NULL : step_at(t, place);
}

const struct reading *tower_newest(const struct tower *t)
{
    const struct flight *f = flight_at(t, t->count - 1);

    return flight_step(f, t->kind, f->count - 1u);
}

size_t tower_count(const struct tower *t)
{
    return t->steps;
}

void tower_trim(struct staircase *s, int64_t expired_us)
{
    struct tower *t = s->tower;
    struct usage before = usage_of(t);

    drop_expired(t, expired_us);
    if (t->count > 0)
        flight_shrink(flight_at(t, 0), t->kind);
    settle(t, before);
}

void tower_release(struct staircase *s)
{
    struct tower *t = s->tower;

    remove_flights(t, 0, t->count);
    forget(t);
}
