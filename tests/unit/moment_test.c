#include "httpapi/moment.h"

#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW INT64_C(1795737600123456)

static int64_t parsed(const char *text)
{
    int64_t us = 0;
    bool is_relative = true;

    if (!moment_parse(&us, &is_relative, text, NOW))
        fail_msg("%s is refused", text);
    assert_int_equal(is_relative, text[0] == 'n');
    return us;
}

static void test_moment__each_form_is_its_point_in_time(void **state)
{
    static const struct {
        const char *text;
        const char *same;
    } cases[] = {
        {"2026-11-26", "2026-11-26T00:00:00Z"},
        {"0001-01-01", "0001-01-01T00:00:00Z"},
        {"2024-02-29", "2024-02-29T00:00:00Z"},
        {"2000-02-29", "2000-02-29T00:00:00Z"},
        {"9999-12-31", "9999-12-31T00:00:00Z"},
        {"0", "1970-01-01T00:00:00Z"},
        {"100000000", "1973-03-03T09:46:40Z"},
        {"1795737600", "2026-11-27T00:00:00Z"},
        {"1795737600.5", "2026-11-27T00:00:00.5Z"},
        {"1795737600.000001", "2026-11-27T00:00:00.000001Z"},
        {"99999999999", "5138-11-16T09:46:39Z"},
        {"now", "2026-11-27T00:00:00.123456Z"},
        {"now-1us", "2026-11-27T00:00:00.123455Z"},
        {"now-90m", "2026-11-26T22:30:00.123456Z"},
        {"now-1h", "2026-11-26T23:00:00.123456Z"},
        {"now-99999d", "1753-02-12T00:00:00.123456Z"},
        {"2026-11-27t08:00:00+0800", "2026-11-27T00:00:00Z"},
        {"2026-11-27+08:00:00+08:00", "2026-11-27T00:00:00Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t expected;

        assert_true(timestamp_parse(&expected, cases[i].same));
        if (parsed(cases[i].text) != expected)
            fail_msg("%s is not %s", cases[i].text, cases[i].same);
    }
}

static void test_moment__what_could_be_meant_otherwise_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "yesterday",
        "Now",
        "NOW",
        "nowhere",
        "now ",
        " now",
        "now+1h",
        "now-",
        "now-0s",
        "now-1",
        "now-1H",
        "now-1h30m",
        "now-1h ",
        "now--1h",
        "now-01h",
        "now-1.5h",
        "now-1w",
        "now-100000d",
        "now-99999999999d",
        "now-99999999999999999999999999d",
        "now-1h-1h",
        "2026",
        "20261126",
        "1",
        "99999999",
        "00",
        "0.5",
        "0000000000",
        "0179573760",
        "-1",
        "-1795737600",
        "+1795737600",
        "1795737600123",
        "100000000000",
        "99999999999999999999999999",
        "1795737600.",
        "1795737600.1234567",
        ".5",
        "1795737600,5",
        "1e9",
        "1.7957376e9",
        "0x6b092d00",
        "1795737600s",
        "1795737600 ",
        "NaN",
        "Infinity",
        "2026-02-30",
        "2026-02-29",
        "1900-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-11-00",
        "2026-11-31",
        "0000-01-01",
        "2026-11-2",
        "2026-1-26",
        "26-11-2026",
        "2026/11/26",
        "2026-11-26Z",
        "2026-11-26+08:00",
        "2026-11-26T",
        "2026-11-26T12:00",
        "10000-01-01",
        "-001-01-01",
        "2026-11-26T24:00:00Z",
        "2017-01-01T08:59:60+09:00",
        "2026-11-26T12:00:60Z",
        "12026-11-26",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us;
        bool is_relative;

        if (moment_parse(&us, &is_relative, cases[i], NOW))
            fail_msg("\"%s\" is taken", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moment__each_form_is_its_point_in_time),
        cmocka_unit_test(test_moment__what_could_be_meant_otherwise_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
