/* histogram.h: how often values fell into which range.
 *
 * Shape    a count per bucket, each up to its bound and including it, and one for what is above all
 *          bounds. The bounds are the caller's, the same with every call, in rising order.
 * Units    the caller's.
 * Owner    embedded, a plain value; zeroed is empty.
 */
#ifndef HIGHWATER_HISTOGRAM_H
#define HIGHWATER_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MOST = 16 };

struct histogram_bounds {
    size_t count;
    double items[HISTOGRAM_BOUNDS_MOST];
};

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS_MOST + 1]; /* of each bucket alone */
    double sum;                                 /* of the values */
};

/* A value below all bounds, be it negative, is in the first bucket. */
void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds,
                   double value);

uint64_t histogram_count(const struct histogram *histogram);

#endif
