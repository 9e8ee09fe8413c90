/* signal.h: what a sensor reads next.
 *
 * Shape    uniform  evenly from the whole range
 *          walk     a random walk that turns back at the ends of the range
 *          daily    a sine over a day, with noise; each device has its own phase
 *          spike    the lowest fifth of the range, and now and then an outlier near its top
 *          Values have two decimals, as cheap sensors give them.
 * Units    a reading's place in time is its number times the period, never the clock: the same
 *          seed gives the same values however fast or late they are sent.
 * Errors   false when a text is no signal, or no list of ranges; `error` says what is legal.
 * Owner    plain values.
 */
#ifndef HIGHWATER_SIGNAL_H
#define HIGHWATER_SIGNAL_H

#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNAL_LEGAL "one of uniform, walk, daily, spike"
#define SIGNAL_RANGES_DEFAULT "pressure=0..25,temperature=0..200"

enum signal_kind { SIGNAL_UNIFORM, SIGNAL_WALK, SIGNAL_DAILY, SIGNAL_SPIKE, SIGNAL_COUNT };

struct signal_range {
    double low;
    double high;
};

/* The features of a fleet, each with its range. */
struct signal_ranges {
    struct features features;
    struct signal_range ranges[FEATURES_MAX];
};

bool signal_kind_parse(enum signal_kind *out, const char *text);

/* name=low..high, separated by commas. A bare name has the range it has by default: pressure
 * 0..25, temperature 0..200, all others 0..100. */
bool signal_ranges_parse(struct signal_ranges *out, const char *text, char *error,
                         size_t error_bytes);

/* The next value. `random` is what the draws come from; `day` is how many days have passed for
 * this device, phase included; `walked` is the place of its walk, NAN before the first step, and
 * only a walk touches it. */
double signal_value(enum signal_kind kind, const struct signal_range *range, uint64_t *random,
                    double day, double *walked);

#endif
