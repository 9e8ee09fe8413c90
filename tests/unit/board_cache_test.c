/* When boards of several collectors answer, and which collectors matter. Each part of the rule
 * (weighing.h) has a test that fails without it, here or in board_cache_boards_test.c. */
#include "tests/unit/board_cache_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- when ----------------------------------------------------------------------------------- */

static void test_board_cache__answers_once_the_database_knows_the_collectors(void **state)
{
    struct board_cache_fixture *f = *state;

    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_UNKNOWN);
    cache_live(f, "a", "d1");
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_EXACT);
}

static void test_board_cache__a_set_is_current_while_its_collectors_are_live(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_pass(f, 2900 * 1000);
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_pass(f, 100 * 1000);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1});
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE); /* until that is weighed */
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0 + 3 * S, DEVICES("d1"));
    assert_true(
        cache_publish(f, "collectors/a/status", "{\"state\":\"lost\"}", true)); /* its will */
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static void test_board_cache__a_set_ages_without_the_database(void **state)
{
    struct board_cache_fixture *f = *state;
    struct boards_merged merged;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    for (int i = 0; i < 4; i++) {
        cache_pass(f, S);
        cache_say(f, (struct cache_status){.id = "a", .generation = 1});
    }
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_UNKNOWN);
    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_EXACT);
    assert_true(merged.as_of_us == T0);
}

static void test_board_cache__what_has_come_counts_when_it_is_weighed(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_pass(f, GRID);
    cache_publish_one(f, "a", 2, "d2", 6);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_say(f, (struct cache_status){.id = "a", .generation = 2});
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0 + GRID, DEVICES("d2"));
}

/* A status comes between the question to the database and its answer, which may then be older. */
static void test_board_cache__a_status_is_not_weighed_against_an_older_question(void **state)
{
    struct board_cache_fixture *f = *state;
    uint64_t mark;

    cache_live(f, "a", "d1");
    mark = board_cache_mark(f->cache);
    cache_pass(f, GRID);
    cache_publish_one(f, "a", 2, "d2", 6);
    cache_say(f, (struct cache_status){.id = "a", .generation = 2});
    board_cache_weigh(f->cache, only_a, 1, mark, f->now_ms);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    board_cache_weigh(f->cache, only_a, 1, 0, f->now_ms);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static void test_board_cache__a_retained_status_counts_by_its_age(void **state)
{
    struct board_cache_fixture *f = *state;
    struct boards_merged merged;

    for (int64_t age_us = -4 * S; age_us <= 4 * S; age_us += S) {
        bool is_young = age_us > -3 * S && age_us < 3 * S;

        board_cache_forget(f->cache);
        cache_publish_one(f, "a", 1, "d1", 5);
        cache_say(f, (struct cache_status){
                         .id = "a", .generation = 1, .as_of_us = T0 - age_us, .is_retained = true});
        cache_weigh(f, only_a, 1);
        assert_int_equal(cache_merge(f, MINUTE, 10, &merged),
                         is_young ? WEIGHED_EXACT : WEIGHED_NOT_LIVE);
    }
}

static void test_board_cache__a_moment_to_come_is_not_believed(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .as_of_us = T0 + 4 * S});
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1});
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

/* ---- who ------------------------------------------------------------------------------------ */

static void test_board_cache__who_is_not_in_the_table_does_not_matter(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    assert_true(cache_publish(f, "collectors/ghost/status", "{\"state\":\"warming\"}", true));
    cache_publish_one(f, "spectre", 1, "d2", 99);
    cache_say(f, (struct cache_status){.id = "spectre", .generation = 1, .as_of_us = T0 - S});
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, ALL_TIME, T0, DEVICES("d1"));
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_EXACT);
}

static void test_board_cache__a_collector_that_is_not_heard_must_have_been_loaded(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 3, 2, T0, ""}};
    static const char *const loaded[] = {"", "\"b\":1", "\"c\":2", "\"b\":2", "\"c\":1,\"b\":7"};
    struct board_cache_fixture *f = *state;
    struct boards_merged merged;

    for (size_t i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++) {
        cache_pass(f, GRID);
        cache_publish_one(f, "a", 1, "d1", 5);
        cache_say(f, (struct cache_status){.id = "a", .generation = 1, .loaded = loaded[i]});
        cache_weigh(f, rows, 2);
        assert_int_equal(cache_merge(f, ALL_TIME, 10, &merged),
                         i < 3 ? WEIGHED_UNCOVERED : WEIGHED_EXACT);
    }
}

/* A load ends between the question and its answer: what was loaded then is not in these boards. */
static void test_board_cache__what_is_loaded_belongs_to_the_boards_of_its_status(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 1, T0, ""}};
    struct board_cache_fixture *f = *state;
    uint64_t mark;

    cache_live(f, "a", "d1");
    mark = board_cache_mark(f->cache);
    cache_pass(f, GRID);
    cache_publish_one(f, "a", 2, "d2", 6);
    cache_say(f, (struct cache_status){.id = "a", .generation = 2, .loaded = "\"b\":1"});
    board_cache_weigh(f->cache, rows, 2, mark, f->now_ms);
    cache_assert_sql(f, ALL_TIME, WEIGHED_UNCOVERED);
    cache_weigh(f, rows, 2);
    cache_assert_merged(f, ALL_TIME, T0 + GRID, DEVICES("d2"));
}

static void test_board_cache__who_has_stored_nothing_need_not_be_loaded(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 0, INT64_MAX, ""}};
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, rows, 2);
    cache_assert_merged(f, ALL_TIME, T0, DEVICES("d1"));
}

static void test_board_cache__who_is_gone_matters_until_his_readings_have_aged(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 2, T0 - 60 * S, ""}};
    static const struct roster_row later[] = {{"a", 1, 9, T0, ""},
                                              {"b", 1, 2, T0 - 60 * S + 1, ""}};
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, rows, 2);
    cache_assert_merged(f, MINUTE, T0,
                        DEVICES("d1")); /* its start does not belong to an interval */
    cache_assert_sql(f, HOUR, WEIGHED_UNCOVERED);
    cache_assert_sql(f, ALL_TIME, WEIGHED_UNCOVERED);
    cache_weigh(f, later, 2);
    cache_assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
}

/* The session was lost unnoticed, another process of that id stores: the first still says live. */
static void test_board_cache__a_status_of_another_turn_is_not_merged(void **state)
{
    static const struct roster_row rows[] = {{"a", 2, 9, T0, ""}};
    static const struct roster_row with_b[] = {{"a", 2, 9, T0, ""}, {"b", 1, 9, T0, ""}};
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, rows, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_live(f, "b", "d2");
    cache_weigh(f, with_b, 2);
    cache_assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .turn = 2});
    cache_weigh(f, with_b, 2);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1", "d2"));
}

static void test_board_cache__a_status_of_another_database_is_not_merged(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, "ours"}};
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .installation = "theirs"});
    cache_weigh(f, rows, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .installation = "ours"});
    cache_weigh(f, rows, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

static void test_board_cache__while_a_collector_warms_sql_answers_and_says_so(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_say(f, (struct cache_status){.id = "b", .state = "warming", .loaded = "\"a\":9"});
    cache_weigh(f, a_and_b, 2);
    cache_assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_WARMING);
    cache_live(f, "b", "d2");
    cache_weigh(f, a_and_b, 2);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1", "d2"));
}

/* It has lost the database and holds what it has received: that will be stored, and was received
 * before the moment of the other's boards. */
static void test_board_cache__who_is_there_and_vouches_for_nothing_makes_sql_answer(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 2, T0 - 90 * S, ""}};
    static const struct roster_row new_b[] = {{"a", 1, 9, T0, ""}, {"b", 1, 0, INT64_MIN, ""}};
    static const char *const states[] = {"degraded", "unknown", "stopped", "lost"};
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        cache_say(f, (struct cache_status){.id = "a", .generation = 1, .loaded = "\"b\":2"});
        cache_say(f, (struct cache_status){.id = "b", .state = states[i]});
        for (int j = 0; j < 2; j++) {
            cache_weigh(f, j == 0 ? rows : new_b, 2);
            if (i < 2)
                cache_assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
            else
                cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
        }
        assert_int_equal(board_cache_verdict(f->cache, f->now_ms),
                         i < 2 ? WEIGHED_UNSETTLED : WEIGHED_EXACT);
    }
    cache_say(f, (struct cache_status){.id = "b", .state = "degraded"});
    cache_pass(f, 3 * S);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .loaded = "\"b\":2"});
    cache_weigh(f, rows, 2);
    cache_assert_merged(f, MINUTE, T0 + 3 * S, DEVICES("d1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_board_cache__answers_once_the_database_knows_the_collectors),
        TEST(test_board_cache__a_set_is_current_while_its_collectors_are_live),
        TEST(test_board_cache__a_set_ages_without_the_database),
        TEST(test_board_cache__what_has_come_counts_when_it_is_weighed),
        TEST(test_board_cache__a_status_is_not_weighed_against_an_older_question),
        TEST(test_board_cache__a_retained_status_counts_by_its_age),
        TEST(test_board_cache__a_moment_to_come_is_not_believed),
        TEST(test_board_cache__who_is_not_in_the_table_does_not_matter),
        TEST(test_board_cache__a_collector_that_is_not_heard_must_have_been_loaded),
        TEST(test_board_cache__what_is_loaded_belongs_to_the_boards_of_its_status),
        TEST(test_board_cache__who_has_stored_nothing_need_not_be_loaded),
        TEST(test_board_cache__who_is_gone_matters_until_his_readings_have_aged),
        TEST(test_board_cache__a_status_of_another_turn_is_not_merged),
        TEST(test_board_cache__a_status_of_another_database_is_not_merged),
        TEST(test_board_cache__while_a_collector_warms_sql_answers_and_says_so),
        TEST(test_board_cache__who_is_there_and_vouches_for_nothing_makes_sql_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
