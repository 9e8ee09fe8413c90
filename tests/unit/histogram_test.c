#include "devicesim/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_histogram__quantiles_are_at_most_a_sixtyfourth_too_high(void **state)
{
    static const double shares[] = {0, 0.01, 0.5, 0.95, 0.99, 0.999, 1};
    enum { COUNT = 20000 };
    static struct histogram histogram;
    static uint64_t values[COUNT];
    uint64_t random = 7;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        values[i] = random >> (24 + random % 40); /* of all sizes */
        histogram_add(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), by_size);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        size_t rank = (size_t)ceil(shares[i] * COUNT);
        uint64_t exact = values[rank > 0 ? rank - 1 : 0];
        uint64_t found = histogram_quantile(&histogram, shares[i]);

        assert_true(found >= exact && found <= exact + exact / 64 + 1);
    }
    assert_int_equal(histogram_quantile(&histogram, 1), values[COUNT - 1]);
}

static void test_histogram__small_values_are_exact_and_huge_ones_do_no_harm(void **state)
{
    static struct histogram histogram;

    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t value = 0; value < 128; value++)
        histogram_add(&histogram, value);
    for (uint64_t value = 0; value < 127; value++)
        assert_int_equal(histogram_quantile(&histogram, ((double)value + 1) / 128), value);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 1) > UINT32_MAX);
    assert_true(histogram.max == UINT64_MAX);
}

static void test_histogram__mean_and_maximum_are_exact(void **state)
{
    static struct histogram histogram;

    (void)state;
    assert_true(histogram_mean(&histogram) == 0);
    histogram_add(&histogram, 1000001);
    histogram_add(&histogram, 3);
    assert_true(histogram_mean(&histogram) == 500002);
    assert_int_equal(histogram.max, 1000001);
    assert_int_equal(histogram_quantile(&histogram, 1), 1000001); /* not the end of its bucket */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram__quantiles_are_at_most_a_sixtyfourth_too_high),
        cmocka_unit_test(test_histogram__small_values_are_exact_and_huge_ones_do_no_harm),
        cmocka_unit_test(test_histogram__mean_and_maximum_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
