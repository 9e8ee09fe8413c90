#include "devicesim/gz_lines.h"

#include "shared/base/mem.h"
#include "tests/unit/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static void test_gz_lines__lines_of_any_length_plain_and_gzip(void **state)
{
    struct temp_file *f = *state;
    static char long_line[300000];

    memset(long_line, 'x', sizeof(long_line) - 1);
    for (int zipped = 0; zipped < 2; zipped++) {
        gzFile file = gzopen(f->path, zipped ? "wb" : "wbT");
        struct gz_lines lines = {0};

        assert_non_null(file);
        gzprintf(file, "first\n\nthird\r\n");
        gzwrite(file, long_line, sizeof(long_line) - 1);
        gzprintf(file, "\nlast");
        gzclose(file);
        assert_true(gz_lines_open(&lines, f->path));
        assert_string_equal(gz_lines_next(&lines), "first");
        assert_string_equal(gz_lines_next(&lines), "");
        assert_string_equal(gz_lines_next(&lines), "third\r");
        assert_string_equal(gz_lines_next(&lines), long_line);
        assert_string_equal(gz_lines_next(&lines), "last");
        assert_int_equal(lines.line, 5);
        assert_null(gz_lines_next(&lines));
        assert_null(gz_lines_next(&lines));
        assert_null(gz_lines_failure(&lines));
        assert_true(gz_lines_progress(&lines) > 0.99);
        gz_lines_close(&lines);
    }
}

static void test_gz_lines__a_gzip_file_that_was_cut_off_is_told(void **state)
{
    struct temp_file *f = *state;
    gzFile file = gzopen(f->path, "wb");
    struct gz_lines lines = {0};

    for (int i = 0; i < 10000; i++)
        gzprintf(file, "line %d of many\n", i * 7919);
    gzclose(file);
    assert_int_equal(truncate(f->path, 5000), 0);
    assert_true(gz_lines_open(&lines, f->path));
    while (gz_lines_next(&lines))
        ;
    assert_non_null(gz_lines_failure(&lines));
    gz_lines_close(&lines);
    assert_false(gz_lines_open(&lines, "/nowhere/at/all"));
    assert_non_null(gz_lines_failure(&lines));
    gz_lines_close(&lines);
}

static void test_gz_lines__an_empty_file_has_none_and_is_no_failure(void **state)
{
    struct temp_file *f = *state;
    struct gz_lines lines = {0};

    assert_true(gz_lines_open(&lines, f->path));
    assert_null(gz_lines_next(&lines));
    assert_null(gz_lines_failure(&lines));
    assert_true(gz_lines_progress(&lines) < 0); /* of nothing there is no half */
    gz_lines_close(&lines);
}

static void test_gz_lines__a_line_without_end_is_refused(void **state)
{
    enum { BYTES = 5 * 1024 * 1024 };
    struct temp_file *f = *state;
    gzFile file = gzopen(f->path, "wb");
    struct gz_lines lines = {0};
    char *zeros = mem_calloc(1, BYTES);

    gzputs(file, "first\n");
    gzwrite(file, zeros, BYTES);
    gzclose(file);
    free(zeros);
    assert_true(gz_lines_open(&lines, f->path));
    assert_string_equal(gz_lines_next(&lines), "first");
    assert_null(gz_lines_next(&lines));
    assert_non_null(strstr(gz_lines_failure(&lines), "line 2"));
    gz_lines_close(&lines);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_file_setup, temp_file_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_gz_lines__lines_of_any_length_plain_and_gzip),
        CASE(test_gz_lines__a_gzip_file_that_was_cut_off_is_told),
        CASE(test_gz_lines__an_empty_file_has_none_and_is_no_failure),
        CASE(test_gz_lines__a_line_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
