#include "httpapi/params.h"

#include "httpapi/moment.h"
#include "shared/base/hex.h"
#include "shared/base/json_write.h"
#include "shared/base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- decoding ------------------------------------------------------------------------------- */

static bool is_utf8(const char *text, size_t bytes)
{
    size_t length;

    for (size_t i = 0; i < bytes; i += length) {
        length = utf8_length((const unsigned char *)text + i, bytes - i);
        if (length == 0)
            return false;
    }
    return true;
}

static bool decode(char *out, size_t room, const char *text, size_t bytes, bool plus_is_space)
{
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < bytes ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < bytes ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (used + 1 >= room)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return is_utf8(out, used);
}

bool params_decode(char *out, const char *text, size_t bytes, bool plus_is_space)
{
    return decode(out, PARAM_TEXT_SIZE, text, bytes, plus_is_space);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool parse_count(uint64_t *out, const char *text, uint64_t least, uint64_t most)
{
    uint64_t number = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || number > UINT64_MAX / 10 - 1)
            return false;
        number = number * 10 + (uint64_t)(*text - '0');
    }
    if (number < least || number > most)
        return false;
    *out = number;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* As JSON has it: what strtod() takes besides, as 0x10, inf, +1 and 1., is no number. */
static bool parse_number(double *out, const char *text)
{
    const char *dot = strchr(text, '.');
    char *end;
    double number = strtod(text, &end);

    if (*end || !is_digit(text[*text == '-']) || (dot && !is_digit(dot[1])) ||
        text[strspn(text, "0123456789+-.eE")] || !isfinite(number))
        return false;
    *out = number;
    return true;
}

static bool parse_interval(struct params *out, const char *text, const struct params_rules *rules,
                           bool takes_durations)
{
    const struct intervals *intervals = rules->intervals;
    struct interval_choice choice = {.index = intervals_find(intervals, text)};

    if (choice.index < intervals->count) {
        choice.interval = intervals->items[choice.index];
    } else {
        if (!takes_durations || !moment_parse_length(&choice.interval.length_us, text))
            return false;
        strcpy(choice.interval.name, text);
        for (size_t i = 0; i < intervals->count; i++) {
            if (intervals->items[i].length_us == choice.interval.length_us)
                choice.index = i; /* 60s where past_minute is configured */
        }
    }
    for (size_t i = 0; i < out->interval_count; i++) {
        if (out->intervals[i].index == choice.index)
            return false; /* twice */
    }
    out->intervals[out->interval_count++] = choice;
    return true;
}

static bool parse_choice(size_t *out, const struct param *param, const char *text)
{
    for (size_t i = 0; param->choices[i]; i++) {
        if (strcmp(param->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *name;
    const char *type;
} formats[] = {[FORMAT_UNSET] = {"", ""},
               [FORMAT_JSON] = {"json", "application/json"},
               [FORMAT_CSV] = {"csv", "text/csv"},
               [FORMAT_LINES] = {"jsonl", "application/x-ndjson"}};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

enum params_format params_format_of_type(const char *type)
{
    size_t bytes = strcspn(type, ";");

    for (int i = FORMAT_JSON; i < FORMATS; i++) {
        if (strlen(formats[i].type) == bytes && memcmp(formats[i].type, type, bytes) == 0)
            return (enum params_format)i;
    }
    return FORMAT_UNSET;
}

static bool parse_format(enum params_format *out, const struct param *param, const char *text)
{
    size_t choice;

    if (!parse_choice(&choice, param, text))
        return false;
    for (int i = FORMAT_JSON; i < FORMATS; i++) {
        if (strcmp(formats[i].name, text) == 0)
            *out = (enum params_format)i;
    }
    return true;
}

static bool parse_feature(struct params *out, const char *text, const struct params_rules *rules)
{
    size_t feature = features_find(rules->features, text);

    if (feature == rules->features->count)
        return false;
    for (size_t i = 0; i < out->feature_count; i++) {
        if (out->features[i] == feature)
            return false; /* twice */
    }
    out->features[out->feature_count++] = feature;
    return true;
}

/* Cuts the list into names and takes each. */
static bool parse_list(struct params *out, const struct param *param, const char *text,
                       const struct params_rules *rules)
{
    out->feature_count = param->kind == PARAM_FEATURES ? 0 : out->feature_count;
    out->interval_count = param->kind == PARAM_INTERVALS ? 0 : out->interval_count;
    for (;;) {
        size_t length = strcspn(text, ",");
        char name[PARAM_TEXT_SIZE];

        if (length >= sizeof(name))
            return false;
        memcpy(name, text, length);
        name[length] = '\0';
        if (!(param->kind == PARAM_FEATURES ? parse_feature(out, name, rules)
                                            : parse_interval(out, name, rules, false)))
            return false;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

/* The end of the year 9999, and no database keeps one that is as far before 1970. */
#define CURSOR_MOST_US INT64_C(253402300799999999)

/* Some digits, with or without a minus before them, up to `end`. */
static bool is_number(const char *text, size_t most, char end)
{
    size_t digits;

    text += *text == '-';
    digits = strspn(text, "0123456789");
    return digits > 0 && digits <= most && text[digits] == end;
}

static bool parse_cursor(struct params_cursor *out, const char *text)
{
    char *end;
    long long us;
    long long hash;

    if (!*text)
        return true; /* the first page */
    if (!is_number(text, 18, '_'))
        return false;
    us = strtoll(text, &end, 10);
    us = us < -CURSOR_MOST_US ? -CURSOR_MOST_US : us > CURSOR_MOST_US ? CURSOR_MOST_US : us;
    if (!is_number(end + 1, 19, '\0'))
        return false;
    hash = strtoll(end + 1, &end, 10); /* no hash lies beyond what it stops at */
    *out = (struct params_cursor){.is_given = true, .recorded_at_us = us, .content_hash = hash};
    return true;
}

static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static bool parse_device(struct params *out, const char *text)
{
    if (!device_id_is_legal(text, strlen(text)) || out->device_count == PARAM_DEVICES_MAX)
        return false;
    for (size_t i = 0; i < out->device_count; i++) {
        if (strcmp(out->device_ids[i], text) == 0)
            return false; /* twice */
    }
    strcpy(out->device_ids[out->device_count++], text);
    return true;
}

static bool parse_moment(struct params *out, int64_t *target, const char *text)
{
    bool is_relative;

    if (!moment_parse(target, &is_relative, text, out->now_us))
        return false;
    out->is_relative |= is_relative;
    return true;
}

static bool parse_value(struct params *out, const struct param *param, const char *text,
                        const struct params_rules *rules)
{
    void *target = (char *)out + param->offset;

    switch (param->kind) {
    case PARAM_FEATURES:
    case PARAM_INTERVALS:
        return parse_list(out, param, text, rules);
    case PARAM_FEATURE:
        out->feature = features_find(rules->features, text);
        return out->feature < rules->features->count;
    case PARAM_INTERVAL:
        out->interval_count = 0;
        return parse_interval(out, text, rules, true);
    case PARAM_ORDER:
        return sort_order_parse(&out->order, text);
    case PARAM_COUNT:
    case PARAM_TOP:
        return parse_count(target, text, param->least, param->most);
    case PARAM_TIMESTAMP:
        return parse_moment(out, target, text);
    case PARAM_DURATION:
        return moment_parse_length(target, text);
    case PARAM_NUMBER:
        return parse_number(target, text);
    case PARAM_CHOICE:
        return parse_choice(target, param, text);
    case PARAM_TEXT:
        strcpy(target, text);
        return count_characters(text) <= (size_t)param_most_characters(param);
    case PARAM_DEVICE:
        strcpy(target, text);
        return device_id_is_legal(text, strlen(text));
    case PARAM_DEVICES:
        return parse_device(out, text);
    case PARAM_QUANTILES:
        return quantiles_parse(target, text);
    case PARAM_CURSOR:
        return parse_cursor(target, text);
    case PARAM_FORMAT:
        return parse_format(&out->format, param, text);
    }
    return false;
}

/* ---- the query string ----------------------------------------------------------------------- */

static void refuse(struct problem *problem, const struct param *param, const char *value,
                   size_t bytes, const struct params_rules *rules)
{
    char legal[sizeof(problem->legal)];

    param_legal(legal, sizeof(legal), param, rules);
    problem_set_parameter(problem, param->name, value, bytes, legal);
}

static void refuse_name(struct problem *problem, const struct param *params, const char *name,
                        size_t bytes)
{
    char legal[sizeof(problem->legal)];

    params_legal_names(legal, sizeof(legal), params);
    problem_set_parameter(problem, "the parameter's name", name, bytes, legal);
}

static const struct param *find_param(const struct param *params, const char *name, size_t bytes)
{
    for (; params->name; params++) {
        if (strlen(params->name) == bytes && memcmp(params->name, name, bytes) == 0)
            return params;
    }
    return NULL;
}

void params_init(struct params *out, const struct params_rules *rules)
{
    size_t interval = intervals_find(rules->intervals, "past_minute");

    *out = (struct params){.feature = FEATURES_MAX,
                           .limit = rules->top_devices,
                           .state = DEVICES_ANY,
                           .side = SIDE_ANY,
                           .silent_for_us = INT64_MIN,
                           .since_us = INT64_MIN,
                           .low = NAN,
                           .high = NAN,
                           .from_us = INT64_MIN,
                           .to_us = INT64_MAX};
    for (size_t i = 0; i < rules->features->count; i++)
        out->features[out->feature_count++] = i;
    if (interval == rules->intervals->count)
        interval = 0;
    out->intervals[0] =
        (struct interval_choice){.index = interval, .interval = rules->intervals->items[interval]};
    out->interval_count = 1;
}

bool params_have_span(const struct params *params)
{
    return params->from_us != INT64_MIN || params->to_us != INT64_MAX;
}

static void set_fallbacks(struct params *out, const struct param *params,
                          const struct params_rules *rules)
{
    for (const struct param *param = params; param->name; param++) {
        if (param->fallback && !parse_value(out, param, param->fallback, rules)) {
            /* all_time where it is not configured: the database answers, as it does for a duration */
            assert(param->kind == PARAM_INTERVAL);
            out->intervals[0] = (struct interval_choice){
                .index = rules->intervals->count, .interval = {.length_us = INTERVAL_ALL_TIME}};
            out->interval_count = 1;
        }
        if (param->kind == PARAM_INTERVALS) {
            out->interval_count = 0;
            for (size_t i = 0; i < rules->intervals->count; i++)
                out->intervals[out->interval_count++] =
                    (struct interval_choice){.index = i, .interval = rules->intervals->items[i]};
        }
    }
}

static bool is_list(const struct param *param)
{
    return param->kind == PARAM_FEATURES || param->kind == PARAM_INTERVALS;
}

/* What the route cannot do without, and the query does not have. */
static bool lacks_one(const struct param *params, uint64_t given, const struct params_rules *rules,
                      struct problem *problem)
{
    char legal[sizeof(problem->legal)];

    for (const struct param *param = params; param->name; param++) {
        if (!param->is_required || given >> (param - params) & 1)
            continue;
        param_legal(legal, sizeof(legal), param, rules);
        problem_set_missing(problem, param->name, legal);
        return true;
    }
    return false;
}

bool params_parse(struct params *out, const struct param *params, const char *query,
                  const struct params_rules *rules, int64_t now_us, struct problem *problem)
{
    uint64_t given = 0;
    unsigned count = 0;

    out->now_us = now_us;
    set_fallbacks(out, params, rules);
    while (query && *query) {
        size_t length = strcspn(query, "&");
        const char *equals = memchr(query, '=', length);
        size_t name_bytes = equals ? (size_t)(equals - query) : length;
        const char *value = equals ? equals + 1 : query + length;
        size_t value_bytes = (size_t)(query + length - value);
        const struct param *param = find_param(params, query, name_bytes);
        char text[PARAM_LIST_SIZE];

        if (++count > PARAMS_MAX) {
            problem_set(problem, 400, "there are more than %d parameters, the empty ones counted",
                        PARAMS_MAX);
            return false;
        }
        if (!param && length > 0) {
            refuse_name(problem, params, query, name_bytes);
            return false;
        }
        if (param && param->kind != PARAM_DEVICES) {
            if (given >> (param - params) & 1) {
                problem_set_parameter(problem, param->name, value, value_bytes,
                                      "a parameter only once");
                return false;
            }
            given |= UINT64_C(1) << (param - params);
        }
        if (param && (!decode(text, is_list(param) ? PARAM_LIST_SIZE : PARAM_TEXT_SIZE, value,
                              value_bytes, param->kind != PARAM_TIMESTAMP) ||
                      !parse_value(out, param, text, rules))) {
            refuse(problem, param, value, value_bytes, rules);
            return false;
        }
        query += length + (query[length] == '&');
    }
    return !lacks_one(params, given, rules, problem);
}

bool params_parse_device(struct params *out, const char *segment, size_t bytes,
                         struct problem *problem)
{
    if (params_decode(out->device_id, segment, bytes, false) &&
        device_id_is_legal(out->device_id, strlen(out->device_id)))
        return true;
    problem_set_parameter(problem, "deviceId", segment, bytes, DEVICE_ID_LEGAL);
    return false;
}

void params_key(struct buffer *out, const struct params *params, const struct param *table)
{
    json_write_string(out, params->device_id);
    for (const struct param *param = table; param->name; param++) {
        const void *value = (const char *)params + param->offset;

        buffer_printf(out, "&%s=", param->name);
        switch (param->kind) {
        case PARAM_FEATURES:
            for (size_t i = 0; i < params->feature_count; i++)
                buffer_printf(out, "%zu,", params->features[i]);
            break;
        case PARAM_FEATURE:
            buffer_printf(out, "%zu", params->feature);
            break;
        case PARAM_INTERVAL:
        case PARAM_INTERVALS:
            for (size_t i = 0; i < params->interval_count; i++)
                buffer_printf(out, "%lld,", (long long)params->intervals[i].interval.length_us);
            break;
        case PARAM_ORDER:
            buffer_put_text(out, sort_order_text(params->order));
            break;
        case PARAM_COUNT:
        case PARAM_TOP:
            buffer_printf(out, "%llu", (unsigned long long)*(const uint64_t *)value);
            break;
        case PARAM_CHOICE:
            buffer_printf(out, "%zu", *(const size_t *)value);
            break;
        case PARAM_TIMESTAMP:
        case PARAM_DURATION:
            buffer_printf(out, "%lld", (long long)*(const int64_t *)value);
            break;
        case PARAM_NUMBER:
            buffer_printf(out, "%.17g", *(const double *)value);
            break;
        case PARAM_TEXT:
        case PARAM_DEVICE:
            json_write_string(out, value);
            break;
        case PARAM_DEVICES:
            for (size_t i = 0; i < params->device_count; i++)
                json_write_string(out, params->device_ids[i]);
            break;
        case PARAM_QUANTILES:
            quantiles_put(out, value);
            break;
        case PARAM_CURSOR:
            if (((const struct params_cursor *)value)->is_given)
                buffer_printf(out, "%" PRId64 "_%" PRId64, params->cursor.recorded_at_us,
                              params->cursor.content_hash);
            break;
        case PARAM_FORMAT:
            buffer_printf(out, "%d", params->format);
            break;
        }
    }
}
