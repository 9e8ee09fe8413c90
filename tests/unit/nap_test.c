#include "devicesim/nap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 400 };

/* So many acknowledged in a second, with that many out. */
static int64_t nap_at(uint64_t acked, uint64_t out)
{
    const struct report report = {
        .first_us = 1, .last_us = 1000001, .sent = acked + out, .acked = acked};

    return nap_us(&report, WINDOW);
}

static void test_nap__is_an_eighth_of_the_time_in_which_a_window_empties(void **state)
{
    (void)state;
    assert_in_range(nap_at(200000, WINDOW), 249, 250);
    assert_in_range(nap_at(400000, WINDOW), 124, 125);
}

static void test_nap__none_where_it_would_cost_something(void **state)
{
    const struct report fresh = {.sent = WINDOW};

    (void)state;
    assert_int_equal(nap_us(&fresh, WINDOW), 0);         /* nothing is known yet */
    assert_int_equal(nap_at(200000, WINDOW / 2 - 1), 0); /* there is room to send into */
    assert_int_equal(nap_at(200000, WINDOW / 2), nap_at(200000, WINDOW));
    assert_int_equal(nap_at(2000000, WINDOW), 0); /* waking takes longer */
}

static void test_nap__is_never_long(void **state)
{
    (void)state;
    assert_int_equal(nap_at(10, WINDOW), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nap__is_an_eighth_of_the_time_in_which_a_window_empties),
        cmocka_unit_test(test_nap__none_where_it_would_cost_something),
        cmocka_unit_test(test_nap__is_never_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
