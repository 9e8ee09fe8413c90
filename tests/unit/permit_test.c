/* When a publication asks whether it is allowed. */
#include "collector/sinks/permit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOT_AUTHORIZED = 0x87, NOBODY_SUBSCRIBES = 0x10 };

static void test_permit__the_first_asks_and_the_others_do_not(void **state)
{
    struct permit permit = {0};

    (void)state;
    assert_int_equal(permit_qos(&permit), 1);
    permit.mid = 7;
    assert_int_equal(permit_qos(&permit), 0);
    assert_false(permit_settle(&permit, 8, 0));
    assert_true(permit_settle(&permit, 7, NOBODY_SUBSCRIBES));
    assert_false(permit.is_denied);
    assert_int_equal(permit_qos(&permit), 0);
    assert_false(permit_settle(&permit, 7, NOT_AUTHORIZED)); /* of another, by now */
    permit_begin(&permit);
    assert_int_equal(permit_qos(&permit), 1);
}

static void test_permit__what_is_denied_asks_again_until_it_is_granted(void **state)
{
    struct permit permit = {.mid = 1};

    (void)state;
    assert_true(permit_settle(&permit, 1, NOT_AUTHORIZED));
    assert_true(permit.is_denied);
    assert_int_equal(permit_qos(&permit), 1);
    permit_begin(&permit);
    assert_true(permit.is_denied); /* as far as is known */
    permit.mid = 2;
    assert_true(permit_settle(&permit, 2, 0));
    assert_false(permit.is_denied);
}

static void test_permit__zero_is_no_mid(void **state)
{
    struct permit permit = {0};

    (void)state;
    assert_false(permit_settle(&permit, 0, NOT_AUTHORIZED));
    assert_false(permit.is_denied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permit__the_first_asks_and_the_others_do_not),
        cmocka_unit_test(test_permit__what_is_denied_asks_again_until_it_is_granted),
        cmocka_unit_test(test_permit__zero_is_no_mid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
