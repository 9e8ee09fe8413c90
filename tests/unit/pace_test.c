#include "devicesim/pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_pace__sends_evenly_at_any_tick(void **state)
{
    static const int64_t ticks_us[] = {137, 1000, 9999, 50000};

    (void)state;
    for (size_t i = 0; i < sizeof(ticks_us) / sizeof(ticks_us[0]); i++) {
        struct pace pace;

        pace_start(&pace, 1000, 0, 500);
        for (int64_t now = 500; now <= 500 + 10000000; now += ticks_us[i]) {
            uint64_t due = pace_due(&pace, now);
            double planned = (double)(now - 500) / 1000 + 1; /* the first is due at once */

            assert_true(due <= (uint64_t)(ticks_us[i] / 1000 + 2));
            pace.done += due;
            assert_true(fabs((double)pace.done - planned) <= 1);
        }
        assert_int_equal(pace.slipped_us, 0);
    }
}

static void test_pace__what_is_due_next_is_due_then_and_not_before(void **state)
{
    static const double rates[] = {0.5, 3, 999, 7777, 100000};
    static const int64_t ramps_us[] = {0, 3000000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (size_t j = 0; j < 2; j++) {
            struct pace pace;
            int64_t now = 1000;

            pace_start(&pace, rates[i], ramps_us[j], now);
            for (int n = 0; n < 2000; n++) {
                int64_t next = pace_next_us(&pace);

                assert_true(next >= now);
                now = next;
                if (pace_due(&pace, now) == 0) /* rounding */
                    now++;
                assert_true(pace_due(&pace, now) >= 1);
                pace.done++;
            }
            assert_int_equal(pace.slipped_us, 0);
        }
    }
}

static void test_pace__the_ramp_rises_to_the_rate(void **state)
{
    struct pace pace;

    (void)state;
    pace_start(&pace, 1000, 2000000, 0);
    for (int64_t now = 0; now <= 1000000; now += 1000)
        pace.done += pace_due(&pace, now);
    assert_in_range(pace.done, 249, 252); /* a quarter of the area after half of the ramp */
    for (int64_t now = 1001000; now <= 2000000; now += 1000)
        pace.done += pace_due(&pace, now);
    assert_in_range(pace.done, 999, 1002);
    for (int64_t now = 2001000; now <= 3000000; now += 1000)
        pace.done += pace_due(&pace, now);
    assert_in_range(pace.done, 1999, 2002);
}

static void test_pace__a_long_stall_slips_and_is_not_made_up_for(void **state)
{
    struct pace pace;
    uint64_t due;

    (void)state;
    pace_start(&pace, 1000, 0, 0);
    pace.done += pace_due(&pace, 50000);
    due = pace_due(&pace, 100000); /* a short one is */
    assert_in_range(due, 49, 51);
    pace.done += due;
    due = pace_due(&pace, 5100000);
    assert_in_range(due, 1, 2);
    assert_in_range(pace.slipped_us, 4990000, 5000000);
    pace.done += due;
    assert_in_range(pace_due(&pace, 5110000), 9, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace__sends_evenly_at_any_tick),
        cmocka_unit_test(test_pace__what_is_due_next_is_due_then_and_not_before),
        cmocka_unit_test(test_pace__the_ramp_rises_to_the_rate),
        cmocka_unit_test(test_pace__a_long_stall_slips_and_is_not_made_up_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
