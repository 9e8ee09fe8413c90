#include "collector/subscriptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_subscriptions__several_filters_stand_between_commas(void **state)
{
    struct subscriptions all = {0};

    (void)state;
    assert_null(subscriptions_add_contract(&all, "a/+/x, b/+ ,$share/g/c/+"));
    assert_int_equal(all.count, 3);
    assert_int_equal(all.contract_count, 3);
    assert_string_equal(all.text, "a/+/x,b/+,$share/g/c/+");
    assert_string_equal(all.contract[1].text, "b/+");
    assert_true(subscriptions_has(&all, "b/+"));
    assert_false(subscriptions_has(&all, "b/1"));
    subscriptions_release(&all);
}

static void test_subscriptions__where_devices_say_what_they_are_follows(void **state)
{
    struct subscriptions all = {0};

    (void)state;
    assert_null(subscriptions_add_contract(
        &all, "a/+/readings,$share/g/a/+/readings,b/+/x/readings,c/+,readings/+"));
    subscriptions_add_abouts(&all);
    assert_int_equal(all.about_count, 2);
    assert_string_equal(all.about_texts[0], "a/+/about");
    assert_string_equal(all.about[1].text, "b/+/x/about");
    assert_int_equal(all.count, 5); /* they are no subscriptions of readings */
    subscriptions_release(&all);
}

static void test_subscriptions__what_is_no_filter_is_refused(void **state)
{
    static const char *const wrong[] = {"a/b", "a/+,", "a/+,,b/+", "a/+/+", "a/#", ",", "a/+,b+"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct subscriptions all = {0};

        print_message("%s\n", wrong[i]);
        assert_non_null(subscriptions_add_contract(&all, wrong[i]));
        subscriptions_release(&all);
    }
}

static void test_subscriptions__what_another_covers_is_left_out(void **state)
{
    struct subscriptions all = {0};

    (void)state;
    assert_null(subscriptions_add_contract(&all, "a/+/x"));
    assert_null(subscriptions_add(&all, "b/1"));
    assert_null(subscriptions_add(&all, "b/2"));
    assert_null(subscriptions_add(&all, "a/#"));
    assert_null(subscriptions_add(&all, "b/+"));
    assert_null(subscriptions_add(&all, "b/3"));
    assert_string_equal(all.text, "a/#,b/+");
    assert_int_equal(all.contract_count, 1); /* and is read as the contract's all the same */
    subscriptions_release(&all);
}

static void test_subscriptions__where_what_is_retained_is_wanted_stays_apart(void **state)
{
    struct subscriptions all = {0};

    (void)state;
    assert_null(subscriptions_add_retained(&all, "a/1"));
    assert_null(subscriptions_add(&all, "a/#"));
    assert_null(subscriptions_add_retained(&all, "b/1"));
    assert_null(subscriptions_add_retained(&all, "b/+"));
    assert_null(subscriptions_add(&all, "b/2"));
    assert_null(subscriptions_add(&all, "c/1"));
    assert_null(subscriptions_add_retained(&all, "c/1"));
    assert_null(subscriptions_add(&all, "b/+"));
    assert_string_equal(all.text, "a/1,a/#,b/+,b/2,c/1");
    assert_true(all.is_retained[0] && all.is_retained[2] && all.is_retained[4]);
    assert_false(all.is_retained[1] || all.is_retained[3]);
    subscriptions_release(&all);
}

static void test_subscriptions__topics_are_covered_in_a_group_too(void **state)
{
    struct subscriptions all = {0};

    (void)state;
    assert_null(subscriptions_add(&all, "$share/g/a/+"));
    assert_null(subscriptions_add(&all, "b/#"));
    assert_true(subscriptions_cover(&all, "a/1"));
    assert_true(subscriptions_cover(&all, "b/1/2"));
    assert_false(subscriptions_cover(&all, "a/1/2"));
    assert_false(subscriptions_cover(&all, "$share/g/a/1"));
    subscriptions_release(&all);
}

static void test_subscriptions__too_many_and_too_long_ones_are_refused(void **state)
{
    struct subscriptions all = {0};
    char text[SUBSCRIPTION_BYTES_MAX + 2];

    (void)state;
    for (int i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        snprintf(text, sizeof(text), "a/%d", i);
        assert_null(subscriptions_add(&all, text));
    }
    assert_non_null(subscriptions_add(&all, "b"));
    assert_null(subscriptions_add(&all, "a/1"));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_null(subscriptions_add(&all, "a/#"));
    assert_non_null(subscriptions_add(&all, text));
    assert_null(subscriptions_add(&all, text + 1));
    subscriptions_release(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscriptions__several_filters_stand_between_commas),
        cmocka_unit_test(test_subscriptions__where_devices_say_what_they_are_follows),
        cmocka_unit_test(test_subscriptions__what_is_no_filter_is_refused),
        cmocka_unit_test(test_subscriptions__what_another_covers_is_left_out),
        cmocka_unit_test(test_subscriptions__where_what_is_retained_is_wanted_stays_apart),
        cmocka_unit_test(test_subscriptions__topics_are_covered_in_a_group_too),
        cmocka_unit_test(test_subscriptions__too_many_and_too_long_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
