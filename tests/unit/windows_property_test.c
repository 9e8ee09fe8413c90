/* windows_property_test: boards against brute force, in random histories: late, future and repeated
 * readings, absent features, loaded peaks, sweeps, readings taken out again, a clock that goes back.
 *
 * One set of windows is asked for every board at every event and at every expiry, another, fed alike,
 * only now and then, because asking repairs. In the end a third takes everything again in another
 * order, with repetitions, and a sweep finds nothing left.
 *
 *     SEED=n       the first history's seed, counted up from there (1); 0 takes one from the clock
 *     HISTORIES=n  how many (10000)
 */
#include "tests/unit/replay.h"
#include "tests/unit/windows_histories.h"
#include "tests/unit/windows_spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The earliest moment at which some board says that it changes; INT64_MAX if none does. Checked
 * here: that the board really stays the same until just before, and does not at that moment. */
static bool next_expiry(const struct history *h, struct windows *windows, int64_t *next_us)
{
    struct windows_entry now[ENTRIES_MOST], later[ENTRIES_MOST];

    *next_us = INT64_MAX;
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++) {
            size_t count = spread_board(h, windows, ranking, interval, now);
            int64_t at_us = windows_next_expiry(windows, interval, now, count);

            if (at_us == INT64_MAX)
                continue;
            size_t later_count = model_board(h, ranking, interval, at_us - 1, later);
            bool is_right =
                at_us > h->now_us && model_boards_are_equal(h, now, count, later, later_count);

            later_count = model_board(h, ranking, interval, at_us, later);
            if (!is_right || model_boards_are_equal(h, now, count, later, later_count)) {
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
        if (history_one_in(h, 4) && !model_boards_are_right(h, eager, "eager"))
            return false;
        h->now_us = next_us;
        if (!model_boards_are_right(h, eager, "eager"))
            return false;
    }
    h->now_us = until_us;
    return true;
}

/* Some readings of a device never were. */
static void take_out(struct history *h, struct windows *eager, struct windows *lazy)
{
    uint32_t device = (uint32_t)history_below(h, h->device_count);
    size_t share = 1 + history_below(h, 4);
    size_t kept = 0;

    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device != device || !history_one_in(h, share))
            h->facts[kept++] = h->facts[i];
    h->fact_count = kept;
    windows_clear_device(eager, device);
    windows_clear_device(lazy, device);
    if (history_one_in(h, 2))
        windows_sweep(lazy, h->now_us, history_below(h, 10));
    history_tell_all_of(h, eager, device);
    history_tell_all_of(h, lazy, device);
}

static bool play_event(struct history *h, struct windows *eager, struct windows *lazy)
{
    const struct fact *fact = NULL;

    if (history_one_in(h, 2) &&
        !pass_time(h, eager, h->now_us + (int64_t)history_below(h, history_one_in(h, 6) ? 45 : 4)))
        return false;
    if (h->fact_count > 0 && history_one_in(h, 10)) {
        fact = &h->facts[history_below(h, h->fact_count)];
    } else if (history_one_in(h, 12)) {
        struct fact *peak = history_add_fact(h);

        peak->is_windowed = false;
        peak->rankings = UINT32_C(1) << history_below(h, h->ranking_count);
        fact = peak;
    } else {
        fact = history_add_fact(h);
    }
    history_tell(h, eager, fact);
    history_tell(h, lazy, fact);
    if (history_one_in(h, 6))
        windows_sweep(eager, h->now_us, history_below(h, 10));
    if (history_one_in(h, 6))
        windows_sweep(lazy, h->now_us, history_below(h, 10));
    if (history_one_in(h, 6)) {
        windows_prefetch(eager, (uint32_t)history_below(h, h->device_count));
        windows_prefetch(lazy, (uint32_t)history_below(h, h->device_count));
    }
    if (history_one_in(h, 40)) {
        h->now_us -= 1 + (int64_t)history_below(h, 30);
        windows_sweep(eager, h->now_us, 0);
        windows_sweep(lazy, h->now_us, 0);
        history_tell_in_any_order(h, eager, windows_stats(eager).dropped_until_us, 1);
        history_tell_in_any_order(h, lazy, windows_stats(lazy).dropped_until_us, 1);
    }
    if (history_one_in(h, 20))
        take_out(h, eager, lazy);
    if (!model_boards_are_right(h, eager, "eager"))
        return false;
    return !history_one_in(h, 8) || model_boards_are_right(h, lazy, "lazy");
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
    size_t events = 5 + history_below(h, history_one_in(h, 10) ? 150 : 35);
    bool right = true;

    history_init_windows(h, &eager);
    history_init_windows(h, &lazy);
    history_init_windows(h, &again);
    for (size_t i = 0; i < events && right; i++)
        right = play_event(h, &eager, &lazy);
    right = right && model_boards_are_right(h, &lazy, "lazy");
    if (right) {
        history_tell_in_any_order(h, &again, INT64_MAX, 3);
        right = model_boards_are_right(h, &again, "shuffled");
    }
    right = right && pass_time(h, &eager, all_expired_us(h)) &&
            model_boards_are_right(h, &lazy, "lazy");
    if (right) {
        windows_sweep(&lazy, h->now_us, h->device_count);
        if (windows_stats(&lazy).steps != 0) {
            print_error("steps are left after all have expired and been swept\n");
            right = false;
        }
        right = right && model_boards_are_right(h, &lazy, "swept");
    }
    windows_release(&eager);
    windows_release(&lazy);
    windows_release(&again);
    return right;
}

int main(void)
{
    static struct history history;
    uint64_t seed = replay_seed();
    uint64_t histories = replay_setting("HISTORIES", 10000);
    uint64_t facts = 0;

    for (uint64_t i = 0; i < histories; i++) {
        replay_begin("a history", seed + i, "HISTORIES=1");
        history_init(&history, seed + i);
        if (!play_history(&history))
            return replay_failed();
        facts += history.fact_count;
    }
    print_message("%llu histories from seed %llu, %llu readings: all boards right\n",
                  (unsigned long long)histories, (unsigned long long)seed,
                  (unsigned long long)facts);
    return EXIT_SUCCESS;
}
