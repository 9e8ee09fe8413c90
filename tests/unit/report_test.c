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
        cmocka_unit_test(test_report__json_is_json_and_adds_up),
        cmocka_unit_test(test_report__the_live_line_fits_its_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
