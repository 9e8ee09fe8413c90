/* committed.h: what a committed batch changes in memory: windows, boards, and the numbers of devices.
 *
 * Shape    the parts that it changes, by pointer.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_COMMITTED_H
#define HIGHWATER_COMMITTED_H

#include "collector/board_publisher.h"
#include "collector/ingest.h"
#include "collector/sequences.h"
#include "collector/windows.h"

struct committed {
    const struct ingest *ingest;
    struct board_publisher *publisher;
    struct windows *windows;
    struct sequences *sequences;
};

/* Rows of `batch` that are in batch->order and were not refused count. */
void committed_apply(const struct committed *committed, const struct batch *batch);

#endif
