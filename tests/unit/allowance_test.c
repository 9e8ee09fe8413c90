/* What is learnt of a broker's window, and not from what only looks like one. */
#include "collector/sources/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* One round: so many are held, all is quiet, they are let out, and the next comes `later_ms` after. */
static bool round_of(struct allowance *allowance, uint64_t held, uint64_t *now_ms,
                     uint64_t later_ms)
{
    allowance_note_held(allowance, held);
    allowance_note_release(allowance, held, true, *now_ms);
    *now_ms += later_ms;
    return allowance_note_message(allowance, *now_ms);
}

static void test_allowance__a_window_that_is_used_up_again_and_again_is_known(void **state)
{
    struct allowance allowance = {0};
    uint64_t now_ms = 1000;

    (void)state;
    assert_false(round_of(&allowance, 100, &now_ms, 1));
    assert_false(allowance_is_used_up(&allowance, 100));
    assert_false(round_of(&allowance, 100, &now_ms, 0));
    assert_true(round_of(&allowance, 100, &now_ms, 1));
    assert_true(allowance_is_used_up(&allowance, 100));
    assert_false(allowance_is_used_up(&allowance, 99));
    assert_false(round_of(&allowance, 100, &now_ms, 1)); /* it is no news any more */
}

static void test_allowance__smaller_batches_in_between_do_not_matter(void **state)
{
    struct allowance allowance = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (int i = 0; i < 3; i++) {
        round_of(&allowance, 100, &now_ms, 1);
        allowance_note_release(&allowance, 40, false, now_ms); /* more was on its way */
        assert_false(allowance_note_message(&allowance, now_ms));
    }
    assert_int_equal(allowance.window, 100);
}

static void test_allowance__what_comes_late_was_not_waiting(void **state)
{
    struct allowance allowance = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_false(round_of(&allowance, 1, &now_ms, 200));
    assert_int_equal(allowance.window, 0);
}

static void test_allowance__counts_that_differ_are_no_window(void **state)
{
    struct allowance allowance = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (uint64_t held = 50; held < 90; held++)
        assert_false(round_of(&allowance, held, &now_ms, 1));
    for (uint64_t i = 0; i < 40; i++)
        assert_false(round_of(&allowance, 50 + i % 2, &now_ms, 1));
}

static void test_allowance__it_is_given_up_when_more_are_held(void **state)
{
    struct allowance allowance = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (int i = 0; i < 3; i++)
        round_of(&allowance, 10, &now_ms, 1);
    assert_int_equal(allowance.window, 10);
    assert_false(allowance_note_held(&allowance, 10));
    assert_true(allowance_note_held(&allowance, 11));
    assert_false(allowance_is_used_up(&allowance, 10));
    assert_false(round_of(&allowance, 10, &now_ms, 1)); /* it begins again */
}

static void test_allowance__a_busy_stream_has_none(void **state)
{
    struct allowance allowance = {0};

    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        allowance_note_held(&allowance, 500);
        allowance_note_release(&allowance, 500, false, i);
        assert_false(allowance_note_message(&allowance, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowance__a_window_that_is_used_up_again_and_again_is_known),
        cmocka_unit_test(test_allowance__smaller_batches_in_between_do_not_matter),
        cmocka_unit_test(test_allowance__what_comes_late_was_not_waiting),
        cmocka_unit_test(test_allowance__counts_that_differ_are_no_window),
        cmocka_unit_test(test_allowance__it_is_given_up_when_more_are_held),
        cmocka_unit_test(test_allowance__a_busy_stream_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
