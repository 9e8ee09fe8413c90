#include "devicesim/fault.h"

#include "devicesim/device.h"
#include "shared/base/random.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)

enum { SKEW_DRAW = FAULT_COUNT }; /* a number that no trait has */

static const char *const names[FAULT_COUNT] = {
    "late",     "out_of_order", "repeated", "malformed", "oversized",
    "wrong_id", "skewed",       "burst",    "flapping",
};

const char *fault_name(enum fault fault)
{
    return names[fault];
}

void fault_draw(const struct fault_rules *rules, uint64_t device, uint64_t k,
                struct fault_draw *out)
{
    uint64_t random = device_random(rules->seed, DEVICE_STREAM_FAULTS, device, k);

    *out = (struct fault_draw){0};
    for (int fault = 0; fault < FAULT_SKEWED; fault++)
        out->happens[fault] = random_unit(&random) < rules->shares[fault];
    out->late_us = (int64_t)(random_unit(&random) * (double)rules->late_by_us);
    if (rules->classes)
        out->malformed = malformed_pick(rules->classes, random_next(&random));
}

static uint64_t trait_random(const struct fault_rules *rules, unsigned trait, uint64_t device)
{
    return device_random(rules->seed, DEVICE_STREAM_TRAITS, device, trait);
}

bool fault_has_trait(const struct fault_rules *rules, enum fault trait, uint64_t device)
{
    uint64_t random = trait_random(rules, trait, device);

    return random_unit(&random) < rules->shares[trait];
}

int64_t fault_skew_us(const struct fault_rules *rules, uint64_t device)
{
    uint64_t random = trait_random(rules, SKEW_DRAW, device);
    double kind = random_unit(&random);
    double place = random_unit(&random);

    if (kind < 0.5)
        return -(int64_t)(place * (double)HOUR_US);
    if (kind < 0.75)
        return (int64_t)(place * (double)(30 * SECOND_US));
    return 5 * MINUTE_US + (int64_t)(place * (double)(HOUR_US - 5 * MINUTE_US));
}
