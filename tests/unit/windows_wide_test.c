/* Windows of many features: what a device costs, and that it gives it back. What is on their boards is
 * the property tests' matter. */
#include "collector/windows.h"

#include "shared/base/random.h"

#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

enum { INTERVALS = 3, TOP_N = 2, HOUR_S = 3600, DEVICES = 20 };

struct fixture {
    struct windows windows;
    size_t features;
    uint64_t empty_bytes;
    uint64_t random;
    int64_t now_us;
    struct windows_entry entries[TOP_N];
};

static void start(struct fixture *f, size_t features, unsigned orders, uint64_t memory_limit)
{
    static const int64_t lengths_us[INTERVALS] = {60 * SECOND_US, HOUR_S * SECOND_US,
                                                  INTERVAL_ALL_TIME};
    static const char *const ids[DEVICES] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                             "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};

    windows_init(&f->windows, features, orders, lengths_us, INTERVALS, TOP_N, memory_limit);
    for (size_t i = 0; i < DEVICES; i++)
        windows_add_device(&f->windows, ids[i]);
    f->features = features;
    f->random = 1;
    f->now_us = 1700000000 * SECOND_US;
    f->empty_bytes = windows_stats(&f->windows).bytes;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    windows_release(&f->windows);
    free(f);
    return 0;
}

/* A reading of `count` features, the first of which are given, of two decimals. */
static void insert(struct fixture *f, uint32_t device, const size_t *features, size_t count)
{
    union reading_storage storage = {0};

    storage.reading.recorded_at_us = f->now_us;
    storage.reading.content_hash = (int64_t)random_next(&f->random);
    for (size_t i = 0; i < f->features; i++)
        storage.reading.values[i] = NAN;
    for (size_t i = 0; i < count; i++)
        storage.reading.values[features[i]] = (double)random_below(&f->random, 10000) / 100;
    windows_insert(&f->windows, device, &storage.reading, f->now_us);
}

/* An hour and a bit of all devices, a reading a second each, of so many features: always the first, or
 * any. Returns the bytes that a device takes. */
static uint64_t run_an_hour(struct fixture *f, size_t carried, bool any)
{
    size_t features[FEATURES_MAX];

    for (size_t s = 0; s < HOUR_S + 120; s++) {
        f->now_us += SECOND_US;
        for (uint32_t device = 0; device < DEVICES; device++) {
            for (size_t i = 0; i < carried; i++)
                features[i] = any ? random_below(&f->random, f->features) : i;
            insert(f, device, features, carried);
        }
        windows_sweep(&f->windows, f->now_us, 1);
    }
    return (windows_stats(&f->windows).bytes - f->empty_bytes) / DEVICES;
}

static void test_windows_wide__an_hour_of_20_features_takes_20_kb(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes;

    start(f, 20, WINDOWS_HIGHEST, 0);
    bytes = run_an_hour(f, 20, false);
    print_message("%llu bytes a device\n", (unsigned long long)bytes);
    assert_in_range(bytes, 10000, 20000);
}

static void test_windows_wide__an_hour_of_10_of_many_features_takes_a_tenth_of_100_kb(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes;

    start(f, FEATURES_MAX, WINDOWS_HIGHEST, 0);
    bytes = run_an_hour(f, 10, false);
    print_message("%llu bytes a device\n", (unsigned long long)bytes);
    assert_in_range(bytes, 3000, 10000);
}

static void test_windows_wide__an_hour_of_any_10_of_many_features_takes_100_kb(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes;

    start(f, FEATURES_MAX, WINDOWS_HIGHEST, 0);
    bytes = run_an_hour(f, 10, true);
    print_message("%llu bytes a device\n", (unsigned long long)bytes);
    assert_in_range(bytes, 10000, 100000);
}

static void test_windows_wide__bytes_are_what_the_allocator_gave(void **state)
{
    struct fixture *f = *state;
    size_t before = mallinfo2().uordblks;
    uint64_t given;

    start(f, 20, WINDOWS_HIGHEST | WINDOWS_LOWEST, 0);
    run_an_hour(f, 20, false);
    given = mallinfo2().uordblks - before;
#if defined(__SANITIZE_ADDRESS__)
    (void)given; /* whose allocator has other figures */
#else
    /* With the allocator's own, a few bytes for each array. */
    assert_in_range(windows_stats(&f->windows).bytes, given * 9 / 10, given);
#endif
}

static void test_windows_wide__a_device_pays_for_what_it_sent_only(void **state)
{
    static const size_t one[] = {3};
    struct fixture *f = *state;

    start(f, FEATURES_MAX, WINDOWS_HIGHEST, 0);
    insert(f, 0, one, 1);
    /* a slot, a staircase, a page of its pack, and the first keys of three heaps */
    assert_in_range(windows_stats(&f->windows).bytes - f->empty_bytes, 1, 6000);
}

/* One reading, and then silence. */
static void test_windows_wide__a_silent_device_keeps_its_peaks_only(void **state)
{
    struct fixture *f = *state;
    uint64_t busy;

    start(f, 20, WINDOWS_HIGHEST | WINDOWS_LOWEST, 0);
    busy = run_an_hour(f, 20, false);
    for (size_t s = 0; s < 10; s++) {
        f->now_us += HOUR_S * SECOND_US / 8;
        windows_sweep(&f->windows, f->now_us, DEVICES);
    }
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    /* and, in so small a fleet, mostly the room that its heaps have */
    assert_true((windows_stats(&f->windows).bytes - f->empty_bytes) / DEVICES < busy / 2);
    for (uint32_t ranking = 0; ranking < 40; ranking++) {
        assert_int_equal(windows_board(&f->windows, ranking, 2, f->now_us, f->entries), TOP_N);
        assert_int_equal(windows_board(&f->windows, ranking, 1, f->now_us, f->entries), 0);
        assert_non_null(windows_peak(&f->windows, 5, ranking));
    }
}

static void test_windows_wide__a_cleared_device_has_nothing(void **state)
{
    static const size_t features[] = {0, 7, 9};
    struct fixture *f = *state;

    start(f, 20, WINDOWS_HIGHEST, 0);
    for (size_t i = 0; i < 1000; i++) {
        f->now_us += SECOND_US;
        insert(f, 4, features, 3);
    }
    windows_clear_device(&f->windows, 4);
    assert_int_equal(windows_stats(&f->windows).steps, 0);
    /* but for the keys that the heaps have room for */
    assert_true(windows_stats(&f->windows).bytes - f->empty_bytes < 6000);
    assert_null(windows_peak(&f->windows, 4, 7));
    assert_int_equal(windows_board(&f->windows, 7, 2, f->now_us, f->entries), 0);
    insert(f, 4, features, 1);
    assert_int_equal(windows_board(&f->windows, 0, 0, f->now_us, f->entries), 1);
}

/* A peak shown does not change a board shown before it. */
static void test_windows_wide__a_peak_leaves_the_board_alone(void **state)
{
    static const size_t features[] = {2};
    struct fixture *f = *state;
    double first;

    start(f, 20, WINDOWS_HIGHEST, 0);
    for (uint32_t device = 0; device < DEVICES; device++)
        insert(f, device, features, 1);
    assert_int_equal(windows_board(&f->windows, 2, 2, f->now_us, f->entries), TOP_N);
    first = f->entries[0].reading->values[2];
    for (uint32_t device = 0; device < DEVICES; device++)
        assert_non_null(windows_peak(&f->windows, device, 2));
    assert_true(f->entries[0].reading->values[2] == first);
    assert_true(windows_peak(&f->windows, f->entries[0].device, 2)->values[2] == first);
}

/* All features of all devices fall: each reading is a step of every staircase. */
static void test_windows_wide__the_limit_holds_for_what_falls(void **state)
{
    enum { LIMIT = 4000000 };
    struct fixture *f = *state;
    union reading_storage storage = {0};

    start(f, 20, WINDOWS_HIGHEST, LIMIT);
    for (size_t i = 0; i < 60000; i++) {
        storage.reading.recorded_at_us = f->now_us += SECOND_US / 100;
        storage.reading.content_hash = (int64_t)i;
        for (size_t n = 0; n < 20; n++)
            storage.reading.values[n] = -(double)i / 100;
        windows_insert(&f->windows, i < 30000 ? 0 : i % DEVICES, &storage.reading, f->now_us);
        assert_true(windows_stats(&f->windows).tower_bytes <= LIMIT);
    }
    windows_sweep(&f->windows, f->now_us, DEVICES);
    assert_true(windows_stats(&f->windows).coarsened > 0);
    assert_true(windows_stats(&f->windows).bytes - f->empty_bytes < LIMIT + LIMIT / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_windows_wide__an_hour_of_20_features_takes_20_kb,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_windows_wide__an_hour_of_10_of_many_features_takes_a_tenth_of_100_kb, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_windows_wide__an_hour_of_any_10_of_many_features_takes_100_kb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__bytes_are_what_the_allocator_gave, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__a_device_pays_for_what_it_sent_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__a_silent_device_keeps_its_peaks_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__a_cleared_device_has_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__a_peak_leaves_the_board_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_windows_wide__the_limit_holds_for_what_falls, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
