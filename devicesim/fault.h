/* fault.h: what goes wrong with a reading or a device, and how often.
 *
 * Shape    to a reading: late, out of order, repeated; besides it a message that is malformed,
 *          oversized or under a wrong id. To a device for good: a skewed clock, bursts, flapping.
 *          Everything follows from (seed, device, reading), as the readings do, and from a stream
 *          of its own: with and without faults a fleet sends the same readings.
 * Units    shares 0 to 1, of readings or of devices; microseconds.
 * Errors   none.
 * Owner    plain values.
 */
#ifndef HIGHWATER_FAULT_H
#define HIGHWATER_FAULT_H

#include "devicesim/malformed.h"

#include <stdbool.h>
#include <stdint.h>

enum fault {
    FAULT_LATE,         /* it carries a time long before it is sent */
    FAULT_OUT_OF_ORDER, /* the next one overtakes it */
    FAULT_REPEATED,     /* it is published twice */
    FAULT_MALFORMED,
    FAULT_OVERSIZED,
    FAULT_WRONG_ID,
    FAULT_SKEWED, /* from here on: of a device */
    FAULT_BURST,
    FAULT_FLAPPING,
    FAULT_COUNT
};

struct fault_rules {
    uint64_t seed;
    double shares[FAULT_COUNT];
    malformed_set classes; /* to draw malformed payloads from */
    int64_t late_by_us;    /* at most */
};

/* What happens to one reading. */
struct fault_draw {
    bool happens[FAULT_SKEWED];
    int64_t late_us;
    size_t malformed; /* the class */
};

/* "late", as options and reports call it. */
const char *fault_name(enum fault fault);

void fault_draw(const struct fault_rules *rules, uint64_t device, uint64_t k,
                struct fault_draw *out);

/* True when the device has this trait, FAULT_SKEWED or later. */
bool fault_has_trait(const struct fault_rules *rules, enum fault trait, uint64_t device);

/* How far the clock of a skewed device is ahead, behind when negative: half of them are up to an
 * hour behind, a quarter up to 30 s ahead, a quarter 5 minutes to an hour ahead. Nothing lies near
 * a minute, where a store that tolerates a minute could go either way. */
int64_t fault_skew_us(const struct fault_rules *rules, uint64_t device);

#endif
