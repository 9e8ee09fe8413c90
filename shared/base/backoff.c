#include "shared/base/backoff.h"

#include "shared/base/random.h"

void backoff_init(struct backoff *backoff, uint32_t least_ms, uint32_t most_ms, uint64_t seed)
{
    *backoff = (struct backoff){
        .least_ms = least_ms, .most_ms = most_ms, .step_ms = least_ms, .state = seed};
}

uint32_t backoff_next_ms(struct backoff *backoff)
{
    uint32_t half = backoff->step_ms / 2;
    uint32_t wait = half + (uint32_t)random_below(&backoff->state, backoff->step_ms - half + 1);

    backoff->step_ms =
        backoff->step_ms > backoff->most_ms / 2 ? backoff->most_ms : backoff->step_ms * 2;
    return wait;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->step_ms = backoff->least_ms;
}

void backoff_lasted(struct backoff *backoff, uint64_t lasted_ms)
{
    if (lasted_ms > backoff->step_ms)
        backoff_reset(backoff);
}
