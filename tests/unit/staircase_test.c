#include "collector/staircase.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 2 };

#define NOTHING_EXPIRED INT64_MIN
#define UNCHANGED SIZE_MAX

struct fixture {
    struct staircase_budget budget;
    struct staircase_kind kind;
    struct staircase staircase;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->budget.limit_bytes = UINT64_MAX;
    staircase_kind_init(&f->kind, FEATURES, 0, false, &f->budget);
    *state = f;
    return 0;
}

static int setup_lowest(void **state)
{
    struct fixture *f;

    setup(state);
    f = *state;
    staircase_kind_init(&f->kind, FEATURES, 0, true, &f->budget);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    staircase_release(&f->staircase, &f->kind);
    assert_int_equal(f->kind.steps, 0);
    assert_int_equal(f->kind.slots, 0);
    free(f);
    return 0;
}

static void fill(union reading_storage *out, int64_t at_us, double value, int64_t hash)
{
    memset(out, 0, sizeof(*out));
    out->reading.recorded_at_us = at_us;
    out->reading.content_hash = hash;
    out->reading.status = STATUS_ON;
    out->reading.values[0] = value;
    out->reading.values[1] = NAN;
}

static const struct reading *best_after(const struct fixture *f, int64_t after_us)
{
    return staircase_best_after(&f->staircase, &f->kind, after_us);
}

/* The step after another, NULL: the first; or NULL when there is none. */
static const struct reading *step_after(const struct fixture *f, const struct reading *step)
{
    return best_after(f, step ? step->recorded_at_us : INT64_MIN);
}

static const struct reading *step_at(const struct fixture *f, size_t index)
{
    const struct reading *step = step_after(f, NULL);

    while (index-- > 0)
        step = step_after(f, step);
    assert_non_null(step);
    return step;
}

/* Returns where the reading now is, 0 = oldest, or UNCHANGED. */
static size_t insert_reading(struct fixture *f, const struct reading *reading, int64_t expired_us)
{
    const struct reading *before = NULL, *step;
    int64_t earlier_us;
    size_t index = 0;

    if (!staircase_insert(&f->staircase, &f->kind, reading, expired_us, &earlier_us))
        return UNCHANGED;
    for (step = step_after(f, NULL); step->recorded_at_us != reading->recorded_at_us;
         step = step_after(f, step)) {
        before = step;
        index++;
    }
    assert_int_equal(earlier_us, before ? before->recorded_at_us : INT64_MIN);
    return index;
}

static size_t insert(struct fixture *f, int64_t at_us, double value, int64_t hash)
{
    union reading_storage storage;

    fill(&storage, at_us, value, hash);
    return insert_reading(f, &storage.reading, NOTHING_EXPIRED);
}

struct step {
    int64_t at_us;
    double value;
};

static void assert_steps(const struct fixture *f, const struct step *expected, size_t count)
{
    const struct reading *step = NULL;

    assert_int_equal(staircase_count(&f->staircase), count);
    assert_int_equal(f->kind.steps, count);
    for (size_t i = 0; i < count; i++) {
        step = step_after(f, step);
        assert_non_null(step);
        assert_int_equal(step->recorded_at_us, expected[i].at_us);
        assert_true(step->values[0] == expected[i].value);
    }
    assert_ptr_equal(staircase_newest(&f->staircase, &f->kind), step);
}

#define ASSERT_STEPS(f, ...)                                                                       \
    do {                                                                                           \
        const struct step expected_[] = {__VA_ARGS__};                                             \
        assert_steps(f, expected_, sizeof(expected_) / sizeof(expected_[0]));                      \
    } while (0)

static void test_staircase__newer_and_worse_reading_becomes_a_step(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(insert(f, 10, 5, 0), 0);
    assert_int_equal(insert(f, 20, 3, 0), 1);
    ASSERT_STEPS(f, {10, 5}, {20, 3});
}

static void test_staircase__newer_reading_removes_all_it_equals_or_beats(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 20, 5, 0);
    insert(f, 30, 3, 0);
    assert_int_equal(insert(f, 40, 5, 0), 1);
    ASSERT_STEPS(f, {10, 9}, {40, 5});
    assert_int_equal(insert(f, 50, 10, 0), 0);
    ASSERT_STEPS(f, {50, 10});
}

static void test_staircase__late_reading_below_a_later_one_is_dropped(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 30, 5, 0);
    insert(f, 50, 1, 0);
    assert_int_equal(insert(f, 20, 4, 0), UNCHANGED);
    ASSERT_STEPS(f, {10, 9}, {30, 5}, {50, 1});
}

static void test_staircase__late_reading_equal_to_a_later_one_is_dropped(void **state)
{
    struct fixture *f = *state;

    insert(f, 30, 5, 0);
    assert_int_equal(insert(f, 20, 5, 7), UNCHANGED);
    ASSERT_STEPS(f, {30, 5});
}

static void test_staircase__late_reading_between_two_steps_is_put_between_them(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 30, 5, 0);
    assert_int_equal(insert(f, 20, 7, 0), 1);
    ASSERT_STEPS(f, {10, 9}, {20, 7}, {30, 5});
}

static void test_staircase__late_reading_older_than_all_is_put_first_if_it_is_best(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    assert_int_equal(insert(f, 5, 10, 0), 0);
    assert_int_equal(insert(f, READING_FIRST_US, 11, 0), 0);
    ASSERT_STEPS(f, {READING_FIRST_US, 11}, {5, 10}, {10, 9});
}

static void test_staircase__late_reading_removes_earlier_ones_it_equals_or_beats(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 20, 8, 0);
    insert(f, 30, 7, 0);
    insert(f, 50, 1, 0);
    assert_int_equal(insert(f, 40, 8, 0), 1);
    ASSERT_STEPS(f, {10, 9}, {40, 8}, {50, 1});
}

static void test_staircase__at_the_same_time_the_better_value_stays(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 20, 5, 1);
    insert(f, 30, 2, 0);
    assert_int_equal(insert(f, 20, 4, 2), UNCHANGED);
    assert_int_equal(insert(f, 20, 6, 0), 1);
    ASSERT_STEPS(f, {10, 9}, {20, 6}, {30, 2});
    assert_int_equal(insert(f, 20, 9, 0), 0);
    ASSERT_STEPS(f, {20, 9}, {30, 2});
    assert_int_equal(insert(f, 30, 3, 0), 1);
    ASSERT_STEPS(f, {20, 9}, {30, 3});
}

static void test_staircase__at_the_same_time_and_value_the_larger_hash_stays(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 5, 3);
    assert_int_equal(insert(f, 10, 5, -4), UNCHANGED);
    assert_int_equal(insert(f, 10, 5, 4), 0);
    assert_int_equal(staircase_count(&f->staircase), 1);
    assert_int_equal(step_at(f, 0)->content_hash, 4);
}

static void test_staircase__same_reading_again_changes_nothing(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 1);
    insert(f, 20, 5, 2);
    assert_int_equal(insert(f, 10, 9, 1), UNCHANGED);
    assert_int_equal(insert(f, 20, 5, 2), UNCHANGED);
    ASSERT_STEPS(f, {10, 9}, {20, 5});
}

static void test_staircase__lowest_keeps_rising_values(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, -5, 0);
    insert(f, 20, 3, 0);
    insert(f, 30, 7, 0);
    ASSERT_STEPS(f, {10, -5}, {20, 3}, {30, 7});
    insert(f, 40, 3, 0);
    ASSERT_STEPS(f, {10, -5}, {40, 3});
    assert_int_equal(insert(f, 25, 3, 9), UNCHANGED);
}

static void test_staircase__steps_are_whole_readings(void **state)
{
    struct fixture *f = *state;
    union reading_storage storage;

    fill(&storage, 10, 5, 77);
    storage.reading.status = STATUS_INACTIVE;
    storage.reading.values[1] = 1.5;
    insert_reading(f, &storage.reading, NOTHING_EXPIRED);
    assert_memory_equal(step_at(f, 0), &storage, f->kind.stride);
}

static void test_staircase__best_after_a_moment_excludes_the_moment(void **state)
{
    struct fixture *f = *state;

    assert_null(best_after(f, 0));
    insert(f, 10, 9, 0);
    insert(f, 20, 5, 0);
    insert(f, 30, 3, 0);
    assert_true(best_after(f, 9)->values[0] == 9);
    assert_true(best_after(f, 10)->values[0] == 5);
    assert_true(best_after(f, 20)->values[0] == 3);
    assert_null(best_after(f, 30));
    assert_null(best_after(f, INT64_MAX));
}

static void test_staircase__trim_drops_what_expired_and_nothing_else(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    insert(f, 20, 5, 0);
    insert(f, 30, 3, 0);
    staircase_trim(&f->staircase, &f->kind, 9);
    ASSERT_STEPS(f, {10, 9}, {20, 5}, {30, 3});
    staircase_trim(&f->staircase, &f->kind, 20);
    ASSERT_STEPS(f, {30, 3});
    insert(f, 40, 2, 0);
    insert(f, 25, 4, 0);
    ASSERT_STEPS(f, {25, 4}, {30, 3}, {40, 2});
}

static void test_staircase__trim_of_all_steps_frees_the_array(void **state)
{
    struct fixture *f = *state;

    insert(f, 10, 9, 0);
    staircase_trim(&f->staircase, &f->kind, 10);
    assert_int_equal(staircase_count(&f->staircase), 0);
    assert_int_equal(f->kind.slots, 0);
    assert_null(f->staircase.flight.slots);
    insert(f, 20, 1, 0);
    ASSERT_STEPS(f, {20, 1});
}

static void test_staircase__insert_drops_what_expired_when_room_is_short(void **state)
{
    struct fixture *f = *state;
    union reading_storage storage;

    for (int i = 0; i < 1000; i++) {
        fill(&storage, i, -i, 0);
        insert_reading(f, &storage.reading, i - 10);
        assert_true(f->kind.slots <= 32);
    }
    staircase_trim(&f->staircase, &f->kind, 989);
    assert_int_equal(staircase_count(&f->staircase), 10);
    assert_int_equal(step_at(f, 0)->recorded_at_us, 990);
}

static void test_staircase__late_reading_finds_its_place_while_the_front_expires(void **state)
{
    struct fixture *f = *state;
    union reading_storage storage;

    for (int i = 0; i < 8; i++)
        insert(f, 10 * i, -10 * i, 0);
    while (f->kind.steps < f->kind.slots)
        insert(f, 10 * (int64_t)f->kind.steps, -10.0 * (double)f->kind.steps, 0);
    fill(&storage, 35, -35, 0);
    assert_int_equal(insert_reading(f, &storage.reading, 15), 2);
    assert_int_equal(step_at(f, 0)->recorded_at_us, 20);
    assert_int_equal(step_at(f, 2)->recorded_at_us, 35);
}

static void test_staircase__memory_shrinks_when_one_reading_beats_all(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1000; i++)
        insert(f, i, -i, 0);
    assert_true(f->kind.slots >= 1000 && f->kind.slots < 1000u + f->kind.flight_steps);
    insert(f, 1000, 1, 0);
    ASSERT_STEPS(f, {1000, 1});
    assert_true(f->kind.slots < 8);
    assert_int_equal(f->budget.bytes, 0);
}

static bool is_beaten(const struct fixture *f, const struct reading *const *all, size_t count,
                      size_t which)
{
    for (size_t i = 0; i < count; i++)
        if (all[i]->recorded_at_us >= all[which]->recorded_at_us &&
            step_is_better(&f->kind, all[i], all[which]))
            return true;
    return false;
}

/* Every order of every small set with ties leaves just the readings that none beats. */
static void test_staircase__every_order_of_arrival_gives_the_same_steps(void **state)
{
    enum { COUNT = 6, ORDERS = 720, SETS = 60 };
    struct fixture *f = *state;
    uint32_t random = 1;

    for (int set = 0; set < SETS; set++) {
        const struct reading *all[COUNT];
        union reading_storage *owned[COUNT];

        for (int i = 0; i < COUNT; i++) {
            owned[i] = malloc(sizeof(*owned[i]));
            assert_non_null(owned[i]);
            random = random * 1664525 + 1013904223;
            fill(owned[i], random >> 8 & 3, random >> 16 & 3, i);
            all[i] = &owned[i]->reading;
        }
        for (int order = 0; order < ORDERS; order++) {
            bool used[COUNT] = {false};
            size_t expected = 0;

            for (int i = 0, rest = order, base = ORDERS; i < COUNT; i++) {
                int skip, pick = 0;

                base /= COUNT - i;
                skip = rest / base;
                rest %= base;
                while (used[pick] || skip-- > 0)
                    pick++;
                used[pick] = true;
                insert_reading(f, all[pick], NOTHING_EXPIRED);
            }
            for (int64_t at_us = 0; at_us < 4; at_us++)
                for (size_t i = 0; i < COUNT; i++)
                    if (all[i]->recorded_at_us == at_us && !is_beaten(f, all, COUNT, i)) {
                        assert_true(expected < staircase_count(&f->staircase));
                        assert_memory_equal(step_at(f, expected), all[i], f->kind.stride);
                        expected++;
                    }
            assert_int_equal(staircase_count(&f->staircase), expected);
            staircase_release(&f->staircase, &f->kind);
        }
        for (int i = 0; i < COUNT; i++)
            free(owned[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_staircase__newer_and_worse_reading_becomes_a_step),
        TEST(test_staircase__newer_reading_removes_all_it_equals_or_beats),
        TEST(test_staircase__late_reading_below_a_later_one_is_dropped),
        TEST(test_staircase__late_reading_equal_to_a_later_one_is_dropped),
        TEST(test_staircase__late_reading_between_two_steps_is_put_between_them),
        TEST(test_staircase__late_reading_older_than_all_is_put_first_if_it_is_best),
        TEST(test_staircase__late_reading_removes_earlier_ones_it_equals_or_beats),
        TEST(test_staircase__at_the_same_time_the_better_value_stays),
        TEST(test_staircase__at_the_same_time_and_value_the_larger_hash_stays),
        TEST(test_staircase__same_reading_again_changes_nothing),
        cmocka_unit_test_setup_teardown(test_staircase__lowest_keeps_rising_values, setup_lowest,
                                        teardown),
        TEST(test_staircase__steps_are_whole_readings),
        TEST(test_staircase__best_after_a_moment_excludes_the_moment),
        TEST(test_staircase__trim_drops_what_expired_and_nothing_else),
        TEST(test_staircase__trim_of_all_steps_frees_the_array),
        TEST(test_staircase__insert_drops_what_expired_when_room_is_short),
        TEST(test_staircase__late_reading_finds_its_place_while_the_front_expires),
        TEST(test_staircase__memory_shrinks_when_one_reading_beats_all),
        TEST(test_staircase__every_order_of_arrival_gives_the_same_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
