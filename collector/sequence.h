/* sequence.h: what a device's own numbering says about readings that never came.
 *
 * Shape    a device may number its readings: "seq", rising by one. Per device the highest number, a
 *          bitmap of the SEQUENCE_WINDOW numbers up to it, and three counts:
 *            missing   numbers between the first and the highest that have not come (yet): a late
 *                      one takes its place and is no longer missing
 *            repeats   numbers that came again: a retry of the device, or a second delivery
 *            restarts  a newer reading with a lower number: the device began anew
 *          A late number that fell out of the bitmap cannot be told from a repeat and counts as one.
 * Units    recorded_at in microseconds; it tells a restart from a late reading.
 * Owner    plain value; all zero has seen nothing.
 * Source   the anti-replay window of RFC 4303, section 3.4.3, with counts.
 */
#ifndef HIGHWATER_SEQUENCE_H
#define HIGHWATER_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { SEQUENCE_WINDOW = 1024, SEQUENCE_WORDS = SEQUENCE_WINDOW / 64 };

struct sequence {
    bool has_started;
    int64_t highest;
    int64_t highest_at_us;
    uint64_t missing;
    uint64_t repeats;
    uint64_t restarts;
    uint64_t seen[SEQUENCE_WORDS]; /* bit n % SEQUENCE_WINDOW = number n has come */
};

/* Takes the number of a stored reading. */
void sequence_take(struct sequence *sequence, int64_t number, int64_t recorded_at_us);

/* Continues where an earlier process was; every number up to the highest counts as seen. */
void sequence_resume(struct sequence *sequence, int64_t highest, int64_t highest_at_us,
                     uint64_t missing, uint64_t repeats, uint64_t restarts);

#endif
