#include "devicesim/device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICES = 20, READINGS = 200 };

static struct signal_ranges ranges;

static int setup(void **state)
{
    char error[256];

    (void)state;
    return signal_ranges_parse(&ranges, SIGNAL_RANGES_DEFAULT, error, sizeof(error)) ? 0 : 1;
}

static struct device_rules rules_of(enum signal_kind kind, uint64_t seed)
{
    return (struct device_rules){.seed = seed,
                                 .signal = kind,
                                 .ranges = &ranges,
                                 .interval_least_us = 1000000,
                                 .interval_most_us = 10000000,
                                 .period_us = 5500000,
                                 .day_us = 86400e6};
}

static void read_one(const struct device_rules *rules, uint64_t device, uint64_t k, double *walk,
                     union reading_storage *out)
{
    memset(out, 0, sizeof(*out));
    device_reading(rules, device, k, walk, &out->reading);
}

static void test_device__the_same_seed_gives_the_same_readings_in_any_order(void **state)
{
    static const enum signal_kind kinds[] = {SIGNAL_UNIFORM, SIGNAL_DAILY, SIGNAL_SPIKE};

    (void)state;
    for (size_t kind = 0; kind < 3; kind++) {
        struct device_rules rules = rules_of(kinds[kind], 42);

        for (uint64_t k = 0; k < READINGS; k++) {
            union reading_storage forward;
            union reading_storage again;

            read_one(&rules, 3, k, NULL, &forward);
            read_one(&rules, 7, READINGS - k, NULL, &again); /* others in between */
            read_one(&rules, 3, k, NULL, &again);
            assert_memory_equal(&forward, &again, reading_size(2));
        }
    }
}

static void test_device__a_walk_depends_on_its_own_device_only(void **state)
{
    struct device_rules rules = rules_of(SIGNAL_WALK, 42);
    double alone[2] = {NAN, NAN};
    double among[DEVICES][2];
    static unsigned char expected[READINGS][sizeof(union reading_storage)];
    union reading_storage reading;

    (void)state;
    for (int i = 0; i < DEVICES; i++)
        among[i][0] = among[i][1] = (double)NAN;
    for (uint64_t k = 0; k < READINGS; k++) {
        read_one(&rules, 5, k, alone, &reading);
        memcpy(expected[k], &reading, sizeof(reading));
    }
    for (uint64_t k = 0; k < READINGS; k++) {
        for (uint64_t i = 0; i < DEVICES; i++) {
            read_one(&rules, i, k, among[i], &reading);
            if (i == 5)
                assert_memory_equal(&reading, expected[k], reading_size(2));
        }
    }
}

static void test_device__another_seed_device_or_number_gives_another_reading(void **state)
{
    struct device_rules one = rules_of(SIGNAL_UNIFORM, 1);
    struct device_rules two = rules_of(SIGNAL_UNIFORM, 2);
    union reading_storage a, b, c, d;

    (void)state;
    read_one(&one, 0, 0, NULL, &a);
    read_one(&two, 0, 0, NULL, &b);
    read_one(&one, 1, 0, NULL, &c);
    read_one(&one, 0, 1, NULL, &d);
    assert_memory_not_equal(a.reading.values, b.reading.values, 2 * sizeof(double));
    assert_memory_not_equal(a.reading.values, c.reading.values, 2 * sizeof(double));
    assert_memory_not_equal(a.reading.values, d.reading.values, 2 * sizeof(double));
    assert_memory_not_equal(c.reading.values, d.reading.values, 2 * sizeof(double));
}

static void test_device__every_status_comes_about_equally_often(void **state)
{
    struct device_rules rules = rules_of(SIGNAL_UNIFORM, 9);
    unsigned seen[STATUS_COUNT] = {0};

    (void)state;
    for (uint64_t k = 0; k < 40000; k++) {
        union reading_storage reading;

        read_one(&rules, 0, k, NULL, &reading);
        seen[reading.reading.status]++;
    }
    assert_int_equal(seen[STATUS_ABSENT], 0);
    for (int status = STATUS_ON; status < STATUS_COUNT; status++)
        assert_in_range(seen[status], 9500, 10500);
}

static void test_device__delays_fill_the_interval(void **state)
{
    struct device_rules rules = rules_of(SIGNAL_UNIFORM, 9);
    int64_t least = INT64_MAX;
    int64_t most = 0;

    (void)state;
    for (uint64_t k = 0; k < 10000; k++) {
        int64_t delay = device_delay_us(&rules, k % DEVICES, k);

        assert_true(delay >= 1000000 && delay < 10000000);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_true(least < 1010000 && most > 9990000);
    rules.interval_most_us = rules.interval_least_us;
    assert_int_equal(device_delay_us(&rules, 0, 0), 1000000);
}

static void test_device__first_readings_are_spread_over_a_period(void **state)
{
    struct device_rules rules = rules_of(SIGNAL_UNIFORM, 9);
    unsigned in_quarter[4] = {0};

    (void)state;
    for (uint64_t i = 0; i < 4000; i++) {
        int64_t phase = device_phase_us(&rules, i);

        assert_true(phase >= 0 && phase < 5500000);
        in_quarter[phase / 1375000]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(in_quarter[i], 900, 1100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device__the_same_seed_gives_the_same_readings_in_any_order),
        cmocka_unit_test(test_device__a_walk_depends_on_its_own_device_only),
        cmocka_unit_test(test_device__another_seed_device_or_number_gives_another_reading),
        cmocka_unit_test(test_device__every_status_comes_about_equally_often),
        cmocka_unit_test(test_device__delays_fill_the_interval),
        cmocka_unit_test(test_device__first_readings_are_spread_over_a_period),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
