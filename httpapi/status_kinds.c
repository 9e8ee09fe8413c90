#include "httpapi/status_kinds.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"
#include "shared/model/features.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"
#include "shared/model/topic.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    TEXT_MOST = 4096,                               /* bytes */
    COUNTS_MOST = 2 * FEATURES_MAX * INTERVALS_MAX, /* a generation for each board */
    THRESHOLDS_MOST = 2 * FEATURES_MAX,             /* above and below */
    COUNTS_BY_MOST = 4096,                          /* collectors that were ever there */
};

#define COUNT_MOST INT64_C(9007199254740992) /* 2^53: more is no whole number to others */
#define NUMBER_MOST 1e15

/* ---- types ---------------------------------------------------------------------------------- */

bool status_read_count(const struct json_token *token, int64_t *out)
{
    bool is_whole;

    return token->kind == JSON_NUMBER && json_token_floor(token, 0, out, &is_whole) && is_whole &&
           *out >= 0 && *out <= COUNT_MOST;
}

static bool is_count(const struct json_token *token)
{
    int64_t count;

    return status_read_count(token, &count);
}

static bool is_number(const struct json_token *token)
{
    double number = token->kind == JSON_NUMBER ? json_token_number(token) : -1;

    return number >= 0 && number <= NUMBER_MOST;
}

/* A string that people may be shown. */
static bool is_text_of(const struct json_token *token, size_t most)
{
    struct json_text text;
    size_t bytes;
    bool is_legal;

    if (token->kind != JSON_STRING)
        return false;
    json_text_init(&text, token);
    bytes = strlen(text.chars);
    is_legal = bytes <= most && utf8_is_visible(text.chars, bytes);
    json_text_release(&text);
    return is_legal;
}

static bool is_text(const struct json_token *token)
{
    return is_text_of(token, TEXT_MOST);
}

static bool is_state(const struct json_token *token)
{
    return is_text_of(token, FEATURE_NAME_MAX);
}

static bool is_flag(const struct json_token *token)
{
    return token->kind == JSON_BOOLEAN;
}

bool status_read_timestamp(const struct json_token *token, int64_t *out_us)
{
    return token->kind == JSON_STRING && json_token_timestamp(token, out_us);
}

static bool is_timestamp(const struct json_token *token)
{
    int64_t us;

    return status_read_timestamp(token, &us);
}

bool status_split_interval(const struct json_token *token, struct json_token *name,
                           struct json_token *length)
{
    struct json_token member;
    struct json_token value;
    struct json_walk walk;

    *name = *length = (struct json_token){0};
    if (token->kind != JSON_OBJECT || !json_walk_is_sound(token, 2, NULL))
        return false;
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &member, &value)) {
        if (json_token_is(&member, "name", 4))
            *name = value;
        else if (json_token_is(&member, "lengthMs", 8))
            *length = value;
    }
    return name->text && length->text;
}

static bool is_interval(const struct json_token *token)
{
    struct json_token name;
    struct json_token length;

    return status_split_interval(token, &name, &length) && is_text_of(&name, INTERVAL_NAME_MAX) &&
           (is_count(&length) || length.kind == JSON_NULL);
}

static bool is_name(const struct json_token *token)
{
    return is_text_of(token, FEATURE_NAME_MAX);
}

/* Nothing else is in one, so that what is shown is what was looked at. */
struct threshold_parts {
    struct json_token feature;
    struct json_token above;
    struct json_token below;
    struct json_token back;
    struct json_token devices;
};

static bool is_finite(const struct json_token *token)
{
    return token->kind == JSON_NUMBER && isfinite(json_token_number(token));
}

static bool split_threshold(const struct json_token *token, struct threshold_parts *parts)
{
    struct {
        const char *name;
        struct json_token *part;
        bool (*is_good)(const struct json_token *token);
    } const known[] = {{"feature", &parts->feature, is_name},
                       {"above", &parts->above, is_finite},
                       {"below", &parts->below, is_finite},
                       {"back", &parts->back, is_finite},
                       {"devices", &parts->devices, is_count}};
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    memset(parts, 0, sizeof(*parts));
    if (token->kind != JSON_OBJECT || !json_walk_is_sound(token, 4, NULL))
        return false;
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        size_t i = 0;

        name.kind = JSON_STRING;
        while (i < 5 && !json_token_is(&name, known[i].name, strlen(known[i].name)))
            i++;
        if (i == 5 || !known[i].is_good(&value))
            return false;
        *known[i].part = value;
    }
    return parts->feature.text && parts->back.text && !parts->above.text != !parts->below.text;
}

int64_t status_read_beyond(const struct json_token *thresholds)
{
    int64_t beyond = 0;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    json_walk_init(&walk, thresholds);
    while (json_walk_next(&walk, &name, &value)) {
        struct threshold_parts parts;
        int64_t devices;

        if (!split_threshold(&value, &parts) || !parts.devices.text ||
            !status_read_count(&parts.devices, &devices) || devices > INT32_MAX)
            return -1;
        beyond += devices;
    }
    return beyond;
}

static bool is_threshold(const struct json_token *token)
{
    struct threshold_parts parts;

    return split_threshold(token, &parts);
}

static bool is_each(const struct json_token *list, enum json_kind kind, size_t most,
                    bool (*is_good)(const struct json_token *token))
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    if (list->kind != kind || !json_walk_is_sound(list, most, NULL))
        return false;
    json_walk_init(&walk, list);
    while (json_walk_next(&walk, &name, &value)) {
        name.kind = JSON_STRING;
        if (!is_good(&value) || !is_text_of(&name, DEVICE_ID_SIZE))
            return false;
    }
    return true;
}

static bool are_names(const struct json_token *token)
{
    return is_each(token, JSON_ARRAY, FEATURES_MAX, is_name);
}

static bool are_intervals(const struct json_token *token)
{
    return is_each(token, JSON_ARRAY, INTERVALS_MAX, is_interval);
}

static bool are_thresholds(const struct json_token *token)
{
    return is_each(token, JSON_ARRAY, THRESHOLDS_MOST, is_threshold);
}

static bool are_counts(const struct json_token *token)
{
    return is_each(token, JSON_ARRAY, COUNTS_MOST, is_count);
}

static bool is_word(const struct json_token *token)
{
    return is_text_of(token, FEATURE_LABEL_MAX);
}

static bool are_words_by(const struct json_token *token)
{
    return is_each(token, JSON_OBJECT, FEATURES_MAX, is_word);
}

static bool are_counts_by(const struct json_token *token)
{
    return is_each(token, JSON_OBJECT, COUNTS_BY_MOST, is_count);
}

/* ---- as people see it ----------------------------------------------------------------------- */

static void put_string(struct buffer *out, const struct json_token *token)
{
    struct json_text text;

    json_text_init(&text, token);
    json_write_string(out, text.chars);
    json_text_release(&text);
}

static void put_timestamp(struct buffer *out, const struct json_token *token)
{
    char text[TIMESTAMP_TEXT_SIZE];
    int64_t us = 0;

    status_read_timestamp(token, &us);
    timestamp_format(text, us);
    buffer_printf(out, "\"%s\"", text);
}

static void put_count(struct buffer *out, const struct json_token *token)
{
    int64_t count = 0;

    status_read_count(token, &count);
    buffer_printf(out, "%" PRId64, count);
}

static void put_number(struct buffer *out, const struct json_token *token)
{
    json_write_double(out, json_token_number(token));
}

static void put_word(struct buffer *out, const struct json_token *token)
{
    buffer_put(out, token->text, token->bytes); /* true, false, null */
}

static void put_interval(struct buffer *out, const struct json_token *token)
{
    struct json_token name;
    struct json_token length;

    status_split_interval(token, &name, &length);
    buffer_put_text(out, "{\"name\":");
    put_string(out, &name);
    buffer_put_text(out, ",\"lengthMs\":");
    if (length.kind == JSON_NULL)
        put_word(out, &length);
    else
        put_count(out, &length);
    buffer_put_text(out, "}");
}

static void put_threshold(struct buffer *out, const struct json_token *token)
{
    struct threshold_parts parts;

    split_threshold(token, &parts);
    buffer_put_text(out, "{\"feature\":");
    put_string(out, &parts.feature);
    buffer_put_text(out, parts.above.text ? ",\"above\":" : ",\"below\":");
    put_number(out, parts.above.text ? &parts.above : &parts.below);
    buffer_put_text(out, ",\"back\":");
    put_number(out, &parts.back);
    if (parts.devices.text) {
        buffer_put_text(out, ",\"devices\":");
        put_count(out, &parts.devices);
    }
    buffer_put_text(out, "}");
}

static void put_each(struct buffer *out, const struct json_token *list,
                     void (*put)(struct buffer *out, const struct json_token *token))
{
    const char *before = list->kind == JSON_OBJECT ? "{" : "[";
    const char *first = before;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    json_walk_init(&walk, list);
    while (json_walk_next(&walk, &name, &value)) {
        buffer_put_text(out, before);
        before = ",";
        if (list->kind == JSON_OBJECT) {
            put_string(out, &name);
            buffer_put_text(out, ":");
        }
        put(out, &value);
    }
    if (before == first)
        buffer_put_text(out, first);
    buffer_put_text(out, list->kind == JSON_OBJECT ? "}" : "]");
}

static void put_strings(struct buffer *out, const struct json_token *token)
{
    put_each(out, token, put_string);
}

static void put_intervals(struct buffer *out, const struct json_token *token)
{
    put_each(out, token, put_interval);
}

static void put_thresholds(struct buffer *out, const struct json_token *token)
{
    put_each(out, token, put_threshold);
}

static void put_counts(struct buffer *out, const struct json_token *token)
{
    put_each(out, token, put_count);
}

const struct status_kind status_kinds[STATUS_KINDS] = {
    [STATUS_KIND_STATE] = {is_state, put_string, "a word"},
    [STATUS_KIND_TEXT] = {is_text, put_string,
                          "up to 4,096 bytes of text without invisible characters"},
    [STATUS_KIND_TIMESTAMP] = {is_timestamp, put_timestamp, "a timestamp as RFC 3339 has it"},
    [STATUS_KIND_FLAG] = {is_flag, put_word, "true or false"},
    [STATUS_KIND_COUNT] = {is_count, put_count, "a whole number from 0 to 2^53"},
    [STATUS_KIND_NUMBER] = {is_number, put_number, "a number from 0 to 1e15"},
    [STATUS_KIND_NAMES] = {are_names, put_strings, "an array of names of features"},
    [STATUS_KIND_WORDS_BY] = {are_words_by, put_strings, "an object of texts, no name twice"},
    [STATUS_KIND_INTERVALS] = {are_intervals, put_intervals, "an array of intervals"},
    [STATUS_KIND_THRESHOLDS] = {are_thresholds, put_thresholds, "an array of thresholds"},
    [STATUS_KIND_COUNTS] = {are_counts, put_counts, "an array of whole numbers"},
    [STATUS_KIND_COUNTS_BY] = {are_counts_by, put_counts,
                               "an object of whole numbers, no name twice"},
};
