/* What makes two messages the same reading, and what does not. */
#include "tests/unit/seen.h"

#include "shared/base/timestamp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_reading_json__minus_zero_is_zero(void **state)
{
    struct seen minus = seen_parse("{\"timestamp\":1795435200,\"temperature\":-0.0}");

    (void)state;
    assert_int_equal(minus.errors[0], READING_OK);
    assert_false(signbit(minus.temperature[0]));
}

#define FIFTY "01234567890123456789012345678901234567890123456789"

/* XXH3 has a way of its own for short, middling and long bytes. A change that turns this test red
 * doubles every reading that is delivered twice around an upgrade. */
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
        struct seen seen = seen_parse(cases[i]);

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
        size_t accepted = 0;

        for (const char *c = formats[i]; *c; c++) {
            if (*c == '%' && c[1]) {
                c++;
                buffer_put_text(&text, reading);
            } else {
                buffer_put(&text, c, 1);
            }
        }
        reading_json_parse(&seen_rules, &seen_source, (const char *)text.data, text.bytes,
                           seen_on_item, &seen);
        for (size_t item = 0; item < seen.count; item++) {
            if (seen.errors[item])
                continue;
            accepted++;
            assert_string_equal(seen.bytes[item], reading);
            assert_true(seen.hash[item] == reading_content_hash(reading, strlen(reading)));
        }
        assert_true(accepted > 0);
        buffer_release(&text);
    }
}

/* In parts, of copies, come the same elements with the same arrivals. */
static void test_reading_json__a_message_in_parts_has_the_same_elements(void **state)
{
    static const char *const texts[] = {
        "{\"temperature\":1}",
        "[{\"temperature\":1}]",
        "[]",
        "",
        "nonsense",
        " [ {\"temperature\":1} , 0,{}, {\"temperature\":2,\"seq\":3} ,\"x\" ] ",
        "\xef\xbb\xbf[{\"temperature\":1},{\"temperature\":2},[]]",
        "[{\"temperature\":1},NaN,,{\"temperature\":2}, {\"temperature\":nan},{\"temperature\":3}]",
        "[{\"temperature\":1},{\"temperature\":2}]]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct seen whole = seen_parse(texts[i]);

        for (size_t most = 1; most < 8; most++) {
            struct seen parts = {0};
            struct reading_rest rest;
            size_t before;

            parts.taken_off =
                reading_json_begin(&seen_rules, &seen_source, texts[i], strlen(texts[i]), most,
                                   &rest, seen_on_item, &parts);
            assert_true(parts.count <= most);
            while (rest.is_there) {
                char *copy = strdup(texts[i]);

                before = parts.count;
                assert_int_equal(rest.items, before);
                reading_json_continue(&seen_rules, &seen_source, copy, most, &rest, seen_on_item,
                                      &parts);
                assert_in_range(parts.count - before, 1, most);
                free(copy);
            }
            assert_memory_equal(&parts, &whole, sizeof(whole));
        }
    }
}

static void test_reading_json__no_setting_changes_the_hash(void **state)
{
    struct features other;
    char error[128];
    struct seen a = seen_parse("{\"timestamp\":1795435200,\"temperature\":1,\"pressure\":2}");
    struct seen b;

    (void)state;
    assert_true(features_parse(&other, "humidity,pressure", error, sizeof(error)));
    seen_rules.features = &other;
    b = seen_parse("{\"timestamp\":1795435200,\"temperature\":1,\"pressure\":2}");
    seen_rules.features = &seen_features;
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
    reading_json_write(&json, "d", &storage.reading, &seen_features);
    reading_json_parse(&seen_rules, &seen_source, (const char *)json.data, json.bytes, seen_on_item,
                       &seen);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.recorded_at_us[0], storage.reading.recorded_at_us);
    assert_true(seen.temperature[0] == 0.1 + 0.2 && isnan(seen.pressure[0]));
    assert_int_equal(seen.status[0], STATUS_INACTIVE);
    buffer_release(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_json__minus_zero_is_zero),
        cmocka_unit_test(test_reading_json__the_hash_of_known_bytes_is_known),
        cmocka_unit_test(
            test_reading_json__messages_that_differ_in_anything_are_different_readings),
        cmocka_unit_test(test_reading_json__what_stands_around_a_reading_does_not_change_its_hash),
        cmocka_unit_test(test_reading_json__a_message_in_parts_has_the_same_elements),
        cmocka_unit_test(test_reading_json__no_setting_changes_the_hash),
        cmocka_unit_test(test_reading_json__written_and_read_again_it_is_the_same),
    };

    return cmocka_run_group_tests(tests, seen_setup, NULL);
}
