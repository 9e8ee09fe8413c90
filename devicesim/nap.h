/* nap.h: a short sleep for a sender that waits for acknowledgements anyway.
 *
 * Why      flat out, every acknowledgement wakes us by itself, only to find that there is no room
 *          yet. A nap that is short beside the time in which a window empties costs no throughput
 *          and spares both sides most of these wakeups.
 * Units    microseconds.
 */
#ifndef HIGHWATER_NAP_H
#define HIGHWATER_NAP_H

#include "devicesim/report.h"

#include <stdint.h>

/* How long a nap may be; 0 = none. `window` is how many messages may be out. */
int64_t nap_us(const struct report *report, double window);

void nap(int64_t us);

#endif
