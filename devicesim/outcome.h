/* outcome.h: whether a run has done what it was for.
 *
 * Shape    a success is a run in which everything sent was acknowledged, but for what was made too
 *          large on purpose. One that a signal ended need not have connected.
 * Errors   a run that is no success gets one line in the log.
 */
#ifndef HIGHWATER_OUTCOME_H
#define HIGHWATER_OUTCOME_H

#include "devicesim/report.h"

#include <stdbool.h>

struct outcome {
    const struct report *report;
    bool has_failed; /* which has been logged */
    bool has_connected;
    bool is_interrupted; /* by a signal */
    const char *failure; /* why connections cannot be made; "" = not known */
};

bool outcome_is_success(const struct outcome *outcome);

#endif
