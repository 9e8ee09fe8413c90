/* One table of members says what is known and of which kind (status_kinds.h), so that nothing reaches
 * /collectors or the rule of weighing.h that was not looked at. What people see is written from
 * what was understood, never copied from what came. */
#include "httpapi/collector_status.h"

#include "httpapi/status_kinds.h"
#include "shared/base/buffer.h"
#include "shared/base/mem.h"
#include "shared/model/feature_words.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MAX_BYTES = 256 * 1024, ROOT_MOST = 64 /* members */ };

struct status_member {
    const char *name;
    enum status_kind_id kind;
    bool is_hidden; /* for the rule, not for people */
};

static const struct status_member members[] = {
    {"state", STATUS_KIND_STATE, false},
    {"asOf", STATUS_KIND_TIMESTAMP, false},
    {"since", STATUS_KIND_TIMESTAMP, true},
    {"turn", STATUS_KIND_COUNT, false},
    {"generations", STATUS_KIND_COUNTS, true},
    {"loaded", STATUS_KIND_COUNTS_BY, true},
    {"installation", STATUS_KIND_TEXT, false},
    {"startedAt", STATUS_KIND_TIMESTAMP, false},
    {"version", STATUS_KIND_TEXT, false},
    {"features", STATUS_KIND_NAMES, false},
    {"units", STATUS_KIND_WORDS_BY, false},
    {"labels", STATUS_KIND_WORDS_BY, false},
    {"thresholds", STATUS_KIND_THRESHOLDS, false},
    {"intervals", STATUS_KIND_INTERVALS, false},
    {"limit", STATUS_KIND_COUNT, false},
    {"lowest", STATUS_KIND_FLAG, false},
    {"subscribe", STATUS_KIND_TEXT, false},
    {"devices", STATUS_KIND_COUNT, false},
    {"messages", STATUS_KIND_COUNT, false},
    {"received", STATUS_KIND_COUNT, false},
    {"stored", STATUS_KIND_COUNT, false},
    {"duplicates", STATUS_KIND_COUNT, false},
    {"rejected", STATUS_KIND_COUNT, false},
    {"inFlight", STATUS_KIND_COUNT, false},
    {"ratePerSecond", STATUS_KIND_COUNT, false},
    {"lagMs", STATUS_KIND_NUMBER, false},
    {"rejectedByReason", STATUS_KIND_COUNTS_BY, false},
    {"brokerDropped", STATUS_KIND_COUNT, false},
    {"lacks", STATUS_KIND_TEXT, false},
    {"oldestUncommittedMs", STATUS_KIND_COUNT, false},
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

/* The members that were found, by their position in the table; text is NULL where there is none. */
struct status_found {
    struct json_token members[MEMBERS];
};

/* ---- members -------------------------------------------------------------------------------- */

static size_t find_member(const char *name)
{
    size_t i = 0;

    while (i < MEMBERS && strcmp(members[i].name, name) != 0)
        i++;
    return i;
}

static size_t find_token(const struct json_token *name)
{
    struct json_text text;
    size_t i;

    json_text_init(&text, name);
    i = find_member(text.chars);
    json_text_release(&text);
    return i;
}

static const struct json_token *get(const struct status_found *found, const char *name)
{
    const struct json_token *token = &found->members[find_member(name)];

    return token->text ? token : NULL;
}

/* False when one is not as it should be; `fault` says which. */
static bool collect(const struct json_token *root, struct status_found *found, char *fault)
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    memset(found, 0, sizeof(*found));
    if (root->kind != JSON_OBJECT || !json_walk_is_sound(root, ROOT_MOST, NULL)) {
        snprintf(fault, COLLECTOR_STATUS_FAULT_SIZE,
                 "it is not an object of up to %d members, none of them twice", ROOT_MOST);
        return false;
    }
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &name, &value)) {
        size_t i = find_token(&name);

        if (i == MEMBERS)
            continue;
        if (!status_kinds[members[i].kind].is_good(&value)) {
            snprintf(fault, COLLECTOR_STATUS_FAULT_SIZE, "\"%s\" is not %s", members[i].name,
                     status_kinds[members[i].kind].legal);
            return false;
        }
        found->members[i] = value;
    }
    if (!get(found, "state"))
        snprintf(fault, COLLECTOR_STATUS_FAULT_SIZE, "\"state\" is missing");
    return get(found, "state");
}

static int64_t get_count(const struct status_found *found, const char *name)
{
    const struct json_token *token = get(found, name);
    int64_t count = 0;

    if (token)
        status_read_count(token, &count);
    return count;
}

static int64_t get_timestamp(const struct status_found *found, const char *name)
{
    const struct json_token *token = get(found, name);
    int64_t us = 0;

    if (token)
        status_read_timestamp(token, &us);
    return us;
}

static void get_text(const struct status_found *found, const char *name, char *out,
                     size_t out_bytes)
{
    const struct json_token *token = get(found, name);
    struct json_text text;

    out[0] = '\0';
    if (!token)
        return;
    json_text_init(&text, token);
    snprintf(out, out_bytes, "%s", text.chars);
    json_text_release(&text);
}

/* ---- what it vouches for -------------------------------------------------------------------- */

static size_t find_feature(const struct features *features, const struct json_token *token)
{
    struct json_text text;
    size_t i;

    json_text_init(&text, token);
    i = features_find(features, text.chars);
    json_text_release(&text);
    return i;
}

static int64_t interval_length(const struct json_token *length)
{
    int64_t length_ms;

    if (length->kind == JSON_NULL)
        return INTERVAL_ALL_TIME;
    return status_read_count(length, &length_ms) && length_ms <= INT64_MAX / 1000 ? length_ms * 1000
                                                                                  : 0;
}

/* Our position of one of its intervals; the count when we have none of this name and length. */
static size_t find_interval(const struct intervals *intervals, const struct json_token *token)
{
    struct json_token name;
    struct json_token length;
    struct json_text text;
    int64_t length_us;
    size_t i;

    status_split_interval(token, &name, &length);
    length_us = interval_length(&length);
    json_text_init(&text, &name);
    i = intervals_find(intervals, text.chars);
    json_text_release(&text);
    return i < intervals->count && intervals->items[i].length_us == length_us ? i
                                                                              : intervals->count;
}

/* What its boards are of: our positions, in its order. */
struct kept {
    size_t feature_count;
    size_t features[FEATURES_MAX];
    size_t interval_count;
    size_t intervals[INTERVALS_MAX];
    int orders;
    bool is_whole; /* its boards have every value that ours show */
};

/* They have no others than it keeps, though the database may have more of the same reading. False
 * when one stands there twice. */
static bool find_kept(struct kept *kept, const struct features *features,
                      const struct intervals *intervals, const struct status_found *found)
{
    const struct json_token *lowest = get(found, "lowest");
    bool has_feature[FEATURES_MAX] = {false};
    uint64_t seen_intervals = 0;
    size_t seen = 0;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    *kept =
        (struct kept){.orders = lowest && lowest->text[0] == 't' ? ORDER_COUNT : ORDER_COUNT - 1};
    if (!get(found, "features") || !get(found, "intervals"))
        return true;
    json_walk_init(&walk, get(found, "features"));
    while (json_walk_next(&walk, &name, &value)) {
        size_t i = find_feature(features, &value);

        if (i < features->count) {
            if (has_feature[i])
                return false;
            has_feature[i] = true;
            seen++;
        }
        kept->features[kept->feature_count++] = i;
    }
    json_walk_init(&walk, get(found, "intervals"));
    while (json_walk_next(&walk, &name, &value)) {
        size_t i = find_interval(intervals, &value);

        if (i < intervals->count && (seen_intervals >> i & 1))
            return false;
        seen_intervals |= i < intervals->count ? UINT64_C(1) << i : 0;
        kept->intervals[kept->interval_count++] = i;
    }
    kept->is_whole = seen == features->count;
    return true;
}

/* One generation per board, in its own order: features, of each the orders, of each the intervals.
 * None counts when its readings are not whole to us. */
static bool read_generations(struct collector_status *out, const struct features *features,
                             const struct intervals *intervals, const struct status_found *found)
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    struct kept kept;

    if (!find_kept(&kept, features, intervals, found))
        return false;
    out->generations =
        mem_calloc(board_count(features, intervals) + 1, sizeof(out->generations[0]));
    json_walk_init(&walk, get(found, "generations"));
    for (size_t feature = 0; feature < kept.feature_count; feature++) {
        size_t f = kept.features[feature];

        for (int order = 0; order < kept.orders; order++) {
            for (size_t interval = 0; interval < kept.interval_count; interval++) {
                size_t i = kept.intervals[interval];

                if (!json_walk_next(&walk, &name, &value))
                    return false;
                if (kept.is_whole && f < features->count && i < intervals->count)
                    status_read_count(
                        &value,
                        &out->generations[board_position(intervals, f, i, (enum sort_order)order)]);
            }
        }
    }
    return !json_walk_next(&walk, &name, &value);
}

static void read_loaded(struct collector_status *out, const struct json_token *loaded)
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    size_t count;

    json_walk_is_sound(loaded, SIZE_MAX, &count);
    out->loaded = mem_calloc(count + 1, sizeof(out->loaded[0]));
    json_walk_init(&walk, loaded);
    while (json_walk_next(&walk, &name, &value)) {
        struct loaded *item = &out->loaded[out->loaded_count++];
        struct json_text text;

        json_text_init(&text, &name);
        item->id = mem_strdup(text.chars);
        json_text_release(&text);
        status_read_count(&value, &item->batches);
    }
}

static bool read_vouching(struct collector_status *out, const struct features *features,
                          const struct intervals *intervals, const struct status_found *found)
{
    if (!get(found, "generations"))
        return true;
    if (!read_generations(out, features, intervals, found))
        return false;
    if (get(found, "loaded"))
        read_loaded(out, get(found, "loaded"));
    out->is_vouching = out->turn > 0 && out->since_us > 0 && out->since_us <= out->as_of_us &&
                       out->since_us % BOARD_GRID_US == 0 && out->as_of_us % BOARD_GRID_US == 0;
    return true;
}

/* ---- what it keeps -------------------------------------------------------------------------- */

/* {"temperature":"°C"}: of features that it keeps. */
static void get_words(struct features *out, const struct json_token *words, bool are_units)
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    if (!words)
        return;
    json_walk_init(&walk, words);
    while (json_walk_next(&walk, &name, &value)) {
        size_t feature;
        struct json_text word;

        name.kind = JSON_STRING;
        feature = find_feature(out, &name);
        json_text_init(&word, &value);
        if (feature < out->count)
            feature_words_add(out, feature, are_units ? word.chars : NULL,
                              are_units ? NULL : word.chars);
        json_text_release(&word);
    }
}

static void get_kept(struct collector_status *out, const struct status_found *found)
{
    struct json_token name;
    struct json_token value;
    struct json_token length;
    struct json_walk walk;
    struct json_text text;

    if (!get(found, "features") || !get(found, "intervals"))
        return;
    json_walk_init(&walk, get(found, "features"));
    while (json_walk_next(&walk, &name, &value)) {
        json_text_init(&text, &value);
        catalog_add_feature(&out->kept.features, text.chars, NULL, NULL);
        json_text_release(&text);
    }
    get_words(&out->kept.features, get(found, "units"), true);
    get_words(&out->kept.features, get(found, "labels"), false);
    json_walk_init(&walk, get(found, "intervals"));
    while (json_walk_next(&walk, &name, &value)) {
        struct json_token interval_name;

        status_split_interval(&value, &interval_name, &length);
        json_text_init(&text, &interval_name);
        catalog_add_interval(&out->kept.intervals, text.chars, interval_length(&length));
        json_text_release(&text);
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void show(struct collector_status *out, const struct status_found *found)
{
    struct buffer text = {0};

    for (size_t i = 0; i < MEMBERS; i++) {
        if (!found->members[i].text || members[i].is_hidden)
            continue;
        buffer_printf(&text, ",\"%s\":", members[i].name);
        if (members[i].kind == STATUS_KIND_STATE) /* the contract has those that are known here */
            buffer_printf(&text, "\"%s\"", state_texts[out->state]);
        else
            status_kinds[members[i].kind].put(&text, &found->members[i]);
    }
    out->shown = mem_strdup(buffer_text(&text));
    buffer_release(&text);
}

static enum collector_state find_state(const struct json_token *token)
{
    for (size_t i = 0; i < sizeof(state_texts) / sizeof(state_texts[0]); i++) {
        if (json_token_is(token, state_texts[i], strlen(state_texts[i])))
            return (enum collector_state)i;
    }
    return COLLECTOR_UNKNOWN;
}

static enum collector_lack find_lack(const struct json_token *token)
{
    if (!token)
        return COLLECTOR_LACKS_NOTHING;
    return json_token_is(token, "store", 5)    ? COLLECTOR_LACKS_STORE
           : json_token_is(token, "source", 6) ? COLLECTOR_LACKS_SOURCE
                                               : COLLECTOR_LACKS_NOTHING;
}

static int64_t later(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

static bool read_members(struct collector_status *out, const struct features *features,
                         const struct intervals *intervals, const struct status_found *found,
                         char *fault)
{
    out->state = find_state(get(found, "state"));
    out->lacks = find_lack(get(found, "lacks"));
    out->oldest_ms = get_count(found, "oldestUncommittedMs");
    out->as_of_us = get_timestamp(found, "asOf");
    out->since_us = get_timestamp(found, "since");
    out->latest_us = later(later(out->as_of_us, out->since_us), get_timestamp(found, "startedAt"));
    out->turn = get_count(found, "turn");
    out->limit = (size_t)get_count(found, "limit");
    get_text(found, "installation", out->installation, sizeof(out->installation));
    out->beyond = get(found, "thresholds") ? status_read_beyond(get(found, "thresholds")) : 0;
    get_kept(out, found);
    if (!read_vouching(out, features, intervals, found)) {
        snprintf(fault, COLLECTOR_STATUS_FAULT_SIZE,
                 "\"generations\" is not a number for each of its boards");
        return false;
    }
    show(out, found);
    return true;
}

bool collector_status_parse(struct collector_status *out, const struct features *features,
                            const struct intervals *intervals, const char *json, size_t bytes,
                            char *fault)
{
    struct collector_status status = {0};
    struct json_token root;
    struct status_found found;
    bool is_good;

    if (bytes > STATUS_MAX_BYTES || json_walk_open(&root, json, bytes) != JSON_OK) {
        snprintf(fault, COLLECTOR_STATUS_FAULT_SIZE, "it is not strict JSON of up to %d bytes",
                 STATUS_MAX_BYTES);
        return false;
    }
    is_good =
        collect(&root, &found, fault) && read_members(&status, features, intervals, &found, fault);
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
