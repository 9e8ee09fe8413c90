#include "collector/coverage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void load(struct coverage *coverage, const char *id, int64_t batches)
{
    coverage_begin(coverage);
    coverage_found(coverage, "own", 1);
    coverage_found(coverage, id, batches);
    coverage_complete(coverage);
}

static void assert_written(const struct coverage *coverage, const char *wanted)
{
    struct buffer out = {0};

    coverage_write(coverage, "own", &out);
    assert_string_equal(buffer_text(&out), wanted);
    buffer_release(&out);
}

static void test_coverage__what_was_loaded_is_not_lacking(void **state)
{
    struct coverage coverage = {0};

    (void)state;
    assert_true(coverage_lacks(&coverage, "b", 1));
    assert_false(coverage_lacks(&coverage, "b", 0));
    load(&coverage, "b", 7);
    assert_false(coverage_lacks(&coverage, "b", 7));
    assert_true(coverage_lacks(&coverage, "b", 8));
    assert_true(coverage_lacks(&coverage, "c", 1));
    coverage_release(&coverage);
}

static void test_coverage__a_load_counts_when_it_is_complete(void **state)
{
    struct coverage coverage = {0};

    (void)state;
    load(&coverage, "b", 7);
    coverage_begin(&coverage);
    coverage_found(&coverage, "b", 9);
    assert_true(coverage_lacks(&coverage, "b", 9));
    coverage_begin(&coverage); /* it lost its connection and starts again */
    coverage_found(&coverage, "b", 10);
    coverage_complete(&coverage);
    assert_false(coverage_lacks(&coverage, "b", 10));
    assert_int_equal(coverage.loads, 2);
    coverage_release(&coverage);
}

static void test_coverage__others_are_told_what_is_shown(void **state)
{
    struct coverage coverage = {0};

    (void)state;
    assert_written(&coverage, "{}");
    load(&coverage, "b", 7);
    assert_written(&coverage, "{}");
    coverage_show(&coverage);
    assert_written(&coverage, "{\"b\":7}");
    coverage_begin(&coverage);
    coverage_found(&coverage, "c", 1);
    coverage_found(&coverage, "b", 8);
    assert_written(&coverage, "{\"b\":7}");
    coverage_complete(&coverage);
    coverage_show(&coverage);
    assert_written(&coverage, "{\"c\":1,\"b\":8}");
    coverage_release(&coverage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage__what_was_loaded_is_not_lacking),
        cmocka_unit_test(test_coverage__a_load_counts_when_it_is_complete),
        cmocka_unit_test(test_coverage__others_are_told_what_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
