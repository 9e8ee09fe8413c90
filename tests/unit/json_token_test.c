#include "shared/model/json_token.h"

#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_token scan_member(const char *json)
{
    struct json_value value;
    size_t at;

    assert_int_equal(json_scan_document(json, strlen(json), &at, &value), JSON_OK);
    assert_int_equal(value.member_count, 1);
    return value.members[0].value;
}

static void test_json_token__a_string_is_what_its_escapes_mean(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC\\ud83d\\ude00!", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!"},
        {"\\uD800\\uDC00\\udbff\\udfff\\uFFFF", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf"},
        {"\\\\u0041", "\\u0041"},
        {"\xc3\xa9\\u0001", "\xc3\xa9\x01"},
        {"of one hundred bytes, which are more than fit into the space that there is for short "
         "ones,"
         " and longer",
         "of one hundred bytes, which are more than fit into the space that there is for short "
         "ones,"
         " and longer"},
        {"\\u006ff one hundred bytes, which are more than fit into the space for short ones, and "
         "so on",
         "of one hundred bytes, which are more than fit into the space for short ones, and so on"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[160];
        struct json_token token;
        struct json_text text;

        snprintf(json, sizeof(json), "{\"x\":\"%s\"}", cases[i].json);
        token = scan_member(json);
        json_text_init(&text, &token);
        assert_string_equal(text.chars, cases[i].text);
        json_text_release(&text);
        assert_true(json_token_is(&token, cases[i].text, strlen(cases[i].text)));
        assert_false(json_token_is(&token, "other", 5));
        assert_false(json_token_is(&token, cases[i].text, strlen(cases[i].text) + 1));
    }
}

static void check_number(const char *text)
{
    struct json_token token = {.text = text, .bytes = strlen(text), .kind = JSON_NUMBER};
    double read = json_token_number(&token);
    double expected = strtod(text, NULL);

    if (read != expected || signbit(read) != signbit(expected))
        fail_msg("%s is read as %.17g, not %.17g", text, read, expected);
}

static void test_json_token__a_number_is_what_strtod_says(void **state)
{
    static const char *const cases[] = {"0",
                                        "-0",
                                        "-0.0",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "1e-7",
                                        "1e999",
                                        "9007199254740991",
                                        "9007199254740993",
                                        "123456789012345",
                                        "0.00000000000001",
                                        "99999999999999.9",
                                        "1.7976931348623157e308",
                                        "4.9e-324",
                                        "2.2250738585072011e-308"};
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_number(cases[i]);
    for (size_t i = 0; i < 300000; i++) {
        char text[64];
        uint64_t whole = random_next(&random) >> random_below(&random, 64);
        uint64_t part = random_next(&random) >> random_below(&random, 64);

        snprintf(text, sizeof(text), "%s%llu.%llu", whole % 3 == 0 ? "-" : "",
                 (unsigned long long)whole, (unsigned long long)part);
        check_number(text);
    }
}

static void test_json_token__a_floor_is_worked_out_to_the_last_digit(void **state)
{
    static const struct {
        const char *text;
        int power;
        int64_t floor;
        bool is_exact;
    } cases[] = {
        {"0", 6, 0, true},
        {"-0.0", 6, 0, true},
        {"0e99999", 0, 0, true},
        {"1795435200123456789", -3, INT64_C(1795435200123456), false},
        {"1795435200123456000", -3, INT64_C(1795435200123456), true},
        {"-1795435200123456789", -3, INT64_C(-1795435200123457), false},
        {"1795435200.1234567", 6, INT64_C(1795435200123456), false},
        {"1795435200.9999999999999999", 6, INT64_C(1795435200999999), false},
        {"1.7954352e9", 6, INT64_C(1795435200000000), true},
        {"179543520000E-2", 6, INT64_C(1795435200000000), true},
        {"-0.0000001", 6, -1, false},
        {"-1e-30", 6, -1, false},
        {"1e-99999999999999999999", 6, 0, false},
        {"9007199254740993", 0, INT64_C(9007199254740993), true},
        {"41.0", 0, 41, true},
        {"4.1e1", 0, 41, true},
        {"41.5", 0, 41, false},
        {"922337203685477579e1", 0, INT64_C(9223372036854775790), true},
    };
    static const char *const too_large[] = {"1e300", "1e19", "-1e19", "9223372036854775808",
                                            "1e99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_token token = {
            .text = cases[i].text, .bytes = strlen(cases[i].text), .kind = JSON_NUMBER};
        bool is_exact = !cases[i].is_exact;
        int64_t floor = 77;

        if (!json_token_floor(&token, cases[i].power, &floor, &is_exact) ||
            floor != cases[i].floor || is_exact != cases[i].is_exact)
            fail_msg("%s: %lld", cases[i].text, (long long)floor);
    }
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        struct json_token token = {
            .text = too_large[i], .bytes = strlen(too_large[i]), .kind = JSON_NUMBER};
        bool is_exact;
        int64_t floor;

        if (json_token_floor(&token, 0, &floor, &is_exact))
            fail_msg("%s: %lld", too_large[i], (long long)floor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_token__a_string_is_what_its_escapes_mean),
        cmocka_unit_test(test_json_token__a_number_is_what_strtod_says),
        cmocka_unit_test(test_json_token__a_floor_is_worked_out_to_the_last_digit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
