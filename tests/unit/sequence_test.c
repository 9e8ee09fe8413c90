#include "collector/sequence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void take_all(struct sequence *sequence, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sequence_take(sequence, numbers[i], numbers[i] * 10);
}

#define TAKE(sequence, ...)                                                                        \
    take_all(sequence, (const int64_t[]){__VA_ARGS__},                                             \
             sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void assert_counts(const struct sequence *sequence, uint64_t missing, uint64_t repeats,
                          uint64_t restarts)
{
    assert_int_equal(sequence->missing, missing);
    assert_int_equal(sequence->repeats, repeats);
    assert_int_equal(sequence->restarts, restarts);
}

static void test_sequence__numbers_in_order_miss_nothing(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 7, 8, 9, 10);
    assert_counts(&sequence, 0, 0, 0);
}

static void test_sequence__a_gap_is_missing_until_it_is_filled(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 1, 5);
    assert_counts(&sequence, 3, 0, 0);
    TAKE(&sequence, 3);
    assert_counts(&sequence, 2, 0, 0);
    TAKE(&sequence, 2, 4);
    assert_counts(&sequence, 0, 0, 0);
}

static void test_sequence__the_same_number_again_is_a_repeat(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 1, 2, 2, 1, 2);
    assert_counts(&sequence, 0, 3, 0);
}

static void test_sequence__a_lower_number_in_a_newer_reading_is_a_restart(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 100, 101);
    sequence_take(&sequence, 0, 5000);
    sequence_take(&sequence, 1, 5001);
    assert_counts(&sequence, 0, 0, 1);
    sequence_take(&sequence, 3, 5003);
    assert_counts(&sequence, 1, 0, 1);
}

static void test_sequence__a_gap_wider_than_the_window_is_counted_in_full(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 0, 10000);
    assert_counts(&sequence, 9999, 0, 0);
    TAKE(&sequence, 9999);
    assert_counts(&sequence, 9998, 0, 0);
    TAKE(&sequence, 5); /* fell out of the window */
    assert_counts(&sequence, 9998, 1, 0);
}

static void test_sequence__resuming_counts_the_gap_across_the_restart(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    sequence_resume(&sequence, 50, 500, 2, 1, 0);
    TAKE(&sequence, 50, 52);
    assert_counts(&sequence, 3, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence__numbers_in_order_miss_nothing),
        cmocka_unit_test(test_sequence__a_gap_is_missing_until_it_is_filled),
        cmocka_unit_test(test_sequence__the_same_number_again_is_a_repeat),
        cmocka_unit_test(test_sequence__a_lower_number_in_a_newer_reading_is_a_restart),
        cmocka_unit_test(test_sequence__a_gap_wider_than_the_window_is_counted_in_full),
        cmocka_unit_test(test_sequence__resuming_counts_the_gap_across_the_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
