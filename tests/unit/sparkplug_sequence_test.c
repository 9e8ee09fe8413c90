#include "tests/unit/sparkplug_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the sequence ------------------------------------------------------------------------- */

static void test_sparkplug__the_sequence_goes_round(void **state)
{
    (void)state;
    sp_be_born();
    for (int seq = 2; seq < 600; seq++)
        assert_int_equal(sp_data(1, seq % 256, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__a_gap_asks_for_a_birth_and_loses_nothing(void **state)
{
    const struct sparkplug_node *node;

    (void)state;
    sp_be_born();
    assert_int_equal(sp_data(1, 3, T0), SPARKPLUG_READ);
    node = sparkplug_next_request(&sp.state);
    assert_string_equal(node->group, "G");
    assert_string_equal(node->edge, "E");
    assert_int_equal(sp_requests(), 0);
    sp.now_us += 600000000;
    sp_be_born();
    assert_int_equal(sp_data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__the_same_number_again_and_one_out_of_range_are_gaps(void **state)
{
    static const int bad[] = {1, 0, 255, 258, 256};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sp.now_us += 600000000;
        sp_be_born();
        sp_data(1, bad[i], T0);
        assert_int_equal(sp_requests(), 1);
    }
}

static void test_sparkplug__a_node_that_does_not_answer_is_asked_less_and_less(void **state)
{
    size_t asked = 0;

    (void)state;
    for (int s = 0; s < 3600; s++) {
        sp.now_us += 1000000;
        sp_data(1, s % 256, T0);
        asked += sp_requests();
    }
    assert_in_range(asked, 15, 25);
    sp.now_us += 600000000;
    sp_be_born();
    sp_data(1, 9, T0);
    assert_int_equal(sp_requests(), 1);
}

static void
test_sparkplug__births_that_follow_gaps_are_not_asked_for_more_than_once_a_second(void **state)
{
    size_t asked = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        sp.now_us += 10000;
        sp_nbirth(3, 0, T0);
        sp_data(1, 100, T0);
        asked += sp_requests();
    }
    assert_in_range(asked, 9, 11);
}

static void test_sparkplug__what_is_sent_again_after_a_reconnect_is_no_gap(void **state)
{
    (void)state;
    sp_be_born();
    for (int seq = 2; seq < 9; seq++)
        sp_data(1, seq, T0 + (uint64_t)seq);
    sp.epoch++;
    for (int seq = 6; seq < 12; seq++)
        assert_int_equal(sp_data(1, seq, T0 + (uint64_t)seq), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__a_gap_after_a_reconnect_is_one(void **state)
{
    (void)state;
    sp_be_born();
    sp.epoch++;
    sp_data(1, 4, T0 + 5);
    assert_int_equal(sp_requests(), 1);
}

static void test_sparkplug__an_old_number_with_a_new_time_is_a_gap_after_a_reconnect(void **state)
{
    (void)state;
    sp_be_born();
    sp_data(1, 2, T0);
    sp.epoch++;
    sp_data(1, 1, T0 + 5);
    assert_int_equal(sp_requests(), 1);
}

/* ---- what comes again ----------------------------------------------------------------------- */

/* A node that was born as Oil, sent until `seq`, and was born again as Gas and sent some more. */
static void be_born_twice(int seq)
{
    sp_be_born();
    for (int i = 2; i <= seq; i++)
        assert_int_equal(sp_data(1, i % 256, T0 + 1), SPARKPLUG_READ);
    sp_nbirth(4, 0, T0 + 10);
    sp_dbirth_as("Gas", 1, T0 + 10);
    assert_int_equal(sp_data(1, 2, T0 + 11), SPARKPLUG_READ);
}

/* Its aliases may have been others then. */
static void test_sparkplug__what_comes_again_is_not_read_by_a_later_birth(void **state)
{
    (void)state;
    for (int seq = 2; seq <= 255; seq++) {
        if (seq == 3)
            continue; /* the very number that is next, so it is taken for new */
        be_born_twice(seq);
        sp.epoch++;
        assert_int_equal(sp_data(1, seq, T0 + 1), SPARKPLUG_NOTHING);
        sp_nbirth(4, 0, T0 + 10);
        sp_dbirth_as("Gas", 1, T0 + 10);
        assert_int_equal(sp_data(1, 2, T0 + 11), SPARKPLUG_READ);
        assert_int_equal(sp_requests(), 0);
        assert_int_equal(sp_ndeath(4), SPARKPLUG_DIED);
    }
}

/* Those of one millisecond are of before or after the birth: nobody knows, and both have been read. */
static void test_sparkplug__what_comes_again_of_the_moment_of_a_birth_is_not_read(void **state)
{
    (void)state;
    be_born_twice(200);
    sp.epoch++;
    assert_int_equal(sp_data(1, 200, T0 + 1), SPARKPLUG_NOTHING);
    assert_int_equal(sp_data(1, 201, T0 + 10), SPARKPLUG_NOTHING);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__what_comes_again_after_a_death_asks_for_nothing(void **state)
{
    (void)state;
    sp_be_born();
    sp_data(1, 2, T0 + 1);
    sp_data(1, 3, T0 + 2);
    assert_int_equal(sp_ndeath(3), SPARKPLUG_DIED);
    sp.epoch++;
    assert_int_equal(sp_data(1, 2, T0 + 1), SPARKPLUG_NOTHING);
    assert_int_equal(sp_data(1, 3, T0 + 2), SPARKPLUG_NOTHING);
    assert_int_equal(sp_ndeath(3), SPARKPLUG_NOTHING);
    assert_int_equal(sp_requests(), 0);
    assert_int_equal(sp_data(1, 4, T0 + 3), SPARKPLUG_REJECTED);
    assert_int_equal(sp_requests(), 1);
}

/* A connection that ends amid it begins it anew. */
static void test_sparkplug__what_comes_again_twice_is_known_both_times(void **state)
{
    (void)state;
    be_born_twice(200);
    sp.epoch++;
    assert_int_equal(sp_data(1, 199, T0 + 1), SPARKPLUG_NOTHING);
    sp.epoch++;
    assert_int_equal(sp_data(1, 199, T0 + 1), SPARKPLUG_NOTHING);
    assert_int_equal(sp_data(1, 200, T0 + 2), SPARKPLUG_NOTHING);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__nothing_comes_again_that_is_sent_once_at_most(void **state)
{
    (void)state;
    be_born_twice(200);
    sp.epoch++;
    sp.is_at_most_once = true;
    assert_int_equal(sp_data(1, 200, T0 + 1), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 1);
}

static void
test_sparkplug__what_is_new_may_be_of_the_last_millisecond_of_what_comes_again(void **state)
{
    (void)state;
    sp_be_born();
    sp_data(1, 2, T0 + 1);
    sp_dbirth_as("Gas", 3, T0 + 2);
    for (int i = 0; i < 2; i++) { /* the second time it is cut short, and begins anew */
        sp.epoch++;
        assert_int_equal(sp_data(1, 2, T0 + 1), SPARKPLUG_NOTHING);
    }
    assert_int_equal(sp_dbirth_as("Gas", 3, T0 + 2), SPARKPLUG_READ);
    assert_int_equal(sp_data(1, 4, T0 + 2), SPARKPLUG_READ);
    assert_int_equal(sp_data(9, 5, T0 + 2), SPARKPLUG_REJECTED);
}

/* A clock that is set back later makes nothing old. */
static void test_sparkplug__what_comes_again_is_over_with_something_newer(void **state)
{
    (void)state;
    be_born_twice(200);
    sp.epoch++;
    assert_int_equal(sp_data(1, 2, T0 + 11), SPARKPLUG_READ);
    assert_int_equal(sp_data(1, 3, T0 + 12), SPARKPLUG_READ);
    assert_int_equal(sp_data(1, 4, T0 - 500), SPARKPLUG_READ);
    assert_int_equal(sp_data(9, 5, T0 - 400), SPARKPLUG_REJECTED);
    assert_int_equal(sp_requests(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sp_setup, sp_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sparkplug__the_sequence_goes_round),
        TEST(test_sparkplug__a_gap_asks_for_a_birth_and_loses_nothing),
        TEST(test_sparkplug__the_same_number_again_and_one_out_of_range_are_gaps),
        TEST(test_sparkplug__a_node_that_does_not_answer_is_asked_less_and_less),
        TEST(test_sparkplug__births_that_follow_gaps_are_not_asked_for_more_than_once_a_second),
        TEST(test_sparkplug__what_is_sent_again_after_a_reconnect_is_no_gap),
        TEST(test_sparkplug__a_gap_after_a_reconnect_is_one),
        TEST(test_sparkplug__an_old_number_with_a_new_time_is_a_gap_after_a_reconnect),
        TEST(test_sparkplug__what_comes_again_is_not_read_by_a_later_birth),
        TEST(test_sparkplug__what_comes_again_of_the_moment_of_a_birth_is_not_read),
        TEST(test_sparkplug__what_comes_again_after_a_death_asks_for_nothing),
        TEST(test_sparkplug__what_comes_again_twice_is_known_both_times),
        TEST(test_sparkplug__nothing_comes_again_that_is_sent_once_at_most),
        TEST(test_sparkplug__what_is_new_may_be_of_the_last_millisecond_of_what_comes_again),
        TEST(test_sparkplug__what_comes_again_is_over_with_something_newer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
