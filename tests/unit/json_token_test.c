#include "shared/json_token.h"

#include "shared/random.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_token__a_string_is_what_its_escapes_mean),
        cmocka_unit_test(test_json_token__a_number_is_what_strtod_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
