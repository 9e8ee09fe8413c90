/* status.h: the retained status of this collector, as JSON.
 *
 * Shape    a view: pointers to the parts, read when a status is published. docs/HTTP.md says what its
 *          members mean; httpapi/collector_status.c reads them.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_STATUS_H
#define HIGHWATER_STATUS_H

#include "collector/board_publisher.h"
#include "collector/coverage.h"
#include "collector/ingest.h"
#include "collector/settings.h"
#include "collector/store.h"
#include "collector/thresholds.h"

struct status_view {
    const struct settings *settings;
    const struct ingest *ingest;
    const struct store *store;
    const struct board_publisher *publisher;
    const struct coverage *coverage;
    const struct thresholds *thresholds;
    int64_t started_at_us;
    uint64_t rate; /* readings a second */
    double lag_ms;
    bool is_complete; /* the windows are */
    bool has_stopped; /* it holds nothing that may still be stored */
};

/* Appends the members of the status, without braces. */
void status_write(struct buffer *out, const struct status_view *view);

#endif
