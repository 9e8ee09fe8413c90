#include "devicesim/payload.h"

#include "shared/model/reading_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICE "device_1"
#define AT_US INT64_C(1795000000123456)

struct seen {
    unsigned items;
    enum reading_error error;
    union reading_storage *reading;
};

static struct features features;

static int setup(void **state)
{
    char error[256];

    (void)state;
    return features_parse(&features, "temperature,pressure", error, sizeof(error)) ? 0 : 1;
}

static void on_item(void *user, const struct reading_item *item)
{
    struct seen *seen = user;

    seen->items++;
    seen->error = item->error;
    if (item->reading)
        memcpy(seen->reading, item->reading, reading_size(features.count));
}

static void look_at(struct seen *seen, struct buffer *payload)
{
    static union reading_storage seen_reading;
    const struct reading_rules rules = {.features = &features, .future_tolerance_us = 60000000};
    const struct reading_source source = {
        .device_id = DEVICE, .received_at_us = AT_US, .first_received_at_us = AT_US};

    *seen = (struct seen){.reading = &seen_reading};
    reading_json_parse(&rules, &source, buffer_text(payload), payload->bytes, on_item, seen);
}

static void ordinary(union reading_storage *out)
{
    *out = (union reading_storage){.reading = {.recorded_at_us = AT_US, .status = STATUS_ON}};
    out->reading.values[0] = 101.3;
    out->reading.values[1] = 12.5;
}

static void test_payload__looks_as_documented(void **state)
{
    struct buffer payload = {0};
    union reading_storage reading;

    (void)state;
    ordinary(&reading);
    payload_write(&payload, DEVICE, &reading.reading, &features, -1);
    assert_string_equal(buffer_text(&payload),
                        "{\"deviceId\":\"device_1\",\"timestamp\":\"2026-11-18T11:06:40.123456Z\","
                        "\"status\":\"ON\",\"temperature\":101.3,\"pressure\":12.5}");
    buffer_clear(&payload);
    reading.reading.status = STATUS_ABSENT;
    reading.reading.values[0] = (double)NAN;
    payload_write(&payload, DEVICE, &reading.reading, &features, 7);
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
        struct seen seen;

        ordinary(&reading);
        reading.reading.values[0] = values[i];
        reading.reading.values[1] = i % 2 ? (double)NAN : -values[i];
        reading.reading.status = (uint8_t)(i % STATUS_COUNT);
        payload_write(&payload, DEVICE, &reading.reading, &features, (int64_t)i);
        look_at(&seen, &payload);
        assert_int_equal(seen.error, READING_OK);
        assert_int_equal(seen.reading->reading.recorded_at_us, AT_US);
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
    ordinary(&reading);
    reading.reading.values[0] = reading.reading.values[1] = (double)NAN;
    reading.reading.status = STATUS_INACTIVE;
    payload_write(&payload, "a\"b\\", &reading.reading, &features, 0);
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
    ordinary(&reading);
    payload_write(&payload, DEVICE, &reading.reading, &features, -1);
    bytes = payload.bytes;
    payload_write(&payload, DEVICE, &reading.reading, &features, -1);
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

    return cmocka_run_group_tests(tests, setup, NULL);
}
