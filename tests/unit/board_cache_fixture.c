#include "tests/unit/board_cache_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct features cache_features;
struct intervals cache_intervals;

const struct roster_row only_a[1] = {{"a", 1, 9, T0, ""}};
const struct roster_row a_and_b[2] = {{"a", 1, 9, T0, ""}, {"b", 1, 9, T0, ""}};

int cache_setup(void **state)
{
    static struct board_cache_fixture fixture;
    char error[200];

    assert_true(features_parse(&cache_features, FEATURES_DEFAULT, error, sizeof(error)));
    assert_true(intervals_parse(&cache_intervals, INTERVALS_DEFAULT, error, sizeof(error)));
    fixture =
        (struct board_cache_fixture){.cache = board_cache_new(&cache_features, &cache_intervals),
                                     .now_ms = 100000,
                                     .now_us = T0};
    *state = &fixture;
    return 0;
}

int cache_teardown(void **state)
{
    struct board_cache_fixture *f = *state;

    board_cache_free(f->cache);
    return 0;
}

void cache_pass(struct board_cache_fixture *f, int64_t us)
{
    f->now_us += us;
    f->now_ms += (uint64_t)us / 1000;
}

bool cache_publish(struct board_cache_fixture *f, const char *topic, const char *payload,
                   bool is_retained)
{
    return board_cache_apply(f->cache, topic, payload, strlen(payload), is_retained, f->now_us,
                             f->now_ms);
}

void cache_say(struct board_cache_fixture *f, struct cache_status said)
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
    assert_true(cache_publish(f, topic, json, said.is_retained));
}

void cache_publish_board(struct board_cache_fixture *f, const char *id, const char *interval,
                         int64_t generation, const struct board_entry *entries, size_t count)
{
    struct buffer topic = {0};
    struct buffer json = {0};

    board_topic(&topic, id, "temperature", interval, ORDER_HIGHEST);
    board_write(&json, &cache_features,
                &(struct board_head){.feature = "temperature",
                                     .interval = interval,
                                     .order = ORDER_HIGHEST,
                                     .as_of_us = board_as_of(f->now_us),
                                     .generation = generation,
                                     .is_exact = true},
                entries, count);
    assert_true(cache_publish(f, buffer_text(&topic), buffer_text(&json), true));
    buffer_release(&topic);
    buffer_release(&json);
}

void cache_publish_one(struct board_cache_fixture *f, const char *id, int64_t generation,
                       const char *device, double value)
{
    union reading_storage storage = {0};
    struct board_entry entry = {.device_id = device, .reading = &storage.reading};

    storage.reading.recorded_at_us = T0 - S;
    storage.reading.values[0] = value;
    storage.reading.values[1] = 1;
    for (size_t i = 0; i < cache_intervals.count; i++)
        cache_publish_board(f, id, cache_intervals.items[i].name, generation, &entry, 1);
}

void cache_live(struct board_cache_fixture *f, const char *id, const char *device)
{
    cache_publish_one(f, id, 1, device, 5);
    cache_say(f, (struct cache_status){.id = id, .generation = 1});
}

void cache_weigh(struct board_cache_fixture *f, const struct roster_row *rows, size_t count)
{
    board_cache_weigh(f->cache, rows, count, board_cache_mark(f->cache), f->now_ms);
}

enum weighing_verdict cache_merge(struct board_cache_fixture *f, size_t interval, size_t limit,
                                  struct boards_merged *out)
{
    return board_cache_merge(f->cache, BOARD_SET_CURRENT, 0, interval, ORDER_HIGHEST, limit,
                             f->now_ms, out);
}

void cache_assert_merged(struct board_cache_fixture *f, size_t interval, int64_t as_of_us,
                         const char *const *devices, size_t count)
{
    struct boards_merged merged;

    assert_int_equal(cache_merge(f, interval, 10, &merged), WEIGHED_EXACT);
    assert_true(merged.as_of_us == as_of_us);
    assert_int_equal(merged.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(merged.entries[i].device_id, devices[i]);
}

void cache_assert_sql(struct board_cache_fixture *f, size_t interval, enum weighing_verdict verdict)
{
    struct boards_merged merged;

    assert_int_equal(cache_merge(f, interval, 10, &merged), verdict);
}
