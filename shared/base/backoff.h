/* backoff.h: how long to wait before the next attempt.
 *
 * Shape    doubles from `least_ms` to `most_ms`; each wait is drawn evenly from the upper half of
 *          the current step, so that a thousand clients of one broker do not return together.
 * Units    milliseconds.
 * Owner    plain value. `state` is the seed of the draw.
 */
#ifndef HIGHWATER_BACKOFF_H
#define HIGHWATER_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t least_ms;
    uint32_t most_ms;
    uint32_t step_ms;
    uint64_t state;
};

void backoff_init(struct backoff *backoff, uint32_t least_ms, uint32_t most_ms, uint64_t seed);

/* The wait before the next attempt. */
uint32_t backoff_next_ms(struct backoff *backoff);

/* After a success: the next failure starts small again. */
void backoff_reset(struct backoff *backoff);

/* After something that succeeded and ended again. It counts as a success when it lasted longer than
 * the wait that is next: what ends as soon as it has begun (two clients with one id throw each
 * other out) must not go round without a pause. */
void backoff_lasted(struct backoff *backoff, uint64_t lasted_ms);

#endif
