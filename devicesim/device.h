/* device.h: one device of the fleet: its next reading and the delay before it, from a seed.
 *
 * Shape    reading k of device i is a function of (seed, i, k), for a walk also of the readings
 *          before it. Each purpose (values, delays, faults) draws from a stream of its own, so
 *          that asking for one of them more never changes another.
 * Units    microseconds. Numbers of devices and readings count from 0; device 0 is device_1.
 * Errors   none.
 * Owner    plain values; the caller keeps each device's walk, one double per feature.
 */
#ifndef HIGHWATER_DEVICE_H
#define HIGHWATER_DEVICE_H

#include "devicesim/signal.h"
#include "shared/model/reading.h"

#include <stdint.h>

enum device_stream {
    DEVICE_STREAM_VALUES = 1,
    DEVICE_STREAM_DELAYS,
    DEVICE_STREAM_PHASE,
    DEVICE_STREAM_FAULTS,
    DEVICE_STREAM_TRAITS
};

struct device_rules {
    uint64_t seed;
    enum signal_kind signal;
    const struct signal_ranges *ranges;
    int64_t interval_least_us; /* between two readings of a device */
    int64_t interval_most_us;
    double period_us; /* between two readings of a device, on average */
    double day_us;    /* length of the day of a daily signal */
};

/* Where the draws for one purpose of one reading start. */
uint64_t device_random(uint64_t seed, enum device_stream stream, uint64_t device, uint64_t k);

/* Fills status and values, and leaves time and hash alone. `walk` is the device's own. */
void device_reading(const struct device_rules *rules, uint64_t device, uint64_t k, double *walk,
                    struct reading *out);

/* How long the device waits between its readings k and k + 1. */
int64_t device_delay_us(const struct device_rules *rules, uint64_t device, uint64_t k);

/* When its first reading is due after its start: somewhere within one delay, so that devices that
 * start together do not send together. */
int64_t device_phase_us(const struct device_rules *rules, uint64_t device);

#endif
