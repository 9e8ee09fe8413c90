/* What windows keep and let go: sweeps, clocks gone back, coarsening, devices that fall silent. */
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

static void test_windows__silent_device_costs_only_its_peak_after_a_sweep(void **state)
{
    struct windows_fixture *f = *state;
    uint64_t bytes;

    fixture_add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        fixture_insert_peak(f, device, 0, 1, device);
    for (int i = 0; i < 20; i++)
        fixture_insert(f, 0, 10 + i, 50 - i, 10 + i);
    windows_sweep(&f->windows, 5000, 4);
    bytes = windows_stats(&f->windows).bytes;
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 0);
    ASSERT_BOARD(f, 0, ALL_TIME, 5000, {0, 10}, {3, 1}, {2, 1});
    fixture_insert(f, 0, 6000, 1, 6000);
    ASSERT_BOARD(f, 0, SHORT, 6000, {0, 6000});
    windows_sweep(&f->windows, 7000, 4);
    assert_int_equal(windows_stats(&f->windows).bytes, bytes);
}

static void test_windows__sweep_leaves_an_interval_as_soon_as_it_is_empty(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 5, 10);
    windows_sweep(&f->windows, 110, 4);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    assert_int_equal(f->windows.heaps[LONG].count, 1);
    ASSERT_BOARD(f, 0, LONG, 110, {0, 10});
}

static void test_windows__sweep_sees_all_devices_within_its_budgets(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        fixture_insert(f, device, 10, 5, 10);
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
    fixture_fill(&storage, 10, 5, NAN);
    windows_insert(&windows, 0, &storage.reading, 10);
    fixture_fill(&storage, 11, 4, NAN);
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
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 9, 10);
    fixture_insert(f, 0, 60, 5, 60);
    fixture_insert(f, 1, 60, 4, 60);
    ASSERT_BOARD(f, 0, SHORT, 150, {0, 60}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 0);
    ASSERT_BOARD(f, 0, SHORT, 100, {0, 10}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 1);
    fixture_assert_empty(f, 0, SHORT, 300);
    ASSERT_BOARD(f, 0, SHORT, 159, {0, 60}, {1, 60});
    assert_int_equal(windows_stats(&f->windows).rewinds, 2);
}

static void test_windows__clock_gone_back_says_what_to_insert_again(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 9, 10);
    fixture_insert(f, 0, 1500, 5, 1500);
    windows_sweep(&f->windows, 1500, 4);
    fixture_insert(f, 0, 400, 7, 1450);
    assert_int_equal(windows_stats(&f->windows).dropped_until_us, 500);
    fixture_assert_empty(f, 0, SHORT, 1000000);
    ASSERT_BOARD(f, 0, LONG, 700, {0, 1500});
    fixture_insert(f, 0, 10, 9, 700);
    fixture_insert(f, 0, 400, 7, 700);
    ASSERT_BOARD(f, 0, LONG, 700, {0, 10});
    ASSERT_BOARD(f, 0, LONG, 1010, {0, 400});
}

static void test_windows__repairs_are_counted_once_each(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (uint32_t device = 0; device < 4; device++)
        fixture_insert(f, device, 10, device, 10);
    fixture_insert(f, 3, 50, 1, 50);
    assert_int_equal(windows_stats(&f->windows).repairs, 0);
    ASSERT_BOARD(f, 0, SHORT, 120, {3, 50});
    assert_int_equal(windows_stats(&f->windows).repairs, 4);
    ASSERT_BOARD(f, 0, SHORT, 121, {3, 50});
    assert_int_equal(windows_stats(&f->windows).repairs, 4);
}

static int64_t exact_from(struct windows_fixture *f, uint32_t interval)
{
    return windows_exact_from(&f->windows, 0, interval, f->entries, f->count);
}

static void test_windows__coarsened_board_is_true_and_said_not_to_be_exact(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 9; i++)
        fixture_insert(f, 0, i, -i, 0);
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
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 9; i++)
        fixture_insert(f, 0, i, -i, 0);
    ASSERT_BOARD(f, 0, SHORT, 106, {0, 8});
    assert_int_equal(exact_from(f, SHORT), 107);
    ASSERT_BOARD(f, 0, SHORT, 107, {0, 8});
    assert_int_equal(exact_from(f, SHORT), INT64_MIN);
}

static void test_windows__full_board_above_all_that_is_gone_is_exact(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 9; i++)
        fixture_insert(f, 0, i, -i, 10);
    fixture_insert(f, 1, 10, 5, 10);
    fixture_insert(f, 2, 10, 4, 10);
    fixture_insert(f, 3, 10, -1, 10); /* as good as the step at 1 */
    ASSERT_BOARD(f, 0, SHORT, 100, {1, 10}, {2, 10}, {3, 10});
    assert_int_equal(exact_from(f, SHORT), 107);
    fixture_insert(f, 3, 11, -0.5, 100);
    ASSERT_BOARD(f, 0, SHORT, 100, {1, 10}, {2, 10}, {3, 11});
    assert_int_equal(exact_from(f, SHORT), INT64_MIN);
}

static void test_windows__what_is_gone_and_expired_makes_no_later_board_inexact(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 9; i++)
        fixture_insert(f, 0, i, 100 - i, 0);
    for (int i = 0; i < 9; i++)
        fixture_insert(f, 0, 2000 + i, -i, 2000);
    for (uint32_t device = 1; device < 4; device++)
        fixture_insert(f, device, 2000, 50, 2000);
    ASSERT_BOARD(f, 0, LONG, 2010, {1, 2000}, {2, 2000}, {3, 2000});
    assert_int_equal(exact_from(f, LONG), INT64_MIN);
}

static void test_windows__coarsened_key_sinks_to_what_is_left(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 8; i++)
        fixture_insert(f, 0, 10 * i, -i, 80);
    fixture_insert(f, 1, 50, -1.5, 80);
    ASSERT_BOARD(f, 0, SHORT, 100, {0, 10}, {1, 50});
    fixture_insert(f, 0, 80, -8, 100); /* takes the step at 10, though its time has not run out */
    ASSERT_BOARD(f, 0, SHORT, 101, {1, 50}, {0, 40});
}

static void test_windows__only_the_largest_staircase_is_coarsened(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    f->windows.budget.limit_bytes = 100000;
    for (int i = 0; i < 400; i++) {
        fixture_insert2(f, 0, i, -i, NAN, 400);
        if (i < 30)
            fixture_insert2(f, 1, i, NAN, -i, 400);
    }
    assert_int_equal(windows_stats(&f->windows).coarsened, 0);
    f->windows.budget.limit_bytes = windows_stats(&f->windows).tower_bytes;
    for (int i = 30; i < 60; i++)
        fixture_insert2(f, 1, i, NAN, -i, 400);
    assert_true(f->windows.kinds[0].coarsened > 0);
    assert_int_equal(f->windows.kinds[1].coarsened, 0);
    assert_true(windows_stats(&f->windows).tower_bytes <= f->windows.budget.limit_bytes);
}

static void test_windows__bytes_come_back_when_a_fleet_goes_silent(void **state)
{
    enum { FLEET = 3000 };
    static char ids[FLEET][8];
    struct windows_fixture *f = *state;
    uint64_t empty, full;

    for (uint32_t device = 0; device < FLEET; device++) {
        snprintf(ids[device], sizeof(ids[device]), "%u", device % 100000);
        windows_add_device(&f->windows, ids[device]);
    }
    empty = windows_stats(&f->windows).bytes;
    for (uint32_t device = 0; device < FLEET; device++)
        for (int i = 0; i < 10; i++)
            fixture_insert(f, device, 10 + i, 20 - i, 20);
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
    struct windows_fixture *f = *state;

    for (uint32_t device = 0; device < FLEET; device++) {
        snprintf(ids[device], sizeof(ids[device]), "%u", (unsigned)device);
        windows_add_device(&f->windows, ids[device]);
        fixture_insert(f, device, 10, 10000.0 + device, 10);
        if (device % 3 == 0)
            fixture_insert(f, device, 50, device * 7 % FLEET, 50);
    }
    /* 7 * 2571 = 6 * 3000 - 3, and so on: the largest of the later values. */
    ASSERT_BOARD(f, 0, SHORT, 110, {2571, 50}, {2142, 50}, {1713, 50});
    assert_int_equal(f->windows.heaps[SHORT].count, FLEET / 3);
    ASSERT_BOARD(f, 0, LONG, 110, {2999, 10}, {2998, 10}, {2997, 10});
    fixture_assert_empty(f, 0, SHORT, 150);
    assert_int_equal(f->windows.heaps[SHORT].count, 0);
    fixture_insert(f, 7, 151, 1, 151);
    ASSERT_BOARD(f, 0, SHORT, 151, {7, 151});
}

static void test_windows__many_equal_devices_are_ranked_by_id(void **state)
{
    enum { FLEET = 1000 };
    static char ids[FLEET][8];
    struct windows_fixture *f = *state;

    for (uint32_t i = 0; i < FLEET; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%03u", (i * 7 + 500) % FLEET);
        windows_add_device(&f->windows, ids[i]);
        fixture_insert(f, i, 10, 5, 10);
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
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    fixture_insert(f, 0, 10, 85, 12);
    fixture_insert(f, 0, 11, 21, 12);
    fixture_insert(f, 1, 12, 5, 12);
    windows_clear_device(&f->windows, 0);
    assert_null(windows_peak(&f->windows, 0, 0));
    assert_int_equal(windows_stats(&f->windows).steps, 1);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {1, 12});
    windows_clear_device(&f->windows, 0);
    fixture_insert(f, 0, 11, 21, 12);
    for (uint32_t interval = 0; interval < INTERVALS; interval++)
        ASSERT_BOARD(f, 0, interval, 12, {0, 11}, {1, 12});
}

static void test_windows__prefetch_changes_nothing(void **state)
{
    struct windows_fixture *f = *state;

    fixture_add_devices(f);
    for (int i = 0; i < 40; i++)
        windows_prefetch(&f->windows, (uint32_t)i % 4);
    fixture_insert(f, 0, 10, 5, 10);
    for (int i = 0; i < 40; i++)
        windows_prefetch(&f->windows, (uint32_t)i % 4);
    ASSERT_BOARD(f, 0, SHORT, 10, {0, 10});
    assert_int_equal(windows_stats(&f->windows).steps, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_LIMITED(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fixture_setup_limited, fixture_teardown)
    const struct CMUnitTest tests[] = {
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
