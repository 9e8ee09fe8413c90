#include "httpapi/params.h"
#include "httpapi/routes.h"

#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1795737600123456)

static struct features features;
static struct intervals intervals;
static const struct params_rules rules = {
    .features = &features, .intervals = &intervals, .top_devices = 10};

static const struct param *params_of(const char *path)
{
    for (size_t i = 0; i < routes_count; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return routes[i].params;
    }
    fail_msg("no route %s", path);
    return NULL;
}

static bool parse(struct params *out, const char *path, const char *query, struct problem *problem)
{
    params_init(out, &rules);
    return params_parse(out, params_of(path), query, &rules, NOW_US, problem);
}

static void test_params__without_a_query_the_defaults_stand(void **state)
{
    struct params params;
    struct problem problem;

    (void)state;
    assert_true(parse(&params, "/dashboard", NULL, &problem));
    assert_int_equal(params.feature_count, 2);
    assert_int_equal(params.limit, 10);
    assert_int_equal(params.order, ORDER_HIGHEST);
    assert_int_equal(params.interval_count, 1);
    assert_string_equal(params.intervals[0].interval.name, "past_minute");
    assert_true(parse(&params, "/events", "", &problem));
    assert_int_equal(params.interval_count, 3);
    assert_true(parse(&params, "/devices", "q=&after=", &problem));
    assert_int_equal(params.limit, 100);
    assert_string_equal(params.q, "");
    assert_true(parse(&params, "/histogram", NULL, &problem));
    assert_true(params.intervals[0].interval.length_us == INTERVAL_ALL_TIME);
    assert_true(parse(&params, "/distribution", "feature=pressure", &problem));
    assert_int_equal(params.bins, 20);
    assert_int_equal(params.feature, 1);
    assert_int_equal(params.quantiles.count, 0);
    assert_true(parse(&params, "/distribution", "feature=pressure&quantiles=0,0.05,1.000,0.999999",
                      &problem));
    assert_int_equal(params.quantiles.count, 4);
    assert_int_equal(params.quantiles.millionths[1], 50000);
    assert_int_equal(params.quantiles.millionths[2], QUANTILE_ONE);
    assert_int_equal(params.quantiles.millionths[3], 999999);
}

static void test_params__histograms_are_of_all_time_whatever_intervals_are_kept(void **state)
{
    static const struct intervals one = {.count = 1,
                                         .items = {{.name = "past_hour", .length_us = 3600000000}}};
    static const struct params_rules few = {
        .features = &features, .intervals = &one, .top_devices = 10};
    struct params params;
    struct problem problem;

    (void)state;
    params_init(&params, &few);
    assert_true(params_parse(&params, params_of("/histogram"), NULL, &few, NOW_US, &problem));
    assert_int_equal(params.interval_count, 1);
    assert_true(params.intervals[0].interval.length_us == INTERVAL_ALL_TIME);
    assert_int_equal(params.intervals[0].index, 1); /* none of those that are kept */
    assert_true(params_parse(&params, params_of("/histogram"), "interval=past_hour", &few, NOW_US,
                             &problem));
    assert_int_equal(params.intervals[0].index, 0);
}

static void test_params__what_is_asked_for_is_taken(void **state)
{
    struct params params;
    struct problem problem;

    (void)state;
    assert_true(parse(&params, "/dashboard",
                      "features=pressure%2Ctemperature&interval=past_hour&limit=3&order=asc",
                      &problem));
    assert_int_equal(params.feature_count, 2);
    assert_int_equal(params.features[0], 1);
    assert_int_equal(params.features[1], 0);
    assert_int_equal(params.intervals[0].index, 1);
    assert_int_equal(params.limit, 3);
    assert_int_equal(params.order, ORDER_LOWEST);

    assert_true(parse(&params, "/dashboard", "interval=90m", &problem));
    assert_int_equal(params.intervals[0].index, intervals.count);
    assert_true(params.intervals[0].interval.length_us == INT64_C(5400000000));
    assert_true(parse(&params, "/dashboard", "interval=1m", &problem));
    assert_int_equal(params.intervals[0].index, 0); /* as long as past_minute */
    assert_false(params_have_span(&params));
    assert_true(parse(&params, "/dashboard", "to=2026-11-23T12:00:00Z", &problem));
    assert_true(params_have_span(&params));
    assert_true(parse(&params, "/dashboard", "from=2026-11-23T12:00:00Z", &problem));
    assert_true(params_have_span(&params));
    assert_false(params.is_relative);
    assert_true(parse(&params, "/dashboard", "from=now-1h&to=now", &problem));
    assert_true(params.is_relative && params.to_us == NOW_US);
    assert_true(params.to_us - params.from_us == 3600 * TIMESTAMP_US_PER_S);
    assert_true(parse(&params, "/dashboard", "from=2026-11-26&to=1795737600", &problem));
    assert_false(params.is_relative);
    assert_true(params.to_us - params.from_us == TIMESTAMP_US_PER_DAY);

    assert_true(parse(&params, "/devices/{deviceId}/readings",
                      "from=2026-11-23T12:00:00+08:00&to=2026-11-23%2012:00:00Z", &problem));
    assert_true(params.to_us - params.from_us == 8 * 3600 * TIMESTAMP_US_PER_S);
    assert_true(parse(&params, "/devices/{deviceId}/points", "points=100", &problem));
    assert_int_equal(params.points, 100);
    assert_true(parse(&params, "/devices/{deviceId}/points", NULL, &problem));
    assert_int_equal(params.points, 500);
    assert_true(parse(&params, "/devices/{deviceId}/readings",
                      "after=1795521600000000_-9223372036854775808", &problem));
    assert_true(params.cursor.is_given);
    assert_true(params.cursor.recorded_at_us == INT64_C(1795521600000000));
    assert_true(params.cursor.content_hash == INT64_MIN);
    assert_true(parse(&params, "/devices", "q=a+b%2bc", &problem));
    assert_string_equal(params.q, "a b+c");
    assert_true(parse(&params, "/dashboard", "&&limit=7&", &problem));
    assert_int_equal(params.limit, 7);
}

static void test_params__what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *path;
        const char *query;
        const char *parameter;
        const char *value;
    } cases[] = {
        {"/dashboard", "limit=0", "limit", "0"},
        {"/dashboard", "limit=1001", "limit", "1001"},
        {"/dashboard", "limit=-1", "limit", "-1"},
        {"/dashboard", "limit=1.0", "limit", "1.0"},
        {"/dashboard", "limit=1e3", "limit", "1e3"},
        {"/dashboard", "limit=+1", "limit", "+1"},
        {"/dashboard", "limit=99999999999999999999999", "limit", "99999999999999999999999"},
        {"/dashboard", "limit=18446744073709551617", "limit", "18446744073709551617"},
        {"/dashboard", "limit=1&limit=1", "limit", "1"},
        {"/dashboard", "limit=&limit=2", "limit", ""},
        {"/dashboard", "features=", "features", ""},
        {"/dashboard", "features=pressure,temperature,pressure", "features",
         "pressure,temperature,pressure"},
        {"/events", "interval=past_hour,past_hour", "interval", "past_hour,past_hour"},
        {"/histogram", "to=", "to", ""},
        {"/dashboard", "from=", "from", ""},
        {"/dashboard", "to=yesterday", "to", "yesterday"},
        {"/dashboard", "from=now+1h", "from", "now+1h"},
        {"/dashboard", "from=2026-02-30", "from", "2026-02-30"},
        {"/dashboard", "from=1795737600123", "from", "1795737600123"},
        {"/dashboard", "interval=", "interval", ""},
        {"/dashboard", "interval=0", "interval", "0"},
        {"/dashboard", "interval=60", "interval", "60"},
        {"/dashboard", "interval=060s", "interval", "060s"},
        {"/dashboard", "interval=1h30m", "interval", "1h30m"},
        {"/dashboard", "order=up", "order", "up"},
        {"/dashboard", "features=humidity", "features", "humidity"},
        {"/dashboard", "features=temperature,", "features", "temperature,"},
        {"/dashboard", "features=Temperature", "features", "Temperature"},
        {"/dashboard", "features=temperature%00x", "features", "temperature%00x"},
        {"/dashboard", "features=%ff", "features", "%ff"},
        {"/dashboard", "features=%c3%28", "features", "%c3%28"},
        {"/dashboard", "features=%4", "features", "%4"},
        {"/dashboard", "features=%zz", "features", "%zz"},
        {"/dashboard", "interval=yesterday", "interval", "yesterday"},
        {"/dashboard", "interval=0s", "interval", "0s"},
        {"/dashboard", "interval=-5m", "interval", "-5m"},
        {"/dashboard", "interval=100000d", "interval", "100000d"},
        {"/dashboard", "interval=past_minute,past_hour", "interval", "past_minute,past_hour"},
        {"/events", "interval=90m", "interval", "90m"},
        {"/dashboard", "limits=3", "the parameter's name", "limits"},
        {"/dashboard", "=3", "the parameter's name", ""},
        {"/dashboard", "lim%69t=3", "the parameter's name", "lim%69t"},
        {"/healthz", "x=1", "the parameter's name", "x"},
        {"/distribution", "feature=pressure&bins=0", "bins", "0"},
        {"/distribution", "bins=1001", "bins", "1001"},
        {"/distribution", "feature=temperature,pressure", "feature", "temperature,pressure"},
        {"/distribution", "bins=7", "feature", ""},
        {"/distribution", NULL, "feature", ""},
        {"/distribution", "feature=pressure&quantiles=", "quantiles", ""},
        {"/distribution", "quantiles=.5", "quantiles", ".5"},
        {"/distribution", "quantiles=1.000001", "quantiles", "1.000001"},
        {"/distribution", "quantiles=0.5,", "quantiles", "0.5,"},
        {"/distribution", "quantiles=0.5;0.9", "quantiles", "0.5;0.9"},
        {"/distribution", "quantiles=0.1234567", "quantiles", "0.1234567"},
        {"/distribution", "quantiles=2", "quantiles", "2"},
        {"/distribution", "quantiles=-0.5", "quantiles", "-0.5"},
        {"/distribution", "quantiles=nan", "quantiles", "nan"},
        {"/distribution", "quantiles=1e-1", "quantiles", "1e-1"},
        {"/distribution", "quantiles=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", "quantiles",
         "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"},
        {"/histogram", "quantiles=0.5", "the parameter's name", "quantiles"},
        {"/histogram", "feature=pressure", "the parameter's name", "feature"},
        {"/devices/{deviceId}/readings", "from=yesterday", "from", "yesterday"},
        {"/devices/{deviceId}/readings", "to=2026-13-01T00:00:00Z", "to", "2026-13-01T00:00:00Z"},
        {"/devices/{deviceId}/readings", "after=12", "after", "12"},
        {"/devices/{deviceId}/readings", "after=12_", "after", "12_"},
        {"/devices/{deviceId}/readings", "after=12_3x", "after", "12_3x"},
        {"/devices/{deviceId}/readings", "after=99999999999999999999_1", "after",
         "99999999999999999999_1"},
        {"/devices/{deviceId}/readings", "format=xml", "format", "xml"},
        {"/devices/{deviceId}/points", "points=0", "points", "0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct params params;
        struct problem problem = {0};

        if (parse(&params, cases[i].path, cases[i].query, &problem))
            fail_msg("%s?%s is accepted", cases[i].path, cases[i].query ? cases[i].query : "");
        assert_int_equal(problem.status, 400);
        assert_string_equal(problem.parameter, cases[i].parameter);
        assert_string_equal(problem.value, cases[i].value);
        assert_true(problem.legal[0]);
    }
}

static void test_params__devices_are_named_up_to_eight_times_each_once(void **state)
{
    struct params params;
    struct params others;
    struct problem problem;
    struct buffer key = {0};
    struct buffer other_key = {0};

    (void)state;
    assert_true(
        parse(&params, "/readings",
              "deviceId=a&points=7&deviceId=b%2Cc&deviceId=1&deviceId=2&deviceId=3&deviceId=4&"
              "deviceId=5&deviceId=6",
              &problem));
    assert_int_equal(params.device_count, PARAM_DEVICES_MAX);
    assert_string_equal(params.device_ids[1], "b,c");
    assert_int_equal(params.points, 7);
    assert_false(parse(&params, "/readings",
                       "deviceId=1&deviceId=2&deviceId=3&deviceId=4&deviceId=5&deviceId=6&"
                       "deviceId=7&deviceId=8&deviceId=9",
                       &problem));
    assert_non_null(strstr(problem.detail, "up to 8 devices, each once"));
    assert_false(parse(&params, "/readings", "deviceId=a&deviceId=%61", &problem));
    assert_false(parse(&params, "/readings", "deviceId=", &problem));
    assert_true(parse(&params, "/readings", "deviceId=a&deviceId=b", &problem));
    assert_true(parse(&others, "/readings", "deviceId=b&deviceId=a", &problem));
    params_key(&key, &params, params_of("/readings"));
    params_key(&other_key, &others, params_of("/readings"));
    assert_string_not_equal(buffer_text(&key), buffer_text(&other_key));
    buffer_release(&key);
    buffer_release(&other_key);
}

static void test_params__a_device_is_decoded_once(void **state)
{
    static const struct {
        const char *segment;
        const char *expected; /* NULL = refused */
    } cases[] = {
        {"device_1", "device_1"},
        {"a%20b", "a b"},
        {"a+b", NULL}, /* a plus is a plus in a path, and no id has one */
        {"%252e", "%2e"},
        {"..", NULL}, /* no id: a client would take it out of the path */
        {"%2e%2e", NULL},
        {"a%2fb", NULL},
        {"%00", NULL},
        {"%", NULL},
        {"%e6%b8%a9", "\xe6\xb8\xa9"},
        {"%c0%af", NULL},
        {"%0a", NULL},
        {"'; DROP TABLE devices; --", "'; DROP TABLE devices; --"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct params params;
        struct problem problem;
        bool is_legal =
            params_parse_device(&params, cases[i].segment, strlen(cases[i].segment), &problem);

        assert_int_equal(is_legal, cases[i].expected != NULL);
        if (is_legal)
            assert_string_equal(params.device_id, cases[i].expected);
        else
            assert_string_equal(problem.parameter, "deviceId");
    }
}

static void test_params__a_text_longer_than_its_place_is_refused(void **state)
{
    char query[2 * PARAM_TEXT_SIZE + 8];
    struct params params;
    struct problem problem;

    (void)state;
    for (size_t length = 1; length < 2 * PARAM_TEXT_SIZE; length++) {
        memcpy(query, "q=", 2);
        memset(query + 2, 'x', length);
        query[2 + length] = '\0';
        assert_int_equal(parse(&params, "/devices", query, &problem),
                         length <= DEVICE_ID_MAX_CHARACTERS);
    }
}

static const char *key_of(struct buffer *out, const char *path, const char *query)
{
    struct params params;
    struct problem problem;

    assert_true(parse(&params, path, query, &problem));
    buffer_clear(out);
    params_key(out, &params, params_of(path));
    return buffer_text(out);
}

static void test_params__equal_questions_have_equal_keys_and_others_have_not(void **state)
{
    static const char *const equal[][2] = {
        {"limit=10", ""},
        {"limit=3&order=asc", "order=asc&limit=3"},
        {"interval=60s", "interval=past_minute"},
        {"features=temperature%2cpressure", ""},
    };
    static const char *const different[][2] = {
        {"limit=3", "limit=4"},
        {"order=asc", "order=desc"},
        {"interval=61s", "interval=62s"},
        {"features=pressure", "features=temperature"},
        {"features=pressure,temperature", "features=temperature,pressure"},
    };
    struct buffer a = {0};
    struct buffer b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
        assert_string_equal(key_of(&a, "/dashboard", equal[i][0]),
                            key_of(&b, "/dashboard", equal[i][1]));
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++)
        assert_string_not_equal(key_of(&a, "/dashboard", different[i][0]),
                                key_of(&b, "/dashboard", different[i][1]));
    assert_string_not_equal(key_of(&a, "/devices", "q=%22&after=x"),
                            key_of(&b, "/devices", "q=&after=%22x"));
    buffer_release(&a);
    buffer_release(&b);
}

static void test_params__a_problem_is_json_whatever_came_in(void **state)
{
    struct params params;
    struct problem problem;
    struct buffer json = {0};

    (void)state;
    assert_false(parse(&params, "/dashboard", "features=\x01\xff\"\\<script>", &problem));
    problem_write(&json, &problem);
    assert_non_null(strstr(buffer_text(&json), "\"parameter\":\"features\""));
    assert_non_null(strstr(buffer_text(&json),
                           "\"legal\":\"a list, with commas, each once, of temperature, "
                           "pressure\""));
    for (size_t i = 0; i < json.bytes; i++)
        assert_true(json.data[i] >= 0x20 && json.data[i] < 0x7f);
    buffer_release(&json);
}

static int setup(void **state)
{
    char error[200];

    (void)state;
    assert_true(features_parse(&features, FEATURES_DEFAULT, error, sizeof(error)));
    assert_true(intervals_parse(&intervals, INTERVALS_DEFAULT, error, sizeof(error)));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params__without_a_query_the_defaults_stand),
        cmocka_unit_test(test_params__histograms_are_of_all_time_whatever_intervals_are_kept),
        cmocka_unit_test(test_params__what_is_asked_for_is_taken),
        cmocka_unit_test(test_params__what_is_wrong_is_named),
        cmocka_unit_test(test_params__devices_are_named_up_to_eight_times_each_once),
        cmocka_unit_test(test_params__a_device_is_decoded_once),
        cmocka_unit_test(test_params__a_text_longer_than_its_place_is_refused),
        cmocka_unit_test(test_params__equal_questions_have_equal_keys_and_others_have_not),
        cmocka_unit_test(test_params__a_problem_is_json_whatever_came_in),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
