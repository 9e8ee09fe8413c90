/* report.h: what a run has done, in numbers, for people and for machines.
 *
 * Shape    counters that the other files raise, two histograms, and three forms: one live line on a
 *          terminal, a few lines at the end, one JSON object.
 * Units    microseconds on the monotonic clock, passed in.
 * Errors   none.
 * Owner    embedded; report texts are appended to the caller's buffer.
 */
#ifndef HIGHWATER_REPORT_H
#define HIGHWATER_REPORT_H

#include "devicesim/fault.h"
#include "devicesim/histogram.h"
#include "devicesim/malformed.h"
#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

struct report {
    uint64_t seed;
    int qos;
    int64_t start_us;     /* of the run */
    int64_t first_us;     /* the first message was sent; 0 = none yet */
    int64_t last_us;      /* the last acknowledgement came */
    uint64_t connections; /* wanted */
    uint64_t up;          /* now */
    uint64_t reconnects;
    uint64_t readings; /* that must be rows, each once however often it was sent */
    uint64_t sent;     /* messages */
    uint64_t acked;
    uint64_t unheard;    /* of those: the broker said that nobody subscribes */
    uint64_t refused;    /* the broker, or the library before it, said no */
    int refusal;         /* the last: reason code of a PUBACK; 0 = by the library */
    uint64_t slipped_us; /* by how much a steady rate could not be kept */
    uint64_t faults[FAULT_COUNT];
    uint64_t oversized_accepted; /* by a broker without a limit */
    uint64_t malformed[MALFORMED_MAX];
    struct histogram ack_us; /* publish to PUBACK */
    bool wants_visible;
    struct histogram visible_us; /* publish to its appearance on a board */

    int64_t live_us; /* of the last live line */
    uint64_t live_sent;
};

/* Messages that are out. */
uint64_t report_outstanding(const struct report *report);

/* One line without its break: rates since the last such line. `progress` is 0 to 1, below 0 when
 * the end is not known; `columns` is the width there is. */
void report_live(struct report *report, struct buffer *out, int64_t now_us, double progress,
                 unsigned columns);

enum { REPORT_REFUSAL_SIZE = 160 };

/* Why messages were refused, in `out`, which has REPORT_REFUSAL_SIZE. */
const char *report_refusal(const struct report *report, char *out);

void report_text(const struct report *report, struct buffer *out, int64_t now_us);
void report_json(const struct report *report, struct buffer *out, int64_t now_us);

#endif
