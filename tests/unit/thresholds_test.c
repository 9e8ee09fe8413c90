#include "collector/thresholds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { HOT, LOW }; /* temperature>90~2, pressure<2 */

struct fixture {
    struct features features;
    struct threshold_list list;
    struct thresholds thresholds;
};

static int set_up(void **state)
{
    static struct fixture f;
    char error[256];

    memset(&f, 0, sizeof(f));
    assert_true(features_parse(&f.features, "temperature,pressure", error, sizeof(error)));
    assert_true(threshold_list_parse(&f.list, "temperature>90~2,pressure<2", &f.features, error,
                                     sizeof(error)));
    thresholds_init(&f.thresholds, &f.list);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    thresholds_release(&((struct fixture *)*state)->thresholds);
    return 0;
}

typedef void take_fn(struct thresholds *thresholds, uint32_t device, const struct reading *reading);

static void take(struct fixture *f, take_fn *how, int64_t at_us, double temperature)
{
    union reading_storage storage = {{0}};

    storage.reading.recorded_at_us = at_us;
    storage.reading.values[0] = temperature;
    storage.reading.values[1] = NAN;
    how(&f->thresholds, 5, &storage.reading);
}

static bool is_hot(struct fixture *f)
{
    return thresholds_state(&f->thresholds, 5, HOT)->is_beyond;
}

static void test_thresholds__are_entered_beyond_and_left_when_back_by_the_hysteresis(void **state)
{
    static const struct {
        double value;
        bool is_beyond;
    } steps[] = {{89, false}, {90, false},   {90.1, true}, {90, true},   {88.1, true}, {95, true},
                 {88, false}, {88.1, false}, {90, false},  {NAN, false}, {91, true},   {NAN, true}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        take(f, thresholds_apply, (int64_t)i, steps[i].value);
        assert_int_equal(is_hot(f), steps[i].is_beyond);
        assert_int_equal(f->thresholds.beyond[HOT], steps[i].is_beyond);
    }
    assert_int_equal(f->thresholds.crossings[HOT], 2);
    assert_int_equal(thresholds_state(&f->thresholds, 5, HOT)->since_us, 10);
    assert_int_equal(f->thresholds.beyond[LOW], 0);
}

static void test_thresholds__a_reading_that_comes_late_changes_nothing(void **state)
{
    struct fixture *f = *state;

    take(f, thresholds_apply, 100, 50);
    take(f, thresholds_apply, 99, 200);
    take(f, thresholds_apply, 100, 200); /* the same one again, whatever it says */
    assert_false(is_hot(f));
    take(f, thresholds_apply, 101, 200);
    take(f, thresholds_apply, 100, 50);
    assert_true(is_hot(f));
    assert_int_equal(f->thresholds.crossings[HOT], 1);
}

static void test_thresholds__one_that_changes_often_waits_once(void **state)
{
    struct fixture *f = *state;
    struct threshold_change change;

    for (int64_t i = 0; i < 101; i++)
        take(f, thresholds_apply, i, i % 2 == 0 ? 200 : 0);
    assert_true(thresholds_next(&f->thresholds, &change));
    assert_int_equal(change.device, 5);
    assert_int_equal(change.threshold, HOT);
    assert_false(thresholds_next(&f->thresholds, &change));
    thresholds_put_back(&f->thresholds, &change);
    thresholds_repeat(&f->thresholds);
    assert_true(thresholds_next(&f->thresholds, &change));
    assert_false(thresholds_next(&f->thresholds, &change));
    assert_int_equal(f->thresholds.crossings[HOT], 51);
}

static void tell(struct fixture *f, bool is_said)
{
    if (is_said)
        thresholds_tell(&f->thresholds, 5, HOT, 10, 91);
}

static void test_thresholds__what_was_said_decides_between_limit_and_hysteresis(void **state)
{
    static const struct {
        double latest; /* in the database */
        bool is_said;
        bool is_beyond;
    } cases[] = {{95, true, true},   {95, false, true}, {89, true, true},
                 {89, false, false}, {50, true, false}, {50, false, false}};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool comes_first = i % 2 == 0;
        struct threshold_change change;

        thresholds_clear(&f->thresholds);
        tell(f, comes_first && cases[i / 2].is_said);
        take(f, thresholds_load, 9, 93); /* the one that was back between the two was not loaded */
        take(f, thresholds_load, 20, cases[i / 2].latest);
        take(f, thresholds_load, 8, 200);
        tell(f, !comes_first && cases[i / 2].is_said);
        assert_int_equal(is_hot(f), cases[i / 2].is_beyond);
        assert_int_equal(f->thresholds.beyond[HOT], cases[i / 2].is_beyond);
        if (cases[i / 2].is_said || cases[i / 2].is_beyond)
            assert_true(thresholds_next(&f->thresholds, &change)); /* or it would stay as it is */
    }
    assert_int_equal(f->thresholds.crossings[HOT], 0); /* nobody crossed while we looked */
}

static void test_thresholds__what_was_said_holds_for_a_device_that_is_silent_since(void **state)
{
    struct fixture *f = *state;

    tell(f, true);
    assert_true(is_hot(f));
    take(f, thresholds_apply, 9, 50); /* late */
    assert_true(is_hot(f));
    take(f, thresholds_apply, 11, 89);
    assert_true(is_hot(f));
    take(f, thresholds_apply, 12, 88);
    assert_false(is_hot(f));
    thresholds_tell(&f->thresholds, 6, HOT, 10, 89); /* the limit was lower then */
    assert_int_equal(f->thresholds.beyond[HOT], 0);
}

static void test_thresholds__a_first_reading_between_them_waits_for_what_was_said(void **state)
{
    struct fixture *f = *state;

    take(f, thresholds_apply, 20, 89);
    assert_false(is_hot(f));
    tell(f, true);
    assert_true(is_hot(f));
    assert_int_equal(thresholds_state(&f->thresholds, 5, HOT)->since_us, 10);
    thresholds_clear(&f->thresholds);
    take(f, thresholds_apply, 20, 50);
    take(f, thresholds_apply, 21, 89);
    tell(f, true); /* it was left since */
    assert_false(is_hot(f));
}

static void test_thresholds__a_device_that_is_gone_is_beyond_nothing(void **state)
{
    struct fixture *f = *state;
    struct threshold_change change;

    thresholds_forget(&f->thresholds, 5000);
    take(f, thresholds_apply, 20, 95);
    assert_true(thresholds_next(&f->thresholds, &change));
    thresholds_forget(&f->thresholds, 5);
    assert_int_equal(f->thresholds.beyond[HOT], 0);
    assert_true(thresholds_next(&f->thresholds, &change)); /* its message is to go */
    take(f, thresholds_load, 10, 95);
    assert_true(is_hot(f));
}

static bool is_not_5(const void *user, uint32_t device)
{
    assert_non_null(user);
    return device != 5;
}

static void test_thresholds__another_collectors_device_is_beyond_nothing_here(void **state)
{
    struct fixture *f = *state;
    struct threshold_change change;

    take(f, thresholds_load, 10, 95);
    assert_int_equal(f->thresholds.beyond[HOT], 1);
    thresholds_keep(&f->thresholds, f, is_not_5);
    assert_int_equal(f->thresholds.beyond[HOT], 0);
    while (thresholds_next(&f->thresholds, &change))
        assert_int_equal(change.device, 5);
    take(f, thresholds_apply, 5, 91); /* it comes to us now; what we knew of it is nothing */
    assert_true(is_hot(f));
    assert_int_equal(f->thresholds.crossings[HOT], 1);
}

static void test_threshold_list__says_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *words; /* NULL = legal */
    } cases[] = {{"", NULL},
                 {" temperature > 90 ~ 2 , pressure<-2.5e1", NULL},
                 {"temperature>90,temperature<-10", NULL},
                 {"temperature", "neither > nor <"},
                 {"temperature>90,", "is empty"},
                 {"temperature>90,,pressure<1", "neither > nor <"},
                 {"temperatur>90", "no feature"},
                 {">90", "no feature"},
                 {"temperature>", "no finite number"},
                 {"temperature>=90", "no finite number"},
                 {"temperature>nan", "no finite number"},
                 {"temperature>inf", "no finite number"},
                 {"temperature>1e999", "no finite number"},
                 {"temperature>0x10", "no finite number"},
                 {"temperature>90C", "no finite number"},
                 {"temperature>90>80", "no finite number"},
                 {"temperature>90~", "behind ~"},
                 {"temperature>90~-1", "behind ~"},
                 {"temperature>90~1~1", "behind ~"},
                 {"temperature>-1.7e308~1.7e308", "never be left"},
                 {"temperature>90,temperature>95", "second on this side"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct threshold_list list;
        char error[256] = "";
        bool is_legal =
            threshold_list_parse(&list, cases[i].text, &f->features, error, sizeof(error));

        if (is_legal != !cases[i].words || (cases[i].words && !strstr(error, cases[i].words)))
            fail_msg("%s: %s", cases[i].text, error);
    }
}

static void test_threshold_list__names_are_short_and_sides_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct threshold_list list;
    char error[256];

    assert_true(threshold_list_parse(&list, " temperature > 90 ~ 2 ,temperature<-10~0",
                                     &f->features, error, sizeof(error)));
    assert_string_equal(list.items[0].text, "temperature>90~2");
    assert_string_equal(list.items[1].text, "temperature<-10");
    assert_int_equal(threshold_list_find(&list, 0, true), 1);
    assert_int_equal(threshold_list_find(&list, 1, true), 2);
    assert_int_equal(threshold_zone_of(&list.items[1], -10), THRESHOLD_BACK);
    assert_int_equal(threshold_zone_of(&list.items[1], -10.1), THRESHOLD_BEYOND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_thresholds__are_entered_beyond_and_left_when_back_by_the_hysteresis),
        TEST(test_thresholds__a_reading_that_comes_late_changes_nothing),
        TEST(test_thresholds__one_that_changes_often_waits_once),
        TEST(test_thresholds__what_was_said_decides_between_limit_and_hysteresis),
        TEST(test_thresholds__what_was_said_holds_for_a_device_that_is_silent_since),
        TEST(test_thresholds__a_first_reading_between_them_waits_for_what_was_said),
        TEST(test_thresholds__a_device_that_is_gone_is_beyond_nothing),
        TEST(test_thresholds__another_collectors_device_is_beyond_nothing_here),
        TEST(test_threshold_list__says_what_is_wrong),
        TEST(test_threshold_list__names_are_short_and_sides_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
