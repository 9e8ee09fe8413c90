#include "collector/decoders/mapping_time.h"
#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t at(const char *text)
{
    int64_t us;

    assert_true(timestamp_parse(&us, text));
    return us;
}

/* What a text is, as RFC 3339, or "no". */
static const char *read_as(const char *text, const char *zone_name, const char *format,
                           const char *arrival)
{
    static char out[TIMESTAMP_TEXT_SIZE];
    struct json_token token = {.text = text, .bytes = strlen(text), .kind = JSON_STRING};
    struct zone *zone = zone_name ? zone_load(zone_name) : NULL;
    int64_t us;

    assert_true(!zone_name || zone);
    if (!mapping_time_read(&us, &token, zone, format, at(arrival)))
        strcpy(out, "no");
    else
        timestamp_format(out, us);
    zone_free(zone);
    return out;
}

static void test_mapping_time__texts_and_formats(void **state)
{
    static const char *const berlin = "Europe/Berlin";
    static const struct {
        const char *text, *zone, *format, *expected;
    } cases[] = {
        {"2026-11-26T12:04:05", berlin, NULL, "2026-11-26T11:04:05.000000Z"},
        {"2026-07-26T12:04:05.25", berlin, NULL, "2026-07-26T10:04:05.250000Z"},
        {"2026-11-26T12:04:05Z", berlin, NULL, "2026-11-26T12:04:05.000000Z"},
        {"2026-11-26T12:04:05.5+02:00", berlin, NULL, "2026-11-26T10:04:05.500000Z"},
        {"2026-11-26T12:04:05", NULL, NULL, "2026-11-26T12:04:05.000000Z"},
        {"2026-11-26T12:04:05", "+05:30", NULL, "2026-11-26T06:34:05.000000Z"},
        {"2026-11-26T12:04:05", "UTC", NULL, "2026-11-26T12:04:05.000000Z"},
        {"1795691045", NULL, NULL, "2026-11-26T11:04:05.000000Z"},
        {"1795691045123", NULL, NULL, "2026-11-26T11:04:05.123000Z"},
        {"1795691045.5", berlin, NULL, "2026-11-26T11:04:05.500000Z"},
        {"yesterday", NULL, NULL, "no"},
        {"26/11/2026 12:04:05", berlin, "%d/%m/%Y %H:%M:%S", "2026-11-26T11:04:05.000000Z"},
        {"11/26/26 12:04 PM", "UTC", "%D %I:%M %p", "2026-11-26T12:04:00.000000Z"},
        {"11/26/26 12:04 AM", "UTC", "%D %I:%M %p", "2026-11-26T00:04:00.000000Z"},
        {"Thu Nov 26 12:04:05 2026", NULL, "%a %b %d %T %Y", "2026-11-26T12:04:05.000000Z"},
        {"20261126T120405.123456789", NULL, "%Y%m%dT%H%M%S.%f", "2026-11-26T12:04:05.123456Z"},
        {"2026-330 00:00:01 +0100", berlin, "%Y-%j %T %z", "2026-11-25T23:00:01.000000Z"},
        {"1795691045", berlin, "%s", "2026-11-26T11:04:05.000000Z"},
        {"31/02/2026 12:04:05", NULL, "%d/%m/%Y %H:%M:%S", "no"},
        {"366 2026", NULL, "%j %Y", "no"},
        {"26/11/2026 12:04:05 x", NULL, "%d/%m/%Y %H:%M:%S", "no"},
        {"26/11/2026", NULL, "%d/%m/%Y %H:%M:%S", "no"},
        {"", NULL, "%F", "no"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s by %s\n", cases[i].text, cases[i].format ? cases[i].format : "-");
        assert_string_equal(
            read_as(cases[i].text, cases[i].zone, cases[i].format, "2026-11-26T11:04:06Z"),
            cases[i].expected);
    }
    (void)state;
}

/* The clocks went back from 3 to 2 on 2026-10-25 at 01:00 UTC. */
static void test_mapping_time__both_autumn_hours_are_right_in_order(void **state)
{
    static const char *const zone = "Europe/Berlin";

    assert_string_equal(read_as("2026-10-25T02:30:00", zone, NULL, "2026-10-25T00:30:01Z"),
                        "2026-10-25T00:30:00.000000Z");
    assert_string_equal(read_as("2026-10-25T02:30:00", zone, NULL, "2026-10-25T01:30:01Z"),
                        "2026-10-25T01:30:00.000000Z");
    assert_string_equal(read_as("2026-10-25T02:59:59", zone, NULL, "2026-10-25T01:00:00Z"),
                        "2026-10-25T00:59:59.000000Z");
    assert_string_equal(read_as("2026-10-25T02:00:00", zone, NULL, "2026-10-25T01:00:01Z"),
                        "2026-10-25T01:00:00.000000Z");
    assert_string_equal(read_as("2026-10-25T01:59:59", zone, NULL, "2026-10-25T01:30:01Z"),
                        "2026-10-24T23:59:59.000000Z");
    assert_string_equal(read_as("2026-10-25T03:00:00", zone, NULL, "2026-10-25T01:30:01Z"),
                        "2026-10-25T02:00:00.000000Z");
    /* An hour that was never shown is what it would be on the clock before. */
    assert_string_equal(read_as("2026-03-29T02:30:00", zone, NULL, "2026-03-29T01:30:00Z"),
                        "2026-03-29T01:30:00.000000Z");
    (void)state;
}

static void test_mapping_time__formats_without_a_date_are_refused(void **state)
{
    static const char *const wrong[] = {"%H:%M", "%d/%m", "%Y-%m", "%Q %F", "%F %I:%M", "%F %"};
    static const char *const right[] = {"%F", "%s", "%Y %j", "%y%m%d", "%d. %b %Y"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(time_format_check(wrong[i]));
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_null(time_format_check(right[i]));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping_time__texts_and_formats),
        cmocka_unit_test(test_mapping_time__both_autumn_hours_are_right_in_order),
        cmocka_unit_test(test_mapping_time__formats_without_a_date_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
