#include "shared/model/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct json_value scan(const char *text)
{
    struct json_value value;
    size_t at;

    assert_int_equal(json_scan_document(text, strlen(text), &at, &value), JSON_OK);
    return value;
}

static void test_json_scan__members_are_those_of_the_outermost_object(void **state)
{
    struct json_value value = scan(
        " {\"a\" : {\"b\":[1,{\"c\":2}]}, \"d\":[{\"e\":1}] ,\"f\":-1.5e3,\"g\":null,\"\":true} ");
    static const enum json_kind kinds[] = {JSON_OBJECT, JSON_ARRAY, JSON_NUMBER, JSON_NULL,
                                           JSON_BOOLEAN};
    static const char *const names[] = {"a", "d", "f", "g", ""};

    (void)state;
    assert_int_equal(value.kind, JSON_OBJECT);
    assert_int_equal(value.member_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct json_member *member = &value.members[i];

        assert_int_equal(member->value.kind, kinds[i]);
        assert_int_equal(member->name.bytes, strlen(names[i]));
        assert_memory_equal(member->name.text, names[i], strlen(names[i]));
    }
    assert_memory_equal(value.members[2].value.text, "-1.5e3", 6);
    assert_int_equal(scan("{}").member_count, 0);
    assert_int_equal(scan("[{\"a\":1}]").member_count, 0);
    assert_int_equal(scan("[{\"a\":1}]").kind, JSON_ARRAY);
    assert_int_equal(scan("\"x\"").kind, JSON_STRING);
}

static void test_json_scan__more_members_than_are_kept_are_counted(void **state)
{
    char text[8192] = "{";
    size_t bytes = 1;

    (void)state;
    for (int i = 0; i < JSON_MEMBERS_MAX + 20; i++)
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "%s\"m%d\":[%d,{\"x\":1}]",
                                  i > 0 ? "," : "", i, i);
    snprintf(text + bytes, sizeof(text) - bytes, "}");
    assert_int_equal(scan(text).member_count, JSON_MEMBERS_MAX + 20);
}

static void
test_json_scan__an_element_ends_at_its_comma_or_bracket_though_it_is_no_json(void **state)
{
    static const struct {
        const char *text;
        int end; /* -1: nothing ends it */
    } cases[] = {
        {"1,2]", 1},
        {"]", 0},
        {",", 0},
        {" {\"a\":NaN} ]", 11},
        {"[1,[2,{}]],3", 10},
        {"\"a,]}\\\"]\",", 9},
        {"nonsense}", -1},
        {"{\"a\":[1},2]", -1},
        {"[}]", -1},
        {"{\"a\":1", -1},
        {"\"a,]", -1},
        {"\"a\\", -1},
        {"", -1},
        {"{]", -1},
    };
    char deep[2 * JSON_SKIP_DEPTH + 4] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = 0;
        bool is_found = json_skip_element(cases[i].text, strlen(cases[i].text), &at);

        if ((is_found ? (int)at : -1) != cases[i].end)
            fail_msg("%s: %d", cases[i].text, is_found ? (int)at : -1);
    }
    for (int depth = JSON_SKIP_DEPTH; depth <= JSON_SKIP_DEPTH + 1; depth++) {
        size_t at = 0;

        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        deep[2 * depth] = ',';
        assert_int_equal(json_skip_element(deep, 2 * (size_t)depth + 1, &at),
                         depth == JSON_SKIP_DEPTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_scan__members_are_those_of_the_outermost_object),
        cmocka_unit_test(test_json_scan__more_members_than_are_kept_are_counted),
        cmocka_unit_test(
            test_json_scan__an_element_ends_at_its_comma_or_bracket_though_it_is_no_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
