/* histogram.h: how long things took, in constant memory.
 *
 * Shape    buckets that are exact below 128 and then 64 to each power of two, so a quantile is at
 *          most 1.6 % too high. The maximum, the count and the sum are exact.
 * Units    microseconds, or whatever whole unit the caller counts in.
 * Errors   none.
 * Owner    embedded; zeroed is empty.
 * Source   Gil Tene, HdrHistogram: the same layout with a fixed precision.
 */
#ifndef HIGHWATER_HISTOGRAM_H
#define HIGHWATER_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 40 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t count;
    uint64_t max;
    double sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest value that at least `share` (0 to 1) of all values do not exceed, as the upper end
 * of its bucket; 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

double histogram_mean(const struct histogram *histogram);

#endif
