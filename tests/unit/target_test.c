#include "httpapi/target.h"

#include "httpapi/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_target__both_forms_are_cut_up(void **state)
{
    static const struct {
        const char *text;
        const char *path;
        const char *query;
    } cases[] = {
        {"/", "/", NULL},
        {"/dashboard", "/dashboard", NULL},
        {"/dashboard?", "/dashboard", ""},
        {"/dashboard?a=b?c=d", "/dashboard", "a=b?c=d"},
        {"http://host", "/", NULL},
        {"http://host/", "/", NULL},
        {"http://host?limit=1", "/", "limit=1"},
        {"HTTP://user@host:80/devices/x?q=/", "/devices/x", "q=/"},
        {"http:///devices", "/devices", NULL},
        {"https://host/devices", "/devices", NULL},
        {"HTTPS://host", "/", NULL},
        {"ftp://host/devices", "ftp://host/devices", NULL}, /* no route is called so */
        {"?a=b", "/", "a=b"},
        {"", "/", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct target target = target_split(cases[i].text);

        assert_int_equal(target.path_bytes, strlen(cases[i].path));
        assert_memory_equal(target.path, cases[i].path, target.path_bytes);
        if (cases[i].query)
            assert_string_equal(target.query, cases[i].query);
        else
            assert_null(target.query);
    }
}

/* What {deviceId} took; "-" when the pattern does not fit, "" when there is none in it. */
static const char *match(const char *pattern, const char *path)
{
    static char taken[64];
    struct target target = target_split(path);
    const char *segment = "";
    size_t bytes = 0;

    if (!target_matches(&target, pattern, &segment, &bytes))
        return "-";
    assert_true(bytes < sizeof(taken));
    memcpy(taken, segment, bytes);
    taken[bytes] = '\0';
    return taken;
}

static void test_target__a_pattern_takes_one_whole_segment(void **state)
{
    static const char one[] = "/devices/{deviceId}";
    static const char inner[] = "/devices/{deviceId}/readings";

    (void)state;
    assert_string_equal(match(one, "/devices/a"), "a");
    assert_string_equal(match(one, "/devices/a%2Fb"), "a%2Fb"); /* an escaped slash ends nothing */
    assert_string_equal(match(one, "/devices/readings?x=/y"), "readings");
    assert_string_equal(match(one, "/devices/{deviceId}"), "{deviceId}");
    assert_string_equal(match(inner, "/devices/a/readings"), "a");
    assert_string_equal(match(inner, "/devices/readings/readings"), "readings");
    assert_string_equal(match("/devices", "/devices"), "");
    assert_string_equal(match("/", "/"), "");
}

static void test_target__what_is_nearly_a_path_is_none(void **state)
{
    static const char *const cases[][2] = {
        {"/devices", "/device"},
        {"/devices", "/devices/"},
        {"/devices", "/Devices"},
        {"/devices", "//devices"},
        {"/devices", "/devices%20"},
        {"/devices", "devices"},
        {"/", "//"},
        {"/devices/{deviceId}", "/devices/"},
        {"/devices/{deviceId}", "/devices"},
        {"/devices/{deviceId}", "/devices/a/"},
        {"/devices/{deviceId}", "/devices/a/b"},
        {"/devices/{deviceId}/readings", "/devices//readings"},
        {"/devices/{deviceId}/readings", "/devices/a/reading"},
        {"/devices/{deviceId}/readings", "/devices/a/readings/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(match(cases[i][0], cases[i][1]), "-");
}

static void test_target__every_path_of_the_table_is_found_under_its_own_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_count; i++) {
        struct target target = target_split(routes[i].path); /* {deviceId} is a segment, too */
        size_t found = 0;

        for (size_t j = 0; j < routes_count; j++) {
            const char *segment;
            size_t bytes;

            if (target_matches(&target, routes[j].path, &segment, &bytes)) {
                assert_int_equal(j, i);
                found++;
            }
        }
        assert_int_equal(found, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target__both_forms_are_cut_up),
        cmocka_unit_test(test_target__a_pattern_takes_one_whole_segment),
        cmocka_unit_test(test_target__what_is_nearly_a_path_is_none),
        cmocka_unit_test(test_target__every_path_of_the_table_is_found_under_its_own_route),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
