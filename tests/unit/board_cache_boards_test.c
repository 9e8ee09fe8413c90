/* Which boards of several collectors make a whole, as of which time, and that merging them equals
 * ranking everything. */
#include "tests/unit/board_cache_fixture.h"

#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- as of when ----------------------------------------------------------------------------- */

static void test_board_cache__the_moment_is_the_latest_that_all_vouch_for(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    cache_say(
        f, (struct cache_status){
               .id = "a", .generation = 1, .since_us = T0 - 9 * GRID, .as_of_us = T0 - 3 * GRID});
    cache_publish_one(f, "a", 2, "d2", 6);
    cache_say(f, (struct cache_status){
                     .id = "a", .generation = 2, .since_us = T0 - 2 * GRID, .as_of_us = T0});
    cache_publish_one(f, "b", 1, "d3", 7);
    cache_say(f, (struct cache_status){.id = "b", .generation = 1, .as_of_us = T0 - 4 * GRID});
    cache_weigh(f, a_and_b, 2);
    cache_assert_merged(f, ALL_TIME, T0 - 4 * GRID,
                        DEVICES("d3", "d1")); /* a's board of that moment */
    cache_say(f, (struct cache_status){
                     .id = "b", .generation = 1, .as_of_us = T0 + GRID, .since_us = T0 - 4 * GRID});
    cache_weigh(f, a_and_b, 2);
    cache_assert_merged(f, ALL_TIME, T0, DEVICES("d3", "d2"));
}

static void test_board_cache__moments_that_nobody_shares_are_none(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .as_of_us = T0});
    cache_publish_one(f, "b", 1, "d2", 5);
    cache_say(f, (struct cache_status){.id = "b", .generation = 1, .as_of_us = T0 - GRID});
    cache_say(f, (struct cache_status){.id = "b", .generation = 1, .as_of_us = T0 + GRID});
    cache_weigh(f, a_and_b, 2);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_APART);
}

static void test_board_cache__spans_are_bounded(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_publish_one(f, "a", 1, "d1", 5);
    for (int i = 0; i < 10 * BOARD_CACHE_SPANS_MAX; i++)
        cache_say(f, (struct cache_status){
                         .id = "a", .generation = 1, .as_of_us = T0 - GRID + i % 2 * GRID});
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

/* ---- which boards --------------------------------------------------------------------------- */

static void test_board_cache__a_board_that_was_lost_on_the_way_makes_sql_answer(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_pass(f, GRID);
    cache_say(f, (struct cache_status){.id = "a", .generation = 2});
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    assert_true(board_cache_lacks_board(f->cache, f->now_ms));
    cache_publish_one(f, "a", 2, "d2", 6); /* retained: it comes with the next subscription */
    cache_assert_merged(f, MINUTE, T0 + GRID, DEVICES("d2"));
}

static void test_board_cache__a_board_that_nobody_vouches_for_makes_sql_answer(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_pass(f, GRID);
    cache_say(f, (struct cache_status){.id = "a", .generation = 0});
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    assert_false(board_cache_lacks_board(f->cache, f->now_ms));
}

static void test_board_cache__what_a_collector_no_longer_keeps_is_not_answered(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_say(f, (struct cache_status){
                     .id = "a", .generation = 1, .features = "\"pressure\"", .boards = 3});
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    cache_say(f, (struct cache_status){.id = "a",
                                       .generation = 1,
                                       .intervals = "{\"name\":\"past_minute\",\"lengthMs\":30000},"
                                                    "{\"name\":\"past_hour\",\"lengthMs\":3600000}",
                                       .boards = 4});
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_INCOMPLETE); /* of another length */
    cache_assert_sql(f, ALL_TIME, WEIGHED_INCOMPLETE);
    cache_assert_merged(f, HOUR, T0, DEVICES("d1"));
}

static void test_board_cache__more_than_a_full_board_holds_needs_sql(void **state)
{
    struct board_cache_fixture *f = *state;
    struct boards_merged merged;
    union reading_storage storage = {0};
    struct board_entry entries[] = {{"d1", &storage.reading}, {"d2", &storage.reading}};

    storage.reading.recorded_at_us = T0;
    cache_publish_board(f, "a", "past_minute", 1, entries, 2);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1, .limit = 2});
    cache_weigh(f, only_a, 1);
    assert_int_equal(cache_merge(f, MINUTE, 2, &merged), WEIGHED_EXACT);
    assert_int_equal(cache_merge(f, MINUTE, 3, &merged), WEIGHED_INCOMPLETE);
    cache_publish_board(f, "a", "past_minute", 2, entries, 1); /* not full: there is no more */
    cache_say(f, (struct cache_status){.id = "a", .generation = 2, .limit = 2});
    cache_weigh(f, only_a, 1);
    assert_int_equal(cache_merge(f, MINUTE, 3, &merged), WEIGHED_EXACT);
}

static void test_board_cache__the_last_whole_set_stands_when_all_are_gone(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 1, T0, ""}};
    struct board_cache_fixture *f = *state;
    struct boards_merged merged;

    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_UNCOVERED);
    assert_true(board_cache_as_of(f->cache) == INT64_MIN);
    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_pass(f, GRID);
    cache_say(f, (struct cache_status){.id = "a", .generation = 1});
    cache_weigh(f, rows,
                2); /* lacks readings of another collector: it does not replace the first */
    board_cache_forget(f->cache);
    cache_pass(f, 90 * S); /* nothing expires past a time that does not go on */
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_EXACT);
    assert_true(merged.as_of_us == T0 && board_cache_as_of(f->cache) == T0);
    assert_string_equal(merged.entries[0].device_id, "d1");
}

enum { READINGS = 200, COLLECTORS = 4 };

/* Every collector sees its share of the readings and publishes its exact top N; the merged board
 * must be the exact top N of all. */
static void test_board_cache__merging_equals_ranking_everything(void **state)
{
    static _Alignas(8) unsigned char memory[READINGS][64];
    static const char *const ids[COLLECTORS] = {"a", "b", "c", "d"};
    static const char *const devices[] = {"d0", "d1", "d2", "d3", "d4",  "d5",
                                          "d6", "d7", "d8", "d9", "d10", "d11"};
    static const struct roster_row rows[] = {
        {"a", 1, 9, T0, ""}, {"b", 1, 9, T0, ""}, {"c", 1, 9, T0, ""}, {"d", 1, 9, T0, ""}};
    struct board_cache_fixture *f = *state;

    assert_true(reading_size(2) <= sizeof(memory[0]));
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint64_t random = seed;
        struct board_entry all[READINGS];
        struct board_entry shares[COLLECTORS][READINGS];
        size_t counts[COLLECTORS] = {0};
        size_t limit = 1 + random_below(&random, 8);
        struct boards_merged merged;
        size_t expected;

        for (size_t i = 0; i < READINGS; i++) {
            struct reading *reading = (void *)memory[i];
            size_t share = random_below(&random, COLLECTORS);

            memset(memory[i], 0, sizeof(memory[i]));
            reading->recorded_at_us = T0 - (int64_t)random_below(&random, 5) * S;
            reading->status = (uint8_t)random_below(&random, STATUS_COUNT);
            reading->values[0] = (double)random_below(&random, 20);
            reading->values[1] = (double)random_below(&random, 3);
            reading->content_hash = (int64_t)random_next(&random);
            all[i] = (struct board_entry){devices[random_below(&random, 12)], reading};
            shares[share][counts[share]++] = all[i];
        }
        for (size_t c = 0; c < COLLECTORS; c++) {
            size_t count = board_rank(shares[c], counts[c], 0, ORDER_HIGHEST, limit);

            cache_say(f, (struct cache_status){
                             .id = ids[c], .generation = (int64_t)seed, .limit = limit});
            cache_publish_board(f, ids[c], "past_minute", (int64_t)seed, shares[c], count);
        }
        cache_weigh(f, rows, COLLECTORS);
        expected = board_rank(all, READINGS, 0, ORDER_HIGHEST, limit);
        assert_int_equal(cache_merge(f, MINUTE, limit, &merged), WEIGHED_EXACT);
        assert_int_equal(merged.count, expected);
        for (size_t i = 0; i < expected; i++) {
            assert_string_equal(merged.entries[i].device_id, all[i].device_id);
            assert_true(reading_equals(merged.entries[i].reading, all[i].reading, 2));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_board_cache__the_moment_is_the_latest_that_all_vouch_for),
        TEST(test_board_cache__moments_that_nobody_shares_are_none),
        TEST(test_board_cache__spans_are_bounded),
        TEST(test_board_cache__a_board_that_was_lost_on_the_way_makes_sql_answer),
        TEST(test_board_cache__a_board_that_nobody_vouches_for_makes_sql_answer),
        TEST(test_board_cache__what_a_collector_no_longer_keeps_is_not_answered),
        TEST(test_board_cache__more_than_a_full_board_holds_needs_sql),
        TEST(test_board_cache__the_last_whole_set_stands_when_all_are_gone),
        TEST(test_board_cache__merging_equals_ranking_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
