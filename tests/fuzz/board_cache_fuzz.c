/* Any bytes as a board or a status, over a broker that others may write to: nothing breaks, and
 * what collectors are said to have said is JSON. The first byte chooses the topic. */
#include "httpapi/board_cache.h"

#include "shared/model/json_walk.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct features features;
static struct intervals intervals;

static void merge_all(struct board_cache *cache, enum board_set set)
{
    for (size_t feature = 0; feature < features.count; feature++) {
        for (size_t interval = 0; interval < intervals.count; interval++) {
            for (int order = 0; order < ORDER_COUNT; order++) {
                struct boards_merged merged;

                if (board_cache_merge(cache, set, feature, interval, (enum sort_order)order, 10,
                                      100000, &merged) == WEIGHED_EXACT)
                    assert(merged.count <= 10);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const topics[] = {
        "collectors/a/status", "collectors/a/boards/temperature/past_minute",
        "collectors/a/boards/temperature/past_minute/lowest",
        "collectors/b/boards/pressure/all_time", "collectors/b/status"};
    static const char live[] =
        "{\"state\":\"live\",\"turn\":1,\"since\":\"2026-11-24T00:00:00Z\","
        "\"asOf\":\"2026-11-24T00:00:00Z\",\"limit\":10,\"features\":[\"pressure\"],"
        "\"intervals\":[{\"name\":\"all_time\",\"lengthMs\":null}],\"generations\":[1]}";
    static const struct roster_row rows[] = {{"a", 1, 0, 0, ""}, {"b", 1, 1, 0, ""}};
    const int64_t now_us = INT64_C(1795521600000000);
    char error[200];
    struct board_cache *cache;
    struct buffer json = {0};
    struct json_token parsed;

    if (features.count == 0) {
        features_parse(&features, FEATURES_DEFAULT, error, sizeof(error));
        intervals_parse(&intervals, INTERVALS_DEFAULT, error, sizeof(error));
    }
    if (bytes == 0)
        return 0;
    cache = board_cache_new(&features, &intervals);
    board_cache_apply(cache, topics[4], live, sizeof(live) - 1, false, now_us, 100000);
    board_cache_apply(cache, topics[data[0] % 5], data + 1, bytes - 1, data[0] & 0x80, now_us,
                      100000);
    board_cache_weigh(cache, rows, 2, board_cache_mark(cache), 100000);
    merge_all(cache, BOARD_SET_CURRENT);
    merge_all(cache, BOARD_SET_STANDING);
    board_cache_write_collectors(cache, &json, 100000);
    assert(json_walk_open(&parsed, (const char *)json.data, json.bytes) == JSON_OK);
    assert(parsed.kind == JSON_ARRAY);
    buffer_release(&json);
    board_cache_free(cache);
    return 0;
}
