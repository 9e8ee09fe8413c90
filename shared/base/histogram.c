#include "shared/base/histogram.h"

void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds, double value)
{
    size_t bucket = 0;

    while (bucket < bounds->count && value > bounds->items[bucket])
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum += value;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MOST; i++)
        count += histogram->counts[i];
    return count;
}
