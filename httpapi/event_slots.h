/* event_slots.h: the latest event of each board, and of the status, for all clients of /events.
 *
 * Shape    one slot for each board of a catalog, [feature][interval][order]. Each publication gets
 *          the next number, so that a client that has seen up to a number gets what is newer.
 * Owner    embedded; events are counted, since a client may be in the middle of one that is out of
 *          date already.
 */
#ifndef HIGHWATER_EVENT_SLOTS_H
#define HIGHWATER_EVENT_SLOTS_H

#include "httpapi/catalog.h"
#include "shared/base/buffer.h"
#include "shared/model/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;

/* One event as it goes over the wire. */
struct event {
    unsigned holds;
    size_t bytes;
    char text[];
};

struct event_slot {
    uint64_t number; /* of the event below; 0 = there is none yet */
    struct event *event;
    uint64_t upon;          /* the number before, which the change goes upon */
    struct event *change;   /* NULL = the whole board is shorter, or nobody wants it */
    struct buffer readings; /* as JSON, to see what changed */
    unsigned listeners;
    bool needs_database;
    uint64_t not_before_ms; /* of the loop's clock: when the database may be asked again */
};

struct event_slots {
    struct api *api;
    struct catalog *catalog; /* that the slots have their positions in */
    uint64_t boot;           /* ids of another run mean nothing here */
    uint64_t number;
    unsigned change_listeners; /* clients that take changes */
    size_t count;
    struct event_slot *items;
    struct event_slot status;
};

void event_slots_init(struct event_slots *slots, struct api *api);
void event_slots_renew(struct event_slots *slots); /* there is another catalog */
void event_slots_release(struct event_slots *slots);

struct event_slot *event_slots_at(struct event_slots *slots, size_t feature, size_t interval,
                                  enum sort_order order);
void event_slots_locate(const struct event_slots *slots, size_t index, size_t *feature,
                        size_t *interval, enum sort_order *order);

/* A board's readings, as a JSON array. True when that is news. */
bool event_slots_update(struct event_slots *slots, size_t index, struct buffer *readings,
                        int64_t as_of_us, const char *source);

/* Takes what the boards in memory say, and notes when only the database knows. True when that is
 * news. */
bool event_slots_look(struct event_slots *slots, size_t index);

void event_slots_publish_status(struct event_slots *slots);

void event_release(struct event *event);

#endif
