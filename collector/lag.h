/* lag.h: for how long the oldest reading has waited to be committed, and what for.
 *
 * Shape    a look at ingest and store. A store that is connected can stand still all the same: before
 *          a lock that another session holds, at a server that does not answer, in a try that fails again and
 *          again, on hold. All of them show in one thing: something has been received and is not
 *          committed.
 * Units    ms of the loop's clock, so that nobody who sets the host's makes it look late.
 */
#ifndef HIGHWATER_LAG_H
#define HIGHWATER_LAG_H

#include "collector/ingest.h"

/* The age of the oldest reading that is not committed, 0 when there is none. */
uint64_t lag_waiting_ms(const struct ingest *ingest);

/* It is older than any good commit takes. */
bool lag_stands_still(const struct ingest *ingest);

/* Appends how long it has been, and what is known of the reason; one line without its end. */
void lag_explain(const struct ingest *ingest, struct buffer *out);

#endif
