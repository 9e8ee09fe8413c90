/* What is on a board, and when it leaves. */
#include "tests/unit/windows_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_windows__board_of_nothing_is_empty(void **state)
{
    struct windows_fixture *f = *state;

    fixture_assert_empty(f, 0, SHORT, 0);
    fixture_add_devices(f);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        fixture_assert_empty(f, 1, interval, 10);
    assert_null(windows_peak(&f->windows, 0, 0));
}

static void test_windows__devices_are_ranked_by_value(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 1, 10);
    fixture_insert(f, 1, 11, 3, 11);
    fixture_insert(f, 2, 12, 2, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 11}, {2, 12}, {0, 10});
}

static void test_windows__equal_values_are_ranked_by_later_time(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 5, 12);
    fixture_insert(f, 1, 12, 5, 12);
    fixture_insert(f, 2, 11, 5, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 12}, {2, 11}, {0, 10});
}

static void test_windows__equal_values_and_times_are_ranked_by_smaller_id_in_bytes(void **state)
{
    struct windows_fixture *f = *state;

    windows_add_device(&f->windows, "device_2");
    windows_add_device(&f->windows, "\xc3\xa4");
    windows_add_device(&f->windows, "device_10");
    windows_add_device(&f->windows, "Z");
    for (uint32_t device = 0; device < 4; device++)
        fixture_insert(f, device, 10, 5, 10);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 10, {3, 10}, {2, 10}, {0, 10});
}

static void test_windows__device_is_shown_once_with_its_whole_best_reading(void **state)
{
    struct windows_fixture *f = *state;
    union reading_storage best;

    fixture_add_devices(f);
    fixture_fill(&best, 20, 9, 4);
    fixture_insert2(f, 0, 10, 8, 100, 30);
    windows_insert(&f->windows, 0, &best.reading, 30);
    fixture_insert2(f, 0, 30, 7, 50, 30);
    ASSERT_BOARD(f, 0, LONG, 30, {0, 20});
    assert_memory_equal(f->entries[0].reading, &best, reading_size(FEATURES));
    ASSERT_BOARD(f, 0, ALL_TIME, 30, {0, 20});
    assert_memory_equal(f->entries[0].reading, &best, reading_size(FEATURES));
    ASSERT_BOARD(f, 1, LONG, 30, {0, 10});
}

static void test_windows__board_has_at_most_top_n_entries(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        fixture_insert(f, device, 10, device, 10);
    ASSERT_BOARD(f, 0, SHORT, 10, {3, 10}, {2, 10}, {1, 10});
}

static void test_windows__reading_leaves_at_exactly_its_time_plus_the_length(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 5, 10);
    ASSERT_BOARD(f, 0, SHORT, 109, {0, 10});
    fixture_assert_empty(f, 0, SHORT, 110);
    ASSERT_BOARD(f, 0, LONG, 1009, {0, 10});
    fixture_assert_empty(f, 0, LONG, 1010);
    ASSERT_BOARD(f, 0, ALL_TIME, 1010, {0, 10});
}

static void test_windows__when_the_best_leaves_the_next_best_is_shown(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 9, 10);
    fixture_insert(f, 1, 10, 8, 10);
    fixture_insert(f, 0, 50, 5, 50);
    ASSERT_BOARD(f, 0, SHORT, 50, {0, 10}, {1, 10});
    ASSERT_BOARD(f, 0, SHORT, 110, {0, 50});
    ASSERT_BOARD(f, 0, LONG, 110, {0, 10}, {1, 10});
}

static void test_windows__reading_from_the_future_counts(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 500, 5, 10);
    ASSERT_BOARD(f, 0, SHORT, 10, {0, 500});
    fixture_insert(f, 0, 20, 6, 20);
    ASSERT_BOARD(f, 0, SHORT, 20, {0, 20});
    ASSERT_BOARD(f, 0, SHORT, 599, {0, 500});
}

static void test_windows__late_reading_counts_in_the_intervals_it_is_in(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 2000, 1, 2000);
    fixture_insert(f, 0, 1500, 2, 2000);
    fixture_insert(f, 0, 900, 3, 2000);
    ASSERT_BOARD(f, 0, SHORT, 2000, {0, 2000});
    ASSERT_BOARD(f, 0, LONG, 2000, {0, 1500});
    ASSERT_BOARD(f, 0, ALL_TIME, 2000, {0, 900});
    assert_int_equal(windows_stats(&f->windows).steps, 2);
}

static void test_windows__late_reading_claims_no_place_in_intervals_it_is_not_in(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 1500, 2, 2000);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    fixture_insert(f, 1, 900, 2, 2000);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    assert_int_equal(f->windows.heaps[ALL_TIME].count, 2);
}

static void test_windows__absent_feature_is_on_no_board(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert2(f, 0, 10, NAN, 1, 10);
    fixture_insert2(f, 1, 10, 1, NAN, 10);
    fixture_insert2(f, 2, 10, NAN, NAN, 10);
    for (uint32_t interval = 0; interval < INTERVALS; interval++) {
        ASSERT_BOARD(f, 0, interval, 10, {1, 10});
        ASSERT_BOARD(f, 1, interval, 10, {0, 10});
    }
}

static void test_windows__same_reading_again_changes_nothing(void **state)
{
    struct windows_fixture *f = *state;
    struct windows_stats before;

    fixture_add_devices(f);
    fixture_insert2(f, 0, 10, 5, 6, 10);
    fixture_insert2(f, 0, 20, 4, 3, 20);
    before = windows_stats(&f->windows);
    fixture_insert2(f, 0, 10, 5, 6, 20);
    fixture_insert2(f, 0, 20, 4, 3, 20);
    assert_int_equal(windows_stats(&f->windows).steps, before.steps);
    assert_int_equal(windows_stats(&f->windows).bytes, before.bytes);
    ASSERT_BOARD(f, 0, SHORT, 20, {0, 10});
}

static void test_windows__lowest_ranks_the_other_way_but_ties_alike(void **state)
{
    struct windows_fixture *f = *state;
    uint32_t lowest = windows_ranking(&f->windows, 0, WINDOWS_LOWEST);

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 3, 10);
    fixture_insert(f, 1, 10, -1, 10);
    fixture_insert(f, 2, 11, 3, 11);
    ASSERT_BOARD(f, lowest, SHORT, 11, {1, 10}, {2, 11}, {0, 10});
    ASSERT_BOARD(f, lowest, ALL_TIME, 11, {1, 10}, {2, 11}, {0, 10});
}

static void test_windows__both_orders_are_kept_side_by_side(void **state)
{
    struct windows_fixture *f = *state;
    uint32_t highest = windows_ranking(&f->windows, 1, WINDOWS_HIGHEST);
    uint32_t lowest = windows_ranking(&f->windows, 1, WINDOWS_LOWEST);

    assert_int_equal(highest, 2);
    assert_int_equal(lowest, 3);
    fixture_add_devices(f);
    fixture_insert2(f, 0, 10, 0, 1, 10);
    fixture_insert2(f, 0, 20, 0, 2, 20);
    fixture_insert2(f, 1, 15, 0, 0.5, 20);
    ASSERT_BOARD(f, highest, SHORT, 20, {0, 20}, {1, 15});
    ASSERT_BOARD(f, lowest, SHORT, 20, {1, 15}, {0, 10});
}

static void test_windows__next_expiry_is_the_first_to_leave_of_those_shown(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 5, 0, 40); /* not shown */
    fixture_insert(f, 1, 30, 9, 40);
    fixture_insert(f, 2, 20, 8, 40);
    fixture_insert(f, 3, 40, 7, 40);
    ASSERT_BOARD(f, 0, SHORT, 40, {1, 30}, {2, 20}, {3, 40});
    assert_int_equal(windows_next_expiry(&f->windows, SHORT, f->entries, f->count), 120);
    ASSERT_BOARD(f, 0, SHORT, 119, {1, 30}, {2, 20}, {3, 40});
    ASSERT_BOARD(f, 0, SHORT, 120, {1, 30}, {3, 40});
}

static void test_windows__next_expiry_of_what_never_leaves_is_never(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    assert_int_equal(windows_next_expiry(&f->windows, SHORT, f->entries, 0), INT64_MAX);
    fixture_insert(f, 0, 10, 5, 10);
    ASSERT_BOARD(f, 0, ALL_TIME, 10, {0, 10});
    assert_int_equal(windows_next_expiry(&f->windows, ALL_TIME, f->entries, f->count), INT64_MAX);
}

static void test_windows__loaded_peak_is_on_its_all_time_board_only(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 5, 10);
    fixture_insert_peak(f, 1, 0, 9, 7);
    ASSERT_BOARD(f, 0, ALL_TIME, 10, {1, 9}, {0, 10});
    ASSERT_BOARD(f, 0, LONG, 10, {0, 10});
    fixture_assert_empty(f, 1, ALL_TIME, 10);
    assert_int_equal(windows_peak(&f->windows, 1, 0)->recorded_at_us, 9);
    assert_null(windows_peak(&f->windows, 1, 1));
}

static void test_windows__peak_never_moves_backwards(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert_peak(f, 0, 0, 100, 7);
    fixture_insert_peak(f, 0, 0, 200, 6);
    fixture_insert_peak(f, 0, 0, 50, 7);
    fixture_insert(f, 0, 300, 5, 300);
    assert_int_equal(windows_peak(&f->windows, 0, 0)->recorded_at_us, 100);
    fixture_insert(f, 0, 301, 7, 301);
    assert_int_equal(windows_peak(&f->windows, 0, 0)->recorded_at_us, 301);
    fixture_insert(f, 0, 20000, 8, 20000);
    ASSERT_BOARD(f, 0, ALL_TIME, 50000, {0, 20000});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
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
                                        fixture_setup_lowest, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_windows__both_orders_are_kept_side_by_side,
                                        fixture_setup_both, fixture_teardown),
        TEST(test_windows__next_expiry_is_the_first_to_leave_of_those_shown),
        TEST(test_windows__next_expiry_of_what_never_leaves_is_never),
        TEST(test_windows__loaded_peak_is_on_its_all_time_board_only),
        TEST(test_windows__peak_never_moves_backwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
