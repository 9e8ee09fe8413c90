#include "devicesim/histogram.h"

#include <math.h>

enum { EXACT_BELOW = 2 * HISTOGRAM_STEPS };

/* Below EXACT_BELOW each value has its bucket; above, the leading bit and six more choose. */
static unsigned bucket_of(uint64_t value)
{
    unsigned shift = 0;
    unsigned bucket;

    if (value < EXACT_BELOW)
        return (unsigned)value;
    shift = 63 - (unsigned)__builtin_clzll(value) - 6;
    bucket = (shift + 1) * HISTOGRAM_STEPS + (unsigned)((value >> shift) - HISTOGRAM_STEPS);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_end(unsigned bucket)
{
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;

    if (bucket < EXACT_BELOW)
        return bucket;
    return ((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += (double)value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->count);
    uint64_t seen = 0;

    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > 0 && seen >= wanted) {
            uint64_t end = upper_end(bucket);

            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? histogram->sum / (double)histogram->count : 0;
}
