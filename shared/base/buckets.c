#include "shared/base/buckets.h"

void buckets_add(struct buckets *buckets, const struct bucket_bounds *bounds, double value)
{
    size_t bucket = 0;

    while (bucket < bounds->count && value > bounds->items[bucket])
        bucket++;
    buckets->counts[bucket]++;
    buckets->sum += value;
}

uint64_t buckets_count(const struct buckets *buckets)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= BUCKETS_BOUNDS_MOST; i++)
        count += buckets->counts[i];
    return count;
}
