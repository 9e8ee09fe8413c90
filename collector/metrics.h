/* metrics.h: everything the collector counts, as Prometheus text, and whether it is ready.
 *
 * Shape    a view: pointers to the parts, read when somebody asks. Labels are reasons and states, never
 *          devices, so the number of series is bounded.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_COLLECTOR_METRICS_H
#define HIGHWATER_COLLECTOR_METRICS_H

#include "collector/board_publisher.h"
#include "collector/coverage.h"
#include "collector/hearing.h"
#include "collector/ingest.h"
#include "collector/sequences.h"
#include "collector/source.h"
#include "collector/store.h"
#include "collector/thresholds.h"
#include "collector/windows.h"
#include "shared/base/buffer.h"

struct metrics_view {
    const struct ingest *ingest;
    const struct source *source;
    const struct store *store;
    const struct windows *windows;
    const struct board_publisher *publisher;
    const struct coverage *coverage;
    struct sequences *sequences;
    const struct hearing *hearing;
    const struct thresholds *thresholds;
    const char *collector_id; /* the label of them all */
    const struct features *features;
    int64_t started_at_us;
    uint64_t accounting_mismatches;
    double lag_ms;
    bool is_complete; /* the windows are */
};

void metrics_write(struct buffer *out, const struct metrics_view *view);

/* True when readings are taken, stored and shown. Otherwise the reasons are appended, a line each.
 */
bool metrics_is_ready(struct buffer *reasons, const struct metrics_view *view);

#endif
