/* Boards of several collectors: of which moment they are whole, and that merging equals ranking
 * everything. Each part of the rule (weighing.h) has a test that fails without it. */
#include "httpapi/board_cache.h"

#include "httpapi/speakers.h"
#include "shared/base/random.h"
#include "shared/base/timestamp.h"

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
#define GRID BOARD_GRID_US
#define MINUTE 0 /* positions of the default intervals */
#define HOUR 1
#define ALL_TIME 2

#define ALL_INTERVALS                                                                              \
    "{\"name\":\"past_minute\",\"lengthMs\":60000},{\"name\":\"past_hour\",\"lengthMs\":3600000}," \
    "{\"name\":\"all_time\",\"lengthMs\":null}"

static struct features features;
static struct intervals intervals;

struct fixture {
    struct board_cache *cache;
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
        .cache = board_cache_new(&features, &intervals), .now_ms = 100000, .now_us = T0};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    board_cache_free(f->cache);
    return 0;
}

static void pass(struct fixture *f, int64_t us)
{
    f->now_us += us;
    f->now_ms += (uint64_t)us / 1000;
}

static bool take(struct fixture *f, const char *topic, const char *payload, bool is_retained)
{
    return board_cache_take(f->cache, topic, payload, strlen(payload), is_retained, f->now_us,
                            f->now_ms);
}

/* A status, with what a test leaves out filled in: live, turn 1, as of now, one generation for all
 * six boards. */
struct said {
    const char *id;
    const char *state;
    int64_t turn;
    int64_t since_us;
    int64_t as_of_us;
    int64_t generation;
    size_t limit;
    const char *features;  /* as JSON, without brackets */
    const char *intervals; /* the same */
    size_t boards;
    const char *loaded; /* the same, without braces */
    bool is_retained;
    const char *installation;
};

static void say(struct fixture *f, struct said said)
{
    char topic[128];
    char json[2048];
    char as_of[TIMESTAMP_TEXT_SIZE];
    char since[TIMESTAMP_TEXT_SIZE];
    int used;

    timestamp_format(as_of, said.as_of_us ? said.as_of_us : board_as_of(f->now_us));
    timestamp_format(since, said.since_us   ? said.since_us
                            : said.as_of_us ? said.as_of_us
                                            : board_as_of(f->now_us));
    snprintf(topic, sizeof(topic), "collectors/%s/status", said.id);
    used = snprintf(json, sizeof(json),
                    "{\"state\":\"%s\",\"turn\":%d,\"asOf\":\"%s\",\"since\":\"%s\",\"limit\":%zu,"
                    "\"features\":[%s],\"lowest\":false,\"intervals\":[%s],\"loaded\":{%s},"
                    "\"installation\":\"%s\",\"generations\":[",
                    said.state ? said.state : "live", said.turn ? (int)said.turn : 1, as_of, since,
                    said.limit ? said.limit : 10,
                    said.features ? said.features : "\"temperature\",\"pressure\"",
                    said.intervals ? said.intervals : ALL_INTERVALS, said.loaded ? said.loaded : "",
                    said.installation ? said.installation : "");
    for (size_t i = 0; i < (said.boards ? said.boards : 6); i++)
        used += snprintf(json + used, sizeof(json) - (size_t)used, "%s%lld", i > 0 ? "," : "",
                         (long long)said.generation);
    snprintf(json + used, sizeof(json) - (size_t)used, "]}");
    assert_true(take(f, topic, json, said.is_retained));
}

static void take_board(struct fixture *f, const char *id, const char *interval, int64_t generation,
                       const struct board_entry *entries, size_t count)
{
    struct buffer topic = {0};
    struct buffer json = {0};

    board_topic(&topic, id, "temperature", interval, ORDER_HIGHEST);
    board_write(&json, &features,
                &(struct board_head){.feature = "temperature",
                                     .interval = interval,
                                     .order = ORDER_HIGHEST,
                                     .as_of_us = board_as_of(f->now_us),
                                     .generation = generation,
                                     .is_exact = true},
                entries, count);
    assert_true(take(f, buffer_text(&topic), buffer_text(&json), true));
    buffer_release(&topic);
    buffer_release(&json);
}

/* Boards of one entry, over each interval. */
static void take_one(struct fixture *f, const char *id, int64_t generation, const char *device,
                     double value)
{
    union reading_storage storage = {0};
    struct board_entry entry = {.device_id = device, .reading = &storage.reading};

    storage.reading.recorded_at_us = T0 - S;
    storage.reading.values[0] = value;
    storage.reading.values[1] = 1;
    for (size_t i = 0; i < intervals.count; i++)
        take_board(f, id, intervals.items[i].name, generation, &entry, 1);
}

/* A collector with one board, that says so. */
static void live(struct fixture *f, const char *id, const char *device)
{
    take_one(f, id, 1, device, 5);
    say(f, (struct said){.id = id, .generation = 1});
}

/* The database's answer to a question that was asked now. */
static void weigh(struct fixture *f, const struct roster_row *rows, size_t count)
{
    board_cache_weigh(f->cache, rows, count, board_cache_mark(f->cache), f->now_ms);
}

static enum weighing_verdict merge(struct fixture *f, size_t interval, size_t limit,
                                   struct boards_merged *out)
{
    return board_cache_merge(f->cache, BOARD_SET_CURRENT, 0, interval, ORDER_HIGHEST, limit,
                             f->now_ms, out);
}

static void assert_merged(struct fixture *f, size_t interval, int64_t as_of_us,
                          const char *const *devices, size_t count)
{
    struct boards_merged merged;

    assert_int_equal(merge(f, interval, 10, &merged), WEIGHED_EXACT);
    assert_true(merged.as_of_us == as_of_us);
    assert_int_equal(merged.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(merged.entries[i].device_id, devices[i]);
}

static void assert_sql(struct fixture *f, size_t interval, enum weighing_verdict verdict)
{
    struct boards_merged merged;

    assert_int_equal(merge(f, interval, 10, &merged), verdict);
}

#define DEVICES(...)                                                                               \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static const struct roster_row only_a[] = {{"a", 1, 9, T0, ""}};
static const struct roster_row a_and_b[] = {{"a", 1, 9, T0, ""}, {"b", 1, 9, T0, ""}};

/* ---- when ----------------------------------------------------------------------------------- */

static void test_board_cache__answers_once_the_database_knows_the_collectors(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_UNKNOWN);
    live(f, "a", "d1");
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_EXACT);
}

static void test_board_cache__a_set_is_current_while_its_collectors_are_live(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    pass(f, 2900 * 1000);
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    pass(f, 100 * 1000);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    say(f, (struct said){.id = "a", .generation = 1});
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE); /* until that is weighed */
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0 + 3 * S, DEVICES("d1"));
    assert_true(take(f, "collectors/a/status", "{\"state\":\"lost\"}", true)); /* its will */
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static void test_board_cache__a_set_ages_without_the_database(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    for (int i = 0; i < 4; i++) {
        pass(f, S);
        say(f, (struct said){.id = "a", .generation = 1});
    }
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_UNKNOWN);
    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_EXACT);
    assert_true(merged.as_of_us == T0);
}

static void test_board_cache__what_has_come_counts_when_it_is_weighed(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    pass(f, GRID);
    take_one(f, "a", 2, "d2", 6);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    say(f, (struct said){.id = "a", .generation = 2});
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0 + GRID, DEVICES("d2"));
}

/* The table is asked, a status comes, the answer comes: it may be older than what the status says. */
static void test_board_cache__a_status_is_not_weighed_against_an_older_question(void **state)
{
    struct fixture *f = *state;
    uint64_t mark;

    live(f, "a", "d1");
    mark = board_cache_mark(f->cache);
    pass(f, GRID);
    take_one(f, "a", 2, "d2", 6);
    say(f, (struct said){.id = "a", .generation = 2});
    board_cache_weigh(f->cache, only_a, 1, mark, f->now_ms);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    board_cache_weigh(f->cache, only_a, 1, 0, f->now_ms);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static void test_board_cache__a_retained_status_counts_by_its_age(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;

    for (int64_t age_us = -4 * S; age_us <= 4 * S; age_us += S) {
        bool is_young = age_us > -3 * S && age_us < 3 * S;

        board_cache_forget(f->cache);
        take_one(f, "a", 1, "d1", 5);
        say(f, (struct said){
                   .id = "a", .generation = 1, .as_of_us = T0 - age_us, .is_retained = true});
        weigh(f, only_a, 1);
        assert_int_equal(merge(f, MINUTE, 10, &merged),
                         is_young ? WEIGHED_EXACT : WEIGHED_NOT_LIVE);
    }
}

static void test_board_cache__a_moment_to_come_is_not_believed(void **state)
{
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    say(f, (struct said){.id = "a", .generation = 1, .as_of_us = T0 + 4 * S});
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    say(f, (struct said){.id = "a", .generation = 1});
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

/* ---- who ------------------------------------------------------------------------------------ */

static void test_board_cache__who_is_not_in_the_table_does_not_matter(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    assert_true(take(f, "collectors/ghost/status", "{\"state\":\"warming\"}", true));
    take_one(f, "spectre", 1, "d2", 99);
    say(f, (struct said){.id = "spectre", .generation = 1, .as_of_us = T0 - S});
    weigh(f, only_a, 1);
    assert_merged(f, ALL_TIME, T0, DEVICES("d1"));
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_EXACT);
}

static void test_board_cache__a_collector_that_is_not_heard_must_have_been_loaded(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 3, 2, T0, ""}};
    static const char *const loaded[] = {"", "\"b\":1", "\"c\":2", "\"b\":2", "\"c\":1,\"b\":7"};
    struct fixture *f = *state;
    struct boards_merged merged;

    for (size_t i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++) {
        pass(f, GRID);
        take_one(f, "a", 1, "d1", 5);
        say(f, (struct said){.id = "a", .generation = 1, .loaded = loaded[i]});
        weigh(f, rows, 2);
        assert_int_equal(merge(f, ALL_TIME, 10, &merged),
                         i < 3 ? WEIGHED_UNCOVERED : WEIGHED_EXACT);
    }
}

/* A load ends between the question and its answer: what was loaded then is not in these boards. */
static void test_board_cache__what_is_loaded_belongs_to_the_boards_of_its_status(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 1, T0, ""}};
    struct fixture *f = *state;
    uint64_t mark;

    live(f, "a", "d1");
    mark = board_cache_mark(f->cache);
    pass(f, GRID);
    take_one(f, "a", 2, "d2", 6);
    say(f, (struct said){.id = "a", .generation = 2, .loaded = "\"b\":1"});
    board_cache_weigh(f->cache, rows, 2, mark, f->now_ms);
    assert_sql(f, ALL_TIME, WEIGHED_UNCOVERED);
    weigh(f, rows, 2);
    assert_merged(f, ALL_TIME, T0 + GRID, DEVICES("d2"));
}

static void test_board_cache__who_has_stored_nothing_need_not_be_loaded(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 0, INT64_MAX, ""}};
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, rows, 2);
    assert_merged(f, ALL_TIME, T0, DEVICES("d1"));
}

static void test_board_cache__who_is_gone_matters_until_his_readings_have_aged(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 2, T0 - 60 * S, ""}};
    static const struct roster_row later[] = {{"a", 1, 9, T0, ""},
                                              {"b", 1, 2, T0 - 60 * S + 1, ""}};
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, rows, 2);
    assert_merged(f, MINUTE, T0, DEVICES("d1")); /* its start does not belong to an interval */
    assert_sql(f, HOUR, WEIGHED_UNCOVERED);
    assert_sql(f, ALL_TIME, WEIGHED_UNCOVERED);
    weigh(f, later, 2);
    assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
}

/* The session was lost unnoticed, another process of that id stores: the first still says live. */
static void test_board_cache__a_status_of_another_turn_is_not_merged(void **state)
{
    static const struct roster_row rows[] = {{"a", 2, 9, T0, ""}};
    static const struct roster_row with_b[] = {{"a", 2, 9, T0, ""}, {"b", 1, 9, T0, ""}};
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, rows, 1);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    live(f, "b", "d2");
    weigh(f, with_b, 2);
    assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
    say(f, (struct said){.id = "a", .generation = 1, .turn = 2});
    weigh(f, with_b, 2);
    assert_merged(f, MINUTE, T0, DEVICES("d1", "d2"));
}

static void test_board_cache__a_status_of_another_database_is_not_merged(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, "ours"}};
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    say(f, (struct said){.id = "a", .generation = 1, .installation = "theirs"});
    weigh(f, rows, 1);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    say(f, (struct said){.id = "a", .generation = 1, .installation = "ours"});
    weigh(f, rows, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

static void test_board_cache__while_a_collector_warms_sql_answers_and_says_so(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    say(f, (struct said){.id = "b", .state = "warming", .loaded = "\"a\":9"});
    weigh(f, a_and_b, 2);
    assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_WARMING);
    live(f, "b", "d2");
    weigh(f, a_and_b, 2);
    assert_merged(f, MINUTE, T0, DEVICES("d1", "d2"));
}

/* It has lost the database and holds what it has received: that will be stored, and was received
 * before the moment of the other's boards. */
static void test_board_cache__who_is_there_and_vouches_for_nothing_makes_sql_answer(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 2, T0 - 90 * S, ""}};
    static const struct roster_row new_b[] = {{"a", 1, 9, T0, ""}, {"b", 1, 0, INT64_MIN, ""}};
    static const char *const states[] = {"degraded", "unknown", "stopped", "lost"};
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        say(f, (struct said){.id = "a", .generation = 1, .loaded = "\"b\":2"});
        say(f, (struct said){.id = "b", .state = states[i]});
        for (int j = 0; j < 2; j++) {
            weigh(f, j == 0 ? rows : new_b, 2);
            if (i < 2)
                assert_sql(f, MINUTE, WEIGHED_UNCOVERED);
            else
                assert_merged(f, MINUTE, T0, DEVICES("d1"));
        }
        assert_int_equal(board_cache_verdict(f->cache, f->now_ms),
                         i < 2 ? WEIGHED_UNSETTLED : WEIGHED_EXACT);
    }
    say(f, (struct said){.id = "b", .state = "degraded"});
    pass(f, 3 * S);
    say(f, (struct said){.id = "a", .generation = 1, .loaded = "\"b\":2"});
    weigh(f, rows, 2);
    assert_merged(f, MINUTE, T0 + 3 * S, DEVICES("d1"));
}

/* ---- which moment --------------------------------------------------------------------------- */

static void test_board_cache__the_moment_is_the_latest_that_all_vouch_for(void **state)
{
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    say(f, (struct said){
               .id = "a", .generation = 1, .since_us = T0 - 9 * GRID, .as_of_us = T0 - 3 * GRID});
    take_one(f, "a", 2, "d2", 6);
    say(f, (struct said){.id = "a", .generation = 2, .since_us = T0 - 2 * GRID, .as_of_us = T0});
    take_one(f, "b", 1, "d3", 7);
    say(f, (struct said){.id = "b", .generation = 1, .as_of_us = T0 - 4 * GRID});
    weigh(f, a_and_b, 2);
    assert_merged(f, ALL_TIME, T0 - 4 * GRID, DEVICES("d3", "d1")); /* a's board of that moment */
    say(f, (struct said){
               .id = "b", .generation = 1, .as_of_us = T0 + GRID, .since_us = T0 - 4 * GRID});
    weigh(f, a_and_b, 2);
    assert_merged(f, ALL_TIME, T0, DEVICES("d3", "d2"));
}

static void test_board_cache__moments_that_nobody_shares_are_none(void **state)
{
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    say(f, (struct said){.id = "a", .generation = 1, .as_of_us = T0});
    take_one(f, "b", 1, "d2", 5);
    say(f, (struct said){.id = "b", .generation = 1, .as_of_us = T0 - GRID});
    say(f, (struct said){.id = "b", .generation = 1, .as_of_us = T0 + GRID});
    weigh(f, a_and_b, 2);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms), WEIGHED_APART);
}

static void test_board_cache__spans_are_bounded(void **state)
{
    struct fixture *f = *state;

    take_one(f, "a", 1, "d1", 5);
    for (int i = 0; i < 10 * BOARD_CACHE_SPANS_MAX; i++)
        say(f, (struct said){.id = "a", .generation = 1, .as_of_us = T0 - GRID + i % 2 * GRID});
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

/* ---- which boards --------------------------------------------------------------------------- */

static void test_board_cache__a_board_that_was_lost_on_the_way_makes_sql_answer(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    pass(f, GRID);
    say(f, (struct said){.id = "a", .generation = 2});
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    assert_true(board_cache_lacks_board(f->cache, f->now_ms));
    take_one(f, "a", 2, "d2", 6); /* retained: it comes with the next subscription */
    assert_merged(f, MINUTE, T0 + GRID, DEVICES("d2"));
}

static void test_board_cache__a_board_that_nobody_vouches_for_makes_sql_answer(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    pass(f, GRID);
    say(f, (struct said){.id = "a", .generation = 0});
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    assert_false(board_cache_lacks_board(f->cache, f->now_ms));
}

static void test_board_cache__what_a_collector_no_longer_keeps_is_not_answered(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    say(f, (struct said){.id = "a", .generation = 1, .features = "\"pressure\"", .boards = 3});
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_INCOMPLETE);
    say(f, (struct said){.id = "a",
                         .generation = 1,
                         .intervals = "{\"name\":\"past_minute\",\"lengthMs\":30000},"
                                      "{\"name\":\"past_hour\",\"lengthMs\":3600000}",
                         .boards = 4});
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_INCOMPLETE); /* of another length */
    assert_sql(f, ALL_TIME, WEIGHED_INCOMPLETE);
    assert_merged(f, HOUR, T0, DEVICES("d1"));
}

static void test_board_cache__more_than_a_full_board_holds_needs_sql(void **state)
{
    struct fixture *f = *state;
    struct boards_merged merged;
    union reading_storage storage = {0};
    struct board_entry entries[] = {{"d1", &storage.reading}, {"d2", &storage.reading}};

    storage.reading.recorded_at_us = T0;
    take_board(f, "a", "past_minute", 1, entries, 2);
    say(f, (struct said){.id = "a", .generation = 1, .limit = 2});
    weigh(f, only_a, 1);
    assert_int_equal(merge(f, MINUTE, 2, &merged), WEIGHED_EXACT);
    assert_int_equal(merge(f, MINUTE, 3, &merged), WEIGHED_INCOMPLETE);
    take_board(f, "a", "past_minute", 2, entries, 1); /* not full: there is no more */
    say(f, (struct said){.id = "a", .generation = 2, .limit = 2});
    weigh(f, only_a, 1);
    assert_int_equal(merge(f, MINUTE, 3, &merged), WEIGHED_EXACT);
}

static void test_board_cache__the_last_whole_set_stands_when_all_are_gone(void **state)
{
    static const struct roster_row rows[] = {{"a", 1, 9, T0, ""}, {"b", 1, 1, T0, ""}};
    struct fixture *f = *state;
    struct boards_merged merged;

    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_UNCOVERED);
    assert_true(board_cache_as_of(f->cache) == INT64_MIN);
    live(f, "a", "d1");
    weigh(f, only_a, 1);
    pass(f, GRID);
    say(f, (struct said){.id = "a", .generation = 1});
    weigh(f, rows, 2); /* lacks readings of another collector: it does not replace the first */
    board_cache_forget(f->cache);
    pass(f, 90 * S); /* nothing expires past a time that does not go on */
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_merge(f->cache, BOARD_SET_STANDING, 0, MINUTE, ORDER_HIGHEST, 10,
                                       f->now_ms, &merged),
                     WEIGHED_EXACT);
    assert_true(merged.as_of_us == T0 && board_cache_as_of(f->cache) == T0);
    assert_string_equal(merged.entries[0].device_id, "d1");
}

/* ---- messages ------------------------------------------------------------------------------- */

static void test_board_cache__odd_messages_are_counted_and_change_nothing(void **state)
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
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"generation\":1,\"readings\":[]}"},
        {"collectors/a/boards/temperature/past_minute/lowest",
         "{\"feature\":\"temperature\",\"interval\":\"past_minute\",\"order\":\"desc\","
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"generation\":1,\"readings\":[]}"},
        {"collectors/a/boards/temperature/past_minute", /* an entry without a temperature */
         "{\"feature\":\"temperature\",\"interval\":\"past_minute\",\"order\":\"desc\","
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"generation\":1,\"readings\":[{\"deviceId\":\"d\","
         "\"timestamp\":\"2026-11-24T00:00:00Z\",\"pressure\":1}]}"},
        {"collectors/a/boards/temperature/past_minute", /* bytes after it */
         "{\"feature\":\"temperature\",\"interval\":\"past_minute\",\"order\":\"desc\","
         "\"asOf\":\"2026-11-24T00:00:00Z\",\"generation\":1,\"readings\":[]}]"},
    };
    struct fixture *f = *state;

    live(f, "a", "d1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (take(f, cases[i][0], cases[i][1], false))
            fail_msg("%s %s is accepted", cases[i][0], cases[i][1]);
    }
    assert_int_equal(board_cache_message_count(f->cache, true), sizeof(cases) / sizeof(cases[0]));
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    /* features and intervals that are not shown here are no fault of the collector's */
    assert_true(take(f, "collectors/a/boards/humidity/past_minute", "{}", false));
    assert_true(take(f, "collectors/a/boards/temperature/past_day", "{}", false));
}

static void test_board_cache__a_cleared_board_or_status_is_gone(void **state)
{
    struct fixture *f = *state;

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    assert_true(take(f, "collectors/a/boards/temperature/past_minute", "", true));
    assert_merged(f, MINUTE, T0, DEVICES("d1")); /* it was the board of that moment all the same */
    assert_true(take(f, "collectors/a/status", "", true));
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    weigh(f, only_a, 1);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static size_t collectors_shown(struct fixture *f)
{
    struct buffer json = {0};
    size_t count = 0;

    board_cache_write_collectors(f->cache, &json, f->now_ms);
    for (const char *at = buffer_text(&json); (at = strstr(at, "collectorId")); at++)
        count++;
    buffer_release(&json);
    return count;
}

/* Anybody may speak as any number of them. */
static void test_board_cache__a_crowd_of_strangers_takes_nobodys_place(void **state)
{
    struct fixture *f = *state;
    char topic[64];

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    for (int i = 0; i < 2 * STRANGERS_PER_SECOND; i++) {
        snprintf(topic, sizeof(topic), "collectors/c%d/status", i);
        assert_int_equal(take(f, topic, "{\"state\":\"warming\"}", false),
                         i < STRANGERS_PER_SECOND);
    }
    assert_int_equal(collectors_shown(f), BOARD_CACHE_COLLECTORS_MAX);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
    pass(f, BOARD_CACHE_LIVE_MS * INT64_C(1000));
    take(f, "collectors/c/status", "{\"state\":\"warming\"}", false);
    assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_WARMING, f->now_ms), 1);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms),
                     WEIGHED_NOT_LIVE); /* no stranger's */
}

/* Boards as large as they get, of unknown collectors, under a new generation each time. */
static void test_board_cache__what_is_kept_of_strangers_is_bounded(void **state)
{
    enum { COLLECTORS = 10, BOARDS = COLLECTORS * 40 }; /* without a limit, 130 MB */
    struct fixture *f = *state;
    struct buffer json = {0};
    char topic[128];
    char id[16];

    live(f, "a", "d1");
    weigh(f, only_a, 1);
    for (int n = 0; n < BOARDS; n++) {
        f->now_ms += n % 100 == 99 ? 1000 : 0; /* so that all of it is read */
        buffer_clear(&json);
        buffer_printf(&json,
                      "{\"feature\":\"pressure\",\"interval\":\"all_time\",\"order\":\"desc\","
                      "\"asOf\":\"2026-11-24T00:00:00Z\",\"generation\":%d,\"readings\":[",
                      n + 1);
        for (int i = 0; i < BOARD_ENTRIES_MAX; i++)
            buffer_printf(&json,
                          "%s{\"deviceId\":\"%d\",\"timestamp\":\"2026-11-24T00:00:00Z\","
                          "\"pressure\":1}",
                          i > 0 ? "," : "", i);
        buffer_put_text(&json, "]}");
        snprintf(id, sizeof(id), "c%d", n % COLLECTORS);
        snprintf(topic, sizeof(topic), "collectors/%s/boards/pressure/all_time", id);
        assert_true(take(f, topic, buffer_text(&json), false));
        say(f, (struct said){.id = id, .generation = n + 1});
        assert_true(board_cache_kept_bytes(f->cache) < STRANGERS_KEEP_MOST + 1024 * 1024);
    }
    buffer_release(&json);
    live(f, "a", "d1");
    weigh(f, only_a, 1);
    assert_merged(f, MINUTE, T0, DEVICES("d1"));
}

static void test_board_cache__what_is_of_a_moment_to_come_is_not_taken(void **state)
{
    static const struct {
        const char *as_of;
        const char *recorded_at;
        bool is_taken;
    } cases[] = {
        {"2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", true},
        {"2026-11-24T12:00:02Z", "2026-11-25T11:59:59Z", true}, /* FUTURE_TOLERANCE=1d */
        {"2026-11-24T00:00:00Z", "2026-11-25T12:00:04Z", false},
        {"2026-11-24T12:00:04Z", "2026-11-24T00:00:00Z", false},
        {"9999-12-31T23:59:59Z", "2026-11-24T00:00:00Z", false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[400];

        snprintf(json, sizeof(json),
                 "{\"feature\":\"pressure\",\"interval\":\"all_time\",\"order\":\"desc\","
                 "\"asOf\":\"%s\",\"readings\":[{\"deviceId\":\"d\",\"timestamp\":\"%s\","
                 "\"pressure\":1}]}",
                 cases[i].as_of, cases[i].recorded_at);
        if (take(f, "collectors/a/boards/pressure/all_time", json, false) != cases[i].is_taken)
            fail_msg("case %zu", i);
    }
    assert_string_equal(board_cache_fault(f->cache), "it is of a moment to come");
    /* of a status any moment that it names */
    assert_true(take(f, "collectors/a/status",
                     "{\"state\":\"live\",\"startedAt\":\"2026-11-24T12:00:02Z\"}", false));
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_LIVE, f->now_ms), 1);
    assert_true(take(f, "collectors/a/status",
                     "{\"state\":\"live\",\"startedAt\":\"2026-11-24T12:00:04Z\"}", false));
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_LIVE, f->now_ms), 0);
}

static void test_board_cache__what_collectors_say_is_shown_under_their_topics_name(void **state)
{
    struct fixture *f = *state;
    struct buffer json = {0};

    assert_true(take(f, "collectors/a/status",
                     "{\"state\":\"stopped\",\"collectorId\":\"liar\",\"isLive\":true,\"x\":1,"
                     "\"devices\":3}",
                     false));
    board_cache_write_collectors(f->cache, &json, f->now_ms);
    assert_string_equal(buffer_text(&json), "[{\"collectorId\":\"a\",\"isLive\":false,"
                                            "\"state\":\"stopped\",\"devices\":3}]");
    buffer_release(&json);
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

            say(f, (struct said){.id = ids[c], .generation = (int64_t)seed, .limit = limit});
            take_board(f, ids[c], "past_minute", (int64_t)seed, shares[c], count);
        }
        weigh(f, rows, COLLECTORS);
        expected = board_rank(all, READINGS, 0, ORDER_HIGHEST, limit);
        assert_int_equal(merge(f, MINUTE, limit, &merged), WEIGHED_EXACT);
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
        TEST(test_board_cache__the_moment_is_the_latest_that_all_vouch_for),
        TEST(test_board_cache__moments_that_nobody_shares_are_none),
        TEST(test_board_cache__spans_are_bounded),
        TEST(test_board_cache__a_board_that_was_lost_on_the_way_makes_sql_answer),
        TEST(test_board_cache__a_board_that_nobody_vouches_for_makes_sql_answer),
        TEST(test_board_cache__what_a_collector_no_longer_keeps_is_not_answered),
        TEST(test_board_cache__more_than_a_full_board_holds_needs_sql),
        TEST(test_board_cache__the_last_whole_set_stands_when_all_are_gone),
        TEST(test_board_cache__odd_messages_are_counted_and_change_nothing),
        TEST(test_board_cache__a_cleared_board_or_status_is_gone),
        TEST(test_board_cache__a_crowd_of_strangers_takes_nobodys_place),
        TEST(test_board_cache__what_is_kept_of_strangers_is_bounded),
        TEST(test_board_cache__what_is_of_a_moment_to_come_is_not_taken),
        TEST(test_board_cache__what_collectors_say_is_shown_under_their_topics_name),
        TEST(test_board_cache__merging_equals_ranking_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
