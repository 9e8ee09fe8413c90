#include "shared/model/json_walk.h"

#include "shared/base/buffer.h"
#include "shared/model/json_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct json_token opened(const char *text)
{
    struct json_token root = {0};

    assert_int_equal(json_walk_open(&root, text, strlen(text)), JSON_OK);
    return root;
}

/* name=text; for each part, containers whole. */
static void assert_parts(const char *json, const char *expected)
{
    struct json_token root = opened(json);
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    struct buffer out = {0};

    json_walk_init(&walk, &root);
    while (json_walk_next(&walk, &name, &value)) {
        buffer_put(&out, name.text, name.bytes);
        buffer_put_text(&out, "=");
        buffer_put(&out, value.text, value.bytes);
        buffer_printf(&out, "/%d;", (int)value.kind);
    }
    assert_string_equal(buffer_text(&out), expected);
    buffer_release(&out);
}

static void test_json_walk__parts_come_in_their_order(void **state)
{
    (void)state;
    assert_parts("{}", "");
    assert_parts(" [ ] ", "");
    assert_parts("[1 , \"a\" ,null,true,[ ],{}]", "=1/3;=a/2;=null/5;=true/4;=[ ]/1;={}/0;");
    assert_parts("{\"a\":1,\n\"b\" : {\"c\":[1,{}]} , \"\":-0.5e3}",
                 "a=1/3;b={\"c\":[1,{}]}/0;=-0.5e3/3;");
    assert_parts("{\"}]\\\"\":\"[{\\\\\",\"x\":[\"]\",\"\\\"]\"]}",
                 "}]\\\"=[{\\\\/2;x=[\"]\",\"\\\"]\"]/1;");
}

static void test_json_walk__containers_are_walked_through_in_their_turn(void **state)
{
    struct json_token token = opened("{\"a\":[[7]]}");
    struct json_token name;
    struct json_walk walk;

    (void)state;
    for (int depth = 0; depth < 3; depth++) {
        json_walk_init(&walk, &token);
        assert_true(json_walk_next(&walk, &name, &token));
    }
    assert_int_equal(token.kind, JSON_NUMBER);
    assert_int_equal(token.bytes, 1);
    assert_false(json_walk_next(&walk, &name, &token));
}

static void test_json_walk__only_strict_json_is_opened(void **state)
{
    struct json_token root = {.bytes = 77};

    (void)state;
    assert_int_equal(json_walk_open(&root, "{\"a\":1} x", 9), JSON_TRAILING_BYTES);
    assert_int_equal(json_walk_open(&root, "{\"a\":\"\xff\"}", 9), JSON_INVALID_UTF8);
    assert_int_equal(json_walk_open(&root, "[[[[[[[[[1]]]]]]]]]", 19), JSON_TOO_DEEP);
    assert_int_equal(json_walk_open(&root, "{\"a\":\"\\u0000\"}", 14), JSON_NUL_CHARACTER);
    assert_int_equal(root.bytes, 77);
}

static void test_json_walk__names_stand_there_once(void **state)
{
    static const struct {
        const char *json;
        size_t most;
        bool is_sound;
    } cases[] = {
        {"{}", 0, true},
        {"{\"a\":1,\"b\":1}", 2, true},
        {"{\"a\":1,\"b\":1}", 1, false},
        {"{\"a\":1,\"a\":1}", 2, false},
        {"{\"a\":1,\"b\":2,\"\\u0061\":3}", 3, false},
        {"{\"a\":{\"a\":1}}", 1, true},
        {"[1,1,1]", 3, true},
        {"[1,1,1]", 2, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_token root = opened(cases[i].json);

        if (json_walk_is_sound(&root, cases[i].most, NULL) != cases[i].is_sound)
            fail_msg("%s, %zu at most", cases[i].json, cases[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_walk__parts_come_in_their_order),
        cmocka_unit_test(test_json_walk__containers_are_walked_through_in_their_turn),
        cmocka_unit_test(test_json_walk__only_strict_json_is_opened),
        cmocka_unit_test(test_json_walk__names_stand_there_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
