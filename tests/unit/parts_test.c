#include "collector/stores/parts.h"

#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 10000 };

/* A database that refuses some rows, and takes at most so many at once. */
struct database {
    bool refuses[ROWS];
    size_t takes; /* 0 = any number */
    bool stored[ROWS];
    bool refused[ROWS];
    size_t tries;
};

static bool has_refused(const struct database *d, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (d->refuses[i])
            return true;
    }
    return false;
}

static void refuse(struct database *d, struct parts *parts)
{
    d->refused[parts->from] = true;
    parts_refuse(parts);
}

/* As store.c does; each row must be settled once, and rightly. */
static void store_all(struct database *d, struct parts *parts)
{
    while (parts->from < parts->count) {
        size_t size = parts->to - parts->from;

        assert_in_range(size, 1, parts->most);
        d->tries++;
        assert_true(d->tries <= 4 * ROWS);
        if (d->takes > 0 && size > d->takes) {
            parts_limit(parts, size / 2);
        } else if (has_refused(d, parts->from, parts->to)) {
            if (size > 1)
                parts_halve(parts);
            else
                refuse(d, parts);
        } else {
            for (size_t i = parts->from; i < parts->to; i++)
                d->stored[i] = true;
            parts_commit(parts);
            if (parts_know_refused(parts))
                refuse(d, parts);
        }
    }
    assert_memory_equal(d->refused, d->refuses, parts->count);
    for (size_t i = 0; i < parts->count; i++)
        assert_true(d->stored[i] != d->refused[i]);
}

static size_t tries_for(struct database *d, size_t count, size_t most)
{
    struct parts parts;

    parts_begin(&parts, count, most);
    store_all(d, &parts);
    return d->tries;
}

static void test_parts__what_is_taken_is_tried_once(void **state)
{
    static struct database d;

    (void)state;
    assert_int_equal(tries_for(&d, ROWS, SIZE_MAX), 1);
}

static void test_parts__one_refused_row_is_found_by_halves(void **state)
{
    (void)state;
    for (size_t at = 0; at < ROWS; at += 499) {
        static struct database d;

        memset(&d, 0, sizeof(d));
        d.refuses[at] = true;
        assert_in_range(tries_for(&d, ROWS, SIZE_MAX), 2, 1 + 14 + 1);
    }
}

static void test_parts__if_all_are_refused_each_is_tried_about_once(void **state)
{
    static struct database d;

    (void)state;
    memset(d.refuses, true, sizeof(d.refuses));
    assert_in_range(tries_for(&d, ROWS, SIZE_MAX), ROWS / 2, ROWS + 2 * 14);
}

static void test_parts__any_that_are_refused_are_found(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int round = 0; round < 200; round++) {
        static struct database d;
        size_t count = random_next(&random) % 300;

        memset(&d, 0, sizeof(d));
        for (size_t i = 0; i < count; i++)
            d.refuses[i] = random_next(&random) % 20 < (uint64_t)round % 20;
        tries_for(&d, count, random_next(&random) % 2 ? SIZE_MAX : 1 + random_next(&random) % 50);
    }
}

static void test_parts__what_is_too_much_is_halved_down_to_single_rows(void **state)
{
    (void)state;
    for (size_t takes = 1; takes < ROWS; takes *= 3) {
        static struct database d;

        memset(&d, 0, sizeof(d));
        d.takes = takes;
        d.refuses[77] = true;
        assert_in_range(tries_for(&d, ROWS, SIZE_MAX), ROWS / takes, 2 * ROWS / takes + 2 * 15);
    }
}

static void test_parts__no_rows_are_one_part(void **state)
{
    struct parts parts;

    (void)state;
    parts_begin(&parts, 0, SIZE_MAX);
    assert_true(parts_are_all(&parts));
    assert_false(parts_know_refused(&parts));
    parts_limit(&parts, 0);
    assert_int_equal(parts.to, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts__what_is_taken_is_tried_once),
        cmocka_unit_test(test_parts__one_refused_row_is_found_by_halves),
        cmocka_unit_test(test_parts__if_all_are_refused_each_is_tried_about_once),
        cmocka_unit_test(test_parts__any_that_are_refused_are_found),
        cmocka_unit_test(test_parts__what_is_too_much_is_halved_down_to_single_rows),
        cmocka_unit_test(test_parts__no_rows_are_one_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
