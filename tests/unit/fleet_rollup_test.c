#include "collector/stores/postgres/fleet_rollup.h"
#include "shared/base/timestamp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)
#define HEAD                                                                                       \
    "INSERT INTO rollup_fleet_log (bucket, readings, status_on, status_off, status_active,"        \
    " status_inactive, first_at, last_at, \"temperature_count\", \"temperature_sum\","             \
    " \"temperature_min\", \"temperature_max\", \"pressure_count\", \"pressure_sum\","             \
    " \"pressure_min\", \"pressure_max\") VALUES "

static struct features features;
static int64_t noon_us;

static int set_up(void **state)
{
    char error[256];

    (void)state;
    if (!features_parse(&features, "temperature,pressure", error, sizeof(error)))
        return -1;
    return timestamp_parse(&noon_us, "2026-11-23T12:00:00Z") ? 0 : -1;
}

static void add(struct fleet_rollup *rollup, int64_t at_us, enum reading_status status,
                double temperature, double pressure)
{
    union reading_storage storage = {
        .reading = {.recorded_at_us = at_us, .status = (uint8_t)status}};

    storage.reading.values[0] = temperature;
    storage.reading.values[1] = pressure;
    fleet_rollup_add(rollup, &storage.reading);
}

static void assert_sql(struct fleet_rollup *rollup, const char *expected)
{
    struct buffer sql = {0};

    assert_int_equal(fleet_rollup_put_sql(rollup, &features, &sql), *expected != '\0');
    assert_string_equal(buffer_text(&sql), expected);
    buffer_release(&sql);
    fleet_rollup_release(rollup);
}

static void test_fleet_rollup__without_readings_there_is_no_statement(void **state)
{
    struct fleet_rollup rollup = {0};

    (void)state;
    fleet_rollup_reset(&rollup, 2, noon_us, noon_us + 60 * SECOND_US);
    assert_sql(&rollup, "");
    fleet_rollup_reset(&rollup, 2, noon_us, noon_us);
    assert_sql(&rollup, "");
}

static void test_fleet_rollup__readings_are_summed_per_ten_seconds(void **state)
{
    struct fleet_rollup rollup = {0};

    (void)state;
    fleet_rollup_reset(&rollup, 2, noon_us + 5 * SECOND_US, noon_us + 30 * SECOND_US);
    add(&rollup, noon_us + 9 * SECOND_US, STATUS_ON, 1.5, (double)NAN);
    add(&rollup, noon_us + 6 * SECOND_US, STATUS_ABSENT, -2, (double)NAN);
    add(&rollup, noon_us + 30 * SECOND_US - 1, STATUS_INACTIVE, (double)NAN, 0.1);
    assert_sql(&rollup,
               HEAD "('2026-11-23T12:00:00.000000Z',2,1,0,0,0,'2026-11-23T12:00:06.000000Z',"
                    "'2026-11-23T12:00:09.000000Z',2,-0.5,-2,1.5,0,0,NULL,NULL),"
                    "('2026-11-23T12:00:20.000000Z',1,0,0,0,1,'2026-11-23T12:00:29.999999Z',"
                    "'2026-11-23T12:00:29.999999Z',0,0,NULL,NULL,1,0.10000000000000001,"
                    "0.10000000000000001,0.10000000000000001);");
}

static void test_fleet_rollup__a_sum_never_overflows(void **state)
{
    struct fleet_rollup rollup = {0};

    (void)state;
    fleet_rollup_reset(&rollup, 2, noon_us, noon_us + SECOND_US);
    add(&rollup, noon_us, STATUS_OFF, 1e308, -1e308);
    add(&rollup, noon_us, STATUS_OFF, 1e308, -1e308);
    assert_sql(&rollup,
               HEAD "('2026-11-23T12:00:00.000000Z',2,0,2,0,0,'2026-11-23T12:00:00.000000Z',"
                    "'2026-11-23T12:00:00.000000Z',2,2.0000000000000001e+290,1e+308,1e+308,2,"
                    "-2.0000000000000001e+290,-1e+308,-1e+308);");
}

static void test_fleet_rollup__slots_before_1970_begin_at_whole_ten_seconds_too(void **state)
{
    struct fleet_rollup rollup = {0};

    (void)state;
    fleet_rollup_reset(&rollup, 2, -11 * SECOND_US, 0);
    add(&rollup, -1, STATUS_ACTIVE, 0, 0);
    assert_sql(&rollup,
               HEAD "('1969-12-31T23:59:50.000000Z',1,0,0,1,0,'1969-12-31T23:59:59.999999Z',"
                    "'1969-12-31T23:59:59.999999Z',1,0,0,0,1,0,0,0);");
}

static void test_fleet_rollup__it_can_be_used_again_for_another_span(void **state)
{
    struct fleet_rollup rollup = {0};

    (void)state;
    fleet_rollup_reset(&rollup, 2, noon_us, noon_us + 20 * SECOND_US);
    add(&rollup, noon_us, STATUS_ON, 1, 1);
    fleet_rollup_reset(&rollup, 2, noon_us + 3600 * SECOND_US, noon_us + 3700 * SECOND_US);
    add(&rollup, noon_us + 3699 * SECOND_US, STATUS_ON, 2, 2);
    assert_sql(&rollup,
               HEAD "('2026-11-23T13:01:30.000000Z',1,1,0,0,0,'2026-11-23T13:01:39.000000Z',"
                    "'2026-11-23T13:01:39.000000Z',1,2,2,2,1,2,2,2);");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fleet_rollup__without_readings_there_is_no_statement),
        cmocka_unit_test(test_fleet_rollup__readings_are_summed_per_ten_seconds),
        cmocka_unit_test(test_fleet_rollup__a_sum_never_overflows),
        cmocka_unit_test(test_fleet_rollup__slots_before_1970_begin_at_whole_ten_seconds_too),
        cmocka_unit_test(test_fleet_rollup__it_can_be_used_again_for_another_span),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
