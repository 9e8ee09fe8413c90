#include "shared/base/json_write.h"
#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_json_write__strings_escape_what_json_wants_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\r\t\b\f", "\"\\u000a\\u000d\\u0009\\u0008\\u000c\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buffer = {0};

        json_write_string(&buffer, cases[i].text);
        assert_string_equal(buffer_text(&buffer), cases[i].json);
        buffer_release(&buffer);
    }
}

static void test_json_write__numbers_are_short_and_read_back_the_same(void **state)
{
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "0"},      {1, "1"},           {-2.5, "-2.5"},
        {0.1, "0.1"},  {101.3, "101.3"},   {0.07, "0.07"},
        {-0.0, "-0"},  {1e300, "1e+300"},  {4.9e-324, "5e-324"},
        {NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"},
    };
    struct buffer buffer = {0};
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&buffer);
        json_write_double(&buffer, cases[i].value);
        assert_string_equal(buffer_text(&buffer), cases[i].json);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_next(&seed);
        double value;
        double back;

        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        buffer_clear(&buffer);
        json_write_double(&buffer, value);
        back = strtod(buffer_text(&buffer), NULL);
        assert_memory_equal(&back, &value, sizeof(value));
    }
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write__strings_escape_what_json_wants_escaped),
        cmocka_unit_test(test_json_write__numbers_are_short_and_read_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
