/* random.h: repeatable random numbers from a seed (splitmix64), for jitter, fleets and tests.
 *
 * Shape    the state is one uint64_t; the same seed gives the same sequence on every machine.
 * Source   Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014.
 */
#ifndef HIGHWATER_RANDOM_H
#define HIGHWATER_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In [0, 1). */
static inline double random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1.0p-53;
}

/* In [0, bound), bound > 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)(random_unit(state) * (double)bound);
}

#endif
