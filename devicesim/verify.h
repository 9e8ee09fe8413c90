/* verify.h: a store against the record of what was sent to it.
 *
 * Shape    lost        acknowledged, and neither a row nor, where that was to be expected, among
 *                      the rejected messages
 *          doubled     more than one row for one reading: same device, time and content
 *          unexpected  a row, or a rejected message, that was never sent that way. Only devices of
 *                      the record are looked at, and the time in which it was sent: what the same
 *                      devices sent before and after it is counted as "others".
 *          What was sent and never acknowledged may be there or not, and so may what the broker
 *          acknowledged with the remark that nobody subscribes ("unheard").
 * Errors   verify_run() prints what it cannot do on standard error and returns 2.
 */
#ifndef HIGHWATER_VERIFY_H
#define HIGHWATER_VERIFY_H

#include "shared/topic.h"

#include <stdbool.h>
#include <stdint.h>

struct verify_config {
    const char *database_url; /* "" = the PG* variables */
    const char *truth_path;
    const struct topic_filter *topic; /* that was published to */
    uint64_t give_up_after_ms;        /* for which the database does not answer */
    int64_t wait_us;                  /* for how long to look again while something is lost */
    bool as_json;
};

/* Prints the result on standard output. Returns the exit status: 0 when all three are 0, 1 when
 * one is not, 2 when it could not be found out. */
int verify_run(const struct verify_config *config);

#endif
