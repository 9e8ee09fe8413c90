/* flapping.h: cuts connections now and then, without a word to the broker.
 *
 * Shape    at each tick, each connection that flaps is cut with such a chance that it happens every
 *          `every_us` on average.
 * Errors   none.
 * Owner    plain value.
 */
#ifndef HIGHWATER_FLAPPING_H
#define HIGHWATER_FLAPPING_H

#include "devicesim/publishers.h"

#include <stdint.h>

struct flapping {
    double chance; /* of one connection at one tick */
    uint64_t random;
};

void flapping_init(struct flapping *flapping, uint64_t seed, int64_t every_us, int64_t tick_us);
void flapping_tick(struct flapping *flapping, struct publishers *publishers);

#endif
