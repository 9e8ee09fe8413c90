/* mishap.h: what goes wrong with a reading or a device, and how often.
 *
 * Shape    to a reading: late, out of order, repeated; besides it a message that is malformed,
 *          oversized or under a wrong id. To a device for good: a skewed clock, bursts, flapping.
 *          Everything follows from (seed, device, reading), as the readings do, and from a stream
 *          of its own: with and without mishaps a fleet sends the same readings.
 * Units    shares 0 to 1, of readings or of devices; microseconds.
 * Errors   none.
 * Owner    plain values.
 */
#ifndef HIGHWATER_MISHAP_H
#define HIGHWATER_MISHAP_H

#include "devicesim/malformed.h"

#include <stdbool.h>
#include <stdint.h>

enum mishap {
    MISHAP_LATE,         /* it carries a time long before it is sent */
    MISHAP_OUT_OF_ORDER, /* the next one overtakes it */
    MISHAP_REPEATED,     /* it is published twice */
    MISHAP_MALFORMED,
    MISHAP_OVERSIZED,
    MISHAP_WRONG_ID,
    MISHAP_SKEWED, /* from here on: of a device */
    MISHAP_BURST,
    MISHAP_FLAPPING,
    MISHAP_COUNT
};

struct mishap_rules {
    uint64_t seed;
    double shares[MISHAP_COUNT];
    malformed_set classes; /* to draw malformed payloads from */
    int64_t late_by_us;    /* at most */
};

/* What happens to one reading. */
struct mishap_draw {
    bool happens[MISHAP_SKEWED];
    int64_t late_us;
    size_t malformed; /* the class */
};

/* "late", as options and reports call it. */
const char *mishap_name(enum mishap mishap);

void mishap_draw(const struct mishap_rules *rules, uint64_t device, uint64_t k,
                 struct mishap_draw *out);

/* True when the device has this trait, MISHAP_SKEWED or later. */
bool mishap_has_trait(const struct mishap_rules *rules, enum mishap trait, uint64_t device);

/* How far the clock of a skewed device is ahead, behind when negative: half of them are up to an
 * hour behind, a quarter up to 30 s ahead, a quarter 5 minutes to an hour ahead. Nothing lies near
 * a minute, where a store that tolerates a minute could go either way. */
int64_t mishap_skew_us(const struct mishap_rules *rules, uint64_t device);

#endif
