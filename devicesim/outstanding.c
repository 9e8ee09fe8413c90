#include "devicesim/outstanding.h"

#include "shared/base/mem.h"

#include <stdlib.h>

enum { CAPACITY_LEAST = 4 };

static struct ticket *at(const struct outstanding *outstanding, uint32_t place)
{
    return &outstanding->ring[(outstanding->first + place) & (outstanding->capacity - 1)];
}

void outstanding_release(struct outstanding *outstanding)
{
    for (uint32_t place = 0; place < outstanding->span; place++)
        free(at(outstanding, place)->kept);
    free(outstanding->ring);
    *outstanding = (struct outstanding){0};
}

static void grow(struct outstanding *outstanding)
{
    uint32_t capacity = outstanding->capacity ? 2 * outstanding->capacity : CAPACITY_LEAST;
    struct ticket *ring = mem_alloc(capacity * sizeof(*ring));

    for (uint32_t place = 0; place < outstanding->span; place++)
        ring[place] = *at(outstanding, place);
    free(outstanding->ring);
    outstanding->ring = ring;
    outstanding->capacity = capacity;
    outstanding->first = 0;
}

void outstanding_add(struct outstanding *outstanding, const struct ticket *ticket)
{
    if (outstanding->span == outstanding->capacity)
        grow(outstanding);
    *at(outstanding, outstanding->span) = *ticket;
    outstanding->span++;
    outstanding->count++;
}

bool outstanding_pop(struct outstanding *outstanding, struct ticket *out, uint16_t packet_id)
{
    uint32_t place = 0;

    while (place < outstanding->span && at(outstanding, place)->packet_id != packet_id)
        place++;
    if (place == outstanding->span || packet_id == 0)
        return false;
    *out = *at(outstanding, place);
    at(outstanding, place)->packet_id = 0;
    at(outstanding, place)->kept = NULL;
    outstanding->count--;
    while (outstanding->span > 0 && at(outstanding, 0)->packet_id == 0) {
        outstanding->first++;
        outstanding->span--;
    }
    return true;
}

bool outstanding_pop_first(struct outstanding *outstanding, struct ticket *out)
{
    return outstanding->span > 0 &&
           outstanding_pop(outstanding, out, at(outstanding, 0)->packet_id);
}
