/* backlog.h: messages that are not, or not all, in a batch yet, in the order of their arrival.
 *
 * Shape    the first is one with more elements than a batch takes of a message at a time, of which
 *          some have been taken; after it come those that were read meanwhile. Copies, because the
 *          source frees what it delivers. Nearly always empty.
 * Errors   none. No memory: mem.h.
 * Owner    embedded; zeroed is empty; backlog_release() frees it.
 */
#ifndef HIGHWATER_BACKLOG_H
#define HIGHWATER_BACKLOG_H

#include "collector/source.h"
#include "shared/model/reading_json.h"

struct backlog_message {
    struct backlog_message *next;
    struct source_message message;
    int64_t received_at_us; /* once it is begun, as the next two */
    int64_t first_received_at_us;
    struct reading_rest rest;
};

struct backlog {
    struct backlog_message *first;
    struct backlog_message *last;
};

static inline bool backlog_is_empty(const struct backlog *backlog)
{
    return !backlog->first;
}

/* Copies a message to the end. */
struct backlog_message *backlog_put(struct backlog *backlog, const struct source_message *message);

/* The first is done with. */
void backlog_drop(struct backlog *backlog);

void backlog_release(struct backlog *backlog);

#endif
