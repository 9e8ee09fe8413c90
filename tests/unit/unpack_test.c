#include "collector/decoders/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_unpacked(const char *json, const char *pointer, const char *expected)
{
    struct arena arena = {0};
    struct json_pointer compiled;
    struct buffer out = {0};
    struct json_token root;

    assert_null(
        json_pointer_parse(&compiled, &arena, &(struct names){0}, pointer, strlen(pointer)));
    assert_int_equal(json_walk_open(&root, json, strlen(json)), JSON_OK);
    unpack_write(&out, &compiled, 1, &root);
    assert_string_equal(buffer_text(&out), expected);
    buffer_release(&out);
    arena_release(&arena);
}

static void test_unpack__json_takes_the_place_of_its_string(void **state)
{
    assert_unpacked("{\"id\":\"a\", \"d\":\"{\\\"t\\\":21}\"}", "/d",
                    "{\"id\":\"a\",\"d\":{\"t\":21}}");
    assert_unpacked("[{\"d\":\"[1]\"},{\"d\":\"2\"},{\"d\":{}}]", "/*/d",
                    "[{\"d\":[1]},{\"d\":2},{\"d\":{}}]");
    assert_unpacked("\"{}\"", "", "{}");
    (void)state;
}

static void test_unpack__what_is_no_json_stays_a_string(void **state)
{
    assert_unpacked("{\"d\":\"{oops\",\"e\":\"{}\"}", "/d", "{\"d\":\"{oops\",\"e\":\"{}\"}");
    assert_unpacked("{\"d\":\"\"}", "/d", "{\"d\":\"\"}");
    assert_unpacked("{\"d\":5}", "/d/x", "{\"d\":5}");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack__json_takes_the_place_of_its_string),
        cmocka_unit_test(test_unpack__what_is_no_json_stays_a_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
