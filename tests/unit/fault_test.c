#include "devicesim/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICES = 20 };

static void test_fault__shares_are_kept_and_do_not_change_each_other(void **state)
{
    struct fault_rules few = {.seed = 5, .late_by_us = 1000000};
    struct fault_rules many;
    struct fault_draw a, b;
    unsigned late = 0;

    (void)state;
    assert_true(malformed_set_parse(&few.classes, "all"));
    few.shares[FAULT_LATE] = 0.1;
    many = few;
    for (int fault = FAULT_OUT_OF_ORDER; fault < FAULT_SKEWED; fault++)
        many.shares[fault] = 0.5;
    for (uint64_t k = 0; k < 10000; k++) {
        fault_draw(&few, k % DEVICES, k, &a);
        fault_draw(&many, k % DEVICES, k, &b);
        assert_int_equal(a.happens[FAULT_LATE], b.happens[FAULT_LATE]);
        assert_true(a.late_us == b.late_us && a.late_us >= 0 && a.late_us < 1000000);
        assert_false(a.happens[FAULT_REPEATED]);
        late += a.happens[FAULT_LATE];
    }
    assert_in_range(late, 900, 1100);
}

static void test_fault__none_and_all(void **state)
{
    struct fault_rules rules = {.seed = 5};
    struct fault_draw draw;

    (void)state;
    for (uint64_t k = 0; k < 1000; k++) {
        fault_draw(&rules, 0, k, &draw);
        assert_false(draw.happens[FAULT_LATE] || draw.happens[FAULT_MALFORMED]);
        assert_false(fault_has_trait(&rules, FAULT_BURST, k));
    }
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        rules.shares[fault] = 1;
    for (uint64_t k = 0; k < 1000; k++) {
        fault_draw(&rules, 0, k, &draw);
        assert_true(draw.happens[FAULT_LATE] && draw.happens[FAULT_WRONG_ID]);
        assert_true(fault_has_trait(&rules, FAULT_SKEWED, k));
    }
}

static void test_fault__no_skew_is_near_a_minute_ahead(void **state)
{
    struct fault_rules rules = {.seed = 5};
    unsigned slow = 0;
    unsigned fast = 0;

    (void)state;
    for (uint64_t device = 0; device < 4000; device++) {
        int64_t skew_s = fault_skew_us(&rules, device) / 1000000;

        assert_true(skew_s <= 30 || skew_s >= 300);
        assert_true(skew_s >= -3600 && skew_s <= 3600);
        slow += skew_s < 0;
        fast += skew_s >= 300;
    }
    assert_in_range(slow, 1900, 2100);
    assert_in_range(fast, 900, 1100);
}

static void test_fault__the_same_seed_gives_the_same_faults_and_another_gives_others(void **state)
{
    struct fault_rules rules = {.seed = 5};
    struct fault_rules other = {.seed = 6};
    unsigned same = 0;

    (void)state;
    rules.shares[FAULT_REPEATED] = other.shares[FAULT_REPEATED] = 0.5;
    rules.shares[FAULT_SKEWED] = rules.shares[FAULT_BURST] = 0.5;
    for (uint64_t k = 0; k < 2000; k++) {
        struct fault_draw a, b, c;

        fault_draw(&rules, 3, k, &a);
        fault_draw(&rules, 3, k, &b);
        fault_draw(&other, 3, k, &c);
        assert_int_equal(a.happens[FAULT_REPEATED], b.happens[FAULT_REPEATED]);
        same += a.happens[FAULT_REPEATED] == c.happens[FAULT_REPEATED];
    }
    assert_in_range(same, 850, 1150);
    same = 0;
    for (uint64_t device = 0; device < 2000; device++)
        same += fault_has_trait(&rules, FAULT_SKEWED, device) ==
                fault_has_trait(&rules, FAULT_BURST, device);
    assert_in_range(same, 850, 1150); /* one trait says nothing about another */
}

static void test_fault__every_one_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        assert_true(strlen(fault_name((enum fault)fault)) > 0);
        for (int other = 0; other < fault; other++)
            assert_string_not_equal(fault_name((enum fault)fault), fault_name((enum fault)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault__shares_are_kept_and_do_not_change_each_other),
        cmocka_unit_test(test_fault__none_and_all),
        cmocka_unit_test(test_fault__no_skew_is_near_a_minute_ahead),
        cmocka_unit_test(test_fault__the_same_seed_gives_the_same_faults_and_another_gives_others),
        cmocka_unit_test(test_fault__every_one_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
