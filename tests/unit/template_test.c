#include "collector/decoders/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const json =
    "{\"n\":7,\"s\":\"a\\u0062\",\"b\":true,\"o\":{\"x\":1},\"z\":null}";

/* What is written, "absent", or what is wrong with the template. */
static const char *written(const char *text, size_t size)
{
    static char out[200];
    static const struct names names = {.count = 1, .items = {"device"}};
    static const struct scope scope = {
        .captures = {{"d1", 2}}, .key = {.text = "k", .bytes = 1, .kind = JSON_STRING}, .index = 3};
    struct arena arena = {0};
    struct places places = {0};
    struct found found = {0};
    struct template template;
    struct json_token root;
    const char *fault = template_parse(&template, &arena, &names, &places, text);

    assert_int_equal(json_walk_open(&root, json, strlen(json)), JSON_OK);
    places_root(&places, &found, &root);
    places_look(&places, &found, &root);
    if (fault)
        snprintf(out, sizeof(out), "%s", fault);
    else if (!template_write(&template, &found, &scope, out, size))
        strcpy(out, "absent");
    found_release(&found);
    places_release(&places);
    arena_release(&arena);
    return out;
}

static void test_template__parts_are_put_together(void **state)
{
    static const char *const cases[][2] = {
        {"{device}", "d1"},     {"x-{device}.y", "x-d1.y"}, {"{key}{index}", "k3"},
        {"{/s}/{^/n}", "ab/7"}, {"{/b}{/o/x}", "true1"},    {"{/o}", "absent"},
        {"{/z}", "absent"},     {"a{/nowhere}", "absent"},  {"plain", "plain"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(written(cases[i][0], 200), cases[i][1]);
    assert_string_equal(written("{device}", 3), "d1");
    assert_string_equal(written("{device}", 2), "absent");
    (void)state;
}

static void test_template__mistakes_are_told(void **state)
{
    static const char *const wrong[] = {"", "{", "a}", "{}", "{nobody}", "{/a~}", "{a{b}"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(strstr(written(wrong[i], 200), "has ") ||
                    strstr(written(wrong[i], 200), "is empty"));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template__parts_are_put_together),
        cmocka_unit_test(test_template__mistakes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
