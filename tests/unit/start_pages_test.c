/* What the start needed is given back, and everything is still what it was. */
#include "shared/base/start_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TABLE_KB = 2048, TABLE_BYTES = TABLE_KB * 1024 };

/* Never written, so in a segment that is not writable; and addresses, which the linker relocates. */
static const unsigned char table[TABLE_BYTES] = {[0] = 3, [TABLE_BYTES - 1] = 4};
static const char *const words[] = {"a reading", "a board", "a staircase"};

static int written = 1; /* of a segment that is */

/* Pages of files that this process has mapped, in kB. */
static int resident_kb(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int kb = -1;

    assert_non_null(status);
    while (fgets(line, sizeof(line), status))
        sscanf(line, "RssFile: %d kB", &kb);
    fclose(status);
    assert_true(kb > 0);
    return kb;
}

static unsigned sum_of_table(void)
{
    const volatile unsigned char *bytes = table;
    unsigned sum = 0;

    for (size_t i = 0; i < TABLE_BYTES; i++)
        sum += bytes[i];
    return sum;
}

static void test_start_pages__what_was_only_read_leaves(void **state)
{
    int before;
    int after;

    (void)state;
    assert_int_equal(sum_of_table(), 7);
    before = resident_kb();
    assert_true(before > TABLE_KB);
    start_pages_release();
    after = resident_kb();
    assert_true(after < before - TABLE_KB * 9 / 10);
}

static void test_start_pages__it_comes_back_as_it_was(void **state)
{
    char *on_heap = strdup("of the heap");

    (void)state;
    written = 2;
    start_pages_release();
    assert_int_equal(sum_of_table(), 7);
    assert_string_equal(words[2], "a staircase");
    assert_int_equal(written, 2);
    assert_string_equal(on_heap, "of the heap");
    assert_true(strtod("1.5", NULL) == 1.5);
    free(on_heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_pages__what_was_only_read_leaves),
        cmocka_unit_test(test_start_pages__it_comes_back_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
