#include "collector/sequence.h"
#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void take_all(struct sequence *sequence, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sequence_apply(sequence, numbers[i], numbers[i] * 10);
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
    sequence_apply(&sequence, 0, 5000);
    sequence_apply(&sequence, 1, 5001);
    assert_counts(&sequence, 0, 0, 1);
    sequence_apply(&sequence, 3, 5003);
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

/* Numbers with the time of each. */
#define TAKE_AT(sequence, ...)                                                                     \
    do {                                                                                           \
        const int64_t pairs[][2] = {__VA_ARGS__};                                                  \
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)                              \
            sequence_apply(sequence, pairs[i][0], pairs[i][1]);                                    \
    } while (0)

static void test_sequence__times_in_disorder_make_no_restart(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE_AT(&sequence, {0, 100}, {2, 90}, {1, 110}, {3, 120});
    assert_counts(&sequence, 0, 0, 0);
    sequence = (struct sequence){0};
    TAKE_AT(&sequence, {1, 100}, {0, 110}, {2, 120}, {3, 121}); /* the first one too late */
    assert_int_equal(sequence.missing, 0);
}

static void test_sequence__an_old_number_stamped_again_makes_nothing_missing(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    TAKE_AT(&sequence, {5, 1000}, {10, 1001});
    assert_counts(&sequence, 0, 1, 0);
    TAKE_AT(&sequence, {9, 1002}, {9, 1003}, {9, 1004}, {11, 1005}, {13, 1006});
    assert_int_equal(sequence.missing, 1);
    assert_int_equal(sequence.restarts, 0);
}

static void test_sequence__what_is_missing_is_missing_once(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 0, 1, 2, 4, 5, 6);
    TAKE_AT(&sequence, {2, 1000}, {4, 1001}); /* delivered again, without a time of their own */
    assert_int_equal(sequence.missing, 1);
    TAKE_AT(&sequence, {7, 1002});
    assert_counts(&sequence, 1, 2, 0);
}

static void test_sequence__after_a_restart_gaps_count_again(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    TAKE_AT(&sequence, {0, 1000}, {1, 1001}, {3, 1003});
    assert_counts(&sequence, 1, 0, 1);
    TAKE_AT(&sequence, {2, 1002}, {4, 1004});
    assert_counts(&sequence, 0, 0, 1);
}

static void test_sequence__a_late_number_of_the_run_before_takes_its_place_there(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    TAKE(&sequence, 0, 1, 3, 4, 5);
    TAKE_AT(&sequence, {0, 1000}, {1, 1001}, {3, 1003});
    assert_counts(&sequence, 2, 0, 1);
    TAKE_AT(&sequence, {2, 20}, {7, 70}); /* 6 is missing there, and nothing more here */
    assert_counts(&sequence, 2, 0, 1);
    TAKE_AT(&sequence, {2, 1002}, {6, 60}, {4, 1004});
    assert_counts(&sequence, 0, 0, 1);
}

static void test_sequence__random_numbers_saturate(void **state)
{
    struct sequence sequence = {0};
    uint64_t random = 1;

    (void)state;
    for (int64_t i = 0; i < 100000; i++)
        sequence_apply(&sequence, (int64_t)(random_next(&random) >> 11), i);
    assert_true(sequence.missing <= SEQUENCE_COUNT_MAX);
    assert_true(sequence.missing > SEQUENCE_COUNT_MAX / 2);
    sequence = (struct sequence){0};
    TAKE_AT(&sequence, {0, 1}, {SEQUENCE_NUMBER_MAX, 2});
    assert_int_equal(sequence.missing, SEQUENCE_NUMBER_MAX - 1);
    TAKE_AT(&sequence, {1, 3}, {SEQUENCE_NUMBER_MAX, 4}, {0, 5}, {SEQUENCE_NUMBER_MAX, 6});
    assert_true(sequence.missing <= SEQUENCE_COUNT_MAX);
}

/* ---- at random ------------------------------------------------------------------------------ */

enum { RUNS = 200, SENT_MOST = 3000, DISORDER = 40 };

struct sent {
    int64_t number;
    int64_t at_us;
    uint64_t place; /* in the order of arrival */
    bool is_lost;
};

static int compare_places(const void *left, const void *right)
{
    const struct sent *a = left;
    const struct sent *b = right;

    return a->place < b->place ? -1 : a->place > b->place;
}

/* All that a device sends in its one numbering comes, in disorder, with times in disorder, some of
 * it twice: nothing is missing in the end, and never more than what is still on its way. */
static void test_sequence__what_all_came_is_never_missing(void **state)
{
    static struct sent sent[SENT_MOST];
    uint64_t random = 42;

    (void)state;
    for (int run = 0; run < RUNS; run++) {
        struct sequence sequence = {0};
        size_t count = 10 + random_next(&random) % (SENT_MOST - 10);
        uint64_t disorder = 1 + random_next(&random) % DISORDER;
        bool is_stamped_on_arrival = run % 3 == 0;
        static bool has_come[SENT_MOST];
        int64_t first;
        int64_t highest = -1;

        memset(has_come, 0, sizeof(has_come));
        for (size_t i = 0; i < count; i++)
            sent[i] =
                (struct sent){.number = (int64_t)i,
                              .at_us = (int64_t)(i * 10 + random_next(&random) % (disorder * 10)),
                              .place = i * 10 + random_next(&random) % (disorder * 10)};
        qsort(sent, count, sizeof(sent[0]), compare_places);
        first = sent[0].number;
        for (size_t i = 0; i < count; i++) {
            uint64_t on_its_way = 0;
            int64_t at_us = is_stamped_on_arrival ? (int64_t)i + 1 : sent[i].at_us;

            sequence_apply(&sequence, sent[i].number, at_us);
            if (random_next(&random) % 8 == 0) /* delivered again */
                sequence_apply(&sequence, sent[i].number, at_us);
            has_come[sent[i].number] = true;
            if (sent[i].number > highest)
                highest = sent[i].number;
            for (int64_t n = highest; n >= 0 && n > highest - 2 * DISORDER; n--)
                on_its_way += !has_come[n];
            if (sequence.missing > on_its_way)
                fail_msg("run %d, at %zu of %zu: %llu missing, %llu on their way, first %lld", run,
                         i, count, (unsigned long long)sequence.missing,
                         (unsigned long long)on_its_way, (long long)first);
        }
        assert_int_equal(sequence.missing, 0);
    }
}

/* With restarts, and readings that never come: what is missing is never more than those, and, but
 * for what was lost where a numbering ends or begins, all of those. */
static void test_sequence__never_more_is_missing_than_was_lost(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (int run = 0; run < RUNS; run++) {
        struct sequence sequence = {0};
        struct sequence again;
        unsigned char packed[SEQUENCE_PACKED_MAX];
        uint64_t lost = 0;
        uint64_t found = 0;
        int64_t now_us = 1;
        uint64_t restarts = random_next(&random) % 5;

        for (uint64_t r = 0; r <= restarts; r++) {
            int64_t length = 10 + (int64_t)(random_next(&random) % 3000);

            for (int64_t n = 0; n < length; n++, now_us += 10) {
                bool is_edge = n < 5 || n >= length - 1;

                if (!is_edge && random_next(&random) % 20 == 0) {
                    lost++;
                    continue;
                }
                sequence_apply(&sequence, n, now_us);
                if (random_next(&random) % 50 == 0)
                    sequence_apply(&sequence, n, now_us);
                assert_true(sequence.missing <= lost);
                if (random_next(&random) % 100 == 0) { /* another process goes on */
                    size_t bytes = sequence_pack(&sequence, packed);

                    sequence_resume(&again, sequence.run.highest, sequence.highest_at_us,
                                    sequence.missing, sequence.repeats, sequence.restarts);
                    assert_true(sequence_unpack(&again, packed, bytes));
                    sequence_apply_again(&again, n, now_us);
                    assert_int_equal(again.missing, sequence.missing);
                    assert_int_equal(again.repeats, sequence.repeats);
                    sequence = again;
                }
            }
        }
        found = sequence.missing;
        assert_int_equal(found, lost);
        assert_int_equal(sequence.restarts, restarts);
    }
}

static void test_sequence__what_was_taken_before_changes_nothing(void **state)
{
    static const int64_t taken[][2] = {{5, 50},  {6, 60},  {9, 90},  {7, 70},  {0, 100}, {1, 101},
                                       {0, 110}, {2, 112}, {3, 113}, {4, 114}, {8, 80}};
    struct sequence sequence = {0};
    struct sequence before;

    (void)state;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        sequence_apply(&sequence, taken[i][0], taken[i][1]);
        before = sequence;
        for (size_t k = 0; k <= i; k++)
            sequence_apply_again(&sequence, taken[k][0], taken[k][1]);
        assert_memory_equal(&sequence, &before, sizeof(sequence));
    }
}

static void test_sequence__bytes_that_do_not_go_with_the_rest_are_refused(void **state)
{
    struct sequence sequence = {0};
    struct sequence resumed;
    unsigned char packed[SEQUENCE_PACKED_MAX];
    size_t bytes;

    (void)state;
    TAKE(&sequence, 1, 2, 4, 9);
    bytes = sequence_pack(&sequence, packed);
    assert_true(bytes <= sizeof(packed));
    for (size_t cut = 0; cut < bytes; cut++) {
        sequence_resume(&resumed, 9, 90, 5, 0, 0);
        assert_false(sequence_unpack(&resumed, packed, cut));
        assert_int_equal(resumed.run.first, 0);
    }
    sequence_resume(&resumed, 9, 90, 0, 0, 0); /* `missing` was set to 0 by hand */
    assert_false(sequence_unpack(&resumed, packed, bytes));
    TAKE(&resumed, 3, 10);
    assert_int_equal(resumed.missing, 0);
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
        cmocka_unit_test(test_sequence__times_in_disorder_make_no_restart),
        cmocka_unit_test(test_sequence__an_old_number_stamped_again_makes_nothing_missing),
        cmocka_unit_test(test_sequence__what_is_missing_is_missing_once),
        cmocka_unit_test(test_sequence__after_a_restart_gaps_count_again),
        cmocka_unit_test(test_sequence__a_late_number_of_the_run_before_takes_its_place_there),
        cmocka_unit_test(test_sequence__random_numbers_saturate),
        cmocka_unit_test(test_sequence__what_all_came_is_never_missing),
        cmocka_unit_test(test_sequence__never_more_is_missing_than_was_lost),
        cmocka_unit_test(test_sequence__what_was_taken_before_changes_nothing),
        cmocka_unit_test(test_sequence__bytes_that_do_not_go_with_the_rest_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
