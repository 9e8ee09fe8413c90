#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_timestamp__every_way_to_write_a_moment(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00", 0},
        {"1970-01-01 00:00:00.000001Z", 1},
        {"1970-01-01t00:00:00.1234567z", 123456},
        {"1970-01-01T08:00:00+08:00", 0},
        {"1970-01-01T08:00:00+0800", 0},
        {"1970-01-01T08:00:00+08", 0},
        {"1969-12-31T19:00:00-05:00", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2016-12-31T23:59:60.75Z", INT64_C(1483228800750000)},
        {"2017-01-01T07:59:60+08:00", INT64_C(1483228800000000)},
        {"2015-06-30T16:59:60-07", INT64_C(1435708800000000)},
        {"1969-12-31T23:59:59.9999991Z", -1},
        {"1969-12-31T23:59:59.0000009Z", -1000000},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = 1;

        if (!timestamp_parse(&us, cases[i].text))
            fail_msg("%s was refused", cases[i].text);
        if (us != cases[i].us)
            fail_msg("%s gave %lld", cases[i].text, (long long)us);
    }
}

static void test_timestamp__what_is_no_moment_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T12:00Z",
        "2026-11-23T12:00:00.Z",
        "2026-11-23T12:00:00+8",
        "2026-11-23T12:00:00+24:00",
        "2026-11-23T12:00:00Zx",
        "2026-11-23T24:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-23T12:60:00Z",
        "2026-11-23T12:00:61Z",
        "2026-11-23T12:00:60Z",
        "2026-11-23T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2016-12-31T22:59:60Z",
        "2016-03-31T23:59:60Z",
        "yesterday",
        "-2026-11-23T12:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = 77;

        if (timestamp_parse(&us, cases[i]))
            fail_msg("\"%s\" was accepted", cases[i]);
        assert_int_equal(us, 77);
    }
}

static void test_timestamp__formatting_is_undone_by_parsing(void **state)
{
    (void)state;
    for (int64_t us = INT64_C(-62135596800000000); us < INT64_C(253402300800000000);
         us += INT64_C(7777777777777)) {
        char text[TIMESTAMP_TEXT_SIZE];
        int64_t again;

        timestamp_format(text, us);
        assert_int_equal(strlen(text), TIMESTAMP_TEXT_SIZE - 1);
        assert_true(timestamp_parse(&again, text));
        assert_int_equal(again, us);
    }
}

static void test_timestamp__a_day_begins_at_midnight_before_1970_too(void **state)
{
    (void)state;
    assert_int_equal(timestamp_day(0), 0);
    assert_int_equal(timestamp_day(TIMESTAMP_US_PER_DAY - 1), 0);
    assert_int_equal(timestamp_day(TIMESTAMP_US_PER_DAY), 1);
    assert_int_equal(timestamp_day(-1), -1);
    assert_int_equal(timestamp_day(-TIMESTAMP_US_PER_DAY), -1);
    assert_int_equal(timestamp_day(-TIMESTAMP_US_PER_DAY - 1), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamp__every_way_to_write_a_moment),
        cmocka_unit_test(test_timestamp__what_is_no_moment_is_refused),
        cmocka_unit_test(test_timestamp__formatting_is_undone_by_parsing),
        cmocka_unit_test(test_timestamp__a_day_begins_at_midnight_before_1970_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
