#include "devicesim/string_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_string_table__numbers_follow_the_order_of_appearance(void **state)
{
    struct string_table names = {0};
    char text[32];

    (void)state;
    assert_true(string_table_find(&names, "x") == STRING_TABLE_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "device_%u", (unsigned)i);
        assert_int_equal(string_table_add(&names, text), i);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "device_%u", (unsigned)i);
        assert_int_equal(string_table_find(&names, text), i);
        assert_int_equal(string_table_add(&names, text), i);
        assert_string_equal(names.texts[i], text);
    }
    assert_true(string_table_find(&names, "device_5000") == STRING_TABLE_NONE);
    assert_true(string_table_find(&names, "") == STRING_TABLE_NONE);
    string_table_release(&names);
}

static void test_string_table__texts_are_copies_and_stay_where_they_are(void **state)
{
    struct string_table table = {0};
    char text[8] = "first";
    const char *first;

    (void)state;
    assert_int_equal(string_table_add(&table, text), 0);
    first = table.texts[0];
    strcpy(text, "other");
    assert_int_equal(string_table_find(&table, "first"), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%u", (unsigned)i);
        string_table_add(&table, text);
    }
    assert_ptr_equal(table.texts[0], first);
    string_table_release(&table);
    assert_true(string_table_find(&table, "first") == STRING_TABLE_NONE);
}

static void test_string_table__texts_that_begin_alike_are_told_apart(void **state)
{
    struct string_table table = {0};

    (void)state;
    assert_int_equal(string_table_add(&table, ""), 0);
    assert_int_equal(string_table_add(&table, "a"), 1);
    assert_int_equal(string_table_add(&table, "ab"), 2);
    assert_int_equal(string_table_add(&table, "A"), 3);
    assert_int_equal(string_table_find(&table, ""), 0);
    assert_int_equal(string_table_find(&table, "a"), 1);
    assert_true(string_table_find(&table, "abc") == STRING_TABLE_NONE);
    string_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_table__numbers_follow_the_order_of_appearance),
        cmocka_unit_test(test_string_table__texts_are_copies_and_stay_where_they_are),
        cmocka_unit_test(test_string_table__texts_that_begin_alike_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
