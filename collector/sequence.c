#include "collector/sequence.h"

#include <string.h>

/* Two may come again by chance, each with a new time and the ones between not. */
enum { RESTART_SURE = 3 };

/* ---- one run -------------------------------------------------------------------------------- */

static uint64_t bit(int64_t number)
{
    return UINT64_C(1) << (number % 64);
}

static uint64_t *word(struct sequence_run *run, int64_t number)
{
    return &run->seen[number % SEQUENCE_WINDOW / 64];
}

static bool is_in_window(const struct sequence_run *run, int64_t number)
{
    return number >= run->first && number <= run->highest &&
           number > run->highest - SEQUENCE_WINDOW;
}

static bool is_gap(const struct sequence_run *run, int64_t number)
{
    return is_in_window(run, number) && !(run->seen[number % SEQUENCE_WINDOW / 64] & bit(number));
}

/* Of what fell out of the window, and of what was before the first, it is taken for granted. */
static bool may_have(const struct sequence_run *run, int64_t number)
{
    return number >= run->lowest && number <= run->highest && !is_gap(run, number);
}

static void add_count(uint64_t *count, uint64_t more)
{
    *count = more < SEQUENCE_COUNT_MAX - *count ? *count + more : SEQUENCE_COUNT_MAX;
}

static void begin(struct sequence_run *run, int64_t number, int64_t began_us)
{
    *run = (struct sequence_run){
        .lowest = number, .first = number, .highest = number, .began_us = began_us};
    *word(run, number) |= bit(number);
}

/* Moves the bitmap up to `number`; the numbers skipped are missing. */
static void advance(struct sequence_run *run, int64_t number)
{
    add_count(&run->missing, (uint64_t)(number - run->highest - 1));
    if (number - run->highest >= SEQUENCE_WINDOW) {
        memset(run->seen, 0, sizeof(run->seen));
    } else {
        for (int64_t n = run->highest + 1; n < number; n++)
            *word(run, n) &= ~bit(n);
    }
    run->highest = number;
    *word(run, number) |= bit(number);
}

/* Takes a number that is above the highest, or that fills a gap; false for any other. */
static bool add(struct sequence_run *run, int64_t number)
{
    if (number > run->highest) {
        advance(run, number);
    } else if (is_gap(run, number)) {
        *word(run, number) |= bit(number);
        run->missing -= run->missing > 0;
    } else {
        return false;
    }
    return true;
}

/* ---- one run after the other ---------------------------------------------------------------- */

static void count_missing(struct sequence *s)
{
    s->missing = s->lost;
    if (s->has_before)
        add_count(&s->missing, s->before.missing);
    add_count(&s->missing, s->is_doubtful ? s->certain : s->run.missing);
}

static bool is_reused(const struct sequence *s, int64_t number)
{
    return number >= s->before.first && may_have(&s->before, number);
}

static void restart(struct sequence *s, int64_t number, int64_t recorded_at_us)
{
    if (!s->is_doubtful) {
        if (s->has_before)
            add_count(&s->lost, s->before.missing);
        s->before = s->run;
        s->has_before = true;
        s->is_doubtful = true;
        s->doubted = 0;
    }
    begin(&s->run, number, recorded_at_us);
    s->certain = 0;
    s->reused = is_reused(s, number);
    s->doubted++;
    s->restarts++;
}

/* There was no restart, but old numbers with new times. */
static void go_back(struct sequence *s)
{
    int64_t lowest = s->run.lowest;

    s->run = s->before;
    if (lowest < s->run.lowest)
        s->run.lowest = lowest;
    s->has_before = false;
    s->is_doubtful = false;
    s->restarts -= s->doubted;
    add_count(&s->repeats, s->reused);
}

/* How many of [from, to] are below all that the run before may have. What is among its numbers came
 * there, or is missing there already. */
static uint64_t count_certain(const struct sequence *s, int64_t from, int64_t to)
{
    int64_t end = to < s->before.lowest ? to + 1 : s->before.lowest;

    return from < end ? (uint64_t)(end - from) : 0;
}

/* A number of the present run. False when it came before. */
static bool add_to_run(struct sequence *s, int64_t number)
{
    int64_t highest = s->run.highest;

    if (!add(&s->run, number))
        return false;
    if (!s->is_doubtful)
        return true;
    if (number > highest + 1)
        s->certain += count_certain(s, highest + 1, number - 1);
    else if (number < highest)
        s->certain -= count_certain(s, number, number);
    s->reused += is_reused(s, number);
    if (s->reused >= RESTART_SURE)
        s->is_doubtful = false;
    return true;
}

/* A late number of the run before. False when it came before, or belongs to a still earlier run. */
static bool add_to_before(struct sequence *s, int64_t number, int64_t recorded_at_us)
{
    return s->has_before && recorded_at_us >= s->before.began_us && add(&s->before, number);
}

/* False when it is a repeat. */
static bool apply(struct sequence *s, int64_t number, int64_t recorded_at_us)
{
    bool is_newer = recorded_at_us > s->highest_at_us;

    if (!s->has_started) {
        s->has_started = true;
        s->highest_at_us = recorded_at_us;
        begin(&s->run, number, INT64_MIN);
        return true;
    }
    if (is_newer)
        s->highest_at_us = recorded_at_us;
    if (recorded_at_us < s->run.began_us)
        return add_to_before(s, number, recorded_at_us);
    if (s->is_doubtful && (number > s->before.highest || is_gap(&s->before, number)))
        go_back(s);
    if (s->is_doubtful && number < s->run.lowest) {
        s->run.lowest = number;
        return true;
    }
    if (is_newer && number <= s->run.highest && !is_gap(&s->run, number)) {
        restart(s, number, recorded_at_us);
        return true;
    }
    return add_to_run(s, number);
}

void sequence_apply(struct sequence *sequence, int64_t number, int64_t recorded_at_us)
{
    if (!apply(sequence, number, recorded_at_us))
        add_count(&sequence->repeats, 1);
    count_missing(sequence);
}

void sequence_apply_again(struct sequence *sequence, int64_t number, int64_t recorded_at_us)
{
    apply(sequence, number, recorded_at_us);
    count_missing(sequence);
}

/* ---- across processes ----------------------------------------------------------------------- */

void sequence_resume(struct sequence *sequence, int64_t highest, int64_t highest_at_us,
                     uint64_t missing, uint64_t repeats, uint64_t restarts)
{
    *sequence = (struct sequence){.has_started = true,
                                  .highest_at_us = highest_at_us,
                                  .lost = missing,
                                  .missing = missing,
                                  .repeats = repeats,
                                  .restarts = restarts};
    begin(&sequence->run, highest, INT64_MIN);
    sequence->run.lowest = sequence->run.first = 0;
    memset(sequence->run.seen, 0xff, sizeof(sequence->run.seen));
}

enum { PACKED_VERSION = 1, HAS_GAPS = 1, HAS_BEFORE = 2, BEFORE_HAS_GAPS = 4, IS_DOUBTFUL = 8 };

struct cursor {
    unsigned char *to;
    const unsigned char *from;
    size_t left;
    bool failed;
};

static void put_number(struct cursor *cursor, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *cursor->to++ = (unsigned char)(value >> shift);
}

static uint64_t get_number(struct cursor *cursor)
{
    uint64_t value = 0;

    if (cursor->left < 8) {
        cursor->failed = true;
        return 0;
    }
    cursor->left -= 8;
    for (int i = 0; i < 8; i++)
        value = value << 8 | *cursor->from++;
    return value;
}

static bool has_gaps(const struct sequence_run *run)
{
    int64_t n = run->highest - SEQUENCE_WINDOW + 1;

    for (n = n > run->first ? n : run->first; n < run->highest; n++) {
        if (is_gap(run, n))
            return true;
    }
    return false;
}

static void put_run(struct cursor *cursor, const struct sequence_run *run, bool with_seen)
{
    put_number(cursor, (uint64_t)run->lowest);
    put_number(cursor, (uint64_t)run->first);
    put_number(cursor, (uint64_t)run->highest);
    put_number(cursor, (uint64_t)run->began_us);
    put_number(cursor, run->missing);
    for (int i = 0; with_seen && i < SEQUENCE_WORDS; i++)
        put_number(cursor, run->seen[i]);
}

static void get_run(struct cursor *cursor, struct sequence_run *run, bool with_seen)
{
    run->lowest = (int64_t)get_number(cursor);
    run->first = (int64_t)get_number(cursor);
    run->highest = (int64_t)get_number(cursor);
    run->began_us = (int64_t)get_number(cursor);
    run->missing = get_number(cursor);
    for (int i = 0; i < SEQUENCE_WORDS; i++)
        run->seen[i] = with_seen ? get_number(cursor) : UINT64_MAX;
    if (run->lowest < 0 || run->lowest > run->first || run->first > run->highest ||
        run->highest > SEQUENCE_NUMBER_MAX || run->missing > SEQUENCE_COUNT_MAX)
        cursor->failed = true;
}

size_t sequence_pack(const struct sequence *sequence, unsigned char out[SEQUENCE_PACKED_MAX])
{
    struct cursor cursor = {.to = out + 2};
    bool run_gaps = has_gaps(&sequence->run);
    bool before_gaps = sequence->has_before && has_gaps(&sequence->before);
    bool with_before = sequence->has_before && (before_gaps || sequence->is_doubtful);
    uint64_t lost = sequence->lost;

    if (sequence->has_before && !with_before)
        add_count(&lost, sequence->before.missing); /* nothing of it can change any more */
    out[0] = PACKED_VERSION;
    out[1] = (unsigned char)((run_gaps ? HAS_GAPS : 0) | (with_before ? HAS_BEFORE : 0) |
                             (before_gaps ? BEFORE_HAS_GAPS : 0) |
                             (sequence->is_doubtful ? IS_DOUBTFUL : 0));
    put_number(&cursor, lost);
    put_run(&cursor, &sequence->run, run_gaps);
    if (with_before) {
        put_number(&cursor, (uint64_t)sequence->doubted << 32 | sequence->reused);
        put_number(&cursor, sequence->certain);
        put_run(&cursor, &sequence->before, before_gaps);
    }
    return (size_t)(cursor.to - out);
}

bool sequence_unpack(struct sequence *sequence, const unsigned char *packed, size_t bytes)
{
    struct cursor cursor = {.from = packed};
    struct sequence s = *sequence;
    uint64_t doubt;

    if (bytes < 2 || packed[0] != PACKED_VERSION)
        return false;
    cursor.from += 2;
    cursor.left = bytes - 2;
    s.lost = get_number(&cursor);
    get_run(&cursor, &s.run, packed[1] & HAS_GAPS);
    s.has_before = packed[1] & HAS_BEFORE;
    s.is_doubtful = s.has_before && packed[1] & IS_DOUBTFUL;
    if (s.has_before) {
        doubt = get_number(&cursor);
        s.doubted = (uint32_t)(doubt >> 32);
        s.reused = (uint32_t)doubt;
        s.certain = get_number(&cursor);
        get_run(&cursor, &s.before, packed[1] & BEFORE_HAS_GAPS);
    }
    if (cursor.failed || cursor.left > 0 || s.lost > SEQUENCE_COUNT_MAX ||
        s.certain > SEQUENCE_COUNT_MAX || s.doubted > s.restarts ||
        s.run.highest != sequence->run.highest)
        return false;
    count_missing(&s);
    if (s.missing != sequence->missing)
        return false;
    *sequence = s;
    return true;
}
