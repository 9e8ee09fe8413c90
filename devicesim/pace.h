/* pace.h: how many readings are due by now, at a steady rate over the whole fleet.
 *
 * Shape    reading n is due at n / rate, after a ramp during which the rate rises evenly from 0.
 *          A small delay (a busy loop, a slow tick) is made up for. After one of more than
 *          PACE_SLIP_US (the broker was away) the schedule slips instead: a fleet of devices does
 *          not send in such bursts.
 * Units    readings per second; microseconds on the caller's monotonic clock.
 * Errors   none.
 * Owner    plain value.
 */
#ifndef HIGHWATER_PACE_H
#define HIGHWATER_PACE_H

#include <stdint.h>

#define PACE_SLIP_US INT64_C(100000)

struct pace {
    double rate;
    double ramp_us;
    int64_t start_us;
    int64_t slipped_us; /* by how much the schedule is late in sum */
    uint64_t done;
};

void pace_start(struct pace *pace, double rate, int64_t ramp_us, int64_t now_us);

/* How many may be sent now. Slips first when that is overdue by too much. */
uint64_t pace_due(struct pace *pace, int64_t now_us);

/* When the next one is due. */
int64_t pace_next_us(const struct pace *pace);

#endif
