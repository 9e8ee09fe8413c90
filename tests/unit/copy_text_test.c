#include "devicesim/copy_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS_MAX = 4 };

static void test_copy_text__fields_are_split_and_unescaped(void **state)
{
    static const struct {
        const char *name;
        const char *line;
        size_t count;
        const char *fields[FIELDS_MAX];
    } cases[] = {
        {"one field", "a\n", 1, {"a"}},
        {"several", "a\tb\tc\n", 3, {"a", "b", "c"}},
        {"empty ones", "\t\t\n", 3, {"", "", ""}},
        {"null", "a\t\\N\tc\n", 3, {"a", NULL, "c"}},
        {"null at the end", "a\t\\N\n", 2, {"a", NULL}},
        {"the letters of null", "\\\\N\n", 1, {"\\N"}},
        {"a backslash", "a\\\\b\tc\n", 2, {"a\\b", "c"}},
        {"no line break", "a\tb", 2, {"a", "b"}},
        {"a lone backslash at the end", "a\\", 1, {"a\\"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[64];
        char *fields[FIELDS_MAX];

        strcpy(line, cases[i].line);
        if (copy_text_split(fields, FIELDS_MAX, line) != cases[i].count)
            fail_msg("%s: not %zu fields", cases[i].name, cases[i].count);
        for (size_t j = 0; j < cases[i].count; j++) {
            if (!cases[i].fields[j])
                assert_null(fields[j]);
            else
                assert_string_equal(fields[j], cases[i].fields[j]);
        }
    }
}

static void test_copy_text__more_fields_than_fit_write_nowhere_else(void **state)
{
    char line[] = "a\tb\tc\td\te\n";
    char *fields[FIELDS_MAX] = {NULL, NULL, NULL, line};

    (void)state;
    assert_int_equal(copy_text_split(fields, 3, line), 3);
    assert_string_equal(fields[2], "c");
    assert_ptr_equal(fields[3], line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_text__fields_are_split_and_unescaped),
        cmocka_unit_test(test_copy_text__more_fields_than_fit_write_nowhere_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
