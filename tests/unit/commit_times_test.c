/* Against brute force: each reading by itself. */
#include "collector/commit_times.h"
#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROWS_MOST = 40 };

#define NOW_US INT64_C(1795000000000000) /* thousands of these do not fit into 64 bits */

static void push(struct batch *batch, int64_t received_at_us)
{
    union reading_storage storage = {{0}};

    batch_push(batch, 0,
               &(struct reading_item){.reading = &storage.reading,
                                      .bytes = "{}",
                                      .length = 2,
                                      .seq = -1,
                                      .received_at_us = received_at_us,
                                      .first_received_at_us = received_at_us});
}

static void assert_same(const struct buckets *found, const struct buckets *expected)
{
    for (size_t i = 0; i <= commit_times_bounds.count; i++) {
        if (found->counts[i] != expected->counts[i])
            fail_msg("bucket %zu: %llu, not %llu", i, (unsigned long long)found->counts[i],
                     (unsigned long long)expected->counts[i]);
    }
    assert_true(fabs(found->sum - expected->sum) < 1e-3);
}

static void test_commit_times__each_reading_is_in_its_bucket(void **state)
{
    uint64_t random = 5;
    struct commit_times times = {0};
    struct buckets expected = {0};
    struct batch batch;
    size_t readings = 0;

    (void)state;
    batch_init(&batch, 1);
    for (size_t round = 0; round < 3000; round++) {
        size_t count = random_below(&random, ROWS_MOST);
        /* from microseconds to minutes; now and then on a bound */
        int64_t step_us = (int64_t)pow(10, (double)random_below(&random, 8));
        uint64_t commit_us = round % 3 == 0 ? 5000 : random_below(&random, 1000000);
        int64_t received_us[ROWS_MOST];
        int64_t at_us = NOW_US;

        for (size_t i = count; i-- > 0;) {
            at_us -= (int64_t)random_below(&random, 4) * step_us;
            received_us[i] = at_us;
        }
        for (size_t i = 0; i < count; i++) {
            push(&batch, received_us[i]);
            buckets_add(&expected, &commit_times_bounds,
                        (double)(NOW_US - received_us[i] + (int64_t)commit_us) / 1e6);
        }
        commit_times_begin(&times, NOW_US, NOW_US - 7, 1000);
        commit_times_end(&times, &batch, NOW_US + 1, 1000 + commit_us * 1000);
        batch_clear(&batch);
        readings += count;
    }
    assert_true(buckets_count(&times.arrivals) == readings);
    assert_true(buckets_count(&times.commits) == 3000);
    assert_true(buckets_count(&times.batches) == 3000);
    assert_true(times.batches.sum == (double)readings);
    assert_same(&times.arrivals, &expected);
    assert_true(times.last_us == NOW_US + 1);
    batch_release(&batch);
}

static void
test_commit_times__a_clock_that_is_set_changes_nothing_while_a_batch_is_stored(void **state)
{
    struct commit_times times = {0};
    struct batch batch;

    (void)state;
    batch_init(&batch, 1);
    push(&batch, NOW_US);
    commit_times_begin(&times, NOW_US, NOW_US, 0);
    commit_times_end(&times, &batch, NOW_US - 3600 * INT64_C(1000000), 4000000);
    assert_true(fabs(times.arrivals.sum - 0.004) < 1e-9);
    assert_true(times.arrivals.counts[2] == 1);
    batch_release(&batch);
}

/* Arrivals then stay ahead of it, a microsecond each (ingest.h). */
static void test_commit_times__after_a_clock_that_was_set_back_nothing_falls(void **state)
{
    struct commit_times times = {0};
    struct batch batch;

    (void)state;
    batch_init(&batch, 1);
    push(&batch, NOW_US);
    push(&batch, NOW_US + 1);
    commit_times_begin(&times, NOW_US - 3600 * INT64_C(1000000), NOW_US + 1, 0);
    commit_times_end(&times, &batch, NOW_US, 0);
    assert_true(times.arrivals.sum >= 0 && times.arrivals.sum < 1e-5);
    assert_true(times.arrivals.counts[0] == 2);
    batch_release(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_times__each_reading_is_in_its_bucket),
        cmocka_unit_test(
            test_commit_times__a_clock_that_is_set_changes_nothing_while_a_batch_is_stored),
        cmocka_unit_test(test_commit_times__after_a_clock_that_was_set_back_nothing_falls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
