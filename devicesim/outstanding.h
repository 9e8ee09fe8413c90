/* outstanding.h: what one connection has published and not yet seen acknowledged.
 *
 * Shape    a ring of tickets in the order they were published. Brokers acknowledge in that order,
 *          so the wanted ticket is nearly always the first; others are searched for.
 * Units    the caller's.
 * Errors   outstanding_pop() is false for a packet id that nothing outstanding has.
 * Owner    embedded; zeroed is empty; outstanding_release() frees the ring.
 */
#ifndef HIGHWATER_OUTSTANDING_H
#define HIGHWATER_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

struct ticket {
    uint64_t number;    /* of the message, over the whole run */
    uint64_t sent_us;   /* on the monotonic clock */
    uint16_t packet_id; /* 0 = popped */
    void *kept;         /* heap, of whoever pops it; NULL = nothing */
};

struct outstanding {
    struct ticket *ring;
    uint32_t capacity; /* a power of two */
    uint32_t first;
    uint32_t span;  /* places from the first to the last, popped ones between them included */
    uint32_t count; /* tickets that are out */
};

void outstanding_release(struct outstanding *outstanding);
void outstanding_add(struct outstanding *outstanding, const struct ticket *ticket);

/* The one that was published first; false when nothing is out. */
bool outstanding_pop_first(struct outstanding *outstanding, struct ticket *out);

bool outstanding_pop(struct outstanding *outstanding, struct ticket *out, uint16_t packet_id);

#endif
