/* What is a reading, and what is rejected for which reason. */
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

static void test_reading_json__a_whole_reading(void **state)
{
    struct seen seen =
        seen_parse("{\"deviceId\":\"d\",\"timestamp\":\"2026-11-23T12:00:00.123Z\","
                   "\"status\":\"OFF\",\"pressure\":12.5,\"temperature\":101.3,\"seq\":7}");

    (void)state;
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.recorded_at_us[0], INT64_C(1795435200123000));
    assert_true(seen.temperature[0] == 101.3 && seen.pressure[0] == 12.5);
    assert_int_equal(seen.status[0], STATUS_OFF);
    assert_int_equal(seen.seq[0], 7);
}

static void test_reading_json__what_is_absent_is_absent(void **state)
{
    struct seen seen =
        seen_parse("{\"temperature\":1,\"pressure\":null,\"status\":null,\"x\":1,\"y\":{}}");

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
        struct seen seen = seen_parse(cases[i].json);

        assert_int_equal(seen.count, 1);
        if (seen.errors[0] != cases[i].error)
            fail_msg("%s: %s", cases[i].json, reading_error_text(seen.errors[0]));
    }
}

static void test_reading_json__each_element_of_an_array_for_itself(void **state)
{
    struct seen seen =
        seen_parse(" [ {\"temperature\":1} , {\"temperature\":\"x\"},{\"status\":\"ON\"} ] ");

    (void)state;
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.errors[1], READING_WRONG_TYPE);
    assert_int_equal(seen.errors[2], READING_OK);
    assert_string_equal(seen.bytes[0], "{\"temperature\":1}");
    assert_string_equal(seen.bytes[1], "{\"temperature\":\"x\"}");
    assert_string_equal(seen.bytes[2], "{\"status\":\"ON\"}");
}

/* Of three good elements with something between them, the two around it are accepted. */
static void test_reading_json__what_is_no_json_costs_its_element_and_is_named(void **state)
{
    static const struct {
        const char *element;
        enum reading_error error;
        const char *detail;
    } cases[] = {
        {"{\"temperature\":NaN}", READING_NOT_JSON, "\"NaN\" at byte 15 of 19 is not JSON: what"},
        {"{\"temperature\":-nan }", READING_NOT_JSON,
         "\"-nan\" at byte 15 of 21 is not JSON: what"},
        {"{\"temperature\":Infinity}", READING_NOT_JSON, "\"Infinity\" at byte 15"},
        {"{\"temperature\":-inf}", READING_NOT_JSON, "\"-inf\" at byte 15"},
        {"{\"temperature\":01}", READING_NOT_JSON, "\"01\" at byte 15 of 18 is not JSON"},
        {"{\"temperature\":+1}", READING_NOT_JSON, "\"+1\" at byte 15"},
        {"{\"temperature\":.5}", READING_NOT_JSON, "\".5\" at byte 15"},
        {"{\"temperature\":1,}", READING_NOT_JSON, "\"}\" at byte 17"},
        {"{\"temperature\":}", READING_NOT_JSON, "\"}\" at byte 15"},
        {"{temperature:1}", READING_NOT_JSON, "\"temperature\" at byte 1"},
        {"{'temperature':1}", READING_NOT_JSON,
         "\"'\" at byte 1 of 17 is not JSON: names and texts stand in double quotes"},
        {"{\xe2\x80\x9ctemperature\xe2\x80\x9d:1}", READING_NOT_JSON,
         "\"\\xe2\\x80\\x9c\" at byte 1 of 21 is not JSON: names and texts stand in straight"},
        {"{\"temperature\":0x1F}", READING_NOT_JSON, "\"0x1F\" at byte 15"},
        {"{\"temperature\":True}", READING_NOT_JSON,
         "\"True\" at byte 15 of 20 is not JSON: it is written in small"},
        {"{\"t\":1,\"id\":null,\"deviceId\":\"d\"}", READING_NO_VALUE,
         "neither a status nor one of the features; it has t, id=null, deviceId"},
        {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1}", READING_NO_VALUE,
         "neither a status nor one of the features; it has a, b, c, d, e, f and 2 more"},
        {"{\"temperature\":null}", READING_NO_VALUE,
         "neither a status nor one of the features; it has temperature=null"},
        {"{}", READING_NO_VALUE, "neither a status nor one of the features; it is empty"},
        {"undefined", READING_NOT_JSON, "\"undefined\" at byte 0 of 9"},
        {"", READING_EMPTY, "nothing where a value should be"},
        {"{\"temperature\":1} {\"temperature\":1}", READING_TRAILING_BYTES, "at byte 18"},
        {"{\"status\":\"\xff\"}", READING_INVALID_UTF8, "at byte 11"},
        {"{\"status\":\"\x01\"}", READING_NOT_JSON, "\"\\x01\" at byte 11"},
        {"{\"status\":\"\\u0000\"}", READING_NUL_CHARACTER, "at byte 17"},
        {"{\"x\":[[[[[[[[[[1]]]]]]]]]]}", READING_TOO_DEEP, "at byte 12"},
        {"{\"temperature\":1e999}", READING_NOT_FINITE, "temperature is not finite"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct seen seen;

        snprintf(text, sizeof(text), " [{\"temperature\":1}, %s ,{\"temperature\":2}]\n",
                 cases[i].element);
        seen = seen_parse(text);
        if (seen.count != 3 || seen.errors[0] || seen.errors[2] ||
            seen.errors[1] != cases[i].error ||
            strncmp(seen.detail[1], cases[i].detail, strlen(cases[i].detail)) != 0)
            fail_msg("%s: %zu items, %s, %s", text, seen.count, reading_error_text(seen.errors[1]),
                     seen.detail[1]);
        assert_string_equal(seen.bytes[1], cases[i].element);
        assert_true(seen.temperature[0] == 1 && seen.temperature[2] == 2);
        assert_int_equal(seen.recorded_at_us[2], NOW_US + 2);
    }
}

static void test_reading_json__where_elements_cannot_be_told_apart_all_is_rejected(void **state)
{
    static const struct {
        const char *text;
        enum reading_error error;
    } cases[] = {
        {"[{\"temperature\":1},{\"temperature\":2}", READING_NOT_JSON},
        {"[{\"temperature\":1},{\"temperature\":2", READING_NOT_JSON},
        {"[{\"temperature\":1},{\"status\":\"ON},{\"temperature\":2}]", READING_NOT_JSON},
        {"[{\"temperature\":1},{\"x\":[1},{\"temperature\":2}]", READING_NOT_JSON},
        {"[{\"temperature\":1}]]", READING_TRAILING_BYTES},
        {"[{\"temperature\":1}] [{\"temperature\":1}]", READING_TRAILING_BYTES},
        {"[{\"temperature\":NaN}]x", READING_NOT_JSON},
        {"[", READING_NOT_JSON},
        {"{\"temperature\":1},{\"temperature\":2}", READING_TRAILING_BYTES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = seen_parse(cases[i].text);

        if (seen.count != 1 || seen.errors[0] != cases[i].error)
            fail_msg("%s: %zu items, %s", cases[i].text, seen.count,
                     reading_error_text(seen.errors[0]));
        assert_string_equal(seen.bytes[0], cases[i].text);
    }
}

static void test_reading_json__a_mark_before_and_one_nul_behind_are_no_part_of_it(void **state)
{
#define MARK "\xef\xbb\xbf"
#define ONE "{\"temperature\":1}"
#define CASE(text) text, sizeof(text) - 1
    static const struct {
        const char *text;
        size_t bytes;
        enum reading_error error;
        unsigned taken_off;
        const char *detail;
    } cases[] = {
        {CASE(ONE), READING_OK, 0, ""},
        {CASE(MARK ONE), READING_OK, READING_BYTE_ORDER_MARK, ""},
        {CASE(ONE "\0"), READING_OK, READING_TRAILING_NUL, ""},
        {CASE(ONE "\r\n\0"), READING_OK, READING_TRAILING_NUL, ""},
        {CASE(MARK "[" ONE "]\0"), READING_OK, READING_BYTE_ORDER_MARK | READING_TRAILING_NUL, ""},
        {CASE(ONE "\0\0"), READING_NUL_CHARACTER, READING_TRAILING_NUL, "a NUL at byte 17"},
        {CASE(ONE "\0\0\0"), READING_NUL_CHARACTER, READING_TRAILING_NUL,
         "2 NUL bytes after byte 17"},
        {CASE("\0" ONE), READING_NUL_CHARACTER, 0, "a NUL at byte 0 of 18"},
        {CASE(MARK MARK ONE), READING_NOT_JSON, READING_BYTE_ORDER_MARK,
         "a byte order mark at byte 0 of 20: only one"},
        {CASE(" " MARK ONE), READING_NOT_JSON, 0, "a byte order mark at byte 1"},
        {CASE("\0"), READING_EMPTY, READING_TRAILING_NUL, "nothing where"},
        {CASE(MARK), READING_EMPTY, READING_BYTE_ORDER_MARK, "nothing where"},
        {CASE("\xff\xfe{\0\"\0"), READING_NOT_JSON, READING_TRAILING_NUL, "UTF-16"},
        {CASE(""), READING_EMPTY, 0, "nothing where"},
        {CASE(" "), READING_EMPTY, 0, "nothing where"},
        {CASE("[]"), READING_EMPTY, 0, "nothing where"},
        {CASE("{\"temperature\":1"), READING_NOT_JSON, 0, "it ends too early, at byte 16"},
    };
#undef CASE
    int64_t hash = reading_content_hash(ONE, strlen(ONE));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = seen_parse_bytes(cases[i].text, cases[i].bytes);

        if (seen.count != 1 || seen.errors[0] != cases[i].error ||
            seen.taken_off != cases[i].taken_off ||
            strncmp(seen.detail[0], cases[i].detail, strlen(cases[i].detail)) != 0)
            fail_msg("case %zu: %zu items, %s, %u, %s", i, seen.count,
                     reading_error_text(seen.errors[0]), seen.taken_off, seen.detail[0]);
        assert_true(seen.errors[0] || seen.hash[0] == hash);
    }
}

static void test_reading_json__numbers_of_readings_are_whole_and_below_2_to_53(void **state)
{
    static const struct {
        const char *seq;
        int64_t number; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"41", 41},
        {"41.0", 41},
        {"4.1e1", 41},
        {"9007199254740992", INT64_C(9007199254740992)},
        {"9007199254740993", -1},
        {"9007199254740992.5", -1},
        {"9007199254740994", -1},
        {"1e300", -1},
        {"1e999", -1},
        {"0.5", -1},
        {"41.0000000000000000000001", -1},
        {"-1", -1},
        {"-1e-300", -1},
        {"\"41\"", -1},
        {"true", -1},
        {"[41]", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct seen seen;

        snprintf(text, sizeof(text), "{\"temperature\":1,\"seq\":%s}", cases[i].seq);
        seen = seen_parse(text);
        if (seen.errors[0] != (cases[i].number < 0 ? READING_WRONG_TYPE : READING_OK) ||
            (cases[i].number >= 0 && seen.seq[0] != cases[i].number))
            fail_msg("%s gave %lld, %s", text, (long long)seen.seq[0], seen.detail[0]);
    }
    assert_non_null(strstr(seen_parse("{\"temperature\":1,\"seq\":9007199254740993}").detail[0],
                           "9007199254740993 is not a whole number from 0 to 9007199254740992"));
}

struct wide {
    enum reading_error error;
    double values[FEATURES_MAX];
};

static void on_wide(void *user, const struct reading_item *item)
{
    struct wide *wide = user;

    wide->error = item->error;
    if (item->reading)
        memcpy(wide->values, item->reading->values, sizeof(wide->values));
}

/* f0 to f199, of which each has its number: in their order, against it, or one of them twice. */
static void test_reading_json__two_hundred_features_in_any_order(void **state)
{
    static struct features features = {.count = FEATURES_MAX};
    const struct reading_rules rules = {.features = &features, .future_tolerance_us = 1};
    const struct reading_source source = {
        .device_id = "d", .received_at_us = 1, .first_received_at_us = 1};

    (void)state;
    for (int i = 0; i < FEATURES_MAX; i++)
        snprintf(features.names[i], sizeof(features.names[i]), "f%d", i);
    for (int step = 1; step >= -1; step -= 2) {
        struct buffer text = {0};
        struct wide wide = {0};

        for (int i = 0; i < FEATURES_MAX; i++)
            buffer_printf(&text, "%s\"f%d\":%d", i > 0 ? "," : "{",
                          step > 0 ? i : FEATURES_MAX - 1 - i, step > 0 ? i : FEATURES_MAX - 1 - i);
        buffer_put_text(&text, "}");
        reading_json_parse(&rules, &source, (const char *)text.data, text.bytes, on_wide, &wide);
        assert_int_equal(wide.error, READING_OK);
        for (int i = 0; i < FEATURES_MAX; i++)
            assert_true(wide.values[i] == i);
        text.bytes--;
        buffer_put_text(&text, ",\"f150\":1}");
        reading_json_parse(&rules, &source, (const char *)text.data, text.bytes, on_wide, &wide);
        assert_int_equal(wide.error, READING_DUPLICATE_MEMBER);
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_json__two_hundred_features_in_any_order),
        cmocka_unit_test(test_reading_json__a_whole_reading),
        cmocka_unit_test(test_reading_json__what_is_absent_is_absent),
        cmocka_unit_test(test_reading_json__an_escape_is_what_it_stands_for),
        cmocka_unit_test(test_reading_json__each_element_of_an_array_for_itself),
        cmocka_unit_test(test_reading_json__what_is_no_json_costs_its_element_and_is_named),
        cmocka_unit_test(test_reading_json__where_elements_cannot_be_told_apart_all_is_rejected),
        cmocka_unit_test(test_reading_json__a_mark_before_and_one_nul_behind_are_no_part_of_it),
        cmocka_unit_test(test_reading_json__numbers_of_readings_are_whole_and_below_2_to_53),
    };

    return cmocka_run_group_tests(tests, seen_setup, NULL);
}
