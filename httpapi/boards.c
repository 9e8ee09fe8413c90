#include "httpapi/boards.h"

#include "shared/mem.h"
#include "shared/timestamp.h"
#include "shared/topic.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MAX_BYTES = 16 * 1024 };

struct collector {
    char id[DEVICE_ID_SIZE];
    enum collector_state state;
    bool has_status;
    bool is_heard; /* said that it is live, at heard_ms */
    uint64_t heard_ms;
    int64_t as_of_us;
    int64_t started_at_us;
    size_t limit;
    bool has_interval[INTERVALS_MAX]; /* with our length; true for all until a status says else */
    char *status;         /* as JSON, for those who want to see it; NULL before the first */
    struct board *boards; /* [feature][interval][order]; entries is NULL where none came */
};

struct boards {
    struct features features;
    struct intervals intervals;
    uint64_t generation;
    uint64_t messages;
    uint64_t bad_messages;
    size_t count;
    struct collector *collectors[BOARDS_COLLECTORS_MAX];
    struct board_entry *scratch;
    size_t scratch_capacity;
};

static const char *const state_texts[] = {"unknown",  "warming", "live",
                                          "degraded", "stopped", "lost"};

static size_t board_count(const struct boards *boards)
{
    return boards->features.count * boards->intervals.count * ORDER_COUNT;
}

static struct board *board_at(const struct boards *boards, const struct collector *collector,
                              size_t feature, size_t interval, enum sort_order order)
{
    return &collector->boards[(feature * boards->intervals.count + interval) * ORDER_COUNT + order];
}

/* ---- collectors ----------------------------------------------------------------------------- */

struct boards *boards_new(const struct features *features, const struct intervals *intervals)
{
    struct boards *boards = mem_calloc(1, sizeof(*boards));

    boards->features = *features;
    boards->intervals = *intervals;
    boards->generation = 1;
    return boards;
}

static void free_collector(struct boards *boards, struct collector *collector)
{
    for (size_t i = 0; i < board_count(boards); i++)
        board_release(&collector->boards[i]);
    free(collector->boards);
    free(collector->status);
    free(collector);
}

void boards_forget(struct boards *boards)
{
    for (size_t i = 0; i < boards->count; i++)
        free_collector(boards, boards->collectors[i]);
    boards->count = 0;
    boards->generation++;
}

void boards_free(struct boards *boards)
{
    boards_forget(boards);
    free(boards->scratch);
    free(boards);
}

static struct collector *find_collector(const struct boards *boards, const char *id, size_t bytes)
{
    for (size_t i = 0; i < boards->count; i++) {
        struct collector *collector = boards->collectors[i];

        if (strncmp(collector->id, id, bytes) == 0 && !collector->id[bytes])
            return collector;
    }
    return NULL;
}

static struct collector *find_or_add_collector(struct boards *boards, const char *id, size_t bytes)
{
    struct collector *collector = find_collector(boards, id, bytes);

    if (collector || boards->count == BOARDS_COLLECTORS_MAX || !device_id_is_legal(id, bytes))
        return collector;
    collector = mem_calloc(1, sizeof(*collector));
    memcpy(collector->id, id, bytes);
    collector->boards = mem_calloc(board_count(boards) + 1, sizeof(collector->boards[0]));
    memset(collector->has_interval, true, sizeof(collector->has_interval));
    boards->collectors[boards->count++] = collector;
    return collector;
}

static bool is_live(const struct collector *collector, uint64_t now_ms)
{
    return collector->state == COLLECTOR_LIVE && collector->is_heard &&
           now_ms < collector->heard_ms + BOARDS_LIVE_MS;
}

/* ---- messages ------------------------------------------------------------------------------- */

static bool take_moment(int64_t *out, const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(member) && timestamp_parse(out, member->valuestring);
}

/* An interval of another length under the same name is not ours. */
static void take_intervals(struct boards *boards, struct collector *collector, const cJSON *list)
{
    const cJSON *item;

    if (!cJSON_IsArray(list))
        return;
    memset(collector->has_interval, false, sizeof(collector->has_interval));
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name");
        const cJSON *length = cJSON_GetObjectItemCaseSensitive(item, "lengthMs");
        size_t i = cJSON_IsString(name) ? intervals_find(&boards->intervals, name->valuestring)
                                        : boards->intervals.count;
        int64_t length_us =
            cJSON_IsNumber(length) && length->valuedouble >= 0 && length->valuedouble < 9e15
                ? (int64_t)(length->valuedouble * 1000)
                : INTERVAL_ALL_TIME;

        if (i < boards->intervals.count)
            collector->has_interval[i] = boards->intervals.items[i].length_us == length_us;
    }
}

static bool take_status(struct boards *boards, struct collector *collector, const char *payload,
                        size_t bytes, bool is_retained, int64_t now_us, uint64_t now_ms)
{
    cJSON *root = bytes <= STATUS_MAX_BYTES ? cJSON_ParseWithLength(payload, bytes) : NULL;
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(root, "state");
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(root, "limit");
    int64_t age_us;

    if (!cJSON_IsString(state)) {
        cJSON_Delete(root);
        return false;
    }
    collector->state = COLLECTOR_UNKNOWN;
    for (size_t i = 0; i < sizeof(state_texts) / sizeof(state_texts[0]); i++) {
        if (strcmp(state->valuestring, state_texts[i]) == 0)
            collector->state = (enum collector_state)i;
    }
    collector->has_status = true;
    take_moment(&collector->as_of_us, root, "asOf"); /* a last will has none: the old one stands */
    take_moment(&collector->started_at_us, root, "startedAt");
    if (cJSON_IsNumber(limit) && limit->valuedouble >= 1 && limit->valuedouble <= BOARD_ENTRIES_MAX)
        collector->limit = (size_t)limit->valuedouble;
    take_intervals(boards, collector, cJSON_GetObjectItemCaseSensitive(root, "intervals"));
    /* A retained one may be of a collector that died without its will being sent. */
    age_us = is_retained ? now_us - collector->as_of_us : 0;
    collector->is_heard =
        age_us > -BOARDS_LIVE_MS * INT64_C(1000) && age_us < BOARDS_LIVE_MS * INT64_C(1000);
    collector->heard_ms =
        age_us > 0 && (uint64_t)age_us / 1000 < now_ms ? now_ms - (uint64_t)age_us / 1000 : now_ms;
    cJSON_DeleteItemFromObjectCaseSensitive(root, "collectorId"); /* the topic says who it is */
    cJSON_DeleteItemFromObjectCaseSensitive(root, "isLive");
    free(collector->status);
    collector->status = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return true;
}

static bool take_board(struct boards *boards, struct collector *collector, const char *rest,
                       const char *payload, size_t bytes)
{
    size_t feature_bytes = strcspn(rest, "/");
    const char *interval_text = rest + feature_bytes + (rest[feature_bytes] == '/');
    size_t interval_bytes = strcspn(interval_text, "/");
    char feature_name[FEATURE_NAME_MAX + 1];
    char interval_name[INTERVAL_NAME_MAX + 1];
    enum sort_order order =
        strcmp(interval_text + interval_bytes, "/lowest") == 0 ? ORDER_LOWEST : ORDER_HIGHEST;
    struct board board;
    size_t feature;
    size_t interval;

    if (feature_bytes > FEATURE_NAME_MAX || interval_bytes > INTERVAL_NAME_MAX ||
        (order == ORDER_HIGHEST && interval_text[interval_bytes]))
        return false;
    snprintf(feature_name, sizeof(feature_name), "%.*s", (int)feature_bytes, rest);
    snprintf(interval_name, sizeof(interval_name), "%.*s", (int)interval_bytes, interval_text);
    feature = features_find(&boards->features, feature_name);
    interval = intervals_find(&boards->intervals, interval_name);
    if (feature == boards->features.count || interval == boards->intervals.count)
        return true; /* nobody can ask for it here */
    if (bytes == 0) {
        board_release(board_at(boards, collector, feature, interval, order));
        return true;
    }
    if (!board_parse(&board, &boards->features, payload, bytes))
        return false;
    if (strcmp(board.feature, feature_name) != 0 || strcmp(board.interval, interval_name) != 0 ||
        board.order != order) {
        board_release(&board);
        return false;
    }
    board_release(board_at(boards, collector, feature, interval, order));
    *board_at(boards, collector, feature, interval, order) = board;
    return true;
}

static void drop_collector(struct boards *boards, struct collector *gone)
{
    for (size_t i = 0; i < boards->count; i++) {
        if (boards->collectors[i] == gone) {
            boards->collectors[i] = boards->collectors[--boards->count];
            free_collector(boards, gone);
            return;
        }
    }
}

static bool take(struct boards *boards, const char *topic, const char *payload, size_t bytes,
                 bool is_retained, int64_t now_us, uint64_t now_ms)
{
    static const char head[] = "collectors/";
    const char *id = topic + sizeof(head) - 1;
    struct collector *collector;
    const char *rest;

    if (strncmp(topic, head, sizeof(head) - 1) != 0 || bytes > BOARDS_MESSAGE_MAX_BYTES)
        return false;
    rest = strchr(id, '/');
    collector = rest ? find_or_add_collector(boards, id, (size_t)(rest - id)) : NULL;
    if (!collector)
        return false;
    if (strcmp(rest, "/status") == 0 && bytes == 0) {
        drop_collector(boards, collector);
        return true;
    }
    if (strcmp(rest, "/status") == 0)
        return take_status(boards, collector, payload, bytes, is_retained, now_us, now_ms);
    return strncmp(rest, "/boards/", 8) == 0 &&
           take_board(boards, collector, rest + 8, payload, bytes);
}

bool boards_take(struct boards *boards, const char *topic, const void *payload, size_t bytes,
                 bool is_retained, int64_t now_us, uint64_t now_ms)
{
    if (!take(boards, topic, payload, bytes, is_retained, now_us, now_ms)) {
        boards->bad_messages++;
        return false;
    }
    boards->messages++;
    boards->generation++;
    return true;
}

uint64_t boards_generation(const struct boards *boards)
{
    return boards->generation;
}

uint64_t boards_message_count(const struct boards *boards, bool bad)
{
    return bad ? boards->bad_messages : boards->messages;
}

/* ---- merging -------------------------------------------------------------------------------- */

enum boards_verdict boards_verdict(const struct boards *boards, uint64_t now_ms, int64_t *as_of_us,
                                   uint64_t *until_ms)
{
    enum boards_verdict verdict = BOARDS_NOT_LIVE;

    *as_of_us = INT64_MAX;
    *until_ms = UINT64_MAX;
    for (size_t i = 0; i < boards->count; i++) {
        const struct collector *collector = boards->collectors[i];

        if (collector->has_status && collector->state == COLLECTOR_WARMING)
            return BOARDS_WARMING;
        if (!is_live(collector, now_ms))
            continue;
        verdict = BOARDS_EXACT;
        if (collector->as_of_us < *as_of_us)
            *as_of_us = collector->as_of_us;
        if (collector->heard_ms + BOARDS_LIVE_MS < *until_ms)
            *until_ms = collector->heard_ms + BOARDS_LIVE_MS;
    }
    return verdict;
}

const char *boards_verdict_text(enum boards_verdict verdict)
{
    static const char *const texts[] = {
        [BOARDS_EXACT] = "the boards are current",
        [BOARDS_INCOMPLETE] = "the collectors' boards do not cover the question",
        [BOARDS_WARMING] = "a collector is loading its windows",
        [BOARDS_NOT_LIVE] = "no collector is live",
    };

    return texts[verdict];
}

/* Does a collector that is not live hold readings of the interval that no live one has loaded? One
 * that was lost may have stored some after its last status; one that stopped has said its last. */
static bool still_matters(const struct boards *boards, const struct collector *gone,
                          int64_t length_us, int64_t as_of_us, uint64_t now_ms)
{
    int64_t last_us =
        gone->as_of_us + (gone->state == COLLECTOR_STOPPED ? 0 : BOARDS_LIVE_MS * INT64_C(1000));

    if (!gone->has_status || gone->as_of_us == 0)
        return false;
    if (length_us != INTERVAL_ALL_TIME && last_us <= as_of_us - length_us)
        return false;
    for (size_t i = 0; i < boards->count; i++) {
        const struct collector *collector = boards->collectors[i];

        if (is_live(collector, now_ms) && collector->started_at_us > last_us)
            return false;
    }
    return true;
}

static void gather(struct boards *boards, const struct board *board, size_t feature,
                   int64_t after_us, size_t *count)
{
    if (boards->scratch_capacity < *count + board->count) {
        boards->scratch_capacity = mem_grown(boards->scratch_capacity, *count + board->count);
        boards->scratch =
            mem_realloc(boards->scratch, boards->scratch_capacity * sizeof(boards->scratch[0]));
    }
    for (size_t i = 0; i < board->count; i++) {
        const struct reading *reading = board->entries[i].reading;

        if (reading->recorded_at_us > after_us && isfinite(reading->values[feature]))
            boards->scratch[(*count)++] = board->entries[i];
    }
}

static int64_t newest_as_of(const struct boards *boards)
{
    int64_t newest_us = 0;

    for (size_t i = 0; i < boards->count; i++) {
        if (boards->collectors[i]->as_of_us > newest_us)
            newest_us = boards->collectors[i]->as_of_us;
    }
    return newest_us;
}

enum boards_verdict boards_merge(struct boards *boards, size_t feature, size_t interval,
                                 enum sort_order order, size_t limit, uint64_t now_ms,
                                 struct boards_merged *out, bool *has_any)
{
    int64_t length_us = boards->intervals.items[interval].length_us;
    int64_t as_of_us;
    uint64_t until_ms;
    enum boards_verdict verdict = boards_verdict(boards, now_ms, &as_of_us, &until_ms);
    int64_t after_us;
    size_t count = 0;

    for (size_t i = 0; i < boards->count && verdict == BOARDS_EXACT; i++) {
        const struct collector *collector = boards->collectors[i];
        const struct board *board = board_at(boards, collector, feature, interval, order);

        if (!is_live(collector, now_ms)
                ? still_matters(boards, collector, length_us, as_of_us, now_ms)
                : !board->entries || !collector->has_interval[interval] ||
                      (limit > collector->limit && board->count >= collector->limit))
            verdict = BOARDS_INCOMPLETE;
    }
    if (verdict != BOARDS_EXACT)
        as_of_us = newest_as_of(boards);
    after_us = length_us == INTERVAL_ALL_TIME ? INT64_MIN : as_of_us - length_us;
    *has_any = false;
    for (size_t i = 0; i < boards->count; i++) {
        const struct collector *collector = boards->collectors[i];
        const struct board *board = board_at(boards, collector, feature, interval, order);

        if (board->entries && (verdict != BOARDS_EXACT || is_live(collector, now_ms))) {
            gather(boards, board, feature, after_us, &count);
            *has_any = true;
        }
    }
    out->as_of_us = as_of_us;
    out->count = board_rank(boards->scratch, count, feature, order, limit);
    out->entries = boards->scratch;
    return verdict;
}

/* ---- to look at ----------------------------------------------------------------------------- */

size_t boards_collector_count(const struct boards *boards, enum collector_state state,
                              uint64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < boards->count; i++) {
        const struct collector *collector = boards->collectors[i];

        if (!collector->has_status)
            continue;
        if (state == COLLECTOR_LIVE ? is_live(collector, now_ms) : collector->state == state)
            count++;
    }
    return count;
}

void boards_write_collectors(const struct boards *boards, struct buffer *out, uint64_t now_ms)
{
    bool is_first = true;

    buffer_put_text(out, "[");
    for (size_t i = 0; i < boards->count; i++) {
        const struct collector *collector = boards->collectors[i];

        if (!collector->status)
            continue;
        buffer_put_text(out, is_first ? "{\"collectorId\":" : ",{\"collectorId\":");
        buffer_put_json_string(out, collector->id);
        buffer_printf(out, ",\"isLive\":%s%s", is_live(collector, now_ms) ? "true" : "false",
                      strcmp(collector->status, "{}") == 0 ? "" : ",");
        buffer_put_text(out, collector->status + 1); /* without its own brace */
        is_first = false;
    }
    buffer_put_text(out, "]");
}
