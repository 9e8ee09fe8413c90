/* windows_limited_test: falling and rising values, and a limit of memory so low that it is always
 * reached. A board that is said to be exact is, as brute force has it. What any other shows may be
 * worse than the best, never anything else, and it is exact from the moment on that it names.
 *
 *     SEED=n       the first history's seed, counted up from there (1); 0 takes one from the clock
 *     HISTORIES=n  how many (1000)
 */
#include "tests/unit/replay.h"
#include "tests/unit/windows_histories.h"
#include "tests/unit/windows_spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All devices that have something are shown, as far as there is room, each with a reading of its own
 * that counts and is not better than its best, in the right order. */
static bool coarse_board_is_true(const struct history *h, struct windows *windows, uint32_t ranking,
                                 uint32_t interval)
{
    struct windows_entry shown[ENTRIES_MOST];
    size_t count = spread_board(h, windows, ranking, interval, shown);
    size_t expected_count = 0;
    bool seen[DEVICES_MOST] = {false};

    for (uint32_t device = 0; device < h->device_count; device++)
        expected_count += model_best(h, device, ranking, interval, h->now_us) != NULL;
    if (count != (expected_count < h->top_n ? expected_count : h->top_n))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct fact *fact = model_find_fact(h, &shown[i]);
        int order;

        if (!fact || !model_counts(h, fact, ranking, interval, h->now_us) || seen[fact->device])
            return false;
        seen[fact->device] = true;
        if (model_compare(h, ranking, shown[i].reading,
                          model_best(h, fact->device, ranking, interval, h->now_us)) > 0)
            return false;
        order = i > 0 ? model_compare(h, ranking, shown[i - 1].reading, shown[i].reading) : 1;
        if (order < 0 ||
            (order == 0 && strcmp(h->ids[shown[i - 1].device], h->ids[shown[i].device]) > 0))
            return false;
    }
    return true;
}

/* What all histories saw. */
struct tally {
    uint64_t coarsened;
    uint64_t exact;
    uint64_t inexact;
    uint64_t wrong; /* of those */
};

/* *next_us: when the first board is exact again, INT64_MAX if all are. */
static bool limited_boards_are_right(const struct history *h, struct windows *windows,
                                     int64_t *next_us, struct tally *tally)
{
    *next_us = INT64_MAX;
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++) {
            struct windows_entry shown[ENTRIES_MOST], truth[ENTRIES_MOST];
            size_t count = spread_board(h, windows, ranking, interval, shown);
            int64_t from_us = spread_exact_from(h, windows, ranking, interval, shown, count);

            if (from_us == INT64_MIN) {
                tally->exact++;
                if (!model_board_is_right(h, windows, "limited", ranking, interval))
                    return false;
                continue;
            }
            size_t right = model_board(h, ranking, interval, h->now_us, truth);

            tally->inexact++;
            tally->wrong += !model_boards_are_equal(h, shown, count, truth, right);
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

static bool play_history(struct history *h, struct tally *tally)
{
    struct windows windows;
    size_t events = 60 + history_below(h, 200);
    double slope = history_one_in(h, 2) ? 1 : -1; /* the worst there is for one of the orders */
    int64_t next_us = INT64_MAX;
    bool right = true;

    h->memory_limit = 1 + history_below(h, history_one_in(h, 2) ? 1000 : 20000);
    if (history_one_in(h, 2))
        h->top_n = DEVICES_MOST;
    h->value_count = 100;
    history_init_windows(h, &windows);
    for (size_t i = 0; i < events && right; i++) {
        struct fact *fact = history_add_fact(h);
        struct reading *reading = (void *)fact->reading;

        for (size_t f = 0; f < h->feature_count; f++)
            if (!history_one_in(h, 10))
                reading->values[f] = slope * (double)i;
        reading->content_hash = (int64_t)(i * UINT64_C(0x9e3779b97f4a7c15)); /* both signs */
        history_tell(h, &windows, fact);
        if (history_one_in(h, 2))
            h->now_us += (int64_t)history_below(h, 3);
        if (history_one_in(h, 5))
            windows_sweep(&windows, h->now_us, history_below(h, 3));
        if (history_one_in(h, 30)) {
            windows_clear_device(&windows, fact->device);
            history_tell_all_of(h, &windows, fact->device);
        }
        if (history_one_in(h, 60)) {
            h->now_us -= 1 + (int64_t)history_below(h, 30);
            windows_sweep(&windows, h->now_us, 0);
            history_tell_in_any_order(h, &windows, windows_stats(&windows).dropped_until_us, 1);
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
    right = right && model_boards_are_right(h, &windows, "no longer coarse");
    windows_release(&windows);
    return right;
}

int main(void)
{
    static struct history history;
    uint64_t seed = replay_seed();
    uint64_t histories = replay_setting("HISTORIES", 1000);
    struct tally tally = {0};

    for (uint64_t i = 0; i < histories; i++) {
        replay_begin("a limited history", seed + i, "HISTORIES=1");
        history_init(&history, seed + i);
        if (!play_history(&history, &tally))
            return replay_failed();
    }
    print_message(
        "%llu histories from seed %llu, %llu steps given up, %llu boards exact; %llu not, "
        "%llu of them wrong\n",
        (unsigned long long)histories, (unsigned long long)seed,
        (unsigned long long)tally.coarsened, (unsigned long long)tally.exact,
        (unsigned long long)tally.inexact, (unsigned long long)tally.wrong);
    if (histories >= 100 && (tally.exact == 0 || tally.wrong == 0)) {
        print_error("the limit was never, or always, felt\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
