/* A generator for each device would have to draw k readings to know the next one. Here the state is
 * a hash of seed, device, number and purpose instead, so that 20,000 devices need no state and a
 * test can ask for any reading directly. */
#include "devicesim/device.h"

#include "shared/base/random.h"

uint64_t device_random(uint64_t seed, enum device_stream stream, uint64_t device, uint64_t k)
{
    uint64_t state = seed;

    state = random_next(&state) ^ device;
    state = random_next(&state) ^ k;
    state = random_next(&state) ^ (uint64_t)stream;
    return random_next(&state);
}

void device_reading(const struct device_rules *rules, uint64_t device, uint64_t k, double *walk,
                    struct reading *out)
{
    const struct signal_ranges *ranges = rules->ranges;
    uint64_t random = device_random(rules->seed, DEVICE_STREAM_VALUES, device, k);
    double nowhere = 0; /* other signals than a walk keep no place */
    double day = 0;

    if (rules->signal == SIGNAL_DAILY) {
        uint64_t phase = device_random(rules->seed, DEVICE_STREAM_PHASE, device, 1);

        day = random_unit(&phase) + (double)k * rules->period_us / rules->day_us;
    }
    out->status = (uint8_t)(STATUS_ON + random_below(&random, STATUS_COUNT - STATUS_ON));
    for (size_t i = 0; i < ranges->features.count; i++)
        out->values[i] = signal_value(rules->signal, &ranges->ranges[i], &random, day,
                                      walk ? &walk[i] : &nowhere);
}

int64_t device_delay_us(const struct device_rules *rules, uint64_t device, uint64_t k)
{
    uint64_t random = device_random(rules->seed, DEVICE_STREAM_DELAYS, device, k);
    double span = (double)(rules->interval_most_us - rules->interval_least_us);

    return rules->interval_least_us + (int64_t)(random_unit(&random) * span);
}

int64_t device_phase_us(const struct device_rules *rules, uint64_t device)
{
    uint64_t random = device_random(rules->seed, DEVICE_STREAM_PHASE, device, 0);

    return (int64_t)(random_unit(&random) * rules->period_us);
}
