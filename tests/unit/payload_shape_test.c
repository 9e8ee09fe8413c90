#include "devicesim/payload_shape.h"

#include "tests/unit/read_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *written(enum payload_shape shape, const struct reading *reading, int64_t seq)
{
    static struct buffer payload;

    buffer_clear(&payload);
    payload_write_as(&payload, shape, "d", reading, &read_back_features, seq);
    return buffer_text(&payload);
}

static void test_payload_shape__looks_as_documented(void **state)
{
    union reading_storage one;

    (void)state;
    read_back_ordinary(&one);
    assert_string_equal(written(PAYLOAD_TASMOTA, &one.reading, 7),
                        "{\"Time\":\"2026-11-18T11:06:40.123456\",\"POWER\":\"ON\",\"Seq\":7,"
                        "\"Sensor\":{\"temperature\":101.3,\"pressure\":12.5},"
                        "\"ENERGY\":{\"TotalStartTime\":\"2026-01-03T09:12:44\",\"Total\":412.118,"
                        "\"Period\":3,\"Factor\":0.65,\"Voltage\":231},\"TempUnit\":\"C\"}");
    assert_string_equal(written(PAYLOAD_TEXT, &one.reading, 7), "101.3");
    assert_string_equal(written(PAYLOAD_SENML, &one.reading, 7),
                        "[{\"bn\":\"urn:dev:sim:\",\"bt\":1795000000.123456},"
                        "{\"n\":\"temperature\",\"v\":101.3},{\"n\":\"pressure\",\"v\":12.5},"
                        "{\"n\":\"status\",\"vs\":\"ON\"}]");
    assert_string_equal(written(PAYLOAD_CONTRACT, &one.reading, -1),
                        "{\"deviceId\":\"d\",\"timestamp\":\"2026-11-18T11:06:40.123456Z\","
                        "\"status\":\"ON\",\"temperature\":101.3,\"pressure\":12.5}");
}

static void test_payload_shape__what_is_absent_is_left_out(void **state)
{
    union reading_storage one;

    (void)state;
    read_back_ordinary(&one);
    one.reading.status = STATUS_ABSENT;
    one.reading.values[0] = (double)NAN;
    assert_string_equal(written(PAYLOAD_TEXT, &one.reading, -1), "12.5");
    assert_string_equal(written(PAYLOAD_SENML, &one.reading, -1),
                        "[{\"bn\":\"urn:dev:sim:\",\"bt\":1795000000.123456},"
                        "{\"n\":\"pressure\",\"v\":12.5}]");
    one.reading.values[1] = (double)NAN;
    assert_string_equal(written(PAYLOAD_TEXT, &one.reading, -1), "nan");
}

static void test_payload_shape__names_are_read(void **state)
{
    enum payload_shape shape = PAYLOAD_CONTRACT;

    (void)state;
    assert_true(payload_shape_parse(&shape, "senml") && shape == PAYLOAD_SENML);
    assert_true(payload_shape_parse(&shape, "sparkplug") && shape == PAYLOAD_SPARKPLUG);
    assert_true(payload_shape_parse(&shape, "senml"));
    assert_false(payload_shape_parse(&shape, "SenML"));
    assert_false(payload_shape_parse(&shape, ""));
    assert_int_equal(shape, PAYLOAD_SENML);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_shape__looks_as_documented),
        cmocka_unit_test(test_payload_shape__what_is_absent_is_left_out),
        cmocka_unit_test(test_payload_shape__names_are_read),
    };

    return cmocka_run_group_tests(tests, read_back_setup, NULL);
}
