/* sequence.h: what a device's own numbering says about readings that never came.
 *
 * Shape    a device may number its readings: "seq", rising by one. A *run* is its numbers from one
 *          start of the numbering to the next: the first, the highest, a bitmap of the
 *          SEQUENCE_WINDOW numbers up to it. Of the present run and the one before it, three counts:
 *            missing   numbers within a run that have not come (yet): a late one takes its place
 *            repeats   numbers that came again: a retry of the device, or a second delivery
 *            restarts  the device started again: a newer reading with a number that had come already, or
 *                      that is below the first
 * Promise  never a false "missing", in whatever order numbers and times come. So a number that fills
 *          a gap is late and no restart; and after what looks like a restart there is a doubt: those
 *          may be old numbers with a new time (a retry that is stamped again). While it lasts, what
 *          the run before has seen does not count as missing; the next number that only goes with the
 *          run before ends it, and there was no restart; RESTART_SURE numbers that run had end it the
 *          other way.
 * Limits   a late number that fell out of the bitmap cannot be told from a repeat and counts as one.
 *          Counts end at SEQUENCE_COUNT_MAX and then say "at least".
 * Units    recorded_at in microseconds; it tells a restart from a late reading. Numbers from 0 to
 *          SEQUENCE_NUMBER_MAX.
 * Owner    plain value; all zero has seen nothing.
 * Source   the anti-replay window of RFC 4303, section 3.4.3, with counts.
 */
#ifndef HIGHWATER_SEQUENCE_H
#define HIGHWATER_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEQUENCE_WINDOW = 1024, SEQUENCE_WORDS = SEQUENCE_WINDOW / 64 };

#define SEQUENCE_NUMBER_MAX (INT64_C(1) << 53)
#define SEQUENCE_COUNT_MAX (UINT64_C(1) << 53)

struct sequence_run {
    int64_t lowest; /* it has one from before the first */
    int64_t first;  /* nothing below it was expected */
    int64_t highest;
    int64_t began_us; /* recorded_at of its first reading; INT64_MIN = before all we know */
    uint64_t missing;
    uint64_t seen[SEQUENCE_WORDS]; /* bit n % SEQUENCE_WINDOW = number n has come */
};

struct sequence {
    bool has_started;
    bool has_before;
    bool is_doubtful; /* whether `run` is one of its own */
    uint32_t reused;  /* while in doubt: numbers of `run` that `before` had */
    uint32_t doubted; /* while in doubt: restarts that would be none */
    uint64_t certain; /* while in doubt: of the run's missing ones, those below all of `before` */
    struct sequence_run run;
    struct sequence_run before;
    uint64_t lost;         /* missing in runs before that one */
    int64_t highest_at_us; /* recorded_at of the newest reading */
    uint64_t missing;
    uint64_t repeats;
    uint64_t restarts;
};

/* Takes the number of a stored reading. */
void sequence_apply(struct sequence *sequence, int64_t number, int64_t recorded_at_us);

/* The same of a reading that may have been taken before: then nothing changes. */
void sequence_apply_again(struct sequence *sequence, int64_t number, int64_t recorded_at_us);

/* Continues where an earlier process was; every number up to the highest counts as seen. */
void sequence_resume(struct sequence *sequence, int64_t highest, int64_t highest_at_us,
                     uint64_t missing, uint64_t repeats, uint64_t restarts);

/* All that sequence_resume() cannot know, as bytes; how many of them. */
enum { SEQUENCE_PACKED_MAX = 112 + 2 * SEQUENCE_WINDOW / 8 };
size_t sequence_pack(const struct sequence *sequence, unsigned char out[SEQUENCE_PACKED_MAX]);

/* After sequence_resume(): false, and nothing changes, when the bytes do not go with it. */
bool sequence_unpack(struct sequence *sequence, const unsigned char *packed, size_t bytes);

#endif
