/* Silence is said once, and its end. */
#include "collector/sources/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { AFTER = 10 };

static void test_silence__it_is_said_once_and_so_is_its_end(void **state)
{
    struct silence silence = {0};

    (void)state;
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 100), SILENCE_NO_NEWS);
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 109), SILENCE_NO_NEWS);
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 110), SILENCE_BEGAN);
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 150), SILENCE_NO_NEWS);
    assert_int_equal(silence_age_us(&silence, 150), 50);
    assert_int_equal(silence_look(&silence, true, 1, AFTER, 160), SILENCE_ENDED);
    assert_int_equal(silence_look(&silence, true, 1, AFTER, 169), SILENCE_NO_NEWS);
    assert_int_equal(silence_look(&silence, true, 1, AFTER, 170), SILENCE_BEGAN);
}

static void test_silence__while_the_broker_is_away_nobody_is_silent(void **state)
{
    struct silence silence = {0};

    (void)state;
    silence_look(&silence, true, 0, AFTER, 100);
    assert_int_equal(silence_look(&silence, false, 0, AFTER, 200), SILENCE_NO_NEWS);
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 300), SILENCE_NO_NEWS);
    assert_int_equal(silence_look(&silence, true, 0, AFTER, 310), SILENCE_BEGAN);
}

static void test_silence__zero_is_never(void **state)
{
    struct silence silence = {0};

    (void)state;
    silence_look(&silence, true, 0, 0, 100);
    assert_int_equal(silence_look(&silence, true, 0, 0, 1000000), SILENCE_NO_NEWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence__it_is_said_once_and_so_is_its_end),
        cmocka_unit_test(test_silence__while_the_broker_is_away_nobody_is_silent),
        cmocka_unit_test(test_silence__zero_is_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
