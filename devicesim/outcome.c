#include "devicesim/outcome.h"

#include "shared/base/log.h"

#include <inttypes.h>

bool outcome_is_success(const struct outcome *outcome)
{
    const struct report *report = outcome->report;
    /* what is too large on purpose is meant to be refused */
    uint64_t meant = report->faults[FAULT_OVERSIZED] - report->oversized_accepted;
    uint64_t refused = report->refused > meant ? report->refused - meant : 0;
    bool has_run = outcome->has_connected || outcome->is_interrupted;
    char why[REPORT_REFUSAL_SIZE];

    if (outcome->has_failed)
        return false;
    if (!has_run)
        log_error("nothing was sent, for no connection came up: %s",
                  outcome->failure[0] ? outcome->failure : "there was no time for it");
    else if (refused > 0)
        log_error("%" PRIu64 " of %" PRIu64 " messages were refused: %s", refused, report->sent,
                  report_refusal(report, why));
    else if (report_outstanding(report) > 0)
        log_error("%" PRIu64 " of %" PRIu64 " messages were not acknowledged",
                  report_outstanding(report), report->sent);
    return has_run && refused == 0 && report_outstanding(report) == 0;
}
