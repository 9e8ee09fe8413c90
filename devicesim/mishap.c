#include "devicesim/mishap.h"

#include "devicesim/device.h"
#include "shared/random.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)

enum { SKEW_DRAW = MISHAP_COUNT }; /* a number that no trait has */

static const char *const names[MISHAP_COUNT] = {
    "late",     "out_of_order", "repeated", "malformed", "oversized",
    "wrong_id", "skewed",       "burst",    "flapping",
};

const char *mishap_name(enum mishap mishap)
{
    return names[mishap];
}

void mishap_draw(const struct mishap_rules *rules, uint64_t device, uint64_t k,
                 struct mishap_draw *out)
{
    uint64_t random = device_random(rules->seed, DEVICE_STREAM_MISHAPS, device, k);

    *out = (struct mishap_draw){0};
    for (int mishap = 0; mishap < MISHAP_SKEWED; mishap++)
        out->happens[mishap] = random_unit(&random) < rules->shares[mishap];
    out->late_us = (int64_t)(random_unit(&random) * (double)rules->late_by_us);
    if (rules->classes)
        out->malformed = malformed_pick(rules->classes, random_next(&random));
}

static uint64_t trait_random(const struct mishap_rules *rules, unsigned trait, uint64_t device)
{
    return device_random(rules->seed, DEVICE_STREAM_TRAITS, device, trait);
}

bool mishap_has_trait(const struct mishap_rules *rules, enum mishap trait, uint64_t device)
{
    uint64_t random = trait_random(rules, trait, device);

    return random_unit(&random) < rules->shares[trait];
}

int64_t mishap_skew_us(const struct mishap_rules *rules, uint64_t device)
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
