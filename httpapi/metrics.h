/* metrics.h: what httpapi counts of its own requests, and everything it counts as Prometheus text.
 *
 * Shape    per route: answers by status, a histogram of durations, bytes sent. The number of series
 *          is bounded by the route table: nothing a client sends becomes a label.
 * Units    seconds and bytes, as Prometheus has it.
 * Owner    embedded, plain value.
 * Source   Prometheus text format 0.0.4.
 */
#ifndef HIGHWATER_METRICS_H
#define HIGHWATER_METRICS_H

#include "shared/base/buckets.h"
#include "shared/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

struct api;

enum { METRICS_ROUTES_MAX = 32, METRICS_STATUSES = 15 };

struct metrics {
    struct {
        uint64_t answers[METRICS_STATUSES]; /* the last: gone without one, or another status */
        struct buckets durations;           /* in seconds */
        uint64_t sent_bytes;
    } routes[METRICS_ROUTES_MAX];
    uint64_t not_modified;
    uint64_t cached; /* dashboards answered from the last rendering */
    uint64_t from_boards;
    uint64_t from_database;
    uint64_t from_old_boards; /* neither was there: what was last known */
};

/* `status` 0 = the client left first. */
void metrics_note(struct metrics *metrics, size_t route, int status, double duration_s,
                  uint64_t sent_bytes);

/* Requests that were answered, of all routes. */
uint64_t metrics_answer_count(const struct metrics *metrics);

void metrics_write(struct buffer *out, struct api *api);

#endif
