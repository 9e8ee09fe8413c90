#include "collector/stores/postgres/peaks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One device, one feature; the span takes all. */
struct fixture {
    struct features features;
    struct batch batch;
    struct refs refs;
    struct peaks peaks;
    struct buffer rows;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char error[256];

    features_parse(&f->features, "temperature", error, sizeof(error));
    batch_init(&f->batch, f->features.count);
    peaks_init(&f->peaks, &f->features);
    refs_set(&f->refs, 0, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    peaks_release(&f->peaks);
    batch_release(&f->batch);
    refs_release(&f->refs);
    buffer_release(&f->rows);
    free(f);
    return 0;
}

/* How many rows a batch of one reading sends to the database. */
static size_t sent(struct fixture *f, int64_t recorded_at_us, double value)
{
    union reading_storage storage = {{0}};

    storage.reading.recorded_at_us = recorded_at_us;
    storage.reading.values[0] = value;
    batch_clear(&f->batch);
    batch_push(
        &f->batch, 0,
        &(struct reading_item){.reading = &storage.reading, .seq = -1, .bytes = "", .length = 0});
    batch_sort(&f->batch, f->refs.by_device);
    buffer_clear(&f->rows);
    peaks_begin(&f->peaks);
    return peaks_encode(&f->peaks, &f->batch, &f->refs, NULL, &f->rows);
}

static void test_peaks__the_first_reading_is_sent_as_the_highest_and_the_lowest(void **state)
{
    assert_int_equal(sent(*state, 1, 20), 2);
}

static void test_peaks__what_was_committed_is_sent_only_if_it_may_be_better(void **state)
{
    struct fixture *f = *state;

    sent(f, 10, 20);
    peaks_committed(&f->peaks);
    assert_int_equal(sent(f, 11, 21), 1);
    peaks_committed(&f->peaks);
    assert_int_equal(sent(f, 12, 20.5), 0);
    assert_int_equal(sent(f, 9, 20), 0);  /* as low, and earlier */
    assert_int_equal(sent(f, 11, 20), 1); /* as low, and later */
    assert_int_equal(sent(f, 10, 20), 1); /* its hash may be larger */
}

static void test_peaks__what_was_not_committed_is_sent_again(void **state)
{
    struct fixture *f = *state;

    sent(f, 10, 20);
    assert_int_equal(sent(f, 10, 20), 2);
    sent(f, 11, 30);
    peaks_begin(&f->peaks); /* that try failed; another has nothing for peaks */
    peaks_committed(&f->peaks);
    assert_int_equal(sent(f, 11, 30), 2);
}

static void test_peaks__an_answer_spares_what_it_beats(void **state)
{
    struct fixture *f = *state;

    sent(f, 10, 20);
    peaks_answered(&f->peaks, 0, 0, ORDER_HIGHEST, 50, 5);
    peaks_answered(&f->peaks, 0, 0, ORDER_LOWEST, -50, 5);
    peaks_committed(&f->peaks);
    assert_int_equal(sent(f, 11, 49), 0);
    assert_int_equal(sent(f, 11, -49), 0);
    assert_int_equal(sent(f, 11, 51), 1);
    assert_int_equal(sent(f, 11, -51), 1);
}

static void test_peaks__after_a_removal_nothing_is_known(void **state)
{
    struct fixture *f = *state;

    sent(f, 10, 85);
    peaks_committed(&f->peaks);
    peaks_forget(&f->peaks, 0);
    peaks_forget(&f->peaks, 1000); /* never heard of */
    assert_int_equal(sent(f, 11, 26), 2);
}

static void test_peaks__a_feature_that_is_not_there_is_no_peak(void **state)
{
    assert_int_equal(sent(*state, 1, (double)NAN), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_peaks__the_first_reading_is_sent_as_the_highest_and_the_lowest),
        TEST(test_peaks__what_was_committed_is_sent_only_if_it_may_be_better),
        TEST(test_peaks__what_was_not_committed_is_sent_again),
        TEST(test_peaks__an_answer_spares_what_it_beats),
        TEST(test_peaks__after_a_removal_nothing_is_known),
        TEST(test_peaks__a_feature_that_is_not_there_is_no_peak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
