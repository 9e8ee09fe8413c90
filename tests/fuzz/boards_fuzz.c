/* Any bytes as a board or a status, over a broker that others may write to: nothing breaks, and
 * what collectors are said to have said is JSON. The first byte chooses the topic. */
#include "httpapi/boards.h"

#include <cjson/cJSON.h>

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct features features;
static struct intervals intervals;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const topics[] = {
        "collectors/a/status", "collectors/a/boards/temperature/past_minute",
        "collectors/a/boards/temperature/past_minute/lowest",
        "collectors/b/boards/pressure/all_time", "collectors/b/status"};
    static const char live[] =
        "{\"state\":\"live\",\"asOf\":\"2026-11-24T00:00:00Z\",\"limit\":10}";
    const int64_t now_us = INT64_C(1795521600000000);
    char error[200];
    struct boards *boards;
    struct buffer json = {0};
    cJSON *parsed;

    if (features.count == 0) {
        features_parse(&features, FEATURES_DEFAULT, error, sizeof(error));
        intervals_parse(&intervals, INTERVALS_DEFAULT, error, sizeof(error));
    }
    if (bytes == 0)
        return 0;
    boards = boards_new(&features, &intervals);
    boards_take(boards, "collectors/b/status", live, sizeof(live) - 1, false, now_us, 100000);
    boards_take(boards, topics[data[0] % 5], data + 1, bytes - 1, data[0] & 0x80, now_us, 100000);
    for (size_t feature = 0; feature < features.count; feature++) {
        for (size_t interval = 0; interval < intervals.count; interval++) {
            struct boards_merged merged;
            bool has_any;

            boards_merge(boards, feature, interval, ORDER_HIGHEST, 10, 100000, &merged, &has_any);
            assert(merged.count <= 10);
            boards_merge(boards, feature, interval, ORDER_LOWEST, 10, 100000, &merged, &has_any);
        }
    }
    boards_write_collectors(boards, &json, 100000);
    parsed = cJSON_ParseWithLength((const char *)json.data, json.bytes);
    assert(cJSON_IsArray(parsed));
    cJSON_Delete(parsed);
    buffer_release(&json);
    boards_free(boards);
    return 0;
}
