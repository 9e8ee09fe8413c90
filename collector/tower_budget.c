/* The largest towers give way, a flight at a time: of their older half, whose steps lead only the
 * longest intervals, every second step. Small ones lose nothing to one that is out of bounds.
 *
 * Steps that refer to readings are charged for them, each tower for all of its own, though others
 * may refer to the same: what would be left of a reading if the others went. So all together never
 * take more than the limit, and less where several features of a device fall at once. */
#include "collector/tower_inner.h"

#include <math.h>
#include <stdlib.h>

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

void tower_account(struct tower *t)
{
    struct staircase_budget *budget = t->kind->budget;
    uint64_t table_bytes = sizeof(*t) + t->capacity * sizeof(*t->directory);
    uint64_t bytes = table_bytes + t->slots * t->kind->stride + t->steps * t->reading_bytes;
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

void tower_forget(struct tower *t)
{
    t->kind->budget->bytes -= t->bytes;
    t->kind->budget->table_bytes -= t->table_bytes;
    unlist(t);
    *t->owner = (struct staircase){0};
    free(t->directory);
    free(t);
}

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
    if (kind->has_refs)
        pack_forget(t->pack, count - kept);
    flight_remove(f, kind, kept, count);
}

/* One flight of the older half, round and round; it joins the one before it when both fit into
 * one. Of the flight in the middle, which may be the only one, it is the older half of the steps. */
static void coarsen(struct tower *t, int64_t expired_us)
{
    size_t half = t->count / 2;
    size_t at = t->coarse_next <= half ? t->coarse_next : 0;
    struct flight *f = tower_flight_at(t, at);

    if (t->kind->coarse_until_us <= expired_us)
        t->kind->coarse_height = -INFINITY; /* what went before is in no interval any more */
    thin(t, f, at < half ? f->count : f->count - f->count / 2u);
    if (at > 0 && tower_flight_at(t, at - 1)->count + (size_t)f->count <= t->kind->flight_steps) {
        flight_move(tower_flight_at(t, at - 1), f, 0, t->kind);
        tower_remove_flights(t, at, at + 1);
        t->coarse_next = at;
    } else {
        flight_shrink(f, t->kind);
        t->coarse_next = at + 1;
    }
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
void tower_keep_budget(struct staircase_budget *budget, int64_t expired_us)
{
    struct pack *pack = budget->pack;

    while (budget->bytes > budget->limit_bytes) {
        struct tower *t = largest(budget);
        struct tower_usage before = tower_usage_of(t);

        budget->pack = t->pack;
        if (tower_drop_expired(t, expired_us)) {
            if (t->count > 0)
                flight_shrink(tower_flight_at(t, 0), t->kind);
        } else {
            coarsen(t, expired_us);
        }
        tower_settle(t, before);
    }
    budget->pack = pack;
}
