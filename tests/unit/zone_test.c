#include "collector/decoders/zone.h"
#include "collector/decoders/zone_rule.h"
#include "shared/base/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The C library's own word, of one zone at a time. */
static int64_t offset_by_libc(int64_t utc_s)
{
    time_t when = (time_t)utc_s;
    struct tm local;
    int64_t days;

    localtime_r(&when, &local);
    days = civil_days(local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
    return days * 86400 + local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec - utc_s;
}

/* Every half day of 1960 to 2080 and both sides of each change, north and south, with and without summer time. */
static void test_zone__agrees_with_the_c_library(void **state)
{
    static const char *const names[] = {
        "Europe/Berlin",    "America/New_York", "Australia/Lord_Howe",
        "Asia/Kolkata",     "America/Santiago", "Africa/Casablanca",
        "America/St_Johns", "Europe/Dublin",    "Pacific/Apia"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *zone = zone_load(names[i]);
        int64_t before_s = INT64_MIN;

        assert_non_null(zone);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t at_s = INT64_C(-315619200); at_s < INT64_C(3471292800); at_s += 43200) {
            int64_t offset_s = zone_offset_s(zone, at_s);

            if (offset_s != before_s && before_s != INT64_MIN) {
                for (int64_t fine_s = at_s - 43200; fine_s < at_s; fine_s += 1799)
                    assert_int_equal(zone_offset_s(zone, fine_s), offset_by_libc(fine_s));
            }
            if (offset_s != offset_by_libc(at_s))
                fail_msg("%s at %lld: %lld", names[i], (long long)at_s, (long long)offset_s);
            before_s = offset_s;
        }
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
    (void)state;
}

static void test_zone__every_local_time_has_its_moments(void **state)
{
    struct zone *zone = zone_load("Europe/Berlin");
    int64_t autumn_s = civil_days(2026, 10, 25) * 86400;
    int64_t spring_s = civil_days(2026, 3, 29) * 86400;
    int64_t out_s[2];

    assert_int_equal(zone_moments(zone, autumn_s + 9000, out_s), 2);
    assert_int_equal(out_s[0], autumn_s + 9000 - 7200);
    assert_int_equal(out_s[1], autumn_s + 9000 - 3600);
    assert_int_equal(zone_moments(zone, autumn_s + 10800, out_s), 1);
    assert_int_equal(zone_moments(zone, autumn_s + 7199, out_s), 1);
    assert_int_equal(zone_moments(zone, spring_s + 9000, out_s), 1);
    assert_int_equal(out_s[0], spring_s + 9000 - 3600);
    zone_free(zone);
    (void)state;
}

static void test_zone__rules_are_read(void **state)
{
    static const char *const right[] = {"UTC0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3",
                                        "<+03>-3",
                                        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                                        "EST5EDT,J60/2,J300",
                                        "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "AAA3BBB,0/0,J365/25"};
    static const char *const wrong[] = {"",
                                        "UTC",
                                        "CE-1",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-999",
                                        "<+03-3",
                                        "CET-1x",
                                        "CET-1CEST,J0,J1"};
    struct zone_rule rule;

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(zone_rule_parse(&rule, right[i], strlen(right[i])));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(zone_rule_parse(&rule, wrong[i], strlen(wrong[i])));
    (void)state;
}

static void test_zone__what_is_no_zone_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",       "Europe/Nowhere", "../../../etc/passwd", "/etc/localtime", "Europe", "+1:00",
        "+25:00", "tzdata.zi"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_null(zone_load(wrong[i]));
    (void)state;
}

/* A file that is cut off anywhere, or has any byte changed, is read or refused; the sanitizers look on. */
static void test_zone__damaged_files_do_no_harm(void **state)
{
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    unsigned char bytes[8192];
    size_t count;

    assert_non_null(file);
    count = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (size_t i = 0; i < count; i++) {
        unsigned char *cut = malloc(i + 1);
        struct zone *zone;

        memcpy(cut, bytes, i);
        zone_free(zone_parse(cut, i));
        free(cut);
        bytes[i] ^= 0x81;
        zone = zone_parse(bytes, count);
        if (zone)
            zone_offset_s(zone, INT64_C(1795691045));
        zone_free(zone);
        bytes[i] ^= 0x81;
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone__agrees_with_the_c_library),
        cmocka_unit_test(test_zone__every_local_time_has_its_moments),
        cmocka_unit_test(test_zone__rules_are_read),
        cmocka_unit_test(test_zone__what_is_no_zone_is_refused),
        cmocka_unit_test(test_zone__damaged_files_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
