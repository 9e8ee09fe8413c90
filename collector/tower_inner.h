/* tower_inner.h: what the files of the tower know of each other; nobody else includes it.
 *
 * Files    tower.c             the staircase's calls
 *          tower_directory.c   flights: where a step is, room for more of them
 *          tower_budget.c      what it takes, and what goes when that is too much
 */
#ifndef HIGHWATER_TOWER_INNER_H
#define HIGHWATER_TOWER_INNER_H

#include "collector/flight.h"
#include "collector/tower.h"

enum { TOWER_DIRECTORY_LEAST = 4 };

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
    struct pack *pack;      /* what its steps refer to, if they do */
    uint64_t reading_bytes; /* then, of each: the mean, as of the latest insert */
    struct tower *next;     /* in the budget's list of its size */
    struct tower **link;    /* what points to it there */
};

/* A step: `index` of a flight; or the place after the last flight's last. */
struct tower_place {
    size_t flight;
    size_t index;
};

static inline struct flight *tower_flight_at(const struct tower *t, size_t flight)
{
    return &t->directory[t->start + flight];
}

static inline const void *tower_step_at(const struct tower *t, struct tower_place place)
{
    return flight_slot(tower_flight_at(t, place.flight), t->kind, place.index);
}

static inline int64_t tower_newest_time(const struct tower *t, size_t flight)
{
    const struct flight *f = tower_flight_at(t, flight);

    return flight_time(f, t->kind, f->count - 1u);
}

static inline double tower_lowest_height(const struct tower *t, size_t flight)
{
    const struct flight *f = tower_flight_at(t, flight);

    return flight_height(f, t->kind, f->count - 1u);
}

static inline struct tower_place tower_end_of(const struct tower *t)
{
    if (t->count == 0)
        return (struct tower_place){0};
    return (struct tower_place){t->count - 1, tower_flight_at(t, t->count - 1)->count};
}

static inline bool tower_is_end(const struct tower *t, struct tower_place place)
{
    return t->count == 0 || place.index == tower_flight_at(t, place.flight)->count;
}

/* What all staircases of the kind used before a change. */
struct tower_usage {
    uint64_t steps;
    uint64_t slots;
};

static inline struct tower_usage tower_usage_of(const struct tower *t)
{
    return (struct tower_usage){t->kind->steps, t->kind->slots};
}

/* ---- tower_directory.c */

/* The first step after that time, or the end. */
struct tower_place tower_first_after(const struct tower *tower, int64_t after_us);

/* Puts an empty flight in front of flight `at`, or after the last. Its array has all its slots;
 * the first step goes into `slot`. */
void tower_add_flight(struct tower *tower, size_t at, size_t slot);

/* Frees the flights [low, high) with all their steps. */
void tower_remove_flights(struct tower *tower, size_t low, size_t high);

/* Drops what has expired; returns whether anything has. */
bool tower_drop_expired(struct tower *tower, int64_t expired_us);

/* Ends every change. The tower may be gone afterwards. */
void tower_settle(struct tower *tower, struct tower_usage before);

/* ---- tower_budget.c */

/* Reports to the budget what the tower takes. */
void tower_account(struct tower *tower);

/* Frees the tower, whose flights are gone; its owner is empty then. */
void tower_forget(struct tower *tower);

/* Coarsens the largest towers until the budget is kept. */
void tower_keep_budget(struct staircase_budget *budget, int64_t expired_us);

#endif
