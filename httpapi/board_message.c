/* One board of a collector, read as strictly as what devices send: any client of the broker can
 * publish one. */
#include "httpapi/board_message.h"

#include "httpapi/board_cache.h"
#include "shared/base/timestamp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool board_topic_parse(struct board_place *out, const struct features *features,
                       const struct intervals *intervals, const char *rest)
{
    size_t feature_bytes = strcspn(rest, "/");
    const char *interval_text = rest + feature_bytes + (rest[feature_bytes] == '/');
    size_t interval_bytes = strcspn(interval_text, "/");
    char feature_name[FEATURE_NAME_MAX + 1];
    char interval_name[INTERVAL_NAME_MAX + 1];

    out->order =
        strcmp(interval_text + interval_bytes, "/lowest") == 0 ? ORDER_LOWEST : ORDER_HIGHEST;
    if (feature_bytes > FEATURE_NAME_MAX || interval_bytes > INTERVAL_NAME_MAX ||
        (out->order == ORDER_HIGHEST && interval_text[interval_bytes]))
        return false;
    snprintf(feature_name, sizeof(feature_name), "%.*s", (int)feature_bytes, rest);
    snprintf(interval_name, sizeof(interval_name), "%.*s", (int)interval_bytes, interval_text);
    out->feature = features_find(features, feature_name);
    out->interval = intervals_find(intervals, interval_name);
    return true;
}

/* Nothing that cannot be stored yet: no board of the future, no reading of a time that no
 * FUTURE_TOLERANCE would have let in. */
static bool is_of_the_past(const struct board *board, int64_t now_us)
{
    int64_t latest_us = now_us + BOARD_CACHE_LIVE_MS * INT64_C(1000);

    if (board->as_of_us >= latest_us)
        return false;
    for (size_t i = 0; i < board->count; i++) {
        if (board->entries[i].reading->recorded_at_us > latest_us + TIMESTAMP_US_PER_DAY)
            return false;
    }
    return true;
}

/* Every entry of a board has what the board ranks. */
static bool has_values(const struct board *board, size_t feature)
{
    for (size_t i = 0; i < board->count; i++) {
        if (!isfinite(board->entries[i].reading->values[feature]))
            return false;
    }
    return true;
}

const char *board_message_parse(struct board *out, const struct features *features,
                                const struct intervals *intervals, const struct board_place *place,
                                const char *payload, size_t bytes, int64_t now_us)
{
    const char *fault;

    if (!board_parse(out, features, payload, bytes))
        return "it is no board, or not strict JSON";
    fault = strcmp(out->feature, features->names[place->feature]) != 0 ||
                    strcmp(out->interval, intervals->items[place->interval].name) != 0 ||
                    out->order != place->order
                ? "the board is of another topic"
            : !has_values(out, place->feature) ? "an entry lacks what the board ranks"
            : !is_of_the_past(out, now_us)     ? "it is of a moment to come"
                                               : NULL;
    if (fault)
        board_release(out);
    return fault;
}
