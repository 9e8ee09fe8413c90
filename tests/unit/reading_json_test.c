#include "shared/reading_json.h"

#include "shared/timestamp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1795521600000000) /* 2026-11-24T12:00:00Z or so */
static struct features features;
static struct reading_rules rules = {.features = &features,
                                     .earliest_us = INT64_C(946684800000000),
                                     .future_tolerance_us = 60000000};
static const struct reading_source source = {
    .device_id = "d", .received_at_us = NOW_US, .first_received_at_us = NOW_US};

struct seen {
    size_t count;
    enum reading_error errors[8];
    int64_t recorded_at_us[8];
    double temperature[8];
    double pressure[8];
    int status[8];
    int64_t hash[8];
    int64_t seq[8];
    unsigned unknown[8];
    char bytes[8][128];
};

static void on_item(void *user, const struct reading_item *item)
{
    struct seen *seen = user;
    size_t i = seen->count++;

    assert_true(i < 8);
    seen->errors[i] = item->error;
    snprintf(seen->bytes[i], sizeof(seen->bytes[i]), "%.*s", (int)item->length, item->bytes);
    seen->seq[i] = item->seq;
    seen->unknown[i] = item->unknown_members;
    if (!item->reading)
        return;
    seen->recorded_at_us[i] = item->reading->recorded_at_us;
    seen->temperature[i] = item->reading->values[0];
    seen->pressure[i] = item->reading->values[1];
    seen->status[i] = item->reading->status;
    seen->hash[i] = item->reading->content_hash;
}

static struct seen parse(const char *text)
{
    struct seen seen = {0};

    reading_json_parse(&rules, &source, text, strlen(text), on_item, &seen);
    return seen;
}

static void test_reading_json__a_whole_reading(void **state)
{
    struct seen seen =
        parse("{\"deviceId\":\"d\",\"timestamp\":\"2026-11-23T12:00:00.123Z\","
              "\"status\":\"OFF\",\"pressure\":12.5,\"temperature\":101.3,\"seq\":7}");

    (void)state;
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.recorded_at_us[0], INT64_C(1795435200123000));
    assert_true(seen.temperature[0] == 101.3 && seen.pressure[0] == 12.5);
    assert_int_equal(seen.status[0], STATUS_OFF);
    assert_int_equal(seen.seq[0], 7);
}

static void test_reading_json__a_number_is_a_time_by_its_size(void **state)
{
    static const char *const cases[] = {"1795435200", "1795435200000", "1795435200000000",
                                        "1795435200000000000", "1795435200.0"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct seen seen;

        snprintf(text, sizeof(text), "{\"timestamp\":%s,\"temperature\":1}", cases[i]);
        seen = parse(text);
        assert_int_equal(seen.errors[0], READING_OK);
        assert_int_equal(seen.recorded_at_us[0], INT64_C(1795435200000000));
    }
}

static void test_reading_json__what_is_absent_is_absent(void **state)
{
    struct seen seen =
        parse("{\"temperature\":1,\"pressure\":null,\"status\":null,\"x\":1,\"y\":{}}");

    (void)state;
    assert_int_equal(seen.errors[0], READING_OK);
    assert_true(isnan(seen.pressure[0]));
    assert_int_equal(seen.status[0], STATUS_ABSENT);
    assert_int_equal(seen.recorded_at_us[0], NOW_US);
    assert_int_equal(seen.seq[0], -1);
    assert_int_equal(seen.unknown[0], 2);
}

static void test_reading_json__an_escape_is_what_it_stands_for(void **state)
{
    static const struct {
        const char *json;
        enum reading_error error;
    } cases[] = {
        {"{\"d\\u0065viceId\":\"\\u0064\",\"status\":\"O\\u004e\"}", READING_OK},
        {"{\"t\\u0065mperature\":1,\"timestamp\":\"2026\\u002d11-23T12:00:00Z\"}", READING_OK},
        {"{\"temperature\":1,\"\\u0078\":1,\"\\u0079\":1,\"xy\":1}", READING_OK},
        {"{\"deviceId\":\"\\u0065\",\"temperature\":1}", READING_DEVICE_ID_MISMATCH},
        {"{\"deviceId\":\"\\u002f\",\"temperature\":1}", READING_BAD_DEVICE_ID},
        {"{\"temperature\":1,\"t\\u0065mperature\":2}", READING_DUPLICATE_MEMBER},
        {"{\"temperature\":1,\"x\":1,\"\\u0078\":2}", READING_DUPLICATE_MEMBER},
        {"{\"temperature\":1,\"\\u0078\":1,\"x\":2}", READING_DUPLICATE_MEMBER},
        {"{\"temperature\":1,\"\\u0078\":1,\"\\u0078\":2}", READING_DUPLICATE_MEMBER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = parse(cases[i].json);

        assert_int_equal(seen.count, 1);
        if (seen.errors[0] != cases[i].error)
            fail_msg("%s: %s", cases[i].json, reading_error_text(seen.errors[0]));
    }
}

static void test_reading_json__each_element_of_an_array_for_itself(void **state)
{
    struct seen seen =
        parse(" [ {\"temperature\":1} , {\"temperature\":\"x\"},{\"status\":\"ON\"} ] ");

    (void)state;
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.errors[1], READING_WRONG_TYPE);
    assert_int_equal(seen.errors[2], READING_OK);
    assert_string_equal(seen.bytes[0], "{\"temperature\":1}");
    assert_string_equal(seen.bytes[1], "{\"temperature\":\"x\"}");
    assert_string_equal(seen.bytes[2], "{\"status\":\"ON\"}");
}

static void test_reading_json__times_outside_the_bounds(void **state)
{
    static const struct {
        const char *time;
        enum reading_error error;
    } cases[] = {
        {"0", READING_TIMESTAMP_TOO_OLD},
        {"-5", READING_TIMESTAMP_TOO_OLD},
        {"-1e18", READING_TIMESTAMP_TOO_OLD},
        {"1e300", READING_BAD_TIMESTAMP},
        {"1e18", READING_OK}, /* 2001, in ns */
        {"\"2036-11-23T12:00:00Z\"", READING_TIMESTAMP_IN_FUTURE},
        {"\"1999-12-31T23:59:59Z\"", READING_TIMESTAMP_TOO_OLD},
        {"\"2000-01-01T00:00:00Z\"", READING_OK},
        {"1795521660", READING_OK},
        {"1795521661", READING_TIMESTAMP_IN_FUTURE},
        {"true", READING_WRONG_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];

        snprintf(text, sizeof(text), "{\"timestamp\":%s,\"temperature\":1}", cases[i].time);
        if (parse(text).errors[0] != cases[i].error)
            fail_msg("%s gave %s", cases[i].time, reading_error_text(parse(text).errors[0]));
    }
}

static void test_reading_json__minus_zero_is_zero(void **state)
{
    struct seen minus = parse("{\"timestamp\":1795435200,\"temperature\":-0.0}");

    (void)state;
    assert_int_equal(minus.errors[0], READING_OK);
    assert_false(signbit(minus.temperature[0]));
}

#define FIFTY "01234567890123456789012345678901234567890123456789"

/* XXH3 goes another way for short, middling and long bytes. Whoever turns this test red doubles every reading that is delivered twice around an upgrade. */
static void test_reading_json__the_hash_of_known_bytes_is_known(void **state)
{
    static const struct {
        const char *json;
        int64_t hash;
    } cases[] = {
        {"{\"temperature\":1}", INT64_C(-5310044132949788151)},
        {"{\"deviceId\":\"device_1\",\"timestamp\":\"2026-11-23T12:00:00.123Z\",\"status\":\"ON\","
         "\"pressure\":12.5,\"temperature\":101.3}",
         INT64_C(2488489400923755558)},
        {"{\"temperature\":1,\"note\":\"" FIFTY FIFTY FIFTY FIFTY FIFTY "\"}",
         INT64_C(-4730562943420397101)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t hash = reading_content_hash(cases[i].json, strlen(cases[i].json));

        if (hash != cases[i].hash)
            fail_msg("%s has %lld", cases[i].json, (long long)hash);
    }
}

static void test_reading_json__messages_that_differ_in_anything_are_different_readings(void **state)
{
    static const char *const cases[] = {
        "{\"timestamp\":1795435200,\"temperature\":1}",
        "{\"timestamp\":1795435200,\"temperature\":1.0}",
        "{\"timestamp\":1795435200,\"temperature\":1 }",
        "{\"temperature\":1,\"timestamp\":1795435200}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"seq\":41}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"seq\":42}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"sensor\":\"inlet\"}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"sensor\":\"outlet\"}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"status\":\"ON\"}",
        "{\"timestamp\":1795435200,\"temperature\":1,\"deviceId\":\"d\"}",
    };
    int64_t hashes[sizeof(cases) / sizeof(cases[0])];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = parse(cases[i]);

        assert_int_equal(seen.errors[0], READING_OK);
        hashes[i] = seen.hash[0];
        for (size_t j = 0; j < i; j++) {
            if (hashes[i] == hashes[j])
                fail_msg("%s is %s", cases[i], cases[j]);
        }
    }
}

/* Alone, in an array, and as what rejected_messages keeps of it. */
static void test_reading_json__what_stands_around_a_reading_does_not_change_its_hash(void **state)
{
    static const char reading[] = "{\"timestamp\":1795435200,\"temperature\":1}";
    static const char *const formats[] = {
        "%s", "  %s\r\n", "[%s]", "[ %s ]", "\t[%s,%s , %s\n]", "[{},%s,{}]", "[1, %s ,null]"};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct buffer text = {0};
        struct seen seen = {0};
        size_t taken = 0;

        for (const char *c = formats[i]; *c; c++) {
            if (*c == '%' && *++c)
                buffer_put_text(&text, reading);
            else
                buffer_put(&text, c, 1);
        }
        reading_json_parse(&rules, &source, (const char *)text.data, text.bytes, on_item, &seen);
        for (size_t item = 0; item < seen.count; item++) {
            if (seen.errors[item])
                continue;
            taken++;
            assert_string_equal(seen.bytes[item], reading);
            assert_true(seen.hash[item] == reading_content_hash(reading, strlen(reading)));
        }
        assert_true(taken > 0);
        buffer_release(&text);
    }
}

static void test_reading_json__no_setting_changes_the_hash(void **state)
{
    struct features other;
    char error[128];
    struct seen a = parse("{\"timestamp\":1795435200,\"temperature\":1,\"pressure\":2}");
    struct seen b;

    (void)state;
    assert_true(features_parse(&other, "humidity,pressure", error, sizeof(error)));
    rules.features = &other;
    b = parse("{\"timestamp\":1795435200,\"temperature\":1,\"pressure\":2}");
    rules.features = &features;
    assert_int_equal(b.errors[0], READING_OK);
    assert_true(a.hash[0] == b.hash[0]);
}

static void test_reading_json__written_and_read_again_it_is_the_same(void **state)
{
    struct buffer json = {0};
    union reading_storage storage = {
        .reading = {.recorded_at_us = INT64_C(1795435200123456), .status = STATUS_INACTIVE}};
    struct seen seen = {0};

    (void)state;
    storage.reading.values[0] = 0.1 + 0.2;
    storage.reading.values[1] = (double)NAN;
    reading_json_write(&json, "d", &storage.reading, &features);
    reading_json_parse(&rules, &source, (const char *)json.data, json.bytes, on_item, &seen);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.recorded_at_us[0], storage.reading.recorded_at_us);
    assert_true(seen.temperature[0] == 0.1 + 0.2 && isnan(seen.pressure[0]));
    assert_int_equal(seen.status[0], STATUS_INACTIVE);
    buffer_release(&json);
}

static int setup(void **state)
{
    char error[128];

    (void)state;
    return features_parse(&features, FEATURES_DEFAULT, error, sizeof(error)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_json__a_whole_reading),
        cmocka_unit_test(test_reading_json__a_number_is_a_time_by_its_size),
        cmocka_unit_test(test_reading_json__what_is_absent_is_absent),
        cmocka_unit_test(test_reading_json__an_escape_is_what_it_stands_for),
        cmocka_unit_test(test_reading_json__each_element_of_an_array_for_itself),
        cmocka_unit_test(test_reading_json__times_outside_the_bounds),
        cmocka_unit_test(test_reading_json__minus_zero_is_zero),
        cmocka_unit_test(test_reading_json__the_hash_of_known_bytes_is_known),
        cmocka_unit_test(
            test_reading_json__messages_that_differ_in_anything_are_different_readings),
        cmocka_unit_test(test_reading_json__what_stands_around_a_reading_does_not_change_its_hash),
        cmocka_unit_test(test_reading_json__no_setting_changes_the_hash),
        cmocka_unit_test(test_reading_json__written_and_read_again_it_is_the_same),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
