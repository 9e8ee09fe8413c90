/* verify.h: the whole of --verify: a store against the record of what was sent to it.
 *
 * Shape    reads the file that --truth wrote, then the tables, again and again while something is
 *          missing and `wait_us` has not gone by. What is compared and how is in verdict.h.
 * Errors   verify_run() prints what it cannot do on standard error and returns 2.
 */
#ifndef HIGHWATER_VERIFY_H
#define HIGHWATER_VERIFY_H

#include "shared/model/topic.h"

#include <stdbool.h>
#include <stdint.h>

struct verify_config {
    const char *database_url; /* "" = the PG* variables */
    const char *truth_path;
    const struct topic_filter *topic; /* that was published to */
    uint64_t give_up_after_ms;        /* when the database does not answer for longer */
    int64_t wait_us;                  /* for how long to look again while something is lost */
    bool as_json;
};

/* Prints the result on standard output. Returns the exit status: 0 when nothing is lost, doubled
 * or unexpected, 1 when something is, 2 when it could not be found out. */
int verify_run(const struct verify_config *config);

#endif
