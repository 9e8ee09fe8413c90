/* Boards of several collectors: when they are exact, and that merging equals ranking everything. */
#include "httpapi/boards.h"

#include "shared/random.h"
#include "shared/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1795521600000000) /* 2026-11-24 */
#define S TIMESTAMP_US_PER_S
#define MINUTE 0 /* positions of the default intervals */
#define HOUR 1
#define ALL_TIME 2

static struct features features;
static struct intervals intervals;

struct fixture {
    struct boards *boards;
    uint64_t now_ms;
    int64_t now_us;
};

static int setup(void **state)
{
    static struct fixture fixture;
    char error[200];

    assert_true(features_parse(&features, FEATURES_DEFAULT, error, sizeof(error)));
    assert_true(intervals_parse(&intervals, INTERVALS_DEFAULT, error, sizeof(error)));
    fixture = (struct fixture){
        .boards = boards_new(&features, &intervals), .now_ms = 100000, .now_us = T0};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    boards_free(f->boards);
    return 0;
}

static void pass(struct fixture *f, int64_t us)
{
    f->now_us += us;
    f->now_ms += (uint64_t)us / 1000;
}

static bool take(struct fixture *f, const char *topic, const char *payload, bool is_retained)
{
    return boards_take(f->boards, topic, payload, strlen(payload), is_retained, f->now_us,
                       f->now_ms);
}

/* A status of now, with the moments given. */
static void take_status(struct fixture *f, const char *id, const char *state, int64_t as_of_us,
                        int64_t started_us, size_t limit)
{
    char topic[128];
    char json[512];
    char as_of[TIMESTAMP_TEXT_SIZE];
    char started[TIMESTAMP_TEXT_SIZE];

    timestamp_format(as_of, as_of_us);
    timestamp_format(started, started_us);
    snprintf(topic, sizeof(topic), "collectors/%s/status", id);
    snprintf(json, sizeof(json),
             "{\"state\":\"%s\",\"asOf\":\"%s\",\"startedAt\":\"%s\",\"limit\":%zu,\"intervals\":["
             "{\"name\":\"past_minute\",\"lengthMs\":60000},{\"name\":\"past_hour\",\"lengthMs\":"
             "3600000},{\"name\":\"all_time\",\"lengthMs\":null}]}",
             state, as_of, started, limit);
    assert_true(take(f, topic, json, false));
}

static void live(struct fixture *f, const char *id)
{
    take_status(f, id, "live", f->now_us, T0 - 10 * S, 10);
}

static void take_board(struct fixture *f, const char *id, const char *interval,
                       const struct board_entry *entries, size_t count)
{
    struct buffer topic = {0};
    struct buffer json = {0};

    board_topic(&topic, id, "temperature", interval, ORDER_HIGHEST);
    board_write(&json, &features,
                &(struct board_head){.feature = "temperature",
                                     .interval = interval,
                                     .order = ORDER_HIGHEST,
                                     .as_of_us = f->now_us,
                                     .is_exact = true},
                entries, count);
    assert_true(take(f, buffer_text(&topic), buffer_text(&json), true));
    buffer_release(&topic);
    buffer_release(&json);
}

/* One entry's board: device, value, moment. */
static void take_one(struct fixture *f, const char *id, const char *interval, const char *device,
                     double value, int64_t at_us)
{
    union reading_storage storage = {0};
    struct board_entry entry = {.device_id = device, .reading = &storage.reading};

    storage.reading.recorded_at_us = at_us;
    storage.reading.values[0] = value;
    storage.reading.values[1] = 1;
    take_board(f, id, interval, &entry, 1);
}

static enum boards_verdict merge(struct fixture *f, size_t interval, size_t limit,
                                 struct boards_merged *out)
{
    bool has_any;

    return boards_merge(f->boards, 0, interval, ORDER_HIGHEST, limit, f->now_ms, out, &has_any);
}

static void test_boards__are_exact_while_a_collector_says_so(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_NOT_LIVE);
    take_one(f, "a", "past_minute", "d1", 5, T0 - S);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_NOT_LIVE);
    live(f, "a");
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_true(merged.as_of_us == T0);
    assert_int_equal(merged.count, 1);
    assert_string_equal(merged.entries[0].device_id, "d1");
    pass(f, 2999 * 1000);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    pass(f, 1000);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_NOT_LIVE);
    live(f, "a");
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
}

static void test_boards__a_retained_status_counts_by_its_age(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;
    char json[128];
    char when[TIMESTAMP_TEXT_SIZE];

    take_one(f, "a", "past_minute", "d1", 5, T0 - S);
    for (int64_t age_us = -4 * S; age_us <= 4 * S; age_us += S) {
        bool is_young = age_us > -3 * S && age_us < 3 * S;

        timestamp_format(when, f->now_us - age_us);
        snprintf(json, sizeof(json), "{\"state\":\"live\",\"asOf\":\"%s\",\"limit\":10}", when);
        assert_true(take(f, "collectors/a/status", json, true));
        assert_int_equal(merge(f, MINUTE, 10, &merged), is_young ? BOARDS_EXACT : BOARDS_NOT_LIVE);
    }
    assert_true(take(f, "collectors/a/status", "{\"state\":\"live\",\"limit\":10}", true));
}

static void test_boards__a_warming_collector_makes_sql_answer(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    live(f, "a");
    take_one(f, "a", "past_minute", "d1", 5, T0 - S);
    take_status(f, "b", "warming", T0, T0, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_WARMING);
    take_status(f, "b", "live", T0, T0, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_INCOMPLETE); /* no board of b yet */
    take_one(f, "b", "past_minute", "d2", 6, T0 - S);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_int_equal(merged.count, 2);
}

static void test_boards__as_of_is_the_oldest_of_the_live_ones(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    take_one(f, "a", "past_minute", "d1", 5, T0 - S);
    take_one(f, "b", "past_minute", "d2", 5, T0 - S);
    take_status(f, "a", "live", T0 - 700000, T0 - 10 * S, 10);
    take_status(f, "b", "live", T0, T0 - 10 * S, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_true(merged.as_of_us == T0 - 700000);
}

static void test_boards__an_entry_that_left_the_interval_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    take_one(f, "a", "past_minute", "d1", 5, T0 - 60 * S);
    take_status(f, "a", "live", T0 - 1, T0 - 100 * S, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_int_equal(merged.count, 1);
    take_status(f, "a", "live", T0, T0 - 100 * S, 10); /* its start does not belong to a window */
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_int_equal(merged.count, 0);
}

static void test_boards__more_than_a_full_board_holds_needs_sql(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;
    union reading_storage storage = {0};
    struct board_entry entries[] = {{"d1", &storage.reading}, {"d2", &storage.reading}};

    storage.reading.recorded_at_us = T0;
    take_board(f, "a", "past_minute", entries, 2);
    take_status(f, "a", "live", T0, T0, 2);
    assert_int_equal(merge(f, MINUTE, 2, &merged), BOARDS_EXACT);
    assert_int_equal(merge(f, MINUTE, 3, &merged), BOARDS_INCOMPLETE);
    take_board(f, "a", "past_minute", entries, 1); /* not full: there is no more */
    assert_int_equal(merge(f, MINUTE, 3, &merged), BOARDS_EXACT);
}

static void test_boards__a_collector_that_is_gone_matters_until_its_readings_have_aged(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    take_one(f, "a", "past_minute", "d1", 5, T0);
    take_one(f, "a", "past_hour", "d1", 5, T0);
    take_one(f, "a", "all_time", "d1", 5, T0);
    take_status(f, "a", "live", T0, T0 - 100 * S, 10);
    take_status(f, "b", "live", T0, T0 - 100 * S, 10);
    take_status(f, "b", "stopped", T0, T0 - 100 * S, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_INCOMPLETE);
    pass(f, 61 * S);
    take_status(f, "a", "live", f->now_us, T0 - 100 * S, 10);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_int_equal(merge(f, HOUR, 10, &merged), BOARDS_INCOMPLETE);
    assert_int_equal(merge(f, ALL_TIME, 10, &merged), BOARDS_INCOMPLETE);
    /* one that started later has loaded what b stored */
    take_status(f, "a", "live", f->now_us, T0 + S, 10);
    assert_int_equal(merge(f, HOUR, 10, &merged), BOARDS_EXACT);
    assert_int_equal(merge(f, ALL_TIME, 10, &merged), BOARDS_EXACT);
    /* unless b was lost, and stored something after it last spoke */
    assert_true(take(f, "collectors/b/status", "{\"state\":\"lost\"}", true));
    assert_int_equal(merge(f, ALL_TIME, 10, &merged), BOARDS_INCOMPLETE);
    take_status(f, "a", "live", f->now_us, T0 + 4 * S, 10);
    assert_int_equal(merge(f, ALL_TIME, 10, &merged), BOARDS_EXACT);
}

static void test_boards__an_interval_of_another_length_is_not_ours(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;
    char json[256];
    char when[TIMESTAMP_TEXT_SIZE];

    take_one(f, "a", "past_minute", "d1", 5, T0);
    take_one(f, "a", "past_hour", "d1", 5, T0);
    timestamp_format(when, T0);
    snprintf(json, sizeof(json),
             "{\"state\":\"live\",\"asOf\":\"%s\",\"limit\":10,\"intervals\":["
             "{\"name\":\"past_minute\",\"lengthMs\":30000},"
             "{\"name\":\"past_hour\",\"lengthMs\":3600000}]}",
             when);
    assert_true(take(f, "collectors/a/status", json, false));
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_INCOMPLETE);
    assert_int_equal(merge(f, HOUR, 10, &merged), BOARDS_EXACT);
}

static void test_boards__what_is_known_is_there_when_nobody_is_live(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;
    bool has_any;

    boards_merge(f->boards, 0, MINUTE, ORDER_HIGHEST, 10, f->now_ms, &merged, &has_any);
    assert_false(has_any);
    take_one(f, "a", "past_minute", "d1", 5, T0);
    live(f, "a");
    pass(f, 30 * S);
    assert_int_equal(
        boards_merge(f->boards, 0, MINUTE, ORDER_HIGHEST, 10, f->now_ms, &merged, &has_any),
        BOARDS_NOT_LIVE);
    assert_true(has_any);
    assert_int_equal(merged.count, 1);
    assert_true(merged.as_of_us == T0);
}

static void test_boards__odd_messages_are_counted_and_change_nothing(void **state)
{
    static const char *const cases[][2] = {
        {"collectors/a/status", "nonsense"},
        {"collectors/a/status", "{\"state\":7}"},
        {"collectors/a/status", "[]"},
        {"collectors//status", "{\"state\":\"live\"}"},
        {"collectors/a", "{}"},
        {"collectors", "{}"},
        {"other/a/status", "{\"state\":\"live\"}"},
        {"collectors/a/boards", "{}"},
        {"collectors/a/boards/temperature/past_minute", "{}"},
        {"collectors/a/boards/temperature/past_minute", "{\"readings\":[]}"},
        {"collectors/a/boards/temperature/past_minute/highest", "{}"},
        {"collectors/a/boards/temperature/past_minute",
         "{\"feature\":\"pressure\",\"interval\":\"past_minute\",\"order\":\"desc\","
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"readings\":[]}"},
        {"collectors/a/boards/temperature/past_minute/lowest",
         "{\"feature\":\"temperature\",\"interval\":\"past_minute\",\"order\":\"desc\","
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"readings\":[]}"},
    };
    struct fixture *f = *state;
    struct boards_merged merged;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (take(f, cases[i][0], cases[i][1], false))
            fail_msg("%s %s is taken", cases[i][0], cases[i][1]);
    }
    assert_int_equal(boards_message_count(f->boards, true), sizeof(cases) / sizeof(cases[0]));
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_NOT_LIVE);
    /* features and intervals that nobody here asks for are no fault of the collector's */
    assert_true(take(f, "collectors/a/boards/humidity/past_minute", "{}", false));
    assert_true(take(f, "collectors/a/boards/temperature/past_day", "{}", false));
}

static void test_boards__a_cleared_board_or_status_is_gone(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    live(f, "a");
    take_one(f, "a", "past_minute", "d1", 5, T0);
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_EXACT);
    assert_true(take(f, "collectors/a/boards/temperature/past_minute", "", true));
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_INCOMPLETE);
    assert_true(take(f, "collectors/a/status", "", true));
    assert_int_equal(merge(f, MINUTE, 10, &merged), BOARDS_NOT_LIVE);
}

static void test_boards__a_crowd_of_collectors_is_bounded(void **state)
{
    struct fixture *f = *state;
    char topic[64];

    for (int i = 0; i < BOARDS_COLLECTORS_MAX + 10; i++) {
        snprintf(topic, sizeof(topic), "collectors/c%d/status", i);
        assert_int_equal(take(f, topic, "{\"state\":\"stopped\"}", false),
                         i < BOARDS_COLLECTORS_MAX);
    }
}

static void test_boards__what_collectors_say_is_shown_under_their_topics_name(void **state)
{
    struct fixture *f = *state;
    struct buffer json = {0};

    assert_true(take(f, "collectors/a/status",
                     "{\"state\":\"stopped\",\"collectorId\":\"liar\",\"isLive\":true,\"x\":1}",
                     false));
    boards_write_collectors(f->boards, &json, f->now_ms);
    assert_string_equal(buffer_text(&json), "[{\"collectorId\":\"a\",\"isLive\":false,"
                                            "\"state\":\"stopped\",\"x\":1}]");
    buffer_release(&json);
}

enum { READINGS = 200, COLLECTORS = 4 };

/* Every collector sees its share of the readings and publishes its exact top N; the merged board
 * must be the exact top N of all. */
static void test_boards__merging_equals_ranking_everything(void **state)
{
    static _Alignas(8) unsigned char memory[READINGS][64];
    static const char *const ids[COLLECTORS] = {"a", "b", "c", "d"};
    static const char *const devices[] = {"d0", "d1", "d2", "d3", "d4",  "d5",
                                          "d6", "d7", "d8", "d9", "d10", "d11"};
    struct fixture *f = *state;

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

            take_board(f, ids[c], "past_minute", shares[c], count);
            take_status(f, ids[c], "live", T0, T0, limit);
        }
        expected = board_rank(all, READINGS, 0, ORDER_HIGHEST, limit);
        assert_int_equal(merge(f, MINUTE, limit, &merged), BOARDS_EXACT);
        assert_int_equal(merged.count, expected);
        for (size_t i = 0; i < expected; i++) {
            assert_string_equal(merged.entries[i].device_id, all[i].device_id);
            assert_true(reading_equals(merged.entries[i].reading, all[i].reading, 2));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_boards__are_exact_while_a_collector_says_so),
        TEST(test_boards__a_retained_status_counts_by_its_age),
        TEST(test_boards__a_warming_collector_makes_sql_answer),
        TEST(test_boards__as_of_is_the_oldest_of_the_live_ones),
        TEST(test_boards__an_entry_that_left_the_interval_is_dropped),
        TEST(test_boards__more_than_a_full_board_holds_needs_sql),
        TEST(test_boards__a_collector_that_is_gone_matters_until_its_readings_have_aged),
        TEST(test_boards__an_interval_of_another_length_is_not_ours),
        TEST(test_boards__what_is_known_is_there_when_nobody_is_live),
        TEST(test_boards__odd_messages_are_counted_and_change_nothing),
        TEST(test_boards__a_cleared_board_or_status_is_gone),
        TEST(test_boards__a_crowd_of_collectors_is_bounded),
        TEST(test_boards__what_collectors_say_is_shown_under_their_topics_name),
        TEST(test_boards__merging_equals_ranking_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
