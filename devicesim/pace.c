/* With rate r and ramp T, the area under the rate is n = r t^2 / 2T up to T, and r (t - T/2)
 * after it. Both directions are closed forms, so no error adds up in a long run. */
#include "devicesim/pace.h"

#include <math.h>

void pace_start(struct pace *pace, double rate, int64_t ramp_us, int64_t now_us)
{
    *pace = (struct pace){.rate = rate, .ramp_us = (double)ramp_us, .start_us = now_us};
}

static int64_t due_us(const struct pace *pace, uint64_t n)
{
    double per_us = pace->rate / 1e6;
    double in_ramp = per_us * pace->ramp_us / 2;
    double after = (double)n < in_ramp ? sqrt(2 * (double)n * pace->ramp_us / per_us)
                                       : (double)n / per_us + pace->ramp_us / 2;

    return pace->start_us + pace->slipped_us + (int64_t)ceil(after);
}

static uint64_t count_by(const struct pace *pace, int64_t now_us)
{
    double per_us = pace->rate / 1e6;
    double t = (double)(now_us - pace->start_us - pace->slipped_us);

    if (t < 0)
        return 0;
    if (t < pace->ramp_us)
        return (uint64_t)floor(per_us * t * t / (2 * pace->ramp_us)) + 1;
    return (uint64_t)floor(per_us * (t - pace->ramp_us / 2)) + 1; /* the first is due at once */
}

uint64_t pace_due(struct pace *pace, int64_t now_us)
{
    int64_t late_us = now_us - due_us(pace, pace->done);
    uint64_t by_now;

    if (late_us > PACE_SLIP_US)
        pace->slipped_us += late_us;
    by_now = count_by(pace, now_us);
    return by_now > pace->done ? by_now - pace->done : 0;
}

int64_t pace_next_us(const struct pace *pace)
{
    return due_us(pace, pace->done);
}
