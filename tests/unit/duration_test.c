#include "shared/base/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_duration__is_what_people_write(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"0", 0},
        {"7", 7000000},
        {"0.5", 500000},
        {"1us", 1},
        {"250ms", 250000},
        {"60s", 60000000},
        {"90m", 5400000000},
        {"1h", 3600000000},
        {"1.5h", 5400000000},
        {"1h30m", 5400000000},
        {"30d", 2592000000000},
        {"2w", 1209600000000},
        {"1d2h3m4s5ms6us", 93784005006},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -1;

        assert_true(duration_parse(&us, cases[i].text));
        assert_int_equal(us, cases[i].us);
    }
}

static void test_duration__nothing_else_is(void **state)
{
    static const char *const cases[] = {
        "",        " ",      "s",          "-1s",
        "+1s",     " 1s",    "1s ",        "1 s",
        "1x",      "1hours", "1H",         "1sm",
        "1h30",    "1.",     "1..5",       ".5s",
        "0x10s",   "1e3",    "1e3s",       "inf",
        "infs",    "nan",    "nans",       "1,5s",
        "1h-1m",   "1.5.5s", "1\xc2\xb5s", "999999999999999999999999999d",
        "300000y",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -1;

        if (duration_parse(&us, cases[i]))
            fail_msg("'%s' was read as %lld us", cases[i], (long long)us);
        assert_int_equal(us, -1);
    }
}

static void test_duration__is_written_in_the_largest_whole_unit_and_reads_back(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1us"},
        {1500, "1500us"},
        {250000, "250ms"},
        {60000000, "1m"},
        {90000000, "90s"},
        {129600000000, "36h"},
        {604800000000, "7d"},
        {INT64_C(8999999999999999000), "8999999999999999ms"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[DURATION_TEXT_SIZE];
        int64_t us;

        assert_string_equal(duration_format(text, cases[i].us), cases[i].text);
        assert_true(duration_parse(&us, text));
        assert_in_range(us, cases[i].us - cases[i].us / 1000000000000000, cases[i].us + 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration__is_what_people_write),
        cmocka_unit_test(test_duration__nothing_else_is),
        cmocka_unit_test(test_duration__is_written_in_the_largest_whole_unit_and_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
