#include "shared/base/buckets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct bucket_bounds bounds = {3, {0.5, 1, 10}};

static void test_buckets__a_bound_belongs_to_its_bucket(void **state)
{
    static const struct {
        double value;
        size_t bucket;
    } cases[] = {{-3, 0}, {0, 0}, {0.5, 0}, {0.50001, 1}, {1, 1}, {2, 2}, {10, 2}, {10.1, 3}};
    struct buckets buckets = {0};
    double sum = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = buckets.counts[cases[i].bucket];

        buckets_add(&buckets, &bounds, cases[i].value);
        assert_true(buckets.counts[cases[i].bucket] == before + 1);
        sum += cases[i].value;
    }
    assert_true(buckets_count(&buckets) == 8);
    assert_true(buckets.sum == sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets__a_bound_belongs_to_its_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
