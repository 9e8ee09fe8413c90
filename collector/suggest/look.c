#include "collector/suggest/look.h"

#include "collector/decoders/mapping_time.h"
#include "collector/suggest/words.h"
#include "shared/base/hash.h"
#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- texts ---------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *bytes)
{
    while (*bytes > 0 && is_space(**text)) {
        ++*text;
        --*bytes;
    }
    while (*bytes > 0 && is_space((*text)[*bytes - 1]))
        --*bytes;
}

bool look_is_number(const char *text, size_t bytes)
{
    struct json_value value;
    size_t at = 0;

    trim(&text, &bytes);
    return bytes > 0 && json_scan_document(text, bytes, &at, &value) == JSON_OK &&
           value.kind == JSON_NUMBER;
}

static bool says_none(const char *text, size_t bytes)
{
    static const char *const words[] = {"nan", "null", "none", "unknown", "unavailable", "n/a"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == bytes && strncasecmp(words[i], text, bytes) == 0)
            return true;
    }
    return bytes == 0;
}

/* ---- payloads ------------------------------------------------------------------------------- */

/* RFC 8428: a record has a name and a value, or base fields. */
static bool is_record(const struct json_token *element)
{
    static const char *const members[] = {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u",
                                          "v",  "vs", "vb", "vd", "s",  "t",    "ut"};
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t known = 0;

    if (element->kind != JSON_OBJECT)
        return false;
    json_walk_init(&walk, element);
    while (json_walk_next(&walk, &name, &value)) {
        bool is_known = false;

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && !is_known; i++)
            is_known = json_token_is(&name, members[i], strlen(members[i]));
        if (!is_known)
            return false;
        known++;
    }
    return known > 0;
}

static bool is_senml(const struct json_token *root)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token element;
    bool is_empty = true;

    if (root->kind != JSON_ARRAY)
        return false;
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &name, &element)) {
        if (!is_record(&element))
            return false;
        is_empty = false;
    }
    return !is_empty;
}

enum look look_at(const char *payload, size_t bytes)
{
    struct json_token root;

    trim(&payload, &bytes);
    if (says_none(payload, bytes))
        return LOOK_NONE;
    if (*payload == '{' || *payload == '[') {
        if (json_walk_open(&root, payload, bytes) != JSON_OK)
            return LOOK_BROKEN_JSON;
        return is_senml(&root) ? LOOK_SENML : LOOK_JSON;
    }
    if (look_is_number(payload, bytes))
        return LOOK_NUMBER;
    if (word_status(payload, bytes))
        return LOOK_STATUS;
    return utf8_is_visible(payload, bytes) ? LOOK_TEXT : LOOK_BINARY;
}

/* Names and kinds, level by level; a walk knows no more than JSON_MAX_DEPTH of them. */
static uint64_t shape_of(const struct json_token *container, uint64_t hash)
{
    struct json_walk walks[JSON_MAX_DEPTH + 1];
    struct json_token name;
    struct json_token value;
    size_t depth = 0;

    json_walk_init(&walks[0], container);
    for (;;) {
        if (!json_walk_next(&walks[depth], &name, &value)) {
            hash = hash_mix(hash, 1);
            if (depth-- == 0)
                return hash;
            continue;
        }
        if (walks[depth].is_object)
            hash = hash_mix(hash, hash_bytes(name.text, name.bytes));
        hash = hash_mix(hash, 2 + (uint64_t)value.kind);
        if ((value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) && depth < JSON_MAX_DEPTH)
            json_walk_init(&walks[++depth], &value);
    }
}

uint64_t look_shape(const char *payload, size_t bytes)
{
    enum look look = look_at(payload, bytes);
    struct json_token root;

    if (look == LOOK_JSON || look == LOOK_SENML) {
        trim(&payload, &bytes);
        if (json_walk_open(&root, payload, bytes) == JSON_OK)
            return shape_of(&root, hash_mix(0, (uint64_t)root.kind));
    }
    return look == LOOK_NUMBER ? (uint64_t)look : hash_bytes(payload, bytes);
}

/* ---- moments -------------------------------------------------------------------------------- */

static bool is_plausible(int64_t us)
{
    int64_t from;
    int64_t to;

    return timestamp_parse(&from, "2000-01-01T00:00:00Z") &&
           timestamp_parse(&to, "2100-01-01T00:00:00Z") && us >= from && us < to;
}

/* An offset, or Z, stands behind the seconds. */
static bool has_offset(const char *text)
{
    size_t bytes = strlen(text);
    const char *time = bytes > 11 ? text + 11 : "";

    return bytes > 0 && (strpbrk(time, "+-") || text[bytes - 1] == 'Z' || text[bytes - 1] == 'z');
}

/* Of 26/11/2026 12:04:05 and its like. What may be a day or a month is whichever is nearer to the
 * arrival. */
static bool guess_format(const struct json_token *token, const char *text, int64_t arrival_us,
                         char out[LOOK_FORMAT_SIZE], int64_t *us)
{
    unsigned first;
    unsigned second;
    unsigned year;
    char between[2];
    char other[2];
    char then[2];
    int used = 0;
    int64_t best = INT64_MAX;

    if (sscanf(text, "%2u%1[./-]%2u%1[./-]%4u%1[ T]%n", &first, between, &second, other, &year,
               then, &used) != 6 ||
        year < 2000)
        return false;
    for (int is_month_first = 0; is_month_first < 2; is_month_first++) {
        static const char *const ends[] = {"%H:%M:%S", "%H:%M", "%H:%M:%S.%f"};

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
            char format[LOOK_FORMAT_SIZE];
            int64_t there;

            snprintf(format, sizeof(format), "%s%s%s%s%%Y%s%s", is_month_first ? "%m" : "%d",
                     between, is_month_first ? "%d" : "%m", other, then, ends[i]);
            if (!mapping_time_read(&there, token, NULL, format, arrival_us) ||
                llabs(there - arrival_us) >= best)
                continue;
            best = llabs(there - arrival_us);
            *us = there;
            memcpy(out, format, sizeof(format));
        }
    }
    return best < INT64_MAX;
}

static enum look_time look_text(const struct json_token *token, const char *text,
                                int64_t arrival_us, char format[LOOK_FORMAT_SIZE], int64_t *us)
{
    if (look_is_number(text, strlen(text)))
        return mapping_time_read(us, token, NULL, NULL, arrival_us) ? LOOK_EPOCH : LOOK_NO_TIME;
    if (timestamp_parse(us, text))
        return has_offset(text) ? LOOK_RFC3339 : LOOK_LOCAL;
    return guess_format(token, text, arrival_us, format, us) ? LOOK_FORMATTED : LOOK_NO_TIME;
}

enum look_time look_time(const struct json_token *token, int64_t arrival_us,
                         char format[LOOK_FORMAT_SIZE], int64_t *us)
{
    enum look_time look = LOOK_NO_TIME;
    struct json_text text;

    if (token->kind == JSON_NUMBER)
        look = json_token_epoch(token, us) ? LOOK_EPOCH : LOOK_NO_TIME;
    if (token->kind == JSON_STRING) {
        json_text_init(&text, token);
        look = look_text(token, text.chars, arrival_us, format, us);
        json_text_release(&text);
    }
    return look != LOOK_NO_TIME && is_plausible(*us) ? look : LOOK_NO_TIME;
}
