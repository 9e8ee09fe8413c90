#include "shared/model/features.h"

#include "shared/base/duration.h"
#include "shared/model/feature_words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define OF_READINGS "a column of every reading"
#define OF_JSON "a member that answers have beside the features"
#define OF_PEAKS "a column of every peak"
#define OF_POSTGRES "a column that PostgreSQL gives every table"

/* What has a place of its own where features have theirs, whatever the case: who reads Status is not to
 * wonder which. Any other name will do: it is quoted in
 * SQL, where no alias depends on it, and what the rollups add to it (_count, _sum, _min, _max,
 * _mean) ends no fixed column's name, and makes two features' columns equal only when they are one. */
static const struct taken {
    const char *name;
    const char *is_what;
} taken[] = {{"device", OF_READINGS},      {"device_id", OF_READINGS},
             {"deviceid", OF_READINGS},    {"content_hash", OF_READINGS},
             {"recorded_at", OF_READINGS}, {"received_at", OF_READINGS},
             {"status", OF_READINGS},      {"seq", OF_READINGS},
             {"timestamp", OF_JSON},       {"count", OF_JSON},
             {"feature", OF_PEAKS},        {"sort_order", OF_PEAKS},
             {"value", OF_PEAKS},          {"tableoid", OF_POSTGRES},
             {"ctid", OF_POSTGRES},        {"xmin", OF_POSTGRES},
             {"xmax", OF_POSTGRES},        {"cmin", OF_POSTGRES},
             {"cmax", OF_POSTGRES}};

#define DIGITS "0123456789"
#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define CAPITAL "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_made_of(const char *text, size_t bytes, const char *characters)
{
    size_t i = 0;

    while (i < bytes && text[i] && strchr(characters, text[i]))
        i++;
    return i == bytes;
}

bool feature_name_is_legal(const char *text, size_t bytes)
{
    return bytes > 0 && bytes <= FEATURE_NAME_MAX && is_made_of(text, 1, SMALL CAPITAL) &&
           is_made_of(text, bytes, SMALL CAPITAL DIGITS "_.-");
}

const char *feature_name_taken(const char *name)
{
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcasecmp(name, taken[i].name) == 0)
            return taken[i].is_what;
    }
    return NULL;
}

static bool is_interval_name(const char *text, size_t bytes)
{
    return bytes > 0 && bytes <= INTERVAL_NAME_MAX && is_made_of(text, 1, SMALL) &&
           is_made_of(text, bytes, SMALL DIGITS "_");
}

/* The next comma-separated item of *text; false at the end. */
static bool next_item(const char **text, const char **item, size_t *bytes)
{
    if (!*text)
        return false;
    *item = *text;
    *bytes = strcspn(*text, ",");
    *text = (*text)[*bytes] == ',' ? *text + *bytes + 1 : NULL;
    return true;
}

bool features_parse(struct features *out, const char *text, char *error, size_t error_bytes)
{
    struct features parsed = {0};

    while (text) {
        const char *item = text;
        size_t item_bytes = feature_item_bytes(item);
        size_t bytes = strcspn(item, ",[");
        char *name;

        text = item[item_bytes] ? item + item_bytes + 1 : NULL;

        if (!feature_name_is_legal(item, bytes)) {
            snprintf(error, error_bytes, "feature \"%.*s\" is not " FEATURE_NAME_LEGAL, (int)bytes,
                     item);
            return false;
        }
        if (parsed.count == FEATURES_MAX) {
            snprintf(error, error_bytes, "more than %d features", FEATURES_MAX);
            return false;
        }
        name = parsed.names[parsed.count];
        memcpy(name, item, bytes);
        name[bytes] = '\0';
        if (feature_name_taken(name)) {
            snprintf(
                error, error_bytes,
                "\"%s\" is %s, so no feature can have that name; any other of " FEATURE_NAME_LEGAL
                " will do",
                name, feature_name_taken(name));
            return false;
        }
        if (features_find(&parsed, name) < parsed.count) {
            snprintf(error, error_bytes, "feature \"%s\" is named twice", name);
            return false;
        }
        if (!feature_words_parse(&parsed, parsed.count, item + bytes, item_bytes - bytes, error,
                                 error_bytes))
            return false;
        parsed.count++;
    }
    *out = parsed;
    return true;
}

size_t features_find(const struct features *features, const char *name)
{
    size_t i = 0;

    while (i < features->count && strcmp(features->names[i], name) != 0)
        i++;
    return i;
}

bool intervals_parse(struct intervals *out, const char *text, char *error, size_t error_bytes)
{
    struct intervals parsed = {0};
    const char *item;
    size_t bytes;

    while (next_item(&text, &item, &bytes)) {
        struct interval *interval;
        const char *equals = memchr(item, '=', bytes);
        size_t name_bytes = equals ? (size_t)(equals - item) : bytes;

        if (parsed.count == INTERVALS_MAX) {
            snprintf(error, error_bytes, "more than %d intervals", INTERVALS_MAX);
            return false;
        }
        interval = &parsed.items[parsed.count];
        if (!is_interval_name(item, name_bytes)) {
            snprintf(error, error_bytes,
                     "interval \"%.*s\" is not name=length, the name of a-z, 0-9 and _", (int)bytes,
                     item);
            return false;
        }
        memcpy(interval->name, item, name_bytes);
        interval->name[name_bytes] = '\0';
        if (intervals_find(&parsed, interval->name) < parsed.count) {
            snprintf(error, error_bytes, "interval \"%s\" is named twice", interval->name);
            return false;
        }
        if (equals) {
            char length[32];
            size_t length_bytes = bytes - name_bytes - 1;

            snprintf(length, sizeof(length), "%.*s", (int)length_bytes, equals + 1);
            if (length_bytes >= sizeof(length) || !duration_parse(&interval->length_us, length) ||
                interval->length_us <= 0 || interval->length_us > INT64_C(366) * 86400 * 1000000) {
                snprintf(error, error_bytes,
                         "interval \"%.*s\": the length is not a duration up to 366d, such as 60s, "
                         "5m or 1h",
                         (int)bytes, item);
                return false;
            }
        } else if (strcmp(interval->name, "all_time") == 0) {
            interval->length_us = INTERVAL_ALL_TIME;
        } else {
            snprintf(error, error_bytes,
                     "interval \"%s\" has no length: write %s=60s (only all_time goes without)",
                     interval->name, interval->name);
            return false;
        }
        parsed.count++;
    }
    *out = parsed;
    return true;
}

size_t intervals_find(const struct intervals *intervals, const char *name)
{
    size_t i = 0;

    while (i < intervals->count && strcmp(intervals->items[i].name, name) != 0)
        i++;
    return i;
}

int64_t intervals_longest_us(const struct intervals *intervals)
{
    int64_t longest = 0;

    for (size_t i = 0; i < intervals->count; i++) {
        int64_t length = intervals->items[i].length_us;

        if (length != INTERVAL_ALL_TIME && length > longest)
            longest = length;
    }
    return longest;
}
