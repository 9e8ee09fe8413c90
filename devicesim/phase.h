/* phase.h: where a run is, and when it goes on.
 *
 *   connecting -> sending -> draining -> (lingering ->) closing
 *
 * Shape    pure: the caller says what is, phases_next() says what follows from it.
 * Units    microseconds on the monotonic clock.
 * Errors   none.
 * Owner    plain value.
 */
#ifndef HIGHWATER_PHASE_H
#define HIGHWATER_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PHASE_STUCK_US INT64_C(5000000)  /* without a new connection: send over those there are */
#define PHASE_LINGER_US INT64_C(1500000) /* for the last readings to show on a board */

enum phase { PHASE_CONNECTING, PHASE_SENDING, PHASE_DRAINING, PHASE_LINGERING, PHASE_CLOSING };

struct phase_rules {
    bool waits_for_all;  /* a steady rate over half of the fleet is not what was asked for */
    bool lingers;        /* boards are looked at */
    int64_t duration_us; /* of sending, or of waiting for a connection; 0 = no end */
    int64_t drain_us;    /* for outstanding acknowledgements */
};

struct phase_facts {
    int64_t now_us;
    size_t wanted; /* connections */
    size_t connected;
    int64_t connected_us; /* when the last new one came up */
    bool is_done;         /* everything was sent */
    bool is_answered;     /* everything sent was acknowledged or refused */
};

struct phases {
    struct phase_rules rules;
    enum phase now;
    int64_t start_us;
    int64_t sending_us; /* 0 = not yet */
    int64_t ending_us;  /* when the present one of draining and lingering began */
};

void phases_start(struct phases *phases, const struct phase_rules *rules, int64_t now_us);

/* The phase that these facts ask for: the present one, or the one to enter. */
enum phase phases_next(const struct phases *phases, const struct phase_facts *facts);

void phases_enter(struct phases *phases, enum phase phase, int64_t now_us);

/* How much of the duration has gone by, 0 to 1; below 0 when there is none, or before sending. */
double phases_progress(const struct phases *phases, int64_t now_us);

#endif
