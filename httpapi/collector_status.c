/* One table of members says what is known and of which type, so that nothing reaches /collectors or
 * the rule of weighing.h that was not looked at. */
#include "httpapi/collector_status.h"

#include "shared/buffer.h"
#include "shared/json_scan.h"
#include "shared/mem.h"
#include "shared/timestamp.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MAX_BYTES = 64 * 1024 };

#define COUNT_MOST 9007199254740992.0 /* 2^53: doubles hold every whole number up to here */

enum member_kind {
    MEMBER_STATE,
    MEMBER_TEXT,
    MEMBER_MOMENT,
    MEMBER_FLAG,
    MEMBER_COUNT,
    MEMBER_NUMBER,
    MEMBER_NAMES,     /* of strings */
    MEMBER_INTERVALS, /* of {"name","lengthMs"} */
    MEMBER_COUNTS,    /* an array of counts */
    MEMBER_COUNTS_BY  /* an object of counts */
};

struct member {
    const char *name;
    enum member_kind kind;
    bool is_hidden; /* for the rule, not for people */
};

static const struct member members[] = {
    {"state", MEMBER_STATE, false},         {"asOf", MEMBER_MOMENT, false},
    {"since", MEMBER_MOMENT, true},         {"turn", MEMBER_COUNT, false},
    {"generations", MEMBER_COUNTS, true},   {"loaded", MEMBER_COUNTS_BY, true},
    {"installation", MEMBER_TEXT, false},   {"startedAt", MEMBER_MOMENT, false},
    {"version", MEMBER_TEXT, false},        {"features", MEMBER_NAMES, false},
    {"intervals", MEMBER_INTERVALS, false}, {"limit", MEMBER_COUNT, false},
    {"lowest", MEMBER_FLAG, false},         {"subscribe", MEMBER_TEXT, false},
    {"devices", MEMBER_COUNT, false},       {"messages", MEMBER_COUNT, false},
    {"received", MEMBER_COUNT, false},      {"stored", MEMBER_COUNT, false},
    {"duplicates", MEMBER_COUNT, false},    {"rejected", MEMBER_COUNT, false},
    {"inFlight", MEMBER_COUNT, false},      {"ratePerSecond", MEMBER_COUNT, false},
    {"lagMs", MEMBER_NUMBER, false},        {"rejectedByReason", MEMBER_COUNTS_BY, false},
    {"brokerDropped", MEMBER_COUNT, false},
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static const char *const state_texts[] = {"unknown",  "warming", "live",
                                          "degraded", "stopped", "lost"};

size_t board_count(const struct features *features, const struct intervals *intervals)
{
    return features->count * intervals->count * ORDER_COUNT;
}

size_t board_position(const struct intervals *intervals, size_t feature, size_t interval,
                      enum sort_order order)
{
    return (feature * intervals->count + interval) * ORDER_COUNT + order;
}

/* ---- types ---------------------------------------------------------------------------------- */

static bool is_count(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= COUNT_MOST &&
           item->valuedouble == (double)(int64_t)item->valuedouble;
}

static bool is_moment(const cJSON *item)
{
    int64_t us;

    return cJSON_IsString(item) && timestamp_parse(&us, item->valuestring);
}

static bool is_interval(const cJSON *item)
{
    const cJSON *length = cJSON_GetObjectItemCaseSensitive(item, "lengthMs");

    return cJSON_IsObject(item) && cJSON_GetArraySize(item) == 2 &&
           cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "name")) &&
           (is_count(length) || cJSON_IsNull(length));
}

static bool is_text(const cJSON *item)
{
    return cJSON_IsString(item);
}

static bool is_each(const cJSON *list, bool (*is_good)(const cJSON *item))
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (!is_good(item))
            return false;
    }
    return true;
}

static bool has_type(const cJSON *item, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_STATE:
    case MEMBER_TEXT:
        return cJSON_IsString(item);
    case MEMBER_MOMENT:
        return is_moment(item);
    case MEMBER_FLAG:
        return cJSON_IsBool(item);
    case MEMBER_COUNT:
        return is_count(item);
    case MEMBER_NUMBER:
        return cJSON_IsNumber(item);
    case MEMBER_NAMES:
        return cJSON_IsArray(item) && is_each(item, is_text);
    case MEMBER_INTERVALS:
        return cJSON_IsArray(item) && is_each(item, is_interval);
    case MEMBER_COUNTS:
        return cJSON_IsArray(item) && is_each(item, is_count);
    case MEMBER_COUNTS_BY:
        return cJSON_IsObject(item) && is_each(item, is_count);
    }
    return false;
}

static size_t find_member(const char *name)
{
    size_t i = 0;

    while (i < MEMBERS && strcmp(members[i].name, name) != 0)
        i++;
    return i;
}

/* The known members by their position in the table; false when one is not as it should be. */
static bool collect(const cJSON *root, const cJSON *found[MEMBERS])
{
    const cJSON *item;

    memset(found, 0, MEMBERS * sizeof(found[0]));
    cJSON_ArrayForEach(item, root)
    {
        size_t i = find_member(item->string);

        if (i == MEMBERS)
            continue;
        if (found[i] || !has_type(item, members[i].kind))
            return false;
        found[i] = item;
    }
    return true;
}

static const cJSON *get(const cJSON *const found[MEMBERS], const char *name)
{
    return found[find_member(name)];
}

static int64_t get_count(const cJSON *const found[MEMBERS], const char *name)
{
    const cJSON *item = get(found, name);

    return item ? (int64_t)item->valuedouble : 0;
}

static int64_t get_moment(const cJSON *const found[MEMBERS], const char *name)
{
    const cJSON *item = get(found, name);
    int64_t us = 0;

    if (item)
        timestamp_parse(&us, item->valuestring);
    return us;
}

static void get_text(const cJSON *const found[MEMBERS], const char *name, char *out,
                     size_t out_bytes)
{
    const cJSON *item = get(found, name);

    snprintf(out, out_bytes, "%s", item ? item->valuestring : "");
}

/* ---- what it vouches for -------------------------------------------------------------------- */

/* Our position of one of its intervals; the count when we have none of this name and length. */
static size_t find_interval(const struct intervals *intervals, const cJSON *item)
{
    const cJSON *length = cJSON_GetObjectItemCaseSensitive(item, "lengthMs");
    int64_t length_us =
        cJSON_IsNull(length) ? INTERVAL_ALL_TIME : (int64_t)(length->valuedouble * 1000);
    size_t i =
        intervals_find(intervals, cJSON_GetObjectItemCaseSensitive(item, "name")->valuestring);

    return i < intervals->count && intervals->items[i].length_us == length_us ? i
                                                                              : intervals->count;
}

/* Do its boards have every value that ours show? They have no others than it keeps, though the
 * database may have more of the same reading. */
static bool keeps_all(const struct features *features, const cJSON *kept)
{
    const cJSON *feature;
    size_t count = 0;

    cJSON_ArrayForEach(feature, kept) count +=
        features_find(features, feature->valuestring) < features->count;
    return count == features->count;
}

/* One generation per board, in its own order: features, of each the orders, of each the intervals.
 * None counts when its readings are not whole to us. */
static bool take_generations(struct collector_status *out, const struct features *features,
                             const struct intervals *intervals, const cJSON *const found[MEMBERS])
{
    const cJSON *generation = get(found, "generations")->child;
    const cJSON *feature;
    const cJSON *interval;
    int orders = cJSON_IsTrue(get(found, "lowest")) ? ORDER_COUNT : ORDER_COUNT - 1;
    bool is_whole = keeps_all(features, get(found, "features"));

    out->generations =
        mem_calloc(board_count(features, intervals) + 1, sizeof(out->generations[0]));
    cJSON_ArrayForEach(feature, get(found, "features"))
    {
        size_t f = features_find(features, feature->valuestring);

        for (int order = 0; order < orders; order++) {
            cJSON_ArrayForEach(interval, get(found, "intervals"))
            {
                size_t i = find_interval(intervals, interval);

                if (!generation)
                    return false;
                if (is_whole && f < features->count && i < intervals->count)
                    out->generations[board_position(intervals, f, i, (enum sort_order)order)] =
                        (int64_t)generation->valuedouble;
                generation = generation->next;
            }
        }
    }
    return !generation;
}

static void take_loaded(struct collector_status *out, const cJSON *loaded)
{
    const cJSON *item;

    out->loaded = mem_calloc((size_t)cJSON_GetArraySize(loaded) + 1, sizeof(out->loaded[0]));
    cJSON_ArrayForEach(item, loaded)
    {
        out->loaded[out->loaded_count++] =
            (struct loaded){.id = mem_strdup(item->string), .batches = (int64_t)item->valuedouble};
    }
}

static bool take_vouching(struct collector_status *out, const struct features *features,
                          const struct intervals *intervals, const cJSON *const found[MEMBERS])
{
    if (!get(found, "generations"))
        return true;
    if (!take_generations(out, features, intervals, found))
        return false;
    take_loaded(out, get(found, "loaded"));
    out->is_vouching = out->turn > 0 && out->since_us > 0 && out->since_us <= out->as_of_us &&
                       out->since_us % BOARD_GRID_US == 0 && out->as_of_us % BOARD_GRID_US == 0;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void show(struct collector_status *out, const cJSON *const found[MEMBERS])
{
    struct buffer text = {0};

    for (size_t i = 0; i < MEMBERS; i++) {
        char *value;

        if (!found[i] || members[i].is_hidden)
            continue;
        value = cJSON_PrintUnformatted(found[i]);
        buffer_printf(&text, ",\"%s\":%s", members[i].name, value);
        cJSON_free(value);
    }
    out->shown = mem_strdup(buffer_text(&text));
    buffer_release(&text);
}

static enum collector_state find_state(const char *text)
{
    for (size_t i = 0; i < sizeof(state_texts) / sizeof(state_texts[0]); i++) {
        if (strcmp(text, state_texts[i]) == 0)
            return (enum collector_state)i;
    }
    return COLLECTOR_UNKNOWN;
}

static bool take_members(struct collector_status *out, const struct features *features,
                         const struct intervals *intervals, const cJSON *root)
{
    const cJSON *found[MEMBERS];

    if (!cJSON_IsObject(root) || !collect(root, found) || !get(found, "state"))
        return false;
    out->state = find_state(get(found, "state")->valuestring);
    out->as_of_us = get_moment(found, "asOf");
    out->since_us = get_moment(found, "since");
    out->turn = get_count(found, "turn");
    out->limit = (size_t)get_count(found, "limit");
    get_text(found, "installation", out->installation, sizeof(out->installation));
    if (!take_vouching(out, features, intervals, found))
        return false;
    show(out, found);
    return true;
}

bool collector_status_parse(struct collector_status *out, const struct features *features,
                            const struct intervals *intervals, const char *json, size_t bytes)
{
    struct collector_status status = {0};
    struct json_value value;
    size_t at = 0;
    cJSON *root;
    bool is_good;

    /* cJSON alone would take bytes that are no JSON, and hand them on */
    if (bytes > STATUS_MAX_BYTES || json_scan_document(json, bytes, &at, &value) != JSON_OK)
        return false;
    root = cJSON_ParseWithLength(json, bytes);
    is_good = take_members(&status, features, intervals, root);
    cJSON_Delete(root);
    if (is_good)
        *out = status;
    else
        collector_status_release(&status);
    return is_good;
}

void collector_status_release(struct collector_status *status)
{
    for (size_t i = 0; i < status->loaded_count; i++)
        free(status->loaded[i].id);
    free(status->loaded);
    free(status->generations);
    free(status->shown);
    *status = (struct collector_status){0};
}
