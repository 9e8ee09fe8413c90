/* threshold_notes.h: says which devices are beyond a threshold, as retained messages.
 *
 * Shape    one for each device that is beyond, on collectors/<id>/thresholds/<feature>/<above|below>/<device>,
 *          QoS 1, which is taken away (an empty retained message) when it is left. So what is retained
 *          there is who is beyond now, and nothing else.
 * Start    once the windows are loaded, what was retained before is asked for, and a second later the
 *          first is said: what is so no longer is taken away, also what no setting or device of today
 *          goes with, or what is no note of ours.
 * Whose    a device is told of by the collector that heard it last (hearing.h): the tables have those of
 *          all, and where several share a device's readings it changes hands. Of what we had said we had
 *          heard the reading, so it counts as heard then.
 * Rate     NOTES_PER_SECOND at most; what changes faster is said as it is then (thresholds.h).
 * Again    on a new connection, and a second after the broker refused one, all are said again.
 * Limits   collectors compare once a minute who heard whom: for so long two may tell of a device.
 * Owner    embedded; threshold_notes_release() frees the texts.
 */
#ifndef HIGHWATER_THRESHOLD_NOTES_H
#define HIGHWATER_THRESHOLD_NOTES_H

#include "collector/board_publisher.h"
#include "collector/devices.h"
#include "collector/hearing.h"
#include "collector/thresholds.h"

struct threshold_notes_config {
    struct thresholds *thresholds;
    struct hearing *hearing;
    const struct devices *devices;
    const struct features *features;
    struct board_publisher *publisher;
    const char *collector_id;
};

struct threshold_notes {
    struct threshold_notes_config config;
    char prefix[128]; /* collectors/<id>/thresholds/ */
    struct buffer key;
    struct buffer payload;
    unsigned put_count; /* in this second */
    bool is_asked;      /* what is retained, on this connection */
    bool speaks;        /* it has had a second to come */
    bool was_refused;   /* one that was put in the last second */
};

void threshold_notes_init(struct threshold_notes *notes,
                          const struct threshold_notes_config *config);
void threshold_notes_release(struct threshold_notes *notes);

/* Who is active has changed: all is forgotten, and nothing said until it is known again. */
void threshold_notes_clear(struct threshold_notes *notes);

/* A connection on which the topics are ours. */
void threshold_notes_begin(struct threshold_notes *notes);

/* One that was retained. */
void threshold_notes_recall(struct threshold_notes *notes, const char *key, const void *bytes,
                            size_t count);

void threshold_notes_refused(struct threshold_notes *notes);

/* Each second; `is_complete`: the windows are. */
void threshold_notes_tick(struct threshold_notes *notes, bool is_complete);

/* Says what waits. */
void threshold_notes_put(struct threshold_notes *notes);

#endif
