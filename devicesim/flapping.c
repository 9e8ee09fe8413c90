#include "devicesim/flapping.h"

#include "shared/base/random.h"

void flapping_init(struct flapping *flapping, uint64_t seed, int64_t every_us, int64_t tick_us)
{
    *flapping = (struct flapping){.chance = (double)tick_us / (double)every_us, .random = seed};
}

void flapping_tick(struct flapping *flapping, struct publishers *publishers)
{
    for (size_t i = 0; i < publishers->started; i++) {
        if (publishers->items[i].flaps && random_unit(&flapping->random) < flapping->chance) {
            publishers_cut(publishers, i);
            publishers->config.report->faults[FAULT_FLAPPING]++;
        }
    }
}
