/* commit_times.h: how long it took until readings were stored.
 *
 * Shape    three histograms. Of each reading of a committed batch, new or duplicate, from its arrival to the
 *          end of the commit; of each batch how long its commit took, with all tries; and how
 *          much was in it.
 * Cost     a few binary searches a batch, whatever is in it: its rows are in the order of their arrival.
 * Units    seconds. How long the batch was filled is told by the host's clock, which stamps arrivals, and
 *          the commit by one that nobody sets: a clock that is set while a store is away changes nothing.
 * Owner    embedded, a plain value; zeroed is empty.
 */
#ifndef HIGHWATER_COMMIT_TIMES_H
#define HIGHWATER_COMMIT_TIMES_H

#include "collector/batch.h"
#include "shared/base/buckets.h"

struct commit_times {
    struct buckets arrivals;
    struct buckets commits;
    struct buckets batches;
    int64_t
        closed_at_us;  /* when the batch that is being stored got its last reading, at the latest */
    uint64_t begun_ns; /* and its commit began, of a clock that nobody sets */
    int64_t last_us;   /* when the last one ended, since 1970; 0 = none has yet */
};

extern const struct bucket_bounds commit_times_bounds; /* of the first two */
extern const struct bucket_bounds commit_times_batch_bounds;

/* A batch is given to the store; nothing in it arrived later than `last_arrival_us`. */
void commit_times_begin(struct commit_times *times, int64_t now_us, int64_t last_arrival_us,
                        uint64_t now_ns);

/* It was stored. */
void commit_times_end(struct commit_times *times, const struct batch *batch, int64_t now_us,
                      uint64_t now_ns);

#endif
