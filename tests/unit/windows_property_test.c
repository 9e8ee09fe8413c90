/* windows_property_test: boards against brute force over a plain array of everything that was
 * inserted.
 *
 * Part 1  small random histories with few devices, values and moments, so that ties and
 *         coincidences abound: late, future and repeated readings, absent features, loaded peaks,
 *         sweeps, readings taken out again, a clock that goes back. One set of windows is asked for every board at every
 *         event and at every expiry, another, fed alike, only now and then, because asking
 *         repairs. In the end a third takes everything again in another order, with repetitions,
 *         and a sweep finds nothing left.
 * Part 2  falling and rising values, and a limit of memory so low that it is always reached: a board
 *         that is said to be exact is; what any other shows may be worse than the best, never
 *         anything else, and it is exact from the moment on that it names.
 * Part 3  a fleet of 1,000 devices, a reading a second each, compared each simulated second,
 *         with silences of most of a minute, after which nearly every key has run out at once.
 *
 * Two readings are equal if all their bytes are. Everything follows from a seed; a failure prints
 * the one that repeats it (with sanitizers: under ASAN_OPTIONS=abort_on_error=1).
 *
 *     SEED=n       the first history's seed, counted up from there (1); 0 takes one from the clock
 *     HISTORIES=n  how many (10000)
 *     READINGS=n   of the fleet (1000000)
 */
#include "collector/windows.h"

#include "shared/random.h"

#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    DEVICES_MOST = 8,
    FEATURES_OF_TEST_MOST = 3,
    INTERVALS_OF_TEST_MOST = 5,
    FACTS_MOST = 400,
    ENTRIES_MOST = 16,
    LONGEST_US = 40, /* of the finite intervals */
    MARGIN_US = 100000,
};

#define SECOND_US INT64_C(1000000)

/* What the failure of an assert inside the windows still has to say. */
static uint64_t current_seed;
static const char *current_part = "";

static void print_replay(void)
{
    /* NOLINTNEXTLINE(bugprone-signal-handler): the process ends here, and this is worth a risk */
    print_error("%s failed; repeat with SEED=%llu HISTORIES=1\n", current_part,
                (unsigned long long)current_seed);
}

static void on_abort(int number)
{
    (void)number;
    print_replay();
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- the truth ---- */

/* One thing that was inserted. */
struct fact {
    uint32_t device;
    uint32_t rankings; /* a bit for each ranking that was told */
    bool is_windowed;  /* false: as an all-time peak only */
    _Alignas(struct reading) unsigned char reading[sizeof(struct reading) +
                                                   FEATURES_OF_TEST_MOST * sizeof(double)];
};

struct history {
    uint64_t random;
    size_t feature_count;
    unsigned orders;
    uint32_t ranking_count;
    size_t interval_count;
    int64_t lengths_us[INTERVALS_OF_TEST_MOST];
    uint32_t device_count;
    char ids[DEVICES_MOST][16];
    size_t top_n;
    uint64_t memory_limit;
    uint16_t low_steps; /* so few that towers of steps are usual */
    uint16_t flight_steps;
    uint32_t value_count;
    struct fact facts[FACTS_MOST];
    size_t fact_count;
    int64_t now_us;
};

static const struct reading *fact_reading(const struct fact *fact)
{
    return (const void *)fact->reading;
}

static size_t below(struct history *h, size_t bound)
{
    return (size_t)random_below(&h->random, bound);
}

static bool one_in(struct history *h, size_t n)
{
    return below(h, n) == 0;
}

static size_t ranking_feature(const struct history *h, uint32_t ranking)
{
    return h->orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) ? ranking / 2 : ranking;
}

static bool ranking_is_lowest(const struct history *h, uint32_t ranking)
{
    return h->orders == WINDOWS_LOWEST ||
           (h->orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) && ranking % 2 == 1);
}

static bool counts(const struct history *h, const struct fact *fact, uint32_t ranking,
                   size_t interval, int64_t now_us)
{
    const struct reading *reading = fact_reading(fact);

    if (!(fact->rankings >> ranking & 1) || isnan(reading->values[ranking_feature(h, ranking)]))
        return false;
    if (h->lengths_us[interval] == INTERVAL_ALL_TIME)
        return true;
    return fact->is_windowed && reading->recorded_at_us > now_us - h->lengths_us[interval];
}

/* Positive when a is better, 0 when value and time are the same. */
static int compare(const struct history *h, uint32_t ranking, const struct reading *a,
                   const struct reading *b)
{
    double value_a = a->values[ranking_feature(h, ranking)];
    double value_b = b->values[ranking_feature(h, ranking)];

    if (value_a != value_b)
        return (value_a > value_b) != ranking_is_lowest(h, ranking) ? 1 : -1;
    return (a->recorded_at_us > b->recorded_at_us) - (a->recorded_at_us < b->recorded_at_us);
}

/* The device's best reading, or NULL. */
static const struct reading *true_best(const struct history *h, uint32_t device, uint32_t ranking,
                                       size_t interval, int64_t now_us)
{
    const struct reading *best = NULL;

    for (size_t i = 0; i < h->fact_count; i++) {
        const struct reading *reading = fact_reading(&h->facts[i]);
        int order;

        if (h->facts[i].device != device || !counts(h, &h->facts[i], ranking, interval, now_us))
            continue;
        order = best ? compare(h, ranking, reading, best) : 1;
        if (order > 0 || (order == 0 && reading->content_hash > best->content_hash))
            best = reading;
    }
    return best;
}

static size_t true_board(const struct history *h, uint32_t ranking, size_t interval, int64_t now_us,
                         struct windows_entry *entries)
{
    struct windows_entry all[DEVICES_MOST] = {0};
    size_t count = 0;

    for (uint32_t device = 0; device < h->device_count; device++) {
        struct windows_entry entry = {device, true_best(h, device, ranking, interval, now_us)};
        size_t at = count;

        if (!entry.reading)
            continue;
        for (; at > 0; at--) {
            int order = compare(h, ranking, entry.reading, all[at - 1].reading);

            if (order < 0 || (order == 0 && strcmp(h->ids[device], h->ids[all[at - 1].device]) > 0))
                break;
            all[at] = all[at - 1];
        }
        all[at] = entry;
        count++;
    }
    if (count > h->top_n)
        count = h->top_n;
    memcpy(entries, all, count * sizeof(*entries));
    return count;
}

/* ---- comparing ---- */

static bool boards_are_equal(const struct history *h, const struct windows_entry *a, size_t count_a,
                             const struct windows_entry *b, size_t count_b)
{
    if (count_a != count_b)
        return false;
    for (size_t i = 0; i < count_a; i++)
        if (a[i].device != b[i].device ||
            memcmp(a[i].reading, b[i].reading, reading_size(h->feature_count)) != 0)
            return false;
    return true;
}

static void print_board(const struct history *h, const char *name, uint32_t ranking,
                        const struct windows_entry *entries, size_t count)
{
    print_error("  %s:", name);
    for (size_t i = 0; i < count; i++)
        print_error(" %s=%g@%lld#%lld", h->ids[entries[i].device],
                    entries[i].reading->values[ranking_feature(h, ranking)],
                    (long long)entries[i].reading->recorded_at_us,
                    (long long)entries[i].reading->content_hash);
    print_error("\n");
}

static bool board_is_right(const struct history *h, struct windows *windows, const char *whose,
                           uint32_t ranking, uint32_t interval)
{
    struct windows_entry expected[ENTRIES_MOST] = {0}, shown[ENTRIES_MOST] = {0};
    size_t expected_count = true_board(h, ranking, interval, h->now_us, expected);
    size_t count = windows_board(windows, ranking, interval, h->now_us, shown);
    int64_t next_us = INT64_MAX;

    if (!boards_are_equal(h, shown, count, expected, expected_count)) {
        print_error("%s windows, ranking %u, interval %u, at %lld after %zu facts\n", whose,
                    (unsigned)ranking, (unsigned)interval, (long long)h->now_us, h->fact_count);
        print_board(h, "shown", ranking, shown, count);
        print_board(h, "truth", ranking, expected, expected_count);
        return false;
    }
    for (size_t i = 0; i < count && h->lengths_us[interval] != INTERVAL_ALL_TIME; i++) {
        assert(expected[i].reading);
        if (expected[i].reading->recorded_at_us + h->lengths_us[interval] < next_us)
            next_us = expected[i].reading->recorded_at_us + h->lengths_us[interval];
    }
    if (windows_next_expiry(windows, interval, shown, count) != next_us) {
        print_error("%s windows, ranking %u, interval %u, at %lld: wrong next expiry\n", whose,
                    (unsigned)ranking, (unsigned)interval, (long long)h->now_us);
        return false;
    }
    return true;
}

static bool boards_are_right(const struct history *h, struct windows *windows, const char *whose)
{
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++)
            if (!board_is_right(h, windows, whose, ranking, interval))
                return false;
    return true;
}

/* The earliest moment at which some board says that it changes; INT64_MAX if none does. Checked
 * here: that the board really stays the same until just before, and does not at that moment. */
static bool next_expiry(const struct history *h, struct windows *windows, int64_t *next_us)
{
    struct windows_entry now[ENTRIES_MOST], later[ENTRIES_MOST];

    *next_us = INT64_MAX;
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++) {
            size_t count = windows_board(windows, ranking, interval, h->now_us, now);
            int64_t at_us = windows_next_expiry(windows, interval, now, count);

            if (at_us == INT64_MAX)
                continue;
            if (at_us <= h->now_us ||
                !boards_are_equal(h, now, count, later,
                                  true_board(h, ranking, interval, at_us - 1, later)) ||
                boards_are_equal(h, now, count, later,
                                 true_board(h, ranking, interval, at_us, later))) {
                print_error("ranking %u, interval %u, at %lld: does not change first at %lld\n",
                            (unsigned)ranking, (unsigned)interval, (long long)h->now_us,
                            (long long)at_us);
                return false;
            }
            if (at_us < *next_us)
                *next_us = at_us;
        }
    return true;
}

/* ---- making histories ---- */

static void history_init(struct history *h, uint64_t seed)
{
    /* Nothing goes more than MARGIN_US away from where it begins. */
    static const int64_t starts[] = {0, 1700000000 * SECOND_US, INT64_MIN + MARGIN_US,
                                     INT64_MAX - MARGIN_US};
    static const int64_t lengths[] = {1, 3, 7, 10, 20, LONGEST_US, INTERVAL_ALL_TIME};

    *h = (struct history){.random = seed};
    h->feature_count = 1 + below(h, FEATURES_OF_TEST_MOST);
    h->orders = 1 + (unsigned)below(h, 3);
    h->ranking_count = (uint32_t)(h->feature_count * (h->orders == 3 ? 2 : 1));
    h->interval_count = 1 + below(h, INTERVALS_OF_TEST_MOST);
    for (size_t i = 0; i < h->interval_count; i++)
        h->lengths_us[i] = lengths[below(h, sizeof(lengths) / sizeof(lengths[0]))];
    h->device_count = 1 + (uint32_t)below(h, DEVICES_MOST);
    for (uint32_t i = 0; i < h->device_count; i++)
        snprintf(h->ids[i], sizeof(h->ids[i]), "%c%u", (char)('a' + below(h, 3)), (unsigned)i);
    h->top_n = 1 + below(h, 6);
    h->value_count = 2 + (uint32_t)below(h, one_in(h, 4) ? 40 : 4);
    h->low_steps = (uint16_t)(4 + below(h, 5));
    h->flight_steps = (uint16_t)(3 + below(h, 6));
    h->now_us = (int64_t)below(h, 100) - 50;
    h->now_us += starts[below(h, sizeof(starts) / sizeof(starts[0]))];
}

static void history_init_windows(const struct history *h, struct windows *windows)
{
    windows_init(windows, h->feature_count, h->orders, h->lengths_us, h->interval_count, h->top_n,
                 h->memory_limit);
    for (uint32_t i = 0; i < h->ranking_count; i++) {
        windows->kinds[i].low_steps = h->low_steps;
        windows->kinds[i].flight_steps = h->flight_steps;
    }
    for (uint32_t i = 0; i < h->device_count; i++)
        windows_add_device(windows, h->ids[i]);
}

/* A new fact. Its hash is a function of its content that maps no two to one, so that the same
 * device, time and hash are always the same reading. */
static struct fact *add_fact(struct history *h)
{
    struct fact *fact = &h->facts[h->fact_count++];
    struct reading *reading = (void *)fact->reading;
    uint32_t content;

    memset(fact, 0, sizeof(*fact));
    fact->device = (uint32_t)below(h, h->device_count);
    fact->rankings = UINT32_MAX;
    fact->is_windowed = true;
    reading->recorded_at_us = h->now_us - (int64_t)below(h, 3);
    if (one_in(h, 5))
        reading->recorded_at_us = h->now_us - (int64_t)below(h, 50);
    else if (one_in(h, 8))
        reading->recorded_at_us = h->now_us + (int64_t)below(h, 6);
    reading->status = one_in(h, 2) ? STATUS_ON : STATUS_OFF;
    content = reading->status;
    for (size_t i = 0; i < h->feature_count; i++) {
        uint32_t value = (uint32_t)below(h, h->value_count + 1);

        reading->values[i] = value == h->value_count ? NAN : (double)value - 1;
        if (reading->values[i] == 0 && one_in(h, 3)) {
            reading->values[i] = -0.0;
            value = h->value_count + 1;
        }
        content = content * (h->value_count + 2) + value;
    }
    reading->content_hash = (int64_t)(content * UINT64_C(0x9e3779b97f4a7c15));
    return fact;
}

static void tell(const struct history *h, struct windows *windows, const struct fact *fact)
{
    if (fact->is_windowed) {
        windows_insert(windows, fact->device, fact_reading(fact), h->now_us);
        return;
    }
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        if (fact->rankings >> ranking & 1)
            windows_insert_peak(windows, fact->device, ranking, fact_reading(fact));
}

static void tell_in_any_order(struct history *h, struct windows *windows, int64_t until_us,
                              size_t most_repetitions)
{
    size_t order[FACTS_MOST];

    for (size_t i = 0; i < h->fact_count; i++) {
        size_t j = below(h, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < h->fact_count; i++) {
        const struct fact *fact = &h->facts[order[i]];

        if (fact_reading(fact)->recorded_at_us > until_us)
            continue;
        for (size_t n = 1 + below(h, most_repetitions); n > 0; n--)
            tell(h, windows, fact);
        if (most_repetitions > 1 && one_in(h, 3))
            tell(h, windows, &h->facts[order[below(h, i + 1)]]);
    }
}

/* ---- part 1 ---- */

/* Lets time pass, stopping at each expiry. */
static bool pass_time(struct history *h, struct windows *eager, int64_t until_us)
{
    for (;;) {
        int64_t next_us;

        if (!next_expiry(h, eager, &next_us))
            return false;
        if (next_us > until_us)
            break;
        h->now_us = next_us - 1;
        if (one_in(h, 4) && !boards_are_right(h, eager, "eager"))
            return false;
        h->now_us = next_us;
        if (!boards_are_right(h, eager, "eager"))
            return false;
    }
    h->now_us = until_us;
    return true;
}

static void tell_all_of(const struct history *h, struct windows *windows, uint32_t device)
{
    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device == device)
            tell(h, windows, &h->facts[i]);
}

/* Some readings of a device never were. */
static void take_out(struct history *h, struct windows *eager, struct windows *lazy)
{
    uint32_t device = (uint32_t)below(h, h->device_count);
    size_t share = 1 + below(h, 4);
    size_t kept = 0;

    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device != device || !one_in(h, share))
            h->facts[kept++] = h->facts[i];
    h->fact_count = kept;
    windows_clear_device(eager, device);
    windows_clear_device(lazy, device);
    if (one_in(h, 2))
        windows_sweep(lazy, h->now_us, below(h, 10));
    tell_all_of(h, eager, device);
    tell_all_of(h, lazy, device);
}

static bool play_event(struct history *h, struct windows *eager, struct windows *lazy)
{
    const struct fact *fact = NULL;

    if (one_in(h, 2) && !pass_time(h, eager, h->now_us + (int64_t)below(h, one_in(h, 6) ? 45 : 4)))
        return false;
    if (h->fact_count > 0 && one_in(h, 10)) {
        fact = &h->facts[below(h, h->fact_count)];
    } else if (one_in(h, 12)) {
        struct fact *peak = add_fact(h);

        peak->is_windowed = false;
        peak->rankings = UINT32_C(1) << below(h, h->ranking_count);
        fact = peak;
    } else {
        fact = add_fact(h);
    }
    tell(h, eager, fact);
    tell(h, lazy, fact);
    if (one_in(h, 6))
        windows_sweep(eager, h->now_us, below(h, 10));
    if (one_in(h, 6))
        windows_sweep(lazy, h->now_us, below(h, 10));
    if (one_in(h, 6)) {
        windows_prefetch(eager, (uint32_t)below(h, h->device_count));
        windows_prefetch(lazy, (uint32_t)below(h, h->device_count));
    }
    if (one_in(h, 40)) {
        h->now_us -= 1 + (int64_t)below(h, 30);
        windows_sweep(eager, h->now_us, 0);
        windows_sweep(lazy, h->now_us, 0);
        tell_in_any_order(h, eager, windows_stats(eager).dropped_until_us, 1);
        tell_in_any_order(h, lazy, windows_stats(lazy).dropped_until_us, 1);
    }
    if (one_in(h, 20))
        take_out(h, eager, lazy);
    if (!boards_are_right(h, eager, "eager"))
        return false;
    return !one_in(h, 8) || boards_are_right(h, lazy, "lazy");
}

/* When no reading is in any finite interval any more. */
static int64_t all_expired_us(const struct history *h)
{
    int64_t until_us = h->now_us;

    for (size_t i = 0; i < h->fact_count; i++)
        if (fact_reading(&h->facts[i])->recorded_at_us + LONGEST_US > until_us)
            until_us = fact_reading(&h->facts[i])->recorded_at_us + LONGEST_US;
    return until_us;
}

static bool play_history(struct history *h)
{
    struct windows eager, lazy, again;
    size_t events = 5 + below(h, one_in(h, 10) ? 150 : 35);
    bool right = true;

    history_init_windows(h, &eager);
    history_init_windows(h, &lazy);
    history_init_windows(h, &again);
    for (size_t i = 0; i < events && right; i++)
        right = play_event(h, &eager, &lazy);
    right = right && boards_are_right(h, &lazy, "lazy");
    if (right) {
        tell_in_any_order(h, &again, INT64_MAX, 3);
        right = boards_are_right(h, &again, "shuffled");
    }
    right = right && pass_time(h, &eager, all_expired_us(h)) && boards_are_right(h, &lazy, "lazy");
    if (right) {
        windows_sweep(&lazy, h->now_us, h->device_count);
        if (windows_stats(&lazy).steps != 0) {
            print_error("steps are left after all have expired and been swept\n");
            right = false;
        }
        right = right && boards_are_right(h, &lazy, "swept");
    }
    windows_release(&eager);
    windows_release(&lazy);
    windows_release(&again);
    return right;
}

/* ---- part 2 ---- */

static const struct fact *find_fact(const struct history *h, const struct windows_entry *entry)
{
    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device == entry->device &&
            memcmp(h->facts[i].reading, entry->reading, reading_size(h->feature_count)) == 0)
            return &h->facts[i];
    return NULL;
}

/* All devices that have something are shown, as far as there is room, each with a reading of its own
 * that counts and is not better than its best, in the right order. */
static bool coarse_board_is_true(const struct history *h, struct windows *windows, uint32_t ranking,
                                 uint32_t interval)
{
    struct windows_entry shown[ENTRIES_MOST];
    size_t count = windows_board(windows, ranking, interval, h->now_us, shown);
    size_t expected_count = 0;
    bool seen[DEVICES_MOST] = {false};

    for (uint32_t device = 0; device < h->device_count; device++)
        expected_count += true_best(h, device, ranking, interval, h->now_us) != NULL;
    if (count != (expected_count < h->top_n ? expected_count : h->top_n))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct fact *fact = find_fact(h, &shown[i]);
        int order;

        if (!fact || !counts(h, fact, ranking, interval, h->now_us) || seen[fact->device])
            return false;
        seen[fact->device] = true;
        if (compare(h, ranking, shown[i].reading,
                    true_best(h, fact->device, ranking, interval, h->now_us)) > 0)
            return false;
        order = i > 0 ? compare(h, ranking, shown[i - 1].reading, shown[i].reading) : 1;
        if (order < 0 ||
            (order == 0 && strcmp(h->ids[shown[i - 1].device], h->ids[shown[i].device]) > 0))
            return false;
    }
    return true;
}

/* What part 2 saw. */
struct coarse_tally {
    uint64_t coarsened;
    uint64_t exact;
    uint64_t inexact;
    uint64_t wrong; /* of those */
};

/* *next_us: when the first board is exact again, INT64_MAX if all are. */
static bool limited_boards_are_right(const struct history *h, struct windows *windows,
                                     int64_t *next_us, struct coarse_tally *tally)
{
    *next_us = INT64_MAX;
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++) {
            struct windows_entry shown[ENTRIES_MOST], truth[ENTRIES_MOST];
            size_t count = windows_board(windows, ranking, interval, h->now_us, shown);
            int64_t from_us = windows_exact_from(windows, ranking, interval, shown, count);

            if (from_us == INT64_MIN) {
                tally->exact++;
                if (!board_is_right(h, windows, "limited", ranking, interval))
                    return false;
                continue;
            }
            tally->inexact++;
            tally->wrong += !boards_are_equal(h, shown, count, truth,
                                              true_board(h, ranking, interval, h->now_us, truth));
            if (from_us <= h->now_us || !coarse_board_is_true(h, windows, ranking, interval)) {
                print_error("ranking %u, interval %u, at %lld: exact from %lld, and not true\n",
                            (unsigned)ranking, (unsigned)interval, (long long)h->now_us,
                            (long long)from_us);
                return false;
            }
            if (from_us < *next_us)
                *next_us = from_us;
        }
    return true;
}

static bool play_coarse_history(struct history *h, struct coarse_tally *tally)
{
    struct windows windows;
    size_t events = 60 + below(h, 200);
    double slope = one_in(h, 2) ? 1 : -1; /* the worst there is for one of the orders */
    int64_t next_us = INT64_MAX;
    bool right = true;

    h->memory_limit = 1 + below(h, one_in(h, 2) ? 1000 : 20000);
    if (one_in(h, 2))
        h->top_n = DEVICES_MOST;
    h->value_count = 100;
    history_init_windows(h, &windows);
    for (size_t i = 0; i < events && right; i++) {
        struct fact *fact = add_fact(h);
        struct reading *reading = (void *)fact->reading;

        for (size_t f = 0; f < h->feature_count; f++)
            if (!one_in(h, 10))
                reading->values[f] = slope * (double)i;
        reading->content_hash = (int64_t)(i * UINT64_C(0x9e3779b97f4a7c15)); /* both signs */
        tell(h, &windows, fact);
        if (one_in(h, 2))
            h->now_us += (int64_t)below(h, 3);
        if (one_in(h, 5))
            windows_sweep(&windows, h->now_us, below(h, 3));
        if (one_in(h, 30)) {
            windows_clear_device(&windows, fact->device);
            tell_all_of(h, &windows, fact->device);
        }
        if (one_in(h, 60)) {
            h->now_us -= 1 + (int64_t)below(h, 30);
            windows_sweep(&windows, h->now_us, 0);
            tell_in_any_order(h, &windows, windows_stats(&windows).dropped_until_us, 1);
        }
        right = limited_boards_are_right(h, &windows, &next_us, tally);
        if (right && windows_stats(&windows).tower_bytes > h->memory_limit) {
            print_error("%llu bytes are more than %llu\n",
                        (unsigned long long)windows_stats(&windows).tower_bytes,
                        (unsigned long long)h->memory_limit);
            right = false;
        }
    }
    tally->coarsened += windows_stats(&windows).coarsened;
    while (right && next_us != INT64_MAX) {
        h->now_us = next_us;
        right = limited_boards_are_right(h, &windows, &next_us, tally);
    }
    right = right && boards_are_right(h, &windows, "no longer coarse");
    windows_release(&windows);
    return right;
}

/* ---- part 3 ---- */

enum { FLEET = 1000, FLEET_FEATURES = 2, FLEET_TOP_N = 10 };
enum { FLEET_MINUTE, FLEET_TEN_MINUTES, FLEET_ALL_TIME, FLEET_INTERVALS };
enum { FLEET_RANKINGS = 2 * FLEET_FEATURES };

static const int64_t fleet_lengths_us[FLEET_INTERVALS] = {60 * SECOND_US, 600 * SECOND_US,
                                                          INTERVAL_ALL_TIME};

/* A reading of the fleet, with the layout of struct reading. */
struct fleet_reading {
    int64_t recorded_at_us;
    int64_t content_hash;
    uint8_t status;
    uint8_t reserved[3];
    double values[FLEET_FEATURES];
};

/* All that a device ever sent, in order of arrival, and which of it is best. */
struct fleet_device {
    char id[16];
    struct fleet_reading *readings;
    size_t count;
    size_t capacity;
    size_t considered;                            /* readings that `best` knows */
    size_t best[FLEET_INTERVALS][FLEET_RANKINGS]; /* index, or FLEET_NONE */
    bool is_silent;
};

#define FLEET_NONE SIZE_MAX

static bool fleet_is_better(const struct fleet_reading *a, const struct fleet_reading *b,
                            uint32_t ranking)
{
    double value_a = a->values[ranking / 2], value_b = b->values[ranking / 2];

    if (value_a != value_b)
        return ranking % 2 ? value_a < value_b : value_a > value_b;
    if (a->recorded_at_us != b->recorded_at_us)
        return a->recorded_at_us > b->recorded_at_us;
    return a->content_hash > b->content_hash;
}

/* Brings best[interval][ranking] up to date: the best of all is the best so far or one of those
 * that came since; unless the best so far has left the interval, then everything is looked at
 * again. */
static void fleet_find_best(struct fleet_device *device, uint32_t interval, uint32_t ranking,
                            int64_t after_us)
{
    size_t *best = &device->best[interval][ranking];
    size_t i = device->considered;

    if (i == 0 || (*best != FLEET_NONE && device->readings[*best].recorded_at_us <= after_us)) {
        *best = FLEET_NONE;
        i = 0;
    }
    for (; i < device->count; i++) {
        const struct fleet_reading *reading = &device->readings[i];

        if (reading->recorded_at_us > after_us && !isnan(reading->values[ranking / 2]) &&
            (*best == FLEET_NONE || fleet_is_better(reading, &device->readings[*best], ranking)))
            *best = i;
    }
}

struct fleet_entry {
    const struct fleet_device *device;
    const struct fleet_reading *reading;
};

/* Puts an entry where it belongs in a board of at most FLEET_TOP_N. */
static void fleet_put(struct fleet_entry *board, size_t *count, struct fleet_entry entry,
                      uint32_t ranking)
{
    size_t at = *count;

    for (; at > 0; at--) {
        const struct fleet_entry *above = &board[at - 1];

        if (entry.reading->values[ranking / 2] == above->reading->values[ranking / 2] &&
            entry.reading->recorded_at_us == above->reading->recorded_at_us) {
            if (strcmp(entry.device->id, above->device->id) > 0)
                break;
        } else if (fleet_is_better(above->reading, entry.reading, ranking)) {
            break;
        }
        if (at < FLEET_TOP_N)
            board[at] = *above;
    }
    if (at < FLEET_TOP_N)
        board[at] = entry;
    if (*count < FLEET_TOP_N)
        ++*count;
}

static bool fleet_board_is_right(struct windows *windows, struct fleet_device *fleet,
                                 uint32_t ranking, uint32_t interval, int64_t now_us)
{
    struct fleet_entry board[FLEET_TOP_N];
    struct windows_entry shown[FLEET_TOP_N];
    size_t expected_count = 0;
    size_t count = windows_board(windows, ranking, interval, now_us, shown);
    int64_t after_us = interval == FLEET_ALL_TIME ? INT64_MIN : now_us - fleet_lengths_us[interval];

    for (struct fleet_device *device = fleet; device < fleet + FLEET; device++) {
        size_t best;

        fleet_find_best(device, interval, ranking, after_us);
        best = device->best[interval][ranking];
        if (best != FLEET_NONE)
            fleet_put(board, &expected_count, (struct fleet_entry){device, &device->readings[best]},
                      ranking);
    }
    if (count != expected_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (&fleet[shown[i].device] != board[i].device ||
            /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): whole, padding is zero */
            memcmp(shown[i].reading, board[i].reading, sizeof(struct fleet_reading)) != 0)
            return false;
    return true;
}

static bool fleet_boards_are_right(struct windows *windows, struct fleet_device *fleet,
                                   int64_t now_us)
{
    for (uint32_t ranking = 0; ranking < FLEET_RANKINGS; ranking++)
        for (uint32_t interval = 0; interval < FLEET_INTERVALS; interval++)
            if (!fleet_board_is_right(windows, fleet, ranking, interval, now_us)) {
                print_error("fleet: ranking %u, interval %u differs at %lld us\n",
                            (unsigned)ranking, (unsigned)interval, (long long)now_us);
                return false;
            }
    for (uint32_t i = 0; i < FLEET; i++)
        fleet[i].considered = fleet[i].count;
    return true;
}

static struct fleet_reading *fleet_new_reading(struct fleet_device *device)
{
    if (device->count == device->capacity) {
        device->capacity = 2 * device->capacity + 64;
        device->readings = realloc(device->readings, device->capacity * sizeof(*device->readings));
        assert_non_null(device->readings);
    }
    memset(&device->readings[device->count], 0, sizeof(*device->readings));
    return &device->readings[device->count++];
}

/* What one device does in one second. Hashes are numbered, so no two readings share one. */
static void fleet_send(struct windows *windows, struct fleet_device *fleet, uint32_t number,
                       int64_t now_us, uint64_t *random, int64_t hash)
{
    struct fleet_device *device = &fleet[number];
    struct fleet_reading *reading;

    if (device->count > 0 && random_below(random, 100) == 0) {
        reading = &device->readings[random_below(random, device->count)];
    } else {
        reading = fleet_new_reading(device);
        reading->recorded_at_us = now_us - (int64_t)random_below(random, (uint64_t)SECOND_US);
        if (random_below(random, 20) == 0)
            reading->recorded_at_us = now_us - (int64_t)random_below(random, 8) * SECOND_US;
        else if (random_below(random, 100) == 0)
            reading->recorded_at_us = now_us - (int64_t)random_below(random, 700) * SECOND_US;
        else if (random_below(random, 50) == 0)
            reading->recorded_at_us = now_us + (int64_t)random_below(random, 3) * SECOND_US;
        reading->content_hash = hash;
        reading->status = STATUS_ON;
        for (size_t f = 0; f < FLEET_FEATURES; f++)
            reading->values[f] =
                random_below(random, 100) == 0 ? NAN : (double)random_below(random, 2000) - 1000;
    }
    windows_insert(windows, number, (const void *)reading, now_us);
}

static bool play_fleet(uint64_t seed, uint64_t reading_count)
{
    static struct fleet_device fleet[FLEET];
    struct windows windows;
    uint64_t random = seed;
    int64_t now_us = 1700000000 * SECOND_US;
    bool right = true;

    windows_init(&windows, FLEET_FEATURES, WINDOWS_HIGHEST | WINDOWS_LOWEST, fleet_lengths_us,
                 FLEET_INTERVALS, FLEET_TOP_N, 0);
    for (uint32_t i = 0; i < FLEET; i++) {
        snprintf(fleet[i].id, sizeof(fleet[i].id), "device_%u", (unsigned)(i * 7 % FLEET));
        windows_add_device(&windows, fleet[i].id);
    }
    for (uint64_t sent = 0; sent < reading_count && right; now_us += SECOND_US) {
        for (uint32_t i = 0; i < FLEET && sent < reading_count; i++) {
            /* Some fall silent, for some minutes. Another sends twice. */
            if (random_below(&random, fleet[i].is_silent ? 300 : 3000) == 0)
                fleet[i].is_silent = !fleet[i].is_silent;
            fleet_send(&windows, fleet,
                       fleet[i].is_silent ? (uint32_t)random_below(&random, FLEET) : i,
                       now_us + (int64_t)i * 900, &random, (int64_t)sent++);
        }
        /* Now and then nobody is heard for most of a minute, and nobody asks. */
        if (random_below(&random, 50) == 0)
            now_us += (int64_t)random_below(&random, 62) * SECOND_US;
        windows_sweep(&windows, now_us + SECOND_US, FLEET / 60);
        right = fleet_boards_are_right(&windows, fleet, now_us + SECOND_US);
    }
    windows_release(&windows);
    for (uint32_t i = 0; i < FLEET; i++)
        free(fleet[i].readings);
    return right;
}

/* ---- */

static void begin(const char *part, uint64_t seed)
{
    current_part = part;
    current_seed = seed;
}

int main(void)
{
    static struct history history;
    uint64_t seed = setting("SEED", 1);
    uint64_t histories = setting("HISTORIES", 10000);
    uint64_t readings = setting("READINGS", 1000000);
    struct coarse_tally tally = {0};
    uint64_t facts = 0;

    if (seed == 0)
        seed = (uint64_t)time(NULL);
    signal(SIGABRT, on_abort);
    for (uint64_t i = 0; i < histories; i++) {
        begin("a history", seed + i);
        history_init(&history, seed + i);
        if (!play_history(&history)) {
            print_replay();
            return EXIT_FAILURE;
        }
        facts += history.fact_count;
    }
    print_message("%llu histories from seed %llu, %llu readings: all boards right\n",
                  (unsigned long long)histories, (unsigned long long)seed,
                  (unsigned long long)facts);
    for (uint64_t i = 0; i < (histories + 9) / 10; i++) {
        begin("a limited history", seed + i);
        history_init(&history, seed + i);
        if (!play_coarse_history(&history, &tally)) {
            print_replay();
            return EXIT_FAILURE;
        }
    }
    print_message(
        "%llu limited histories, %llu steps given up, %llu boards exact; %llu not, %llu of "
        "them wrong\n",
        (unsigned long long)(histories + 9) / 10, (unsigned long long)tally.coarsened,
        (unsigned long long)tally.exact, (unsigned long long)tally.inexact,
        (unsigned long long)tally.wrong);
    if (histories >= 1000 && (tally.exact == 0 || tally.wrong == 0)) {
        print_error("the limit was never, or always, felt\n");
        return EXIT_FAILURE;
    }
    begin("the fleet", seed);
    if (!play_fleet(seed, readings)) {
        print_replay();
        return EXIT_FAILURE;
    }
    print_message("%llu readings of %d devices: all boards right in each second\n",
                  (unsigned long long)readings, FLEET);
    return EXIT_SUCCESS;
}
