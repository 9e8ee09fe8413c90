/* feed.h: what readings come from: a fleet that makes them up, or a file that is replayed.
 *
 * Shape    run.c asks it, before the loop goes to sleep, to send what is due, and sets one timer
 *          to the time it returns.
 * Units    microseconds on the loop's monotonic clock.
 */
#ifndef HIGHWATER_FEED_H
#define HIGHWATER_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_NOTHING_DUE INT64_MAX

struct feed {
    void *self;

    /* Sends what may be sent now, and returns when there will be more: SOURCE_NOTHING_DUE when only
     * a connection with room, or nothing at all, can bring it. */
    int64_t (*pump)(void *self, int64_t now_us);

    /* A connection came up, or has room again. */
    void (*on_room)(void *self, size_t publisher, int64_t now_us);

    /* Nothing more is to be sent but what is kept back; the last call. */
    void (*finish)(void *self);

    /* Everything was sent. */
    bool (*is_done)(const void *self);

    /* 0 to 1, below 0 when there is no end. */
    double (*progress)(const void *self);
};

#endif
