#include "devicesim/report.h"

#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_histogram__quantiles_are_at_most_a_sixtyfourth_too_high(void **state)
{
    static const double shares[] = {0, 0.01, 0.5, 0.95, 0.99, 0.999, 1};
    enum { COUNT = 20000 };
    static struct histogram histogram;
    static uint64_t values[COUNT];
    uint64_t random = 7;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        values[i] = random >> (24 + random % 40); /* of all sizes */
        histogram_add(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), by_size);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        size_t rank = (size_t)ceil(shares[i] * COUNT);
        uint64_t exact = values[rank > 0 ? rank - 1 : 0];
        uint64_t found = histogram_quantile(&histogram, shares[i]);

        assert_true(found >= exact && found <= exact + exact / 64 + 1);
    }
    assert_int_equal(histogram_quantile(&histogram, 1), values[COUNT - 1]);
}

static void test_histogram__small_values_are_exact_and_huge_ones_do_no_harm(void **state)
{
    static struct histogram histogram;

    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t value = 0; value < 128; value++)
        histogram_add(&histogram, value);
    for (uint64_t value = 0; value < 127; value++)
        assert_int_equal(histogram_quantile(&histogram, ((double)value + 1) / 128), value);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 1) > UINT32_MAX);
    assert_true(histogram.max == UINT64_MAX);
}

static struct json_token member(const struct json_token *object, const char *wanted)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;

    json_walk_init(&walk, object);
    while (json_walk_next(&walk, &name, &value)) {
        if (json_token_is(&name, wanted, strlen(wanted)))
            return value;
    }
    fail_msg("no member %s", wanted);
    return *object;
}

static double number(const struct json_token *object, const char *name)
{
    struct json_token value = member(object, name);

    assert_int_equal(value.kind, JSON_NUMBER);
    return json_token_number(&value);
}

static void test_report__json_is_json_and_adds_up(void **state)
{
    static struct report report = {.seed = 42,
                                   .qos = 1,
                                   .start_us = 1000,
                                   .first_us = 2000000,
                                   .last_us = 4000000,
                                   .sent = 100,
                                   .acked = 90,
                                   .refused = 4,
                                   .wants_visible = true};
    struct buffer out = {0};
    struct json_token json;
    struct json_token inner;
    size_t kinds;

    (void)state;
    histogram_add(&report.ack_us, 100);
    report.malformed[2] = 3;
    report.malformed[5] = 1;
    report.faults[FAULT_MALFORMED] = 4;
    report_json(&report, &out, 5000000);
    assert_int_equal(json_walk_open(&json, (const char *)out.data, out.bytes), JSON_OK);
    assert_int_equal(number(&json, "unanswered"), 6);
    assert_int_equal(number(&json, "ackedPerSecond"), 45);
    inner = member(&json, "malformed");
    assert_true(json_walk_is_sound(&inner, 2, &kinds));
    assert_int_equal(kinds, 2);
    inner = member(&json, "pubackMicroseconds");
    assert_int_equal(number(&inner, "p99"), 100);
    member(&json, "visibleMicroseconds");
    buffer_release(&out);
}

static void test_report__the_live_line_fits_its_terminal(void **state)
{
    static struct report report = {
        .connections = 20000, .up = 12345, .sent = 123456789, .acked = 123450000, .start_us = 1000};
    struct buffer out = {0};

    (void)state;
    histogram_add(&report.ack_us, 123456);
    for (unsigned columns = 1; columns < 200; columns++) {
        for (int tenth = -1; tenth <= 10; tenth++) {
            buffer_clear(&out);
            report_live(&report, &out, 60000000, tenth < 0 ? -1 : tenth / 10.0, columns);
            assert_true(out.bytes < columns);
        }
    }
    assert_non_null(strstr(buffer_text(&out), "[##############################]"));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram__quantiles_are_at_most_a_sixtyfourth_too_high),
        cmocka_unit_test(test_histogram__small_values_are_exact_and_huge_ones_do_no_harm),
        cmocka_unit_test(test_report__json_is_json_and_adds_up),
        cmocka_unit_test(test_report__the_live_line_fits_its_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
