#include "collector/commit_times.h"

#include <math.h>

const struct bucket_bounds commit_times_bounds = {
    15, {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 300}};

const struct bucket_bounds commit_times_batch_bounds = {
    10, {1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000}};

void commit_times_begin(struct commit_times *times, int64_t now_us, int64_t last_arrival_us,
                        uint64_t now_ns)
{
    /* arrivals stay ahead of a clock that was set back (ingest.h) */
    times->closed_at_us = now_us > last_arrival_us ? now_us : last_arrival_us;
    times->begun_ns = now_ns;
}

/* The first row, from `low` on, that arrived at that time or later. */
static size_t first_since(const struct batch *batch, size_t low, int64_t since_us)
{
    size_t high = batch->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (batch_row(batch, middle)->received_at_us < since_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_arrivals(struct commit_times *times, const struct batch *batch, int64_t commit_us)
{
    const struct bucket_bounds *bounds = &commit_times_bounds;
    /* unsigned, so that sums of microseconds since 1970 may wrap: the difference does not */
    uint64_t filling_us = batch->count * (uint64_t)times->closed_at_us - batch->arrivals_us;
    size_t low = 0;

    for (size_t bucket = bounds->count + 1; bucket-- > 0;) {
        size_t next = batch->count; /* the first row that is too young for this bucket */

        if (bucket > 0)
            next = first_since(batch, low,
                               times->closed_at_us + commit_us -
                                   llround(bounds->items[bucket - 1] * 1e6));
        times->arrivals.counts[bucket] += next - low;
        low = next;
    }
    times->arrivals.sum +=
        (double)filling_us / 1e6 + (double)commit_us / 1e6 * (double)batch->count;
}

void commit_times_end(struct commit_times *times, const struct batch *batch, int64_t now_us,
                      uint64_t now_ns)
{
    int64_t commit_us = (int64_t)((now_ns - times->begun_ns) / 1000);

    add_arrivals(times, batch, commit_us);
    buckets_add(&times->commits, &commit_times_bounds, (double)commit_us / 1e6);
    buckets_add(&times->batches, &commit_times_batch_bounds,
                (double)(batch->count + batch->rejected_count));
    times->last_us = now_us;
}
