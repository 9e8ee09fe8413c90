/* What a collector says of itself: what is taken, what is refused, what it vouches for. */
#include "httpapi/collector_status.h"

#include "shared/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct features features;
static struct intervals intervals;

static int setup(void **state)
{
    char error[200];

    (void)state;
    return !features_parse(&features, "temperature,pressure", error, sizeof(error)) ||
           !intervals_parse(&intervals, "past_minute=60s,all_time", error, sizeof(error));
}

static char fault[COLLECTOR_STATUS_FAULT_SIZE];

static bool parse(struct collector_status *out, const char *json)
{
    return collector_status_parse(out, &features, &intervals, json, strlen(json), fault);
}

static void assert_refused(const char *json)
{
    struct collector_status status = {.turn = 77};

    if (parse(&status, json))
        fail_msg("%s is taken", json);
    assert_int_equal(status.turn, 77);
}

#define THRESHOLD(members) ("{\"state\":\"live\",\"thresholds\":[{\"feature\":\"a\"," members "}]}")

static void test_collector_status__what_is_not_as_it_should_be_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[]",
        "7",
        "{\"state\":7}",
        "{\"state\":\"live\"} x",
        "{\"state\":\"live\xff\"}",
        "{\"state\":\"live\",\"state\":\"live\"}",
        "{\"state\":\"live\",\"version\":\"\\u0000\"}",
        "{\"state\":\"live\",\"asOf\":\"soon\"}",
        "{\"state\":\"live\",\"asOf\":1}",
        "{\"state\":\"live\",\"devices\":{\"a\":1}}",
        "{\"state\":\"live\",\"devices\":-1}",
        "{\"state\":\"live\",\"devices\":1.5}",
        "{\"state\":\"live\",\"turn\":1e300}",
        "{\"state\":\"live\",\"lowest\":1}",
        "{\"state\":\"live\",\"features\":[1]}",
        "{\"state\":\"live\",\"features\":{\"a\":\"b\"}}",
        "{\"state\":\"live\",\"units\":[\"V\"]}",
        "{\"state\":\"live\",\"thresholds\":{}}",
        THRESHOLD("\"above\":1"),
        THRESHOLD("\"back\":1"),
        "{\"state\":\"live\",\"thresholds\":[{\"feature\":7,\"above\":1,\"back\":1}]}",
        THRESHOLD("\"above\":1,\"below\":1,\"back\":1"),
        THRESHOLD("\"above\":1,\"back\":1,\"x\":1"),
        THRESHOLD("\"above\":1,\"back\":1,\"devices\":-1"),
        "{\"state\":\"live\",\"units\":{\"a\":1}}",
        "{\"state\":\"live\",\"labels\":{\"a\":\"\\u202e\"}}",
        "{\"state\":\"live\",\"intervals\":[\"past_minute\"]}",
        "{\"state\":\"live\",\"intervals\":[{\"name\":\"past_minute\"}]}",
        "{\"state\":\"live\",\"intervals\":[{\"name\":\"past_minute\",\"lengthMs\":1,\"x\":1}]}",
        "{\"state\":\"live\",\"loaded\":[1]}",
        "{\"state\":\"live\",\"loaded\":{\"b\":\"1\"}}",
        "{\"state\":\"live\",\"generations\":[1]}", /* of which boards? */
        "{\"state\":\"live\",\"x\":1,\"x\":1}",
        "{\"state\":\"live\",\"\\u0073tate\":\"live\"}",
        "{\"state\":\"live\",\"lagMs\":-0.1}",
        "{\"state\":\"live\",\"lagMs\":1e999}",
        "{\"state\":\"live\",\"lagMs\":NaN}",
        "{\"state\":\"live\",\"devices\":9007199254740993}",
        "{\"state\":\"live\",\"version\":\"\\u202e\"}",
        "{\"state\":\"live\",\"version\":\"\\n\"}",
        "{\"state\":\"live\",\"loaded\":{\"b\":1,\"b\":2}}",
        "{\"state\":\"live\",\"loaded\":{\"b\":-1}}",
        "{\"state\":\"live\",\"intervals\":[{\"name\":\"a\",\"name\":\"b\"}]}",
        "{\"state\":\"live\",\"x\":[[[[[[[[1]]]]]]]]}",
        "{\"state\":\"live\",\"features\":[\"a\"],\"features\":[\"a\"]}",
        "\xef\xbb\xbf{\"state\":\"live\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i]);
}

static void test_collector_status__the_fault_names_the_member(void **state)
{
    struct collector_status status;

    (void)state;
    assert_false(parse(&status, "{\"state\":\"live\",\"devices\":{\"a\":1}}"));
    assert_string_equal(fault, "\"devices\" is not a whole number from 0 to 2^53");
}

/* Boards of features that stand there twice would count as whole without having them all. */
static void test_collector_status__what_is_kept_is_kept_once(void **state)
{
    (void)state;
    assert_refused("{\"state\":\"live\",\"features\":[\"temperature\",\"temperature\"],"
                   "\"intervals\":[{\"name\":\"all_time\",\"lengthMs\":null}],"
                   "\"generations\":[1,2]}");
}

static void test_collector_status__more_than_can_be_is_refused(void **state)
{
    static const struct {
        const char *before;
        const char *value; /* of each */
        const char *behind;
        int most;
    } cases[] = {
        {"{\"state\":\"live\"", ":1", "}", 63},
        {"{\"state\":\"live\",\"loaded\":{\"x\":1", ":1", "}}", 4095},
        {"{\"state\":\"live\",\"features\":[\"x\"", "", "]}", FEATURES_MAX - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int more = 0; more < 2; more++) {
            struct collector_status status;
            struct buffer json = {0};

            buffer_put_text(&json, cases[i].before);
            for (int n = 0; n < cases[i].most + more; n++)
                buffer_printf(&json, ",\"x%d\"%s", n, cases[i].value);
            buffer_put_text(&json, cases[i].behind);
            if (parse(&status, buffer_text(&json)) != (more == 0))
                fail_msg("case %zu, %d more", i, more);
            if (more == 0)
                collector_status_release(&status);
            buffer_release(&json);
        }
    }
}

/* One generation for each board that is kept, of `features` and `intervals` that name one each. */
static void test_collector_status__generations_are_of_as_many_boards_as_are_kept(void **state)
{
    static const char *const cases[] = {"\"generations\":[]", "\"generations\":[1,2]",
                                        "\"lowest\":true,\"generations\":[1]"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[256];

        snprintf(json, sizeof(json),
                 "{\"state\":\"live\",\"features\":[\"a\"],"
                 "\"intervals\":[{\"name\":\"b\",\"lengthMs\":1}],%s}",
                 cases[i]);
        assert_refused(json);
    }
}

static void test_collector_status__known_members_are_shown_and_no_others(void **state)
{
    struct collector_status status;

    (void)state;
    assert_true(parse(&status, "{\"collectorId\":\"x\",\"isLive\":true,\"devices\":3,\"lagMs\":0.5,"
                               "\"secret\":[{}],\"turn\":4,\"state\":\"degraded\"}"));
    assert_int_equal(status.state, COLLECTOR_DEGRADED);
    assert_string_equal(status.shown,
                        ",\"state\":\"degraded\",\"turn\":4,\"devices\":3,\"lagMs\":0.5");
    assert_false(status.is_vouching);
    collector_status_release(&status);
    assert_true(parse(&status,
                      " { \"devices\" : 3e0 , \"version\" : \"\\u0061\\/\\\"b\" ,\"lowest\":true,"
                      "\"startedAt\":\"2026-11-24T01:00:00+01:00\",\"features\":[\"a\"],"
                      "\"intervals\":[{\"lengthMs\":null,\"name\":\"a\"}],"
                      "\"rejectedByReason\":{\"x\":1},\"state\":\"live\"}"));
    assert_string_equal(status.shown, /* written anew */
                        ",\"state\":\"live\",\"startedAt\":\"2026-11-24T00:00:00.000000Z\","
                        "\"version\":\"a/\\\"b\",\"features\":[\"a\"],\"intervals\":[{\"name\":"
                        "\"a\",\"lengthMs\":null}],\"lowest\":true,\"devices\":3,"
                        "\"rejectedByReason\":{\"x\":1}");
    collector_status_release(&status);
    assert_true(parse(
        &status, "{\"state\":\"live\",\"thresholds\":[{\"back\":8.8e1,\"devices\":2,\"above\":90,"
                 "\"feature\":\"a\"},{\"feature\":\"b\",\"below\":-2,\"back\":-2}]}"));
    assert_string_equal(
        status.shown,
        ",\"state\":\"live\",\"thresholds\":[{\"feature\":\"a\",\"above\":90,\"back\":88,"
        "\"devices\":2},{\"feature\":\"b\",\"below\":-2,\"back\":-2}]");
    collector_status_release(&status);
    assert_true(parse(&status, "{\"state\":\"of some later version\"}"));
    assert_int_equal(status.state, COLLECTOR_UNKNOWN);
    assert_string_equal(status.shown, ",\"state\":\"unknown\"");
    assert_int_equal(status.as_of_us, 0);
    collector_status_release(&status);
    assert_true(parse(&status, "{\"state\":\"LIVE\"}"));
    assert_string_equal(status.shown, ",\"state\":\"unknown\"");
    collector_status_release(&status);
}

/* It has features and intervals of its own, in an order of its own. */
#define MINE                                                                                       \
    "\"features\":[\"humidity\",\"pressure\",\"temperature\"],\"lowest\":true,\"intervals\":["     \
    "{\"name\":\"all_time\",\"lengthMs\":null},{\"name\":\"past_minute\",\"lengthMs\":60000},"     \
    "{\"name\":\"past_day\",\"lengthMs\":86400000}],"                                              \
    "\"generations\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]"

static void test_collector_status__generations_are_found_by_name(void **state)
{
    struct collector_status status;

    (void)state;
    assert_true(parse(&status,
                      "{\"state\":\"live\",\"turn\":3,\"since\":\"2026-11-24T00:00:00Z\","
                      "\"asOf\":\"2026-11-24T00:00:00.7Z\",\"loaded\":{\"b\":5}," MINE "}"));
    assert_true(status.is_vouching);
    for (size_t interval = 0; interval < 2; interval++) {
        for (int order = 0; order < ORDER_COUNT; order++) {
            enum sort_order o = (enum sort_order)order;

            assert_int_equal(status.generations[board_position(&intervals, 0, interval, o)],
                             13 + order * 3 + (interval == 0));
            assert_int_equal(status.generations[board_position(&intervals, 1, interval, o)],
                             7 + order * 3 + (interval == 0));
        }
    }
    assert_int_equal(status.loaded_count, 1);
    assert_string_equal(status.loaded[0].id, "b");
    assert_int_equal(status.loaded[0].batches, 5);
    collector_status_release(&status);
}

/* Its readings would lack what the database has of them. */
static void
test_collector_status__boards_without_one_of_our_features_count_for_nothing(void **state)
{
    struct collector_status status;

    (void)state;
    assert_true(parse(&status, "{\"state\":\"live\",\"turn\":3,\"since\":\"2026-11-24T00:00:00Z\","
                               "\"asOf\":\"2026-11-24T00:00:00Z\",\"features\":[\"pressure\"],"
                               "\"intervals\":[{\"name\":\"all_time\",\"lengthMs\":null}],"
                               "\"generations\":[5]}"));
    assert_true(status.is_vouching); /* it is live, and what it has loaded is */
    for (size_t i = 0; i < board_count(&features, &intervals); i++)
        assert_int_equal(status.generations[i], 0);
    collector_status_release(&status);
}

static void test_collector_status__units_and_labels_are_of_what_is_kept(void **state)
{
    struct collector_status status;

    (void)state;
    assert_true(parse(&status,
                      "{\"labels\":{\"b\":\"Inlet \\u00fc\",\"ghost\":\"x\",\"a\":\"no ] label\"},"
                      "\"state\":\"live\",\"units\":{\"a\":\"bar\"},\"intervals\":[],"
                      "\"features\":[\"a\",\"b\",\"a[x]\"]}"));
    assert_int_equal(status.kept.features.count, 2);
    assert_string_equal(status.kept.features.units[0], "bar");
    assert_string_equal(status.kept.features.labels[0], "");
    assert_string_equal(status.kept.features.labels[1], "Inlet \xc3\xbc");
    collector_status_release(&status);
}

static void test_collector_status__without_a_whole_span_it_vouches_for_nothing(void **state)
{
    static const char *const cases[] = {
        "{\"state\":\"live\",\"turn\":1,\"asOf\":\"2026-11-24T00:00:00Z\"," MINE "}",
        "{\"state\":\"live\",\"turn\":1,\"since\":\"2026-11-24T00:00:00Z\"," MINE "}",
        "{\"state\":\"live\",\"turn\":0,\"since\":\"2026-11-24T00:00:00Z\","
        "\"asOf\":\"2026-11-24T00:00:00Z\"," MINE "}",
        "{\"state\":\"live\",\"turn\":1,\"since\":\"2026-11-24T00:00:01Z\","
        "\"asOf\":\"2026-11-24T00:00:00Z\"," MINE "}",
        "{\"state\":\"live\",\"turn\":1,\"since\":\"2026-11-24T00:00:00Z\","
        "\"asOf\":\"2026-11-24T00:00:00.05Z\"," MINE "}", /* between two moments */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct collector_status status;

        assert_true(parse(&status, cases[i]));
        assert_false(status.is_vouching);
        collector_status_release(&status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collector_status__what_is_not_as_it_should_be_is_refused),
        cmocka_unit_test(test_collector_status__the_fault_names_the_member),
        cmocka_unit_test(test_collector_status__what_is_kept_is_kept_once),
        cmocka_unit_test(test_collector_status__more_than_can_be_is_refused),
        cmocka_unit_test(test_collector_status__generations_are_of_as_many_boards_as_are_kept),
        cmocka_unit_test(test_collector_status__known_members_are_shown_and_no_others),
        cmocka_unit_test(test_collector_status__generations_are_found_by_name),
        cmocka_unit_test(
            test_collector_status__boards_without_one_of_our_features_count_for_nothing),
        cmocka_unit_test(test_collector_status__units_and_labels_are_of_what_is_kept),
        cmocka_unit_test(test_collector_status__without_a_whole_span_it_vouches_for_nothing),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
