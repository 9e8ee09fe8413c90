#include "collector/decoders/json_pointer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static struct json_token opened(const char *text)
{
    struct json_token root = {0};

    assert_int_equal(json_walk_open(&root, text, strlen(text)), JSON_OK);
    return root;
}

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* The example of RFC 6901, section 5, and what arrays and scalars say to steps. */
static void test_json_pointer__leads_where_the_rfc_says(void **state)
{
    static const char *const json =
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
        "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"null\":null,\"deep\":{\"a\":{\"b\":[1,[2,3]]}},\"10\":9}";
    static const struct {
        const char *pointer;
        const char *expected; /* NULL: nothing is there */
    } cases[] = {
        {"/foo/0", "bar"},   {"/foo/1", "baz"}, {"/foo/2", NULL},   {"/foo/01", NULL},
        {"/foo/-", NULL},    {"/", "0"},        {"/a~1b", "1"},     {"/c%d", "2"},
        {"/e^f", "3"},       {"/g|h", "4"},     {"/i\\j", "5"},     {"/k\"l", "6"},
        {"/ ", "7"},         {"/m~0n", "8"},    {"/null", NULL},    {"/deep/a/b/1/1", "3"},
        {"/deep/a/c", NULL}, {"/10", "9"},      {"/foo/0/x", NULL}, {"/deep/a/b/1", "[2,3]"},
        {"/absent/x", NULL}, {"/Foo/0", NULL},
    };
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    struct json_token root = opened(json);
    struct json_token found[COUNT];
    struct pointer_set set = {0};
    struct json_pointer pointers[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        const char *text = cases[i].pointer;

        assert_null(
            json_pointer_parse(&pointers[i], &arena, &(struct names){0}, text, strlen(text)));
        assert_int_equal(pointer_set_add(&set, pointers[i].steps, pointers[i].count), i);
    }
    pointer_set_find(&set, &root, found);
    for (size_t i = 0; i < COUNT; i++) {
        struct json_token one = {0};
        bool is_there =
            json_steps_follow(pointers[i].steps, pointers[i].count, NULL, NULL, &root, &one);

        print_message("%s\n", cases[i].pointer);
        assert_int_equal(is_there, cases[i].expected != NULL);
        assert_int_equal(found[i].text != NULL, is_there);
        if (!is_there)
            continue;
        assert_int_equal(one.bytes, strlen(cases[i].expected));
        assert_memory_equal(one.text, cases[i].expected, one.bytes);
        assert_ptr_equal(found[i].text, one.text);
    }
    pointer_set_release(&set);
    (void)state;
}

static void test_json_pointer__the_same_place_has_one_slot(void **state)
{
    struct pointer_set set = {0};
    struct json_pointer a;
    struct json_pointer b;

    assert_null(json_pointer_parse(&a, &arena, &(struct names){0}, "/a/b", 4));
    assert_null(json_pointer_parse(&b, &arena, &(struct names){0}, "/a", 2));
    assert_int_equal(pointer_set_add(&set, a.steps, a.count), 0);
    assert_int_equal(pointer_set_add(&set, b.steps, b.count), 1);
    assert_int_equal(pointer_set_add(&set, a.steps, a.count), 0);
    pointer_set_release(&set);
    (void)state;
}

static void test_json_pointer__names_are_known_when_a_message_comes(void **state)
{
    const char *const name = "tag";
    struct names names = {.count = 1, .items = {name}};
    struct scope scope = {
        .captures = {{"b", 1}}, .index = 2, .key = {.text = "a", .bytes = 1, .kind = JSON_STRING}};
    struct json_token root = opened("{\"a\":{\"b\":[5,6,7]},\"b\":[1,2,3]}");
    struct json_cursor cursor = {0};
    struct json_pointer pointer;
    struct json_token out;

    assert_null(json_pointer_parse(&pointer, &arena, &names, "/{key}/{tag}/{index}", 20));
    assert_true(json_steps_follow(pointer.steps, pointer.count, &scope, &cursor, &root, &out));
    assert_memory_equal(out.text, "7", 1);
    scope.index = 0; /* backwards, too */
    assert_true(json_steps_follow(pointer.steps, pointer.count, &scope, &cursor, &root, &out));
    assert_memory_equal(out.text, "5", 1);
    scope.index = 3;
    assert_false(json_steps_follow(pointer.steps, pointer.count, &scope, &cursor, &root, &out));
    scope.key.text = NULL;
    assert_false(json_steps_follow(pointer.steps, pointer.count, &scope, &cursor, &root, &out));
    (void)state;
}

static void test_json_pointer__mistakes_are_told(void **state)
{
    static const char *const wrong[] = {"a",    "^a",        "/a~",
                                        "/a~2", "/{nobody}", "/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h"};
    struct json_pointer pointer;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(
            json_pointer_parse(&pointer, &arena, &(struct names){0}, wrong[i], strlen(wrong[i])));
    assert_null(json_pointer_parse(&pointer, &arena, &(struct names){0}, "^", 1));
    assert_true(pointer.of_root);
    assert_int_equal(pointer.count, 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_pointer__leads_where_the_rfc_says),
        cmocka_unit_test(test_json_pointer__the_same_place_has_one_slot),
        cmocka_unit_test(test_json_pointer__names_are_known_when_a_message_comes),
        cmocka_unit_test(test_json_pointer__mistakes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
