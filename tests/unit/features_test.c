#include "shared/base/duration.h"
#include "shared/model/features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_features__a_list_keeps_its_order(void **state)
{
    struct features features;
    char error[200];

    (void)state;
    assert_true(features_parse(&features, "temperature,pressure,co2_ppm", error, sizeof(error)));
    assert_int_equal(features.count, 3);
    assert_int_equal(features_find(&features, "pressure"), 1);
    assert_int_equal(features_find(&features, "humidity"), 3);
}

static void test_features__names_that_are_no_columns_are_refused(void **state)
{
    static const char *const cases[] = {
        "",    ",",      "a,",          "-a",    "a b",    "a;drop",    "1a",  "_a",
        "a,a", "status", "recorded_at", "value", "device", "timestamp", "seq", "d\xc3\xbc",
        ".",   "..",     "a/b",         "a+",    "Seq",    "deviceId",  "a\"", "a'"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct features features = {.count = 99};
        char error[200] = "";

        if (features_parse(&features, cases[i], error, sizeof(error)))
            fail_msg("\"%s\" was accepted", cases[i]);
        assert_int_equal(features.count, 99);
        assert_true(strlen(error) > 0);
    }
}

static void test_features__a_refusal_names_the_reason(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {{"a,xmin", "\"xmin\" is a column that PostgreSQL gives every table"},
                 {"count", "\"count\" is a member that answers have beside the features"},
                 {"Status", "\"Status\" is a column of every reading"},
                 {"deviceid", "\"deviceid\" is a column of every reading"},
                 {"sort_order", "\"sort_order\" is a column of every peak"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct features features;
        char error[200] = "";

        assert_false(features_parse(&features, cases[i].text, error, sizeof(error)));
        assert_memory_equal(error, cases[i].reason, strlen(cases[i].reason));
    }
}

static void test_features__units_and_labels_stand_in_brackets(void **state)
{
    struct features features;
    char error[300];

    (void)state;
    assert_true(features_parse(&features,
                               "a[\xc2\xb0"
                               "C],b[bar|Inlet, upper],c,d[|Rotor 'x' \"y\" \\],e[ % | Load ]",
                               error, sizeof(error)));
    assert_int_equal(features.count, 5);
    assert_string_equal(features.names[0], "a");
    assert_string_equal(features.units[0], "\xc2\xb0"
                                           "C");
    assert_string_equal(features.labels[0], "");
    assert_string_equal(features.units[1], "bar");
    assert_string_equal(features.labels[1], "Inlet, upper");
    assert_string_equal(features.units[2], "");
    assert_string_equal(features.units[3], "");
    assert_string_equal(features.labels[3], "Rotor 'x' \"y\" \\");
    assert_string_equal(features.units[4], "%");
    assert_string_equal(features.labels[4], "Load");
}

static void test_features__brackets_that_say_nothing_legal_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *names; /* what the sentence has in it */
    } cases[] = {
        {"a[", "pair of brackets"},
        {"a[x", "\"[x\" behind feature \"a\""},
        {"a]", "\"a]\""},
        {"[x]", "\"\""},
        {"a[x]b", "\"[x]b\""},
        {"a[x][y]", "FIRST"},
        {"a[]", "neither a unit nor a label"},
        {"a[ | ]", "neither a unit nor a label"},
        {"a[x|y|z]", "the label \"y|z\""},
        {"a[a[b]", "the unit \"a[b\""},
        {"a[x,b", "\"[x,b\""},
        {"a[\xe2\x80\xae]", "the unit"}, /* NOLINT(misc-misleading-bidirectional) */
        {"a[x|\xe2\x80\x8b]", "the label"},
        {"a[\n]", "without control"},
        {"a[\xff]", "UTF-8"},
        {"a[1234567890123456789012345]", "1 to 24 bytes"},
        {"a[|123456789012345678901234567890123456789012345678901234567890123456789012345678901]",
         "1 to 80 bytes"},
        {"a[x],a[y]", "twice"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct features features = {.count = 99};
        char error[300] = "";

        if (features_parse(&features, cases[i].text, error, sizeof(error)))
            fail_msg("\"%s\" was accepted", cases[i].text);
        assert_int_equal(features.count, 99);
        if (strcmp(cases[i].names, "FIRST") != 0 && !strstr(error, cases[i].names))
            fail_msg("%s: %s", cases[i].text, error);
    }
}

static void test_features__words_of_sql_and_of_rollups_are_names_too(void **state)
{
    struct features features;
    char error[200];

    (void)state;
    assert_true(features_parse(&features, "offset,order,user,a,a_count,a_count_max,status_on,at",
                               error, sizeof(error)));
    assert_int_equal(features.count, 8);
}

static void test_features__intervals_have_a_name_and_a_length(void **state)
{
    struct intervals intervals;
    char error[200];

    (void)state;
    assert_true(intervals_parse(&intervals,
                                "past_minute=60s,past_5_minutes=5m,past_hour=1h,all_time", error,
                                sizeof(error)));
    assert_int_equal(intervals.count, 4);
    assert_int_equal(intervals.items[1].length_us, INT64_C(300000000));
    assert_int_equal(intervals.items[3].length_us, INTERVAL_ALL_TIME);
    assert_int_equal(intervals_longest_us(&intervals), INT64_C(3600000000));
    assert_int_equal(intervals_find(&intervals, "past_hour"), 2);
}

static void test_features__intervals_without_a_length_are_refused(void **state)
{
    static const char *const cases[] = {
        "",      "past_minute", "past_minute=", "past_minute=x", "a=0s",        "a=60s,a=5m",
        "a=-5s", "A=60s",       "a=2y",         "a=9999999999w", "a=60s,,b=5s", "all_time=forever"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct intervals intervals;
        char error[200];

        if (intervals_parse(&intervals, cases[i], error, sizeof(error)))
            fail_msg("\"%s\" was accepted", cases[i]);
    }
}

static void test_features__durations(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1 = refused */
    } cases[] = {
        {"10ms", 10000},  {"60s", 60000000},
        {"60", 60000000}, {"1h30m", INT64_C(5400000000)},
        {"0.5s", 500000}, {"1d", INT64_C(86400000000)},
        {"5us", 5},       {"0", 0},
        {"", -1},         {"s", -1},
        {"5 s", -1},      {"-5s", -1},
        {"5x", -1},       {"1e99s", -1},
        {"ms5", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -1;

        if (duration_parse(&us, cases[i].text) != (cases[i].us >= 0) || us != cases[i].us)
            fail_msg("\"%s\" gave %lld", cases[i].text, (long long)us);
    }
}

static void test_features__durations_are_written_in_their_largest_unit(void **state)
{
    static const char *const cases[] = {"0", "1us", "1500us", "250ms", "90s", "90m", "36h", "366d"};
    char text[DURATION_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us;

        assert_true(duration_parse(&us, cases[i]));
        assert_string_equal(duration_format(text, us), cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features__a_list_keeps_its_order),
        cmocka_unit_test(test_features__names_that_are_no_columns_are_refused),
        cmocka_unit_test(test_features__a_refusal_names_the_reason),
        cmocka_unit_test(test_features__units_and_labels_stand_in_brackets),
        cmocka_unit_test(test_features__brackets_that_say_nothing_legal_are_refused),
        cmocka_unit_test(test_features__words_of_sql_and_of_rollups_are_names_too),
        cmocka_unit_test(test_features__intervals_have_a_name_and_a_length),
        cmocka_unit_test(test_features__intervals_without_a_length_are_refused),
        cmocka_unit_test(test_features__durations),
        cmocka_unit_test(test_features__durations_are_written_in_their_largest_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
