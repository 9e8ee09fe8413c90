#include "shared/json_scan.h"

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
    char text[2048] = "{";
    size_t bytes = 1;

    (void)state;
    for (int i = 0; i < JSON_MEMBERS_MAX + 20; i++)
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "%s\"m%d\":[%d,{\"x\":1}]",
                                  i > 0 ? "," : "", i, i);
    snprintf(text + bytes, sizeof(text) - bytes, "}");
    assert_int_equal(scan(text).member_count, JSON_MEMBERS_MAX + 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_scan__members_are_those_of_the_outermost_object),
        cmocka_unit_test(test_json_scan__more_members_than_are_kept_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
