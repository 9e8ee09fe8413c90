/* rejects.h: the rejected elements of one message, on their way into a batch.
 *
 * Shape    they gather until the message has been taken apart, and then go into the batch with its
 *          last part: each by itself, or, when there are more than REJECTS_LISTED_MOST, one
 *          for all, with the whole message. So what a message costs does
 *          not grow with what is wrong in it, nothing of it is kept twice, and nothing is kept of a
 *          part that is committed before a kill, after which the message comes again.
 * Errors   none. No memory: mem.h.
 * Owner    embedded; zeroed is empty; rejects_release() frees it.
 */
#ifndef HIGHWATER_REJECTS_H
#define HIGHWATER_REJECTS_H

#include "collector/batch.h"

enum { REJECTS_LISTED_MOST = 100 };

struct rejects {
    struct rejected_list listed; /* the first REJECTS_LISTED_MOST */
    size_t count;                /* elements */
    uint32_t by_reason[READING_ERROR_COUNT];
    enum reading_error first_error;
    char first_detail[READING_DETAIL_SIZE];
    size_t first_element; /* counted from 1 */
    int64_t oldest_received_at_us;
};

/* What rejects_move() has to know of a message. */
struct rejects_message {
    const char *topic;
    const char *device;
    const void *payload;
    size_t bytes;
    size_t elements;
    int64_t
        first_received_at_us; /* of its first element, so that each gets the same when it is sent again */
};

/* Adds the element number `element`; true when it is one of the first, which are listed. */
bool rejects_add(struct rejects *rejects, const char *topic, const char *device,
                 const struct reading_item *item, size_t element);

/* Empties it into the batch. */
void rejects_move(struct rejects *rejects, struct batch *batch,
                  const struct rejects_message *message);

void rejects_clear(struct rejects *rejects);
void rejects_release(struct rejects *rejects);

#endif
