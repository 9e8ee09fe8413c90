/* Staircases of many steps: against brute force over everything that was inserted, with flights so
 * short that each of their edges is met; then a million steps in the orders that there are. */
#include "collector/staircase.h"

#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 2, MILLION = 1000000, FACTS_MOST = 3000 };

struct fact {
    int64_t recorded_at_us : 61;
    uint64_t status : 3;
    int64_t content_hash;
    double values[FEATURES];
};

struct fixture {
    struct staircase_budget budget;
    struct staircase_kind kind;
    struct staircase staircase;
    uint64_t random;
    struct fact facts[FACTS_MOST];
    size_t fact_count;
    int64_t expired_us;
};

static void start(struct fixture *f, uint64_t limit_bytes)
{
    memset(&f->budget, 0, sizeof(f->budget));
    f->budget.limit_bytes = limit_bytes;
    staircase_kind_init(&f->kind, FEATURES, 0, false, &f->budget);
    f->fact_count = 0;
    f->expired_us = INT64_MIN;
}

static void end(struct fixture *f)
{
    staircase_release(&f->staircase, &f->kind);
    assert_int_equal(f->kind.steps, 0);
    assert_int_equal(f->kind.slots, 0);
    assert_int_equal(f->budget.bytes, 0);
    assert_int_equal(f->budget.table_bytes, 0);
    for (size_t i = 0; i < STAIRCASE_SIZES; i++)
        assert_null(f->budget.towers[i]);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->random = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

static size_t below(struct fixture *f, size_t bound)
{
    return (size_t)random_below(&f->random, bound);
}

static void insert_fact(struct fixture *f, const struct fact *fact)
{
    int64_t earlier_us;

    staircase_insert(&f->staircase, &f->kind, (const void *)fact, f->expired_us, &earlier_us);
}

static void insert(struct fixture *f, int64_t at_us, double value, int64_t hash)
{
    struct fact fact = {.recorded_at_us = at_us, .content_hash = hash, .values = {value, 1}};

    insert_fact(f, &fact);
}

static const struct reading *best_after(const struct fixture *f, int64_t after_us)
{
    return staircase_best_after(&f->staircase, &f->kind, after_us);
}

static const struct reading *newest_of(const struct fixture *f)
{
    return staircase_newest(&f->staircase, &f->kind);
}

/* ---- against brute force ---- */

static bool is_better(const struct fact *a, const struct fact *b)
{
    if (a->values[0] != b->values[0])
        return a->values[0] > b->values[0];
    if (a->recorded_at_us != b->recorded_at_us)
        return a->recorded_at_us > b->recorded_at_us;
    return a->content_hash > b->content_hash;
}

static int by_time_latest_first(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;

    if (x->recorded_at_us != y->recorded_at_us)
        return x->recorded_at_us < y->recorded_at_us ? 1 : -1;
    return is_better(x, y) ? -1 : 1;
}

/* The facts after the moment that none which is not older beats, latest first. */
static size_t true_steps(const struct fixture *f, int64_t after_us, struct fact *steps)
{
    size_t count = 0;

    memcpy(steps, f->facts, f->fact_count * sizeof(*steps));
    qsort(steps, f->fact_count, sizeof(*steps), by_time_latest_first);
    for (size_t i = 0; i < f->fact_count && steps[i].recorded_at_us > after_us; i++)
        if (count == 0 || (steps[i].recorded_at_us < steps[count - 1].recorded_at_us &&
                           steps[i].values[0] > steps[count - 1].values[0]))
            steps[count++] = steps[i];
    return count;
}

/* Every answer since every moment that is not expired. What is coarse may be wrong, but not where
 * the kind says that it is not. */
static void check(struct fixture *f)
{
    static struct fact truth[FACTS_MOST];
    size_t count = true_steps(f, f->expired_us, truth);
    int64_t moment_us = f->expired_us;
    const struct reading *newest = newest_of(f);

    assert_true(f->budget.bytes <= f->budget.limit_bytes);
    while (count-- > 0) { /* the best since any moment from moment_us to just before it */
        const struct fact *best = &truth[count];
        const struct reading *shown = NULL;

        for (int64_t since_us = moment_us; since_us < best->recorded_at_us;
             since_us = since_us < best->recorded_at_us - 1 ? best->recorded_at_us - 1
                                                            : best->recorded_at_us) {
            shown = best_after(f, since_us);
            assert_non_null(shown);
            if (since_us >= f->kind.coarse_until_us || shown->values[0] > f->kind.coarse_height)
                assert_memory_equal(shown, best, sizeof(*best));
            else
                assert_true(shown->recorded_at_us > since_us &&
                            shown->values[0] <= best->values[0]);
        }
        moment_us = best->recorded_at_us;
    }
    assert_null(best_after(f, moment_us));
    if (newest && newest->recorded_at_us > f->expired_us)
        assert_int_equal(newest->recorded_at_us, truth[0].recorded_at_us);
}

static void add_fact(struct fixture *f, int64_t at_us, double value)
{
    struct fact *fact = &f->facts[f->fact_count];

    if (at_us <= f->expired_us)
        return;
    *fact = (struct fact){.recorded_at_us = at_us,
                          .content_hash = (int64_t)random_next(&f->random),
                          .values = {value, (double)f->fact_count}};
    f->fact_count++;
    insert_fact(f, fact);
}

/* Runs of readings, each run in an order of its own, falling most of the time, with late ones that
 * beat some steps or nearly all, repetitions, expiry and trims. */
static void play(struct fixture *f, size_t events)
{
    int64_t now_us = 1000;

    while (f->fact_count < events) {
        size_t run = 1 + below(f, below(f, 4) == 0 ? 200 : 20), order = below(f, 4);
        size_t spread = 1 + below(f, 3);
        int64_t from_us = below(f, 3) == 0 ? now_us - (int64_t)below(f, 400) : now_us;

        for (size_t i = 0; i < run && f->fact_count < events; i++) {
            size_t at = order == 0 ? run - i : order == 1 ? below(f, run + 1) : i;
            int64_t at_us = from_us + (int64_t)(at * spread);
            double value = -(double)at_us;

            if (below(f, 20) == 0)
                value += (double)below(f, below(f, 5) == 0 ? 1000 : 50);
            add_fact(f, at_us, value);
            if (at_us > now_us)
                now_us = at_us;
            if (below(f, 30) == 0)
                insert_fact(f, &f->facts[f->fact_count - 1]);
        }
        if (below(f, 4) == 0 && now_us - 600 > f->expired_us)
            f->expired_us = now_us - (int64_t)below(f, 600);
        if (below(f, 4) == 0)
            staircase_trim(&f->staircase, &f->kind, f->expired_us);
        /* what has expired may come no more, not even again */
        while (f->fact_count > 0 && f->facts[f->fact_count - 1].recorded_at_us <= f->expired_us)
            f->fact_count--;
        check(f);
    }
}

static void test_tower__every_answer_is_that_of_brute_force(void **state)
{
    struct fixture *f = *state;

    for (int history = 0; history < 300; history++) {
        start(f, UINT64_MAX);
        f->kind.low_steps = (uint16_t)(4 + below(f, 8));
        f->kind.flight_steps = (uint16_t)(3 + below(f, 30));
        play(f, 100 + below(f, 900));
        assert_int_equal(f->kind.coarsened, 0);
        end(f);
    }
    start(f, 0);
}

static void test_tower__what_is_coarse_is_wrong_only_where_it_is_said(void **state)
{
    struct fixture *f = *state;
    uint64_t coarsened = 0;

    for (int history = 0; history < 300; history++) {
        start(f, below(f, 10000));
        f->kind.low_steps = (uint16_t)(4 + below(f, 8));
        f->kind.flight_steps = (uint16_t)(3 + below(f, 30));
        play(f, 100 + below(f, 900));
        coarsened += f->kind.coarsened;
        end(f);
    }
    assert_true(coarsened > 1000);
    start(f, 0);
}

/* Late readings that beat all but one step of each flight leave them nearly empty. */
static void test_tower__flights_that_late_readings_emptied_are_joined(void **state)
{
    enum { FLIGHTS = 200 };
    struct fixture *f = *state;
    int steps;

    start(f, UINT64_MAX);
    steps = f->kind.flight_steps;
    for (int i = 0; i < FLIGHTS * steps; i++)
        insert(f, i, -i, i);
    for (int i = 0; i < FLIGHTS * steps; i += steps)
        insert(f, i + steps - 1, -i - 0.5, i);
    assert_int_equal(f->kind.steps, 2 * FLIGHTS);
    assert_true(f->kind.slots < 3 * FLIGHTS);
}

static void test_tower__it_is_one_flight_again_when_few_steps_are_left(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    for (int i = 0; i < 1000; i++)
        insert(f, i, -i, i);
    assert_true(f->budget.bytes > 1000 * f->kind.stride);
    insert(f, 1000, -19.5, 0);
    assert_int_equal(f->budget.bytes, 0);
    assert_int_equal(staircase_count(&f->staircase), 21);
    staircase_trim(&f->staircase, &f->kind, 18);
    assert_int_equal(best_after(f, 18)->recorded_at_us, 19);
    staircase_trim(&f->staircase, &f->kind, 19);
    assert_int_equal(best_after(f, 18)->recorded_at_us, 1000);
}

static void test_tower__the_extremes_of_time_and_value_are_times_and_values(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    f->kind.low_steps = 4;
    f->kind.flight_steps = 3;
    for (int i = 0; i < 100; i++)
        insert(f, i, -i, i);
    insert(f, READING_LAST_US, -1.7976931348623157e308, INT64_MIN);
    insert(f, READING_FIRST_US, 1.7976931348623157e308, INT64_MAX);
    assert_int_equal(staircase_count(&f->staircase), 102);
    assert_int_equal(newest_of(f)->recorded_at_us, READING_LAST_US);
    assert_int_equal(best_after(f, INT64_MIN)->recorded_at_us, READING_FIRST_US);
    assert_null(best_after(f, READING_LAST_US));
    insert(f, READING_LAST_US, -1.7976931348623157e308, INT64_MIN + 1); /* a larger hash */
    assert_int_equal(newest_of(f)->content_hash, INT64_MIN + 1);
    staircase_trim(&f->staircase, &f->kind, READING_LAST_US - 1);
    assert_int_equal(staircase_count(&f->staircase), 1);
}

/* ---- a million ---- */

/* All the steps are there, and their memory is in proportion. */
static void check_million(struct fixture *f, double most_slots_per_step)
{
    int64_t at_us = INT64_MIN;

    assert_int_equal(staircase_count(&f->staircase), MILLION);
    for (int i = 0; i < MILLION; i++) {
        const struct reading *step = best_after(f, at_us);

        assert_int_equal(step->recorded_at_us, i);
        at_us = i;
    }
    assert_true((double)f->kind.slots <= MILLION * most_slots_per_step);
    assert_true(f->budget.bytes <= f->kind.slots * f->kind.stride * 101 / 100);
}

/* A cost per insert in proportion to the steps would take these tests minutes each. */
static void test_tower__a_million_falling_readings_in_order_are_a_million_steps(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    for (int i = 0; i < MILLION; i++)
        insert(f, i, -i, i);
    check_million(f, 1.01);
}

static void test_tower__a_million_falling_readings_in_reverse_are_a_million_steps(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    for (int i = MILLION; i-- > 0;)
        insert(f, i, -i, i);
    check_million(f, 1.01);
}

static void test_tower__a_million_falling_readings_shuffled_are_a_million_steps(void **state)
{
    struct fixture *f = *state;
    int *order = malloc(MILLION * sizeof(*order));

    assert_non_null(order);
    start(f, UINT64_MAX);
    for (int i = 0; i < MILLION; i++) {
        int j = (int)below(f, (size_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < MILLION; i++)
        insert(f, order[i], -order[i], order[i]);
    free(order);
    check_million(f, 1.6);
    insert(f, MILLION, 1, 0);
    assert_int_equal(staircase_count(&f->staircase), 1);
}

/* Two halves: the older one, a backlog, comes while the newer one goes on. */
static void test_tower__a_backlog_beside_live_readings_leaves_full_flights(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    for (int older = 0, newer = MILLION / 2; newer < MILLION; older++, newer++) {
        insert(f, newer, -newer, newer);
        insert(f, older, -older, older);
    }
    check_million(f, 1.02);
}

static void test_tower__as_many_expire_as_come_without_end(void **state)
{
    struct fixture *f = *state;

    start(f, UINT64_MAX);
    for (int i = 0; i < MILLION; i++) {
        f->expired_us = i - 30000;
        insert(f, i, -i, i);
    }
    assert_int_equal(f->kind.coarsened, 0);
    assert_int_equal(staircase_count(&f->staircase), 30000);
    assert_true(f->kind.slots < 31000);
}

/* The limit is kept, at no more cost, and the newer half stays whole. */
static void test_tower__beyond_the_limit_a_million_are_taken_all_the_same(void **state)
{
    struct fixture *f = *state;

    start(f, 1 << 20);
    for (int i = 0; i < MILLION; i++) {
        insert(f, i, -i, i);
        assert_true(f->budget.bytes <= f->budget.limit_bytes);
    }
    assert_int_equal(f->kind.coarsened + staircase_count(&f->staircase), MILLION);
    assert_true(f->kind.coarse_until_us < MILLION - (1 << 20) / 100);
    assert_true(f->budget.bytes > f->budget.limit_bytes * 9 / 10);
    assert_int_equal(best_after(f, INT64_MIN)->recorded_at_us, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tower__every_answer_is_that_of_brute_force),
        TEST(test_tower__what_is_coarse_is_wrong_only_where_it_is_said),
        TEST(test_tower__flights_that_late_readings_emptied_are_joined),
        TEST(test_tower__it_is_one_flight_again_when_few_steps_are_left),
        TEST(test_tower__the_extremes_of_time_and_value_are_times_and_values),
        TEST(test_tower__a_million_falling_readings_in_order_are_a_million_steps),
        TEST(test_tower__a_million_falling_readings_in_reverse_are_a_million_steps),
        TEST(test_tower__a_million_falling_readings_shuffled_are_a_million_steps),
        TEST(test_tower__a_backlog_beside_live_readings_leaves_full_flights),
        TEST(test_tower__as_many_expire_as_come_without_end),
        TEST(test_tower__beyond_the_limit_a_million_are_taken_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
