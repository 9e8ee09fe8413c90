#include "collector/sequence.h"

#include <string.h>

static uint64_t bit(int64_t number)
{
    return UINT64_C(1) << (number % 64);
}

static uint64_t *word(struct sequence *sequence, int64_t number)
{
    return &sequence->seen[number % SEQUENCE_WINDOW / 64];
}

/* Moves the bitmap up to `number`; the numbers skipped are unseen. */
static void advance(struct sequence *sequence, int64_t number)
{
    if (number - sequence->highest >= SEQUENCE_WINDOW) {
        memset(sequence->seen, 0, sizeof(sequence->seen));
    } else {
        for (int64_t n = sequence->highest + 1; n < number; n++)
            *word(sequence, n) &= ~bit(n);
    }
    sequence->highest = number;
    *word(sequence, number) |= bit(number);
}

/* Numbers below the first one are not missing: they were before our time. */
static void begin(struct sequence *sequence, int64_t number)
{
    memset(sequence->seen, 0xff, sizeof(sequence->seen));
    sequence->has_started = true;
    sequence->highest = number;
}

void sequence_take(struct sequence *sequence, int64_t number, int64_t recorded_at_us)
{
    bool is_newer = recorded_at_us > sequence->highest_at_us;

    if (!sequence->has_started) {
        begin(sequence, number);
    } else if (number > sequence->highest) {
        sequence->missing += (uint64_t)(number - sequence->highest - 1);
        advance(sequence, number);
    } else if (is_newer) {
        sequence->restarts++;
        begin(sequence, number);
    } else {
        if (sequence->highest - number >= SEQUENCE_WINDOW ||
            *word(sequence, number) & bit(number)) {
            sequence->repeats++;
        } else {
            *word(sequence, number) |= bit(number);
            sequence->missing--;
        }
        return; /* an old one: the newest stays the newest */
    }
    if (is_newer)
        sequence->highest_at_us = recorded_at_us;
}

void sequence_resume(struct sequence *sequence, int64_t highest, int64_t highest_at_us,
                     uint64_t missing, uint64_t repeats, uint64_t restarts)
{
    *sequence = (struct sequence){.highest_at_us = highest_at_us,
                                  .missing = missing,
                                  .repeats = repeats,
                                  .restarts = restarts};
    begin(sequence, highest);
}
