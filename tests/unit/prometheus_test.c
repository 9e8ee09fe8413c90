#include "shared/net/prometheus.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_prometheus__a_number_is_three_lines(void **state)
{
    struct buffer out = {0};
    const struct prometheus to = {.out = &out};

    (void)state;
    prometheus_number(&to, "a_total", "counter", "How many.", 3);
    prometheus_number(&to, "b_seconds", "gauge", "How long.", 0.25);
    assert_string_equal(buffer_text(&out), "# HELP a_total How many.\n# TYPE a_total counter\n"
                                           "a_total 3\n"
                                           "# HELP b_seconds How long.\n# TYPE b_seconds gauge\n"
                                           "b_seconds 0.25\n");
    buffer_release(&out);
}

static void test_prometheus__a_label_is_escaped_and_the_common_one_comes_first(void **state)
{
    struct buffer out = {0};
    const struct prometheus to = {.out = &out, .common = {"collector", "a\\b\"\nc"}};

    (void)state;
    prometheus_labelled(&to, "x", "why", "\xc3\xa9\"", -1.5);
    prometheus_value(&to, "x", NULL, 0, 9007199254740991.0);
    prometheus_value(&to, "x", NULL, 0, INFINITY);
    prometheus_value(&(struct prometheus){.out = &out}, "x", NULL, 0, (double)NAN);
    assert_string_equal(buffer_text(&out),
                        "x{collector=\"a\\\\b\\\"\\nc\",why=\"\xc3\xa9\\\"\"} -1.5\n"
                        "x{collector=\"a\\\\b\\\"\\nc\"} 9007199254740991\n"
                        "x{collector=\"a\\\\b\\\"\\nc\"} +Inf\n"
                        "x NaN\n");
    buffer_release(&out);
}

static void test_prometheus__a_histogram_counts_up_to_each_bound(void **state)
{
    static const struct bucket_bounds bounds = {2, {0.0025, 10}};
    const struct buckets histogram = {.counts = {1, 2, 4}, .sum = 0.5};
    const struct prometheus_label label = {"route", "/x"};
    struct buffer out = {0};
    const struct prometheus to = {.out = &out};

    (void)state;
    prometheus_histogram(&to, "h_seconds", NULL, &bounds, &histogram);
    prometheus_histogram(&to, "h", &label, &bounds, &(struct buckets){0});
    assert_string_equal(buffer_text(&out), "h_seconds_bucket{le=\"0.0025\"} 1\n"
                                           "h_seconds_bucket{le=\"10\"} 3\n"
                                           "h_seconds_bucket{le=\"+Inf\"} 7\n"
                                           "h_seconds_sum 0.5\nh_seconds_count 7\n"
                                           "h_bucket{route=\"/x\",le=\"0.0025\"} 0\n"
                                           "h_bucket{route=\"/x\",le=\"10\"} 0\n"
                                           "h_bucket{route=\"/x\",le=\"+Inf\"} 0\n"
                                           "h_sum{route=\"/x\"} 0\nh_count{route=\"/x\"} 0\n");
    buffer_release(&out);
}

static double value_of(const char *text, const char *name)
{
    char line[80];
    const char *at;

    snprintf(line, sizeof(line), "\n%s ", name);
    at = strstr(text, line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void test_prometheus__a_process_has_memory_and_descriptors(void **state)
{
    struct buffer before = {0};
    struct buffer after = {0};
    FILE *file;

    (void)state;
    prometheus_process(&(struct prometheus){.out = &before}, 1500000);
    file = fopen("/dev/null", "r");
    assert_non_null(file);
    prometheus_process(&(struct prometheus){.out = &after}, 1500000);
    fclose(file);
    assert_true(value_of(buffer_text(&before), "process_resident_memory_bytes") > 100000);
    assert_true(value_of(buffer_text(&after), "process_cpu_seconds_total") >=
                value_of(buffer_text(&before), "process_cpu_seconds_total"));
    assert_true(value_of(buffer_text(&after), "process_open_fds") ==
                value_of(buffer_text(&before), "process_open_fds") + 1);
    buffer_release(&before);
    buffer_release(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prometheus__a_number_is_three_lines),
        cmocka_unit_test(test_prometheus__a_label_is_escaped_and_the_common_one_comes_first),
        cmocka_unit_test(test_prometheus__a_histogram_counts_up_to_each_bound),
        cmocka_unit_test(test_prometheus__a_process_has_memory_and_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
