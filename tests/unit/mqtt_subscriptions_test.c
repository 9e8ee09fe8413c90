/* In which order a broker is asked, and when it is spared what it may not want. */
#include "shared/net/mqtt_subscriptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void ask(struct mqtt_subscriptions *all, const char *expected, int mid)
{
    struct mqtt_subscription *one = mqtt_subscriptions_next(all);

    assert_non_null(one);
    assert_string_equal(one->filter, expected);
    one->state = MQTT_SUBSCRIPTION_ASKED;
    one->mid = mid;
}

static void begin(struct mqtt_subscriptions *all)
{
    mqtt_subscriptions_begin(all);
    mqtt_subscriptions_note(all, "$SYS/a", 0, 0, true);
    mqtt_subscriptions_note(all, "b", 1, 0, false);
}

static void grant(struct mqtt_subscriptions *all, int mid)
{
    struct mqtt_subscription *one = mqtt_subscriptions_find(all, mid);

    assert_non_null(one);
    one->state = MQTT_SUBSCRIPTION_GRANTED;
}

static void test_mqtt_subscriptions__what_is_optional_waits_for_all_others(void **state)
{
    struct mqtt_subscriptions all = {0};

    (void)state;
    begin(&all);
    ask(&all, "b", 1);
    assert_null(mqtt_subscriptions_next(&all));
    grant(&all, 1);
    ask(&all, "$SYS/a", 2);
    grant(&all, 2);
    assert_null(mqtt_subscriptions_next(&all));
    assert_null(mqtt_subscriptions_find(&all, 2));
    mqtt_subscriptions_release(&all);
}

/* A connection that ends when all is granted but what is optional. */
static bool end_over_optional(struct mqtt_subscriptions *all)
{
    begin(all);
    ask(all, "b", 1);
    grant(all, 1);
    ask(all, "$SYS/a", 2);
    return mqtt_subscriptions_end(all);
}

static void test_mqtt_subscriptions__who_ends_it_over_them_twice_is_spared_them(void **state)
{
    struct mqtt_subscriptions all = {0};

    (void)state;
    assert_false(end_over_optional(&all));
    assert_true(end_over_optional(&all));
    begin(&all);
    ask(&all, "b", 1);
    grant(&all, 1);
    assert_null(mqtt_subscriptions_next(&all));
    assert_false(mqtt_subscriptions_end(&all)); /* said once */
    mqtt_subscriptions_release(&all);
}

static void test_mqtt_subscriptions__other_ends_are_not_held_against_them(void **state)
{
    struct mqtt_subscriptions all = {0};

    (void)state;
    for (int i = 0; i < 3; i++) { /* before the others are answered */
        begin(&all);
        ask(&all, "b", 1);
        assert_false(mqtt_subscriptions_end(&all));
    }
    assert_false(end_over_optional(&all));
    begin(&all);
    ask(&all, "b", 1);
    grant(&all, 1);
    ask(&all, "$SYS/a", 2);
    grant(&all, 2);
    assert_false(mqtt_subscriptions_end(&all));
    assert_false(end_over_optional(&all)); /* the one that was granted lies in between */
    mqtt_subscriptions_release(&all);
}

static void test_mqtt_subscriptions__the_same_filter_is_one(void **state)
{
    struct mqtt_subscriptions all = {0};
    char filter[16];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_non_null(mqtt_subscriptions_note(&all, "b", 1, 0, false));
    assert_int_equal(all.count, 1);
    for (int i = 1; i < 300; i++) {
        snprintf(filter, sizeof(filter), "c/%d", i);
        assert_non_null(mqtt_subscriptions_note(&all, filter, 1, 0, false));
    }
    assert_int_equal(all.count, 300);
    mqtt_subscriptions_release(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mqtt_subscriptions__what_is_optional_waits_for_all_others),
        cmocka_unit_test(test_mqtt_subscriptions__who_ends_it_over_them_twice_is_spared_them),
        cmocka_unit_test(test_mqtt_subscriptions__other_ends_are_not_held_against_them),
        cmocka_unit_test(test_mqtt_subscriptions__the_same_filter_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
