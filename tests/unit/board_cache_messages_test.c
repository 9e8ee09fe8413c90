/* What is believed of what collectors publish, and what others may publish without harm. */
#include "tests/unit/board_cache_fixture.h"

#include "httpapi/speakers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cache_publish(f, cases[i][0], cases[i][1], false))
            fail_msg("%s %s is accepted", cases[i][0], cases[i][1]);
    }
    assert_int_equal(board_cache_message_count(f->cache, true), sizeof(cases) / sizeof(cases[0]));
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    /* features and intervals that are not shown here are no fault of the collector's */
    assert_true(cache_publish(f, "collectors/a/boards/humidity/past_minute", "{}", false));
    assert_true(cache_publish(f, "collectors/a/boards/temperature/past_day", "{}", false));
}

static void test_board_cache__a_cleared_board_or_status_is_gone(void **state)
{
    struct board_cache_fixture *f = *state;

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    assert_true(cache_publish(f, "collectors/a/boards/temperature/past_minute", "", true));
    cache_assert_merged(f, MINUTE, T0,
                        DEVICES("d1")); /* it was the board of that moment all the same */
    assert_true(cache_publish(f, "collectors/a/status", "", true));
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    cache_weigh(f, only_a, 1);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
}

static size_t collectors_shown(struct board_cache_fixture *f)
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
    struct board_cache_fixture *f = *state;
    char topic[64];

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    for (int i = 0; i < 2 * STRANGERS_PER_SECOND; i++) {
        snprintf(topic, sizeof(topic), "collectors/c%d/status", i);
        assert_int_equal(cache_publish(f, topic, "{\"state\":\"warming\"}", false),
                         i < STRANGERS_PER_SECOND);
    }
    assert_int_equal(collectors_shown(f), BOARD_CACHE_COLLECTORS_MAX);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
    cache_pass(f, BOARD_CACHE_LIVE_MS * INT64_C(1000));
    cache_publish(f, "collectors/c/status", "{\"state\":\"warming\"}", false);
    cache_assert_sql(f, MINUTE, WEIGHED_NOT_LIVE);
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_WARMING, f->now_ms), 1);
    assert_int_equal(board_cache_verdict(f->cache, f->now_ms),
                     WEIGHED_NOT_LIVE); /* no stranger's */
}

/* Boards as large as they get, of unknown collectors, under a new generation each time. */
static void test_board_cache__what_is_kept_of_strangers_is_bounded(void **state)
{
    enum { COLLECTORS = 10, BOARDS = COLLECTORS * 40 }; /* without a limit, 130 MB */
    struct board_cache_fixture *f = *state;
    struct buffer json = {0};
    char topic[128];
    char id[16];

    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
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
        assert_true(cache_publish(f, topic, buffer_text(&json), false));
        cache_say(f, (struct cache_status){.id = id, .generation = n + 1});
        assert_true(board_cache_kept_bytes(f->cache) < STRANGERS_KEEP_MOST + 1024 * 1024);
    }
    buffer_release(&json);
    cache_live(f, "a", "d1");
    cache_weigh(f, only_a, 1);
    cache_assert_merged(f, MINUTE, T0, DEVICES("d1"));
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
    struct board_cache_fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[400];

        snprintf(json, sizeof(json),
                 "{\"feature\":\"pressure\",\"interval\":\"all_time\",\"order\":\"desc\","
                 "\"asOf\":\"%s\",\"readings\":[{\"deviceId\":\"d\",\"timestamp\":\"%s\","
                 "\"pressure\":1}]}",
                 cases[i].as_of, cases[i].recorded_at);
        if (cache_publish(f, "collectors/a/boards/pressure/all_time", json, false) !=
            cases[i].is_taken)
            fail_msg("case %zu", i);
    }
    assert_string_equal(board_cache_fault(f->cache), "it is of a moment to come");
    /* of a status any moment that it names */
    assert_true(cache_publish(f, "collectors/a/status",
                              "{\"state\":\"live\",\"startedAt\":\"2026-11-24T12:00:02Z\"}",
                              false));
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_LIVE, f->now_ms), 1);
    assert_true(cache_publish(f, "collectors/a/status",
                              "{\"state\":\"live\",\"startedAt\":\"2026-11-24T12:00:04Z\"}",
                              false));
    assert_int_equal(board_cache_collector_count(f->cache, COLLECTOR_LIVE, f->now_ms), 0);
}

static void test_board_cache__what_collectors_say_is_shown_under_their_topics_name(void **state)
{
    struct board_cache_fixture *f = *state;
    struct buffer json = {0};

    assert_true(
        cache_publish(f, "collectors/a/status",
                      "{\"state\":\"stopped\",\"collectorId\":\"liar\",\"isLive\":true,\"x\":1,"
                      "\"devices\":3}",
                      false));
    board_cache_write_collectors(f->cache, &json, f->now_ms);
    assert_string_equal(buffer_text(&json), "[{\"collectorId\":\"a\",\"isLive\":false,"
                                            "\"state\":\"stopped\",\"devices\":3}]");
    buffer_release(&json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_board_cache__odd_messages_are_counted_and_change_nothing),
        TEST(test_board_cache__a_cleared_board_or_status_is_gone),
        TEST(test_board_cache__a_crowd_of_strangers_takes_nobodys_place),
        TEST(test_board_cache__what_is_kept_of_strangers_is_bounded),
        TEST(test_board_cache__what_is_of_a_moment_to_come_is_not_taken),
        TEST(test_board_cache__what_collectors_say_is_shown_under_their_topics_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
