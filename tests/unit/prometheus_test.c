#include "shared/net/prometheus.h"

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
        cmocka_unit_test(test_prometheus__a_process_has_memory_and_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
