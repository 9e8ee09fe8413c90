/* One walk over the members that the scan has noted fills the reading. Members that the settings do not
 * name are counted and ignored, so devices may send more than Highwater keeps. */
#include "shared/model/reading_json_inner.h"

#include "shared/base/duration.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_token.h"
#include "shared/model/topic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)READING_MEMBERS_MAX + (int)FEATURES_MAX <= (int)JSON_MEMBERS_MAX,
               "what is not noted cannot be read");

bool reading_rules_set_earliest(struct reading_rules *rules, const char *text)
{
    char midnight[24];
    bool is_date = strlen(text) == strlen("2020-01-01");
    bool has_unit = *text && (text[strlen(text) - 1] < '0' || text[strlen(text) - 1] > '9');
    int64_t us;

    snprintf(midnight, sizeof(midnight), "%.10sT00:00:00Z", text);
    if (timestamp_parse(&us, is_date ? midnight : text)) {
        rules->earliest_us = us;
        rules->most_age_us = 0;
        return true;
    }
    if (!has_unit || !duration_parse(&us, text) || us <= 0)
        return false;
    rules->most_age_us = us;
    return timestamp_parse(&rules->earliest_us, READING_EARLIEST_DEFAULT "T00:00:00Z");
}

enum member { MEMBER_DEVICE_ID, MEMBER_TIMESTAMP, MEMBER_STATUS, MEMBER_SEQ, MEMBER_FEATURES };

/* What is known while one object is read. */
struct parse {
    const struct reading_rules *rules;
    const char *device_id;
    struct reading_item *item;
    struct reading *reading;
    char *detail; /* READING_DETAIL_SIZE bytes */
    uint64_t
        known_seen[(MEMBER_FEATURES + FEATURES_MAX + 63) / 64]; /* a bit for each, by enum member
                                                                        and feature */
    size_t feature;                                             /* that is looked for first */
};

__attribute__((format(printf, 3, 4))) static bool
reject(struct parse *parse, enum reading_error error, const char *format, ...)
{
    va_list args;

    parse->item->error = error;
    parse->item->detail = parse->detail;
    va_start(args, format);
    vsnprintf(parse->detail, READING_DETAIL_SIZE, format, args);
    va_end(args);
    return false;
}

static struct shown shown(const char *text)
{
    return reading_show(text, strlen(text));
}

static struct shown shown_token(const struct json_token *token)
{
    struct json_text text;
    struct shown short_text;

    json_text_init(&text, token);
    short_text = shown(text.chars);
    json_text_release(&text);
    return short_text;
}

static bool parse_device_id(struct parse *parse, const struct json_token *value)
{
    struct json_text id;

    if (value->kind != JSON_STRING)
        return reject(parse, READING_WRONG_TYPE, "deviceId is not a string");
    if (json_token_is(value, parse->device_id, strlen(parse->device_id)))
        return true; /* so it is legal */
    json_text_init(&id, value);
    if (!device_id_is_legal(id.chars, strlen(id.chars)))
        reject(parse, READING_BAD_DEVICE_ID, "deviceId \"%s\" is not " DEVICE_ID_LEGAL,
               shown(id.chars).text);
    else
        reject(parse, READING_DEVICE_ID_MISMATCH, "deviceId \"%s\" is not the topic's \"%s\"",
               shown(id.chars).text, shown(parse->device_id).text);
    json_text_release(&id);
    return false;
}

static const char *leap_second_hint(const struct json_token *value)
{
    enum { SECONDS_AT = 16 }; /* 2026-11-23T12:00:60Z */
    bool is_60 = value->bytes >= SECONDS_AT + 3 && memcmp(value->text + SECONDS_AT, ":60", 3) == 0;

    return is_60 ? "; a second 60 ends only June and December, at 23:59 UTC" : "";
}

static bool parse_timestamp(struct parse *parse, const struct json_token *value)
{
    int64_t us;

    if (value->kind == JSON_STRING) {
        if (!json_token_timestamp(value, &us))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp \"%s\" is not RFC 3339 such as 2026-11-23T12:00:00.123Z%s",
                          shown_token(value).text, leap_second_hint(value));
    } else if (value->kind == JSON_NUMBER) {
        if (!json_token_epoch(value, &us))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp %s is not a number of s, ms, us or ns since 1970",
                          reading_show(value->text, value->bytes).text);
    } else {
        return reject(parse, READING_WRONG_TYPE, "timestamp is neither a string nor a number");
    }
    parse->reading->recorded_at_us = us;
    parse->item->has_timestamp = true;
    return true;
}

static bool parse_status(struct parse *parse, const struct json_token *value)
{
    enum reading_status status = STATUS_COUNT;
    struct json_text text;

    if (value->kind != JSON_STRING)
        return reject(parse, READING_WRONG_TYPE, "status is not a string");
    json_text_init(&text, value);
    status = reading_status_parse(text.chars);
    json_text_release(&text);
    if (status == STATUS_COUNT)
        return reject(parse, READING_UNKNOWN_STATUS,
                      "status \"%s\" is not one of ON, OFF, ACTIVE, INACTIVE",
                      shown_token(value).text);
    parse->reading->status = (uint8_t)status;
    return true;
}

static bool parse_seq(struct parse *parse, const struct json_token *value)
{
    /* 2^53: above it some devices' own numbers, which are doubles, skip. */
    static const int64_t most = INT64_C(9007199254740992);
    bool is_whole = false;
    int64_t number = -1;

    if (value->kind != JSON_NUMBER)
        return reject(parse, READING_WRONG_TYPE, "seq is not a number");
    if (!json_token_floor(value, 0, &number, &is_whole) || !is_whole || number < 0 || number > most)
        return reject(parse, READING_WRONG_TYPE,
                      "seq %s is not a whole number from 0 to 9007199254740992 (2^53)",
                      reading_show(value->text, value->bytes).text);
    parse->item->seq = number;
    return true;
}

static bool parse_feature(struct parse *parse, const struct json_token *value, size_t feature)
{
    const char *name = parse->rules->features->names[feature];
    double number;

    if (value->kind != JSON_NUMBER)
        return reject(parse, READING_WRONG_TYPE, "%s is not a number", name);
    number = json_token_number(value);
    if (!isfinite(number))
        return reject(parse, READING_NOT_FINITE, "%s is not finite", name);
    /* Adding zero makes -0 a 0: the two are equal, so they must be stored alike. */
    parse->reading->values[feature] = number + 0.0;
    return true;
}

/* Which member the name is of; MEMBER_FEATURES + n for the nth feature, one above the last for a name
 * that is not known. Of many, devices send each behind the same other one, so that is looked at first. */
static size_t find_member(struct parse *parse, const struct json_token *name)
{
    enum { FEW = 8 };
    const struct features *features = parse->rules->features;
    static const struct {
        const char *text;
        size_t bytes;
    } names[] = {[MEMBER_DEVICE_ID] = {"deviceId", 8},
                 [MEMBER_TIMESTAMP] = {"timestamp", 9},
                 [MEMBER_STATUS] = {"status", 6},
                 [MEMBER_SEQ] = {"seq", 3}};
    size_t i;

    for (i = 0; i < MEMBER_FEATURES; i++) {
        if (json_token_is(name, names[i].text, names[i].bytes))
            return i;
    }
    i = features->count > FEW ? parse->feature : features->count;
    if (i < features->count &&
        json_token_is(name, features->names[i], strlen(features->names[i]))) {
        parse->feature++;
        return MEMBER_FEATURES + i;
    }
    for (i = 0; i < features->count; i++) {
        if (json_token_is(name, features->names[i], strlen(features->names[i]))) {
            parse->feature = i + 1;
            break;
        }
    }
    return MEMBER_FEATURES + i;
}

/* Of an unknown member: whether one before it has the same name. */
static bool has_twin(const struct json_value *object, size_t index)
{
    const struct json_token *name = &object->members[index].name;
    bool found = false;

    for (size_t i = 0; i < index && !found; i++)
        found = json_token_is(&object->members[i].name, name->text, name->bytes);
    return found;
}

static bool parse_known(struct parse *parse, size_t which, const struct json_token *value)
{
    if (which == MEMBER_DEVICE_ID)
        return parse_device_id(parse, value);
    if (value->kind == JSON_NULL) /* is how some devices write "absent" */
        return true;
    if (which == MEMBER_TIMESTAMP)
        return parse_timestamp(parse, value);
    if (which == MEMBER_STATUS)
        return parse_status(parse, value);
    if (which == MEMBER_SEQ)
        return parse_seq(parse, value);
    return parse_feature(parse, value, which - MEMBER_FEATURES);
}

static bool parse_member(struct parse *parse, const struct json_value *object, size_t index)
{
    const struct json_member *member = &object->members[index];
    size_t which = find_member(parse, &member->name);
    bool is_known = which < MEMBER_FEATURES + parse->rules->features->count;
    uint64_t *seen = &parse->known_seen[which / 64];
    uint64_t bit = UINT64_C(1) << which % 64;

    if (is_known ? (*seen & bit) != 0 : has_twin(object, index))
        return reject(parse, READING_DUPLICATE_MEMBER, "\"%s\" stands there twice",
                      shown_token(&member->name).text);
    if (!is_known) {
        parse->item->unknown_members++;
        return true;
    }
    *seen |= bit;
    return parse_known(parse, which, &member->value);
}

static bool reject_time(struct parse *parse, enum reading_error error)
{
    const struct reading_source arrival = {.received_at_us = parse->item->received_at_us,
                                           .first_received_at_us =
                                               parse->item->first_received_at_us};

    reading_describe_time(parse->detail, parse->rules, &arrival, parse->reading->recorded_at_us);
    parse->item->error = error;
    parse->item->detail = parse->detail;
    return false;
}

static bool check_time(struct parse *parse)
{
    enum reading_error error =
        reading_judge_time(parse->rules, parse->item->received_at_us,
                           parse->item->first_received_at_us, parse->reading->recorded_at_us);

    return !error || reject_time(parse, error);
}

/* "neither a status nor one of the features; it has temp, hum, id=null and 3 more" */
static bool reject_no_value(struct parse *parse, const struct json_value *object)
{
    enum { NAMES_SHOWN = 6 };
    char seen[READING_DETAIL_SIZE] = "it is empty";
    size_t used = 0;
    size_t i;

    for (i = 0; i < object->member_count && i < NAMES_SHOWN && used < sizeof(seen) / 2; i++) {
        const struct json_member *member = &object->members[i];

        used += (size_t)snprintf(seen + used, sizeof(seen) - used, "%s%s%s",
                                 i == 0 ? "it has " : ", ", shown_token(&member->name).text,
                                 member->value.kind == JSON_NULL ? "=null" : "");
    }
    if (i < object->member_count)
        snprintf(seen + used, sizeof(seen) - used, " and %zu more", object->member_count - i);
    return reject(parse, READING_NO_VALUE, "neither a status nor one of the features; %s", seen);
}

static bool parse_object(struct parse *parse, const struct json_value *object)
{
    const struct features *features = parse->rules->features;
    size_t most = READING_MEMBERS_MAX + features->count;
    bool has_value = false;

    if (object->kind != JSON_OBJECT)
        return reject(parse, READING_NOT_AN_OBJECT, "a reading is a JSON object");
    for (size_t i = 0; i < object->member_count; i++) {
        if (i == most)
            return reject(parse, READING_TOO_MANY_MEMBERS, "more than %zu members", most);
        if (!parse_member(parse, object, i))
            return false;
    }
    if (!check_time(parse))
        return false;
    has_value = parse->reading->status != STATUS_ABSENT;
    for (size_t i = 0; i < features->count && !has_value; i++)
        has_value = !isnan(parse->reading->values[i]);
    if (!has_value)
        return reject_no_value(parse, object);
    parse->reading->content_hash = reading_content_hash(parse->item->bytes, parse->item->length);
    return true;
}

/* So that each name is decoded once, however often it is compared. Returns how many are to be freed. */
static size_t decode_names(struct json_value *object, char **decoded)
{
    size_t count = 0;

    for (size_t i = 0; i < object->member_count && i < JSON_MEMBERS_MAX; i++) {
        if (object->members[i].name.has_escapes)
            decoded[count++] = json_token_decode(&object->members[i].name);
    }
    return count;
}

bool reading_object_parse(const struct reading_rules *rules, const char *device_id,
                          struct json_value *object, struct reading_item *item,
                          struct reading *reading, char *detail)
{
    char *decoded[JSON_MEMBERS_MAX];
    size_t decoded_count = decode_names(object, decoded);
    struct parse parse = {
        .rules = rules, .device_id = device_id, .item = item, .reading = reading, .detail = detail};
    bool is_good;

    *reading = (struct reading){.recorded_at_us = item->first_received_at_us};
    for (size_t i = 0; i < rules->features->count; i++)
        reading->values[i] = (double)NAN;
    is_good = parse_object(&parse, object);
    while (decoded_count > 0)
        free(decoded[--decoded_count]);
    return is_good;
}
