#include "collector/windows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 2, TOP_N = 3 };

/* The intervals of most tests. */
enum { SHORT, LONG, ALL_TIME, INTERVALS };

static const int64_t lengths_us[INTERVALS] = {100, 1000, INTERVAL_ALL_TIME};

struct fixture {
    struct windows windows;
    struct windows_entry entries[TOP_N];
    size_t count;
};

static int setup_with(void **state, unsigned orders, uint64_t memory_limit)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    windows_init(&f->windows, FEATURES, orders, lengths_us, INTERVALS, TOP_N, memory_limit);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, WINDOWS_HIGHEST, 0);
}

static int setup_both(void **state)
{
    return setup_with(state, WINDOWS_HIGHEST | WINDOWS_LOWEST, 0);
}

static int setup_lowest(void **state)
{
    return setup_with(state, WINDOWS_LOWEST, 0);
}

/* The ninth step of a staircase is too much. */
static int setup_limited(void **state)
{
    struct fixture *f;

    setup_with(state, WINDOWS_HIGHEST, 1);
    f = *state;
    for (uint32_t ranking = 0; ranking < f->windows.ranking_count; ranking++)
        f->windows.kinds[ranking].low_steps = f->windows.kinds[ranking].flight_steps = 8;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    windows_release(&f->windows);
    free(f);
    return 0;
}

static void fill(union reading_storage *out, int64_t at_us, double first, double second)
{
    memset(out, 0, sizeof(*out));
    out->reading.recorded_at_us = at_us;
    out->reading.content_hash = isnan(first) ? 1 : (int64_t)(first * 16);
    out->reading.status = STATUS_ACTIVE;
    out->reading.values[0] = first;
    out->reading.values[1] = second;
}

static void insert2(struct fixture *f, uint32_t device, int64_t at_us, double first, double second,
                    int64_t now_us)
{
    union reading_storage storage;

    fill(&storage, at_us, first, second);
    windows_insert(&f->windows, device, &storage.reading, now_us);
}

static void insert(struct fixture *f, uint32_t device, int64_t at_us, double value, int64_t now_us)
{
    insert2(f, device, at_us, value, NAN, now_us);
}

static void insert_peak(struct fixture *f, uint32_t device, uint32_t ranking, int64_t at_us,
                        double value)
{
    union reading_storage storage;

    fill(&storage, at_us, value, value);
    windows_insert_peak(&f->windows, device, ranking, &storage.reading);
}

static void add_devices(struct fixture *f)
{
    assert_int_equal(windows_add_device(&f->windows, "a"), 0);
    assert_int_equal(windows_add_device(&f->windows, "b"), 1);
    assert_int_equal(windows_add_device(&f->windows, "c"), 2);
    assert_int_equal(windows_add_device(&f->windows, "d"), 3);
}

struct shown {
    uint32_t device;
    int64_t at_us;
};

static void assert_board(struct fixture *f, uint32_t ranking, uint32_t interval, int64_t now_us,
                         const struct shown *expected, size_t count)
{
    f->count = windows_board(&f->windows, ranking, interval, now_us, f->entries);
    assert_int_equal(f->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f->entries[i].device, expected[i].device);
        assert_int_equal(f->entries[i].reading->recorded_at_us, expected[i].at_us);
    }
}

#define ASSERT_BOARD(f, ranking, interval, now_us, ...)                                            \
    do {                                                                                           \
        const struct shown expected_[] = {__VA_ARGS__};                                            \
        assert_board(f, ranking, interval, now_us, expected_,                                      \
                     sizeof(expected_) / sizeof(expected_[0]));                                    \
    } while (0)

static void assert_empty(struct fixture *f, uint32_t ranking, uint32_t interval, int64_t now_us)
{
    assert_board(f, ranking, interval, now_us, NULL, 0);
}

static void test_windows__board_of_nothing_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_empty(f, 0, SHORT, 0);
    add_devices(f);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        assert_empty(f, 1, interval, 10);
    assert_null(windows_peak(&f->windows, 0, 0));
}

static void test_windows__devices_are_ranked_by_value(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 1, 10);
    insert(f, 1, 11, 3, 11);
    insert(f, 2, 12, 2, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 11}, {2, 12}, {0, 10});
}

static void test_windows__equal_values_are_ranked_by_later_time(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 5, 12);
    insert(f, 1, 12, 5, 12);
    insert(f, 2, 11, 5, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 12}, {2, 11}, {0, 10});
}

static void test_windows__equal_values_and_times_are_ranked_by_smaller_id_in_bytes(void **state)
{
    struct fixture *f = *state;

    windows_add_device(&f->windows, "device_2");
    windows_add_device(&f->windows, "\xc3\xa4");
    windows_add_device(&f->windows, "device_10");
    windows_add_device(&f->windows, "Z");
    for (uint32_t device = 0; device < 4; device++)
        insert(f, device, 10, 5, 10);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 10, {3, 10}, {2, 10}, {0, 10});
}

static void test_windows__device_is_shown_once_with_its_whole_best_reading(void **state)
{
    struct fixture *f = *state;
    union reading_storage best;

    add_devices(f);
    fill(&best, 20, 9, 4);
    insert2(f, 0, 10, 8, 100, 30);
    windows_insert(&f->windows, 0, &best.reading, 30);
    insert2(f, 0, 30, 7, 50, 30);
    ASSERT_BOARD(f, 0, LONG, 30, {0, 20});
    assert_memory_equal(f->entries[0].reading, &best, reading_size(FEATURES));
    ASSERT_BOARD(f, 0, ALL_TIME, 30, {0, 20});
    assert_memory_equal(f->entries[0].reading, &best, reading_size(FEATURES));
    ASSERT_BOARD(f, 1, LONG, 30, {0, 10});
}

static void test_windows__board_has_at_most_top_n_entries(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        insert(f, device, 10, device, 10);
    ASSERT_BOARD(f, 0, SHORT, 10, {3, 10}, {2, 10}, {1, 10});
}

static void test_windows__reading_leaves_at_exactly_its_time_plus_the_length(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 5, 10);
    ASSERT_BOARD(f, 0, SHORT, 109, {0, 10});
    assert_empty(f, 0, SHORT, 110);
    ASSERT_BOARD(f, 0, LONG, 1009, {0, 10});
    assert_empty(f, 0, LONG, 1010);
    ASSERT_BOARD(f, 0, ALL_TIME, 1010, {0, 10});
}

static void test_windows__when_the_best_leaves_the_next_best_is_shown(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 9, 10);
    insert(f, 1, 10, 8, 10);
    insert(f, 0, 50, 5, 50);
    ASSERT_BOARD(f, 0, SHORT, 50, {0, 10}, {1, 10});
    ASSERT_BOARD(f, 0, SHORT, 110, {0, 50});
    ASSERT_BOARD(f, 0, LONG, 110, {0, 10}, {1, 10});
}

static void test_windows__reading_from_the_future_counts(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 500, 5, 10);
    ASSERT_BOARD(f, 0, SHORT, 10, {0, 500});
    insert(f, 0, 20, 6, 20);
    ASSERT_BOARD(f, 0, SHORT, 20, {0, 20});
    ASSERT_BOARD(f, 0, SHORT, 599, {0, 500});
}

static void test_windows__late_reading_counts_in_the_intervals_it_is_in(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 2000, 1, 2000);
    insert(f, 0, 1500, 2, 2000);
    insert(f, 0, 900, 3, 2000);
    ASSERT_BOARD(f, 0, SHORT, 2000, {0, 2000});
    ASSERT_BOARD(f, 0, LONG, 2000, {0, 1500});
    ASSERT_BOARD(f, 0, ALL_TIME, 2000, {0, 900});
    assert_int_equal(windows_stats(&f->windows).steps, 2);
}

static void test_windows__late_reading_claims_no_place_in_intervals_it_is_not_in(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 1500, 2, 2000);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    insert(f, 1, 900, 2, 2000);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    assert_int_equal(f->windows.heaps[ALL_TIME].count, 2);
}

static void test_windows__absent_feature_is_on_no_board(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert2(f, 0, 10, NAN, 1, 10);
    insert2(f, 1, 10, 1, NAN, 10);
    insert2(f, 2, 10, NAN, NAN, 10);
    for (uint32_t interval = 0; interval < INTERVALS; interval++) {
        ASSERT_BOARD(f, 0, interval, 10, {1, 10});
        ASSERT_BOARD(f, 1, interval, 10, {0, 10});
    }
}

static void test_windows__same_reading_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct windows_stats before;

    add_devices(f);
    insert2(f, 0, 10, 5, 6, 10);
    insert2(f, 0, 20, 4, 3, 20);
    before = windows_stats(&f->windows);
    insert2(f, 0, 10, 5, 6, 20);
    insert2(f, 0, 20, 4, 3, 20);
    assert_int_equal(windows_stats(&f->windows).steps, before.steps);
    assert_int_equal(windows_stats(&f->windows).bytes, before.bytes);
    ASSERT_BOARD(f, 0, SHORT, 20, {0, 10});
}

static void test_windows__lowest_ranks_the_other_way_but_ties_alike(void **state)
{
    struct fixture *f = *state;
    uint32_t lowest = windows_ranking(&f->windows, 0, WINDOWS_LOWEST);

    add_devices(f);
    insert(f, 0, 10, 3, 10);
    insert(f, 1, 10, -1, 10);
    insert(f, 2, 11, 3, 11);
    ASSERT_BOARD(f, lowest, SHORT, 11, {1, 10}, {2, 11}, {0, 10});
    ASSERT_BOARD(f, lowest, ALL_TIME, 11, {1, 10}, {2, 11}, {0, 10});
}

static void test_windows__both_orders_are_kept_side_by_side(void **state)
{
    struct fixture *f = *state;
    uint32_t highest = windows_ranking(&f->windows, 1, WINDOWS_HIGHEST);
    uint32_t lowest = windows_ranking(&f->windows, 1, WINDOWS_LOWEST);

    assert_int_equal(highest, 2);
    assert_int_equal(lowest, 3);
    add_devices(f);
    insert2(f, 0, 10, 0, 1, 10);
    insert2(f, 0, 20, 0, 2, 20);
    insert2(f, 1, 15, 0, 0.5, 20);
    ASSERT_BOARD(f, highest, SHORT, 20, {0, 20}, {1, 15});
    ASSERT_BOARD(f, lowest, SHORT, 20, {1, 15}, {0, 10});
}

static void test_windows__next_expiry_is_the_first_to_leave_of_those_shown(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 5, 0, 40); /* not shown */
    insert(f, 1, 30, 9, 40);
    insert(f, 2, 20, 8, 40);
    insert(f, 3, 40, 7, 40);
    ASSERT_BOARD(f, 0, SHORT, 40, {1, 30}, {2, 20}, {3, 40});
    assert_int_equal(windows_next_expiry(&f->windows, SHORT, f->entries, f->count), 120);
    ASSERT_BOARD(f, 0, SHORT, 119, {1, 30}, {2, 20}, {3, 40});
    ASSERT_BOARD(f, 0, SHORT, 120, {1, 30}, {3, 40});
}

static void test_windows__next_expiry_of_what_never_leaves_is_never(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    assert_int_equal(windows_next_expiry(&f->windows, SHORT, f->entries, 0), INT64_MAX);
    insert(f, 0, 10, 5, 10);
    ASSERT_BOARD(f, 0, ALL_TIME, 10, {0, 10});
    assert_int_equal(windows_next_expiry(&f->windows, ALL_TIME, f->entries, f->count), INT64_MAX);
}

static void test_windows__loaded_peak_is_on_its_all_time_board_only(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 5, 10);
    insert_peak(f, 1, 0, 9, 7);
    ASSERT_BOARD(f, 0, ALL_TIME, 10, {1, 9}, {0, 10});
    ASSERT_BOARD(f, 0, LONG, 10, {0, 10});
    assert_empty(f, 1, ALL_TIME, 10);
    assert_int_equal(windows_peak(&f->windows, 1, 0)->recorded_at_us, 9);
    assert_null(windows_peak(&f->windows, 1, 1));
}

static void test_windows__peak_never_moves_backwards(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert_peak(f, 0, 0, 100, 7);
    insert_peak(f, 0, 0, 200, 6);
    insert_peak(f, 0, 0, 50, 7);
    insert(f, 0, 300, 5, 300);
    assert_int_equal(windows_peak(&f->windows, 0, 0)->recorded_at_us, 100);
    insert(f, 0, 301, 7, 301);
    assert_int_equal(windows_peak(&f->windows, 0, 0)->recorded_at_us, 301);
    insert(f, 0, 20000, 8, 20000);
    ASSERT_BOARD(f, 0, ALL_TIME, 50000, {0, 20000});
}

static void test_windows__silent_device_costs_only_its_peak_after_a_sweep(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes;

    add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        insert_peak(f, device, 0, 1, device);
    for (int i = 0; i < 20; i++)
        insert(f, 0, 10 + i, 50 - i, 10 + i);
    windows_sweep(&f->windows, 5000, 4);
    bytes = windows_stats(&f->windows).bytes;
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 0);
    ASSERT_BOARD(f, 0, ALL_TIME, 5000, {0, 10}, {3, 1}, {2, 1});
    insert(f, 0, 6000, 1, 6000);
    ASSERT_BOARD(f, 0, SHORT, 6000, {0, 6000});
    windows_sweep(&f->windows, 7000, 4);
    assert_int_equal(windows_stats(&f->windows).bytes, bytes);
}

static void test_windows__sweep_leaves_an_interval_as_soon_as_it_is_empty(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 5, 10);
    windows_sweep(&f->windows, 110, 4);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    ASSERT_BOARD(f, 0, LONG, 110, {0, 10});
}

static void test_windows__sweep_sees_all_devices_within_its_budgets(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        insert(f, device, 10, 5, 10);
    windows_sweep(&f->windows, 5000, 1);
    assert_int_equal(windows_stats(&f->windows).steps, 3);
    windows_sweep(&f->windows, 5000, 2);
    assert_int_equal(windows_stats(&f->windows).steps, 1);
    windows_sweep(&f->windows, 5000, 1000);
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    windows_sweep(&f->windows, 5000, 0);
}

static void test_windows__without_finite_intervals_no_steps_are_kept(void **state)
{
    static const int64_t only[] = {INTERVAL_ALL_TIME};
    struct windows windows;
    struct windows_entry entries[1];
    union reading_storage storage;

    (void)state;
    windows_init(&windows, 1, WINDOWS_HIGHEST, only, 1, 1, 0);
    windows_add_device(&windows, "a");
    fill(&storage, 10, 5, NAN);
    windows_insert(&windows, 0, &storage.reading, 10);
    fill(&storage, 11, 4, NAN);
    windows_insert(&windows, 0, &storage.reading, 11);
    windows_sweep(&windows, 12, 1);
    assert_int_equal(windows_stats(&windows).steps, 0);
    assert_int_equal(windows_stats(&windows).dropped_until_us, INT64_MIN);
    assert_int_equal(windows_board(&windows, 0, 0, 5, entries), 1);
    assert_int_equal(entries[0].reading->recorded_at_us, 10);
    windows_release(&windows);
}

static void test_windows__clock_gone_back_shows_what_is_kept_again(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 9, 10);
    insert(f, 0, 60, 5, 60);
    insert(f, 1, 60, 4, 60);
    ASSERT_BOARD(f, 0, SHORT, 150, {0, 60}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 0);
    ASSERT_BOARD(f, 0, SHORT, 100, {0, 10}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 1);
    assert_empty(f, 0, SHORT, 300);
    ASSERT_BOARD(f, 0, SHORT, 159, {0, 60}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 2);
}

static void test_windows__clock_gone_back_says_what_to_insert_again(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 9, 10);
    insert(f, 0, 1500, 5, 1500);
    windows_sweep(&f->windows, 1500, 4);
    insert(f, 0, 400, 7, 1450);
    assert_int_equal(windows_stats(&f->windows).dropped_until_us, 500);
    assert_empty(f, 0, SHORT, 1000000);
    ASSERT_BOARD(f, 0, LONG, 700, {0, 1500});
    insert(f, 0, 10, 9, 700);
    insert(f, 0, 400, 7, 700);
    ASSERT_BOARD(f, 0, LONG, 700, {0, 10});
    ASSERT_BOARD(f, 0, LONG, 1010, {0, 400});
}

static void test_windows__repairs_are_counted_once_each(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        insert(f, device, 10, device, 10);
    insert(f, 3, 50, 1, 50);
    assert_int_equal(windows_stats(&f->windows).repairs, 0);
    ASSERT_BOARD(f, 0, SHORT, 120, {3, 50});
    assert_int_equal(windows_stats(&f->windows).repairs, 4);
    ASSERT_BOARD(f, 0, SHORT, 121, {3, 50});
    assert_int_equal(windows_stats(&f->windows).repairs, 4);
}

static int64_t exact_from(struct fixture *f, uint32_t interval)
{
    return windows_exact_from(&f->windows, 0, interval, f->entries, f->count);
}

static void test_windows__coarsened_board_is_true_and_said_not_to_be_exact(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 9; i++)
        insert(f, 0, i, -i, 0);
    assert_int_equal(windows_stats(&f->windows).coarsened, 5);
    assert_int_equal(windows_stats(&f->windows).steps, 4);
    ASSERT_BOARD(f, 0, SHORT, 0, {0, 0});
    /* The step at 1 is gone; the key that was taken from it must not be shown. */
    ASSERT_BOARD(f, 0, SHORT, 100, {0, 4});
    assert_int_equal(exact_from(f, SHORT), 107);
    ASSERT_BOARD(f, 0, LONG, 100, {0, 0});
    assert_int_equal(exact_from(f, LONG), 1007);
    ASSERT_BOARD(f, 0, ALL_TIME, 100, {0, 0});
    assert_int_equal(exact_from(f, ALL_TIME), INT64_MIN);
}

static void test_windows__coarsened_board_is_exact_again_when_what_is_gone_would_be(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 9; i++)
        insert(f, 0, i, -i, 0);
    ASSERT_BOARD(f, 0, SHORT, 106, {0, 8});
    assert_int_equal(exact_from(f, SHORT), 107);
    ASSERT_BOARD(f, 0, SHORT, 107, {0, 8});
    assert_int_equal(exact_from(f, SHORT), INT64_MIN);
}

static void test_windows__full_board_above_all_that_is_gone_is_exact(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 9; i++)
        insert(f, 0, i, -i, 10);
    insert(f, 1, 10, 5, 10);
    insert(f, 2, 10, 4, 10);
    insert(f, 3, 10, -1, 10); /* as good as the step at 1 */
    ASSERT_BOARD(f, 0, SHORT, 100, {1, 10}, {2, 10}, {3, 10});
    assert_int_equal(exact_from(f, SHORT), 107);
    insert(f, 3, 11, -0.5, 100);
    ASSERT_BOARD(f, 0, SHORT, 100, {1, 10}, {2, 10}, {3, 11});
    assert_int_equal(exact_from(f, SHORT), INT64_MIN);
}

static void test_windows__what_is_gone_and_expired_makes_no_later_board_inexact(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 9; i++)
        insert(f, 0, i, 100 - i, 0);
    for (int i = 0; i < 9; i++)
        insert(f, 0, 2000 + i, -i, 2000);
    for (uint32_t device = 1; device < 4; device++)
        insert(f, device, 2000, 50, 2000);
    ASSERT_BOARD(f, 0, LONG, 2010, {1, 2000}, {2, 2000}, {3, 2000});
    assert_int_equal(exact_from(f, LONG), INT64_MIN);
}

static void test_windows__coarsened_key_sinks_to_what_is_left(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 8; i++)
        insert(f, 0, 10 * i, -i, 80);
    insert(f, 1, 50, -1.5, 80);
    ASSERT_BOARD(f, 0, SHORT, 100, {0, 10}, {1, 50});
    insert(f, 0, 80, -8, 100); /* takes the step at 10, though its time has not run out */
    ASSERT_BOARD(f, 0, SHORT, 101, {1, 50}, {0, 40});
}

static void test_windows__only_the_largest_staircase_is_coarsened(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    f->windows.budget.limit_bytes = 100000;
    for (int i = 0; i < 400; i++) {
        insert2(f, 0, i, -i, NAN, 400);
        if (i < 30)
            insert2(f, 1, i, NAN, -i, 400);
    }
    assert_int_equal(windows_stats(&f->windows).coarsened, 0);
    f->windows.budget.limit_bytes = windows_stats(&f->windows).tower_bytes;
    for (int i = 30; i < 60; i++)
        insert2(f, 1, i, NAN, -i, 400);
    assert_true(f->windows.kinds[0].coarsened > 0);
    assert_int_equal(f->windows.kinds[1].coarsened, 0);
    assert_true(windows_stats(&f->windows).tower_bytes <= f->windows.budget.limit_bytes);
}

static void test_windows__bytes_come_back_when_a_fleet_goes_silent(void **state)
{
    enum { FLEET = 3000 };
    static char ids[FLEET][8];
    struct fixture *f = *state;
    uint64_t empty, full;

    for (uint32_t device = 0; device < FLEET; device++) {
        snprintf(ids[device], sizeof(ids[device]), "%u", device % 100000);
        windows_add_device(&f->windows, ids[device]);
    }
    empty = windows_stats(&f->windows).bytes;
    for (uint32_t device = 0; device < FLEET; device++)
        for (int i = 0; i < 10; i++)
            insert(f, device, 10 + i, 20 - i, 20);
    full = windows_stats(&f->windows).bytes;
    assert_true(full > empty + FLEET * 10 * reading_size(FEATURES));
    windows_sweep(&f->windows, 5000, FLEET);
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    /* One of the keys and a little slack are left. */
    assert_true(windows_stats(&f->windows).bytes <
                empty + FLEET * sizeof(struct windows_key) * 5 / 4);
}

static void test_windows__board_is_right_when_nearly_all_keys_run_out_at_once(void **state)
{
    enum { FLEET = 3000 };
    static char ids[FLEET][16];
    struct fixture *f = *state;

    for (uint32_t device = 0; device < FLEET; device++) {
        snprintf(ids[device], sizeof(ids[device]), "%u", (unsigned)device);
        windows_add_device(&f->windows, ids[device]);
        insert(f, device, 10, 10000.0 + device, 10);
        if (device % 3 == 0)
            insert(f, device, 50, device * 7 % FLEET, 50);
    }
    /* 7 * 2571 = 6 * 3000 - 3, and so on: the largest of the later values. */
    ASSERT_BOARD(f, 0, SHORT, 110, {2571, 50}, {2142, 50}, {1713, 50});
    assert_int_equal(f->windows.heaps[SHORT].count, FLEET / 3);
    ASSERT_BOARD(f, 0, LONG, 110, {2999, 10}, {2998, 10}, {2997, 10});
    assert_empty(f, 0, SHORT, 150);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    insert(f, 7, 151, 1, 151);
    ASSERT_BOARD(f, 0, SHORT, 151, {7, 151});
}

static void test_windows__many_equal_devices_are_ranked_by_id(void **state)
{
    enum { FLEET = 1000 };
    static char ids[FLEET][8];
    struct fixture *f = *state;

    for (uint32_t i = 0; i < FLEET; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%03u", (i * 7 + 500) % FLEET);
        windows_add_device(&f->windows, ids[i]);
        insert(f, i, 10, 5, 10);
    }
    for (uint32_t interval = 0; interval < INTERVALS; interval++) {
        assert_int_equal(windows_board(&f->windows, 0, interval, 10, f->entries), TOP_N);
        assert_string_equal(windows_device_id(&f->windows, f->entries[0].device), "000");
        assert_string_equal(windows_device_id(&f->windows, f->entries[1].device), "001");
        assert_string_equal(windows_device_id(&f->windows, f->entries[2].device), "002");
    }
}

static void test_windows__cleared_device_is_on_no_board_and_can_come_back(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    insert(f, 0, 10, 85, 12);
    insert(f, 0, 11, 21, 12);
    insert(f, 1, 12, 5, 12);
    windows_clear_device(&f->windows, 0);
    assert_null(windows_peak(&f->windows, 0, 0));
    assert_int_equal(windows_stats(&f->windows).steps, 1);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 12});
    windows_clear_device(&f->windows, 0);
    insert(f, 0, 11, 21, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {0, 11}, {1, 12});
}

static void test_windows__prefetch_changes_nothing(void **state)
{
    struct fixture *f = *state;

    add_devices(f);
    for (int i = 0; i < 40; i++)
        windows_prefetch(&f->windows, (uint32_t)i % 4);
    insert(f, 0, 10, 5, 10);
    for (int i = 0; i < 40; i++)
        windows_prefetch(&f->windows, (uint32_t)i % 4);
    ASSERT_BOARD(f, 0, SHORT, 10, {0, 10});
    assert_int_equal(windows_stats(&f->windows).steps, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_LIMITED(name) cmocka_unit_test_setup_teardown(name, setup_limited, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_windows__board_of_nothing_is_empty),
        TEST(test_windows__devices_are_ranked_by_value),
        TEST(test_windows__equal_values_are_ranked_by_later_time),
        TEST(test_windows__equal_values_and_times_are_ranked_by_smaller_id_in_bytes),
        TEST(test_windows__device_is_shown_once_with_its_whole_best_reading),
        TEST(test_windows__board_has_at_most_top_n_entries),
        TEST(test_windows__reading_leaves_at_exactly_its_time_plus_the_length),
        TEST(test_windows__when_the_best_leaves_the_next_best_is_shown),
        TEST(test_windows__reading_from_the_future_counts),
        TEST(test_windows__late_reading_counts_in_the_intervals_it_is_in),
        TEST(test_windows__late_reading_claims_no_place_in_intervals_it_is_not_in),
        TEST(test_windows__absent_feature_is_on_no_board),
        TEST(test_windows__same_reading_again_changes_nothing),
        cmocka_unit_test_setup_teardown(test_windows__lowest_ranks_the_other_way_but_ties_alike,
                                        setup_lowest, teardown),
        cmocka_unit_test_setup_teardown(test_windows__both_orders_are_kept_side_by_side, setup_both,
                                        teardown),
        TEST(test_windows__next_expiry_is_the_first_to_leave_of_those_shown),
        TEST(test_windows__next_expiry_of_what_never_leaves_is_never),
        TEST(test_windows__loaded_peak_is_on_its_all_time_board_only),
        TEST(test_windows__peak_never_moves_backwards),
        TEST(test_windows__silent_device_costs_only_its_peak_after_a_sweep),
        TEST(test_windows__sweep_leaves_an_interval_as_soon_as_it_is_empty),
        TEST(test_windows__sweep_sees_all_devices_within_its_budgets),
        TEST(test_windows__without_finite_intervals_no_steps_are_kept),
        TEST(test_windows__clock_gone_back_shows_what_is_kept_again),
        TEST(test_windows__clock_gone_back_says_what_to_insert_again),
        TEST(test_windows__repairs_are_counted_once_each),
        TEST_LIMITED(test_windows__coarsened_board_is_true_and_said_not_to_be_exact),
        TEST_LIMITED(test_windows__coarsened_board_is_exact_again_when_what_is_gone_would_be),
        TEST_LIMITED(test_windows__full_board_above_all_that_is_gone_is_exact),
        TEST_LIMITED(test_windows__what_is_gone_and_expired_makes_no_later_board_inexact),
        TEST_LIMITED(test_windows__coarsened_key_sinks_to_what_is_left),
        TEST_LIMITED(test_windows__only_the_largest_staircase_is_coarsened),
        TEST(test_windows__bytes_come_back_when_a_fleet_goes_silent),
        TEST(test_windows__board_is_right_when_nearly_all_keys_run_out_at_once),
        TEST(test_windows__many_equal_devices_are_ranked_by_id),
        TEST(test_windows__cleared_device_is_on_no_board_and_can_come_back),
        TEST(test_windows__prefetch_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
