#include "shared/model/payload.h"

#include "tests/unit/read_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_payload__looks_as_documented(void **state)
{
    struct buffer payload = {0};
    union reading_storage reading;

    (void)state;
    read_back_ordinary(&reading);
    payload_write(&payload, READ_BACK_DEVICE, &reading.reading, &read_back_features, -1);
    assert_string_equal(buffer_text(&payload),
                        "{\"deviceId\":\"device_1\",\"timestamp\":\"2026-11-18T11:06:40.123456Z\","
                        "\"status\":\"ON\",\"temperature\":101.3,\"pressure\":12.5}");
    buffer_clear(&payload);
    reading.reading.status = STATUS_ABSENT;
    reading.reading.values[0] = (double)NAN;
    payload_write(&payload, READ_BACK_DEVICE, &reading.reading, &read_back_features, 7);
    assert_string_equal(buffer_text(&payload),
                        "{\"deviceId\":\"device_1\",\"timestamp\":\"2026-11-18T11:06:40.123456Z\","
                        "\"seq\":7,\"pressure\":12.5}");
    buffer_release(&payload);
}

static void test_payload__is_read_back_bit_for_bit(void **state)
{
    static const double values[] = {0,      0.01, 0.1,  12.5,    101.3, 199.99, 25,   -0.7,
                                    1020.8, 1e12, 1e13, 1.0 / 3, 1e308, -1e-9,  0.07, 123456.78};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buffer payload = {0};
        union reading_storage reading;
        struct read_back seen;

        read_back_ordinary(&reading);
        reading.reading.values[0] = values[i];
        reading.reading.values[1] = i % 2 ? (double)NAN : -values[i];
        reading.reading.status = (uint8_t)(i % STATUS_COUNT);
        payload_write(&payload, READ_BACK_DEVICE, &reading.reading, &read_back_features,
                      (int64_t)i);
        seen = read_back(&payload);
        assert_int_equal(seen.error, READING_OK);
        assert_int_equal(seen.reading->reading.recorded_at_us, READ_BACK_AT_US);
        assert_int_equal(seen.reading->reading.status, reading.reading.status);
        assert_true(seen.reading->reading.values[0] == values[i]);
        assert_int_equal(isnan(seen.reading->reading.values[1]), i % 2);
        if (i % 2 == 0)
            assert_true(seen.reading->reading.values[1] == -values[i]);
        buffer_release(&payload);
    }
}

static void test_payload__an_id_is_escaped_and_nothing_may_be_measured(void **state)
{
    struct buffer payload = {0};
    union reading_storage reading;

    (void)state;
    read_back_ordinary(&reading);
    reading.reading.values[0] = reading.reading.values[1] = (double)NAN;
    reading.reading.status = STATUS_INACTIVE;
    payload_write(&payload, "a\"b\\", &reading.reading, &read_back_features, 0);
    assert_string_equal(
        buffer_text(&payload),
        "{\"deviceId\":\"a\\\"b\\\\\",\"timestamp\":\"2026-11-18T11:06:40.123456Z\","
        "\"status\":\"INACTIVE\",\"seq\":0}");
    buffer_release(&payload);
}

static void test_payload__is_appended(void **state)
{
    struct buffer payload = {0};
    union reading_storage reading;
    size_t bytes;

    (void)state;
    read_back_ordinary(&reading);
    payload_write(&payload, READ_BACK_DEVICE, &reading.reading, &read_back_features, -1);
    bytes = payload.bytes;
    payload_write(&payload, READ_BACK_DEVICE, &reading.reading, &read_back_features, -1);
    assert_int_equal(payload.bytes, 2 * bytes);
    assert_memory_equal(payload.data, payload.data + bytes, bytes);
    buffer_release(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload__looks_as_documented),
        cmocka_unit_test(test_payload__is_read_back_bit_for_bit),
        cmocka_unit_test(test_payload__an_id_is_escaped_and_nothing_may_be_measured),
        cmocka_unit_test(test_payload__is_appended),
    };

    return cmocka_run_group_tests(tests, read_back_setup, NULL);
}
