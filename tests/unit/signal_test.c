#include "devicesim/signal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct signal_range range = {10, 35};
static double nowhere; /* for the signals that do not walk */

static void test_signal__every_kind_stays_in_its_range_with_two_decimals(void **state)
{
    static const char *const kinds[] = {"uniform", "walk", "daily", "spike"};

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        enum signal_kind kind = SIGNAL_COUNT;
        uint64_t random = 1;
        double walked = (double)NAN;

        assert_true(signal_kind_parse(&kind, kinds[i]));
        for (int k = 0; k < 100000; k++) {
            double value = signal_value(kind, &range, &random, k / 1000.0, &walked);

            assert_true(value >= range.low && value <= range.high);
            assert_true(fabs(value * 100 - round(value * 100)) < 1e-6);
        }
    }
}

static void test_signal__a_range_between_two_hundredths_is_kept(void **state)
{
    const struct signal_range narrow = {0.001, 0.004};
    uint64_t random = 1;

    (void)state;
    for (int k = 0; k < 1000; k++) {
        double value = signal_value(SIGNAL_UNIFORM, &narrow, &random, 0, &nowhere);

        assert_true(value >= narrow.low && value <= narrow.high);
    }
}

static void test_signal__uniform_reaches_both_ends_and_its_mean_is_the_middle(void **state)
{
    uint64_t random = 2;
    double least = INFINITY;
    double most = -INFINITY;
    double sum = 0;

    (void)state;
    for (int k = 0; k < 100000; k++) {
        double value = signal_value(SIGNAL_UNIFORM, &range, &random, 0, &nowhere);

        least = fmin(least, value);
        most = fmax(most, value);
        sum += value;
    }
    assert_true(least < 10.02 && most > 34.98);
    assert_true(fabs(sum / 100000 - 22.5) < 0.1);
}

static void test_signal__a_walk_moves_in_small_steps_and_goes_everywhere(void **state)
{
    uint64_t random = 3;
    double walked = (double)NAN;
    double last = signal_value(SIGNAL_WALK, &range, &random, 0, &walked);
    double least = last;
    double most = last;

    (void)state;
    for (int k = 0; k < 100000; k++) {
        double value = signal_value(SIGNAL_WALK, &range, &random, 0, &walked);

        assert_true(fabs(value - last) <= 0.05 * 25 + 0.01);
        last = value;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    assert_true(least < 10.5 && most > 34.5);
}

static void test_signal__daily_is_high_at_a_quarter_and_low_at_three(void **state)
{
    uint64_t random = 4;

    (void)state;
    for (int day = 0; day < 100; day++) {
        assert_true(signal_value(SIGNAL_DAILY, &range, &random, day + 0.25, &nowhere) > 30);
        assert_true(signal_value(SIGNAL_DAILY, &range, &random, day + 0.75, &nowhere) < 15);
    }
}

static void test_signal__spikes_are_rare_and_stand_out(void **state)
{
    uint64_t random = 5;
    int spikes = 0;

    (void)state;
    for (int k = 0; k < 100000; k++) {
        double value = signal_value(SIGNAL_SPIKE, &range, &random, 0, &nowhere);

        assert_true(value <= 15.01 || value >= 33.74);
        spikes += value > 30;
    }
    assert_in_range(spikes, 100, 300);
}

static void test_signal__ranges_are_read(void **state)
{
    struct signal_ranges ranges;
    char error[256] = "";

    (void)state;
    assert_true(signal_ranges_parse(&ranges, "a[m=s|A, b]=-1.5..2,temperature[|T],pressure,x=3..3",
                                    error, sizeof(error)));
    assert_int_equal(ranges.features.count, 4);
    assert_string_equal(ranges.features.names[0], "a");
    assert_string_equal(ranges.features.units[0], "m=s");
    assert_string_equal(ranges.features.labels[0], "A, b");
    assert_string_equal(ranges.features.labels[1], "T");
    assert_true(ranges.ranges[0].low == -1.5 && ranges.ranges[0].high == 2);
    assert_true(ranges.ranges[1].low == 0 && ranges.ranges[1].high == 200);
    assert_true(ranges.ranges[2].low == 0 && ranges.ranges[2].high == 25);
    assert_true(ranges.ranges[3].low == 3 && ranges.ranges[3].high == 3);
}

static void test_signal__what_is_no_range_is_told_and_changes_nothing(void **state)
{
    static const char *const texts[] = {
        "a=1",      "a=1..",    "a=..2",         "a=2..1", "a=1..2..3", "a=x..2",     "a=0..1e13",
        "a=nan..1", "a b=1..2", "a=1..2,a=3..4", "",       "a=0..inf",  "status=1..2"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct signal_ranges ranges = {.features.count = 77};
        char error[256] = "";

        if (signal_ranges_parse(&ranges, texts[i], error, sizeof(error)))
            fail_msg("\"%s\" was accepted", texts[i]);
        assert_int_equal(ranges.features.count, 77);
        assert_true(error[0]);
    }
}

static void test_signal__more_features_than_there_may_be_are_refused(void **state)
{
    struct signal_ranges ranges;
    char error[256];
    char text[8192] = "";

    (void)state;
    for (int i = 0; i < FEATURES_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sf%d=0..1", i ? "," : "", i);
    assert_true(signal_ranges_parse(&ranges, text, error, sizeof(error)));
    strcat(text, ",one_more");
    assert_false(signal_ranges_parse(&ranges, text, error, sizeof(error)));
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_false(signal_ranges_parse(&ranges, text, error, sizeof(error)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal__every_kind_stays_in_its_range_with_two_decimals),
        cmocka_unit_test(test_signal__a_range_between_two_hundredths_is_kept),
        cmocka_unit_test(test_signal__uniform_reaches_both_ends_and_its_mean_is_the_middle),
        cmocka_unit_test(test_signal__a_walk_moves_in_small_steps_and_goes_everywhere),
        cmocka_unit_test(test_signal__daily_is_high_at_a_quarter_and_low_at_three),
        cmocka_unit_test(test_signal__spikes_are_rare_and_stand_out),
        cmocka_unit_test(test_signal__ranges_are_read),
        cmocka_unit_test(test_signal__what_is_no_range_is_told_and_changes_nothing),
        cmocka_unit_test(test_signal__more_features_than_there_may_be_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
