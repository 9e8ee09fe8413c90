/* buckets.h: how often values fell into which range: a histogram as Prometheus has it, whose bounds are few and round.
 * (devicesim/histogram.h has many, for quantiles.)
 *
 * Shape    a count per bucket, each up to its bound and including it, and one for what is above all
 *          bounds. The bounds are the caller's, the same with every call, in rising order.
 * Units    the caller's.
 * Owner    embedded, a plain value; zeroed is empty.
 */
#ifndef HIGHWATER_BUCKETS_H
#define HIGHWATER_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

enum { BUCKETS_BOUNDS_MOST = 16 };

struct bucket_bounds {
    size_t count;
    double items[BUCKETS_BOUNDS_MOST];
};

struct buckets {
    uint64_t counts[BUCKETS_BOUNDS_MOST + 1]; /* of each bucket alone */
    double sum;                               /* of the values */
};

/* A value below all bounds, be it negative, is in the first bucket. */
void buckets_add(struct buckets *buckets, const struct bucket_bounds *bounds, double value);

uint64_t buckets_count(const struct buckets *buckets);

#endif
