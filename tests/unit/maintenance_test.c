#include "collector/stores/postgres/maintenance.h"
#include "collector/stores/postgres/maintenance_packing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MINUTE_US INT64_C(60000000)

static void test_maintenance__a_short_slice_is_doubled_up_to_an_hour(void **state)
{
    int64_t slice_us = MINUTE_US;

    (void)state;
    assert_int_equal(maintenance_next_slice_us(slice_us, 10), 2 * MINUTE_US);
    for (int i = 0; i < 10; i++)
        slice_us = maintenance_next_slice_us(slice_us, 0);
    assert_int_equal(slice_us, 60 * MINUTE_US);
}

static void test_maintenance__a_long_slice_is_halved_down_to_a_minute(void **state)
{
    (void)state;
    assert_int_equal(maintenance_next_slice_us(60 * MINUTE_US, 2000), 30 * MINUTE_US);
    assert_int_equal(maintenance_next_slice_us(MINUTE_US + 1, 2000), MINUTE_US);
    assert_int_equal(maintenance_next_slice_us(MINUTE_US, 2000), MINUTE_US);
}

static void test_maintenance__a_slice_of_the_right_length_stays(void **state)
{
    (void)state;
    assert_int_equal(maintenance_next_slice_us(8 * MINUTE_US, 300), 8 * MINUTE_US);
}

static void test_maintenance__packing_pauses_less_while_days_wait(void **state)
{
    (void)state;
    assert_int_equal(maintenance_pack_pause_ms(200, 0), 600);
    assert_int_equal(maintenance_pack_pause_ms(200, 1), 600);
    assert_int_equal(maintenance_pack_pause_ms(200, 2), 200);
    assert_int_equal(maintenance_pack_pause_ms(0, 2), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maintenance__a_short_slice_is_doubled_up_to_an_hour),
        cmocka_unit_test(test_maintenance__a_long_slice_is_halved_down_to_a_minute),
        cmocka_unit_test(test_maintenance__a_slice_of_the_right_length_stays),
        cmocka_unit_test(test_maintenance__packing_pauses_less_while_days_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
