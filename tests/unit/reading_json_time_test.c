/* Which times are read, and which are refused. */
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

static void test_reading_json__a_number_is_a_time_by_its_size(void **state)
{
    static const char *const cases[] = {"1795435200", "1795435200000", "1795435200000000",
                                        "1795435200000000000", "1795435200.0"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct seen seen;

        snprintf(text, sizeof(text), "{\"timestamp\":%s,\"temperature\":1}", cases[i]);
        seen = seen_parse(text);
        assert_int_equal(seen.errors[0], READING_OK);
        assert_int_equal(seen.recorded_at_us[0], INT64_C(1795435200000000));
    }
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
        if (seen_parse(text).errors[0] != cases[i].error)
            fail_msg("%s gave %s", cases[i].time, reading_error_text(seen_parse(text).errors[0]));
    }
}

static void test_reading_json__one_moment_is_one_however_it_is_written(void **state)
{
    static const struct {
        const char *number;
        const char *text;
    } cases[] = {
        {"1795435200123456789", "2026-11-23T12:00:00.123456789Z"},
        {"1795435200123456999", "2026-11-23T12:00:00.123456999Z"},
        {"1795435200123456.999", "2026-11-23T12:00:00.123456999Z"},
        {"1795435200123.4567", "2026-11-23T12:00:00.1234567Z"},
        {"1795435200.1234567", "2026-11-23T12:00:00.1234567Z"},
        {"1795435200.9999999", "2026-11-23T12:00:00.9999999Z"},
        {"-0.0000001", "1969-12-31T23:59:59.9999999Z"},
        {"-31536000.5", "1968-12-31T23:59:59.5Z"},
        {"-1000000000000000000", "1938-04-24T22:13:20Z"},
        {"-1000000000000000001", "1938-04-24T22:13:19.999999999Z"},
    };
    struct reading_rules all_times = seen_rules;

    (void)state;
    all_times.earliest_us = INT64_MIN;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[192];
        struct seen seen = {0};

        snprintf(text, sizeof(text),
                 "[{\"timestamp\":%s,\"temperature\":1},{\"timestamp\":\"%s\",\"temperature\":1}]",
                 cases[i].number, cases[i].text);
        reading_json_parse(&all_times, &seen_source, text, strlen(text), seen_on_item, &seen);
        assert_int_equal(seen.errors[0] + seen.errors[1], READING_OK);
        if (seen.recorded_at_us[0] != seen.recorded_at_us[1])
            fail_msg("%s is %lld, %s is %lld", cases[i].number, (long long)seen.recorded_at_us[0],
                     cases[i].text, (long long)seen.recorded_at_us[1]);
    }
}

static void test_reading_json__a_second_60_has_a_reason_of_its_own(void **state)
{
    struct seen seen = seen_parse("{\"temperature\":1,\"timestamp\":\"2026-11-23T12:00:60Z\"}");

    (void)state;
    assert_int_equal(seen.errors[0], READING_BAD_TIMESTAMP);
    assert_non_null(strstr(seen.detail[0], "a second 60 ends only June and December"));
}

static void test_reading_json__the_earliest_time_is_a_date_or_an_age(void **state)
{
    static const struct {
        const char *text;
        bool is_legal;
        int64_t earliest_us;
        int64_t most_age_us;
    } cases[] = {
        {READING_EARLIEST_DEFAULT, true, INT64_C(1577836800000000), 0},
        {"2013-03-01", true, INT64_C(1362096000000000), 0},
        {"2013-03-01T08:00:00+08:00", true, INT64_C(1362096000000000), 0},
        {"30d", true, INT64_C(1577836800000000), INT64_C(2592000000000)},
        {"36h", true, INT64_C(1577836800000000), INT64_C(129600000000)},
        {"30", false, 0, 0},
        {"0d", false, 0, 0},
        {"-30d", false, 0, 0},
        {"", false, 0, 0},
        {"2013-02-30", false, 0, 0},
        {"yesterday", false, 0, 0},
        {"2013-03-01T08:00:00+08:00 and so on and so forth", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reading_rules parsed = {0};
        bool is_legal = reading_rules_set_earliest(&parsed, cases[i].text);

        if (is_legal != cases[i].is_legal ||
            (is_legal && (parsed.earliest_us != cases[i].earliest_us ||
                          parsed.most_age_us != cases[i].most_age_us)))
            fail_msg("%s", cases[i].text);
    }
}

/* The clocks that are known to go wrong, on the day of NOW_US. */
static void test_reading_json__what_a_broken_clock_says_is_refused(void **state)
{
    static const struct {
        const char *earliest;
        const char *time;
        enum reading_error error;
    } cases[] = {
        {"2020-01-01", "\"2000-01-01T00:00:05Z\"", READING_TIMESTAMP_TOO_OLD},
        {"2020-01-01", "\"1980-01-06T00:00:00Z\"", READING_TIMESTAMP_TOO_OLD},
        {"2020-01-01", "1002240000", READING_TIMESTAMP_TOO_OLD}, /* 11.6 days in ms */
        {"2020-01-01", "1479720018", READING_TIMESTAMP_TOO_OLD}, /* seconds of GPS */
        {"2020-01-01", "1728000000", READING_OK},                /* 20 days in ms: 2024 */
        {"30d", "1728000000", READING_TIMESTAMP_TOO_OLD},
        {"30d", "1002240000", READING_TIMESTAMP_TOO_OLD},
        {"30d", "1793000000", READING_OK},
        {"30d", "1792929599", READING_TIMESTAMP_TOO_OLD},
        {"30d", "1792929600", READING_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reading_rules strict = seen_rules;
        struct seen seen = {0};
        char text[128];

        assert_true(reading_rules_set_earliest(&strict, cases[i].earliest));
        snprintf(text, sizeof(text), "{\"timestamp\":%s,\"temperature\":1}", cases[i].time);
        reading_json_parse(&strict, &seen_source, text, strlen(text), seen_on_item, &seen);
        if (seen.errors[0] != cases[i].error)
            fail_msg("%s at %s: %s", cases[i].time, cases[i].earliest,
                     reading_error_text(seen.errors[0]));
    }
}

/* An age is that of the day when it came first. */
static void test_reading_json__what_is_sent_again_is_as_old_as_when_it_came_first(void **state)
{
    static const char text[] = "[{\"timestamp\":1793000000,\"temperature\":1},{\"temperature\":1}]";
    const int64_t later_us = INT64_C(90) * 24 * 3600 * 1000000;
    struct reading_source again = {
        .device_id = "d", .received_at_us = NOW_US + later_us, .first_received_at_us = NOW_US};
    struct reading_rules strict = seen_rules;
    struct seen seen = {0};

    (void)state;
    assert_true(reading_rules_set_earliest(&strict, "30d"));
    reading_json_parse(&strict, &again, text, strlen(text), seen_on_item, &seen);
    assert_int_equal(seen.errors[0], READING_OK);
    assert_int_equal(seen.errors[1], READING_OK);
    assert_int_equal(seen.recorded_at_us[1], NOW_US + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_json__a_number_is_a_time_by_its_size),
        cmocka_unit_test(test_reading_json__times_outside_the_bounds),
        cmocka_unit_test(test_reading_json__one_moment_is_one_however_it_is_written),
        cmocka_unit_test(test_reading_json__a_second_60_has_a_reason_of_its_own),
        cmocka_unit_test(test_reading_json__the_earliest_time_is_a_date_or_an_age),
        cmocka_unit_test(test_reading_json__what_a_broken_clock_says_is_refused),
        cmocka_unit_test(test_reading_json__what_is_sent_again_is_as_old_as_when_it_came_first),
    };

    return cmocka_run_group_tests(tests, seen_setup, NULL);
}
