/* Three steps, each with its own reasons to refuse: json_scan.h checks the bytes, cJSON makes the
 * tree, and one walk over the members of the object fills the reading. Members that the settings
 * do not name are counted and ignored, so devices may send more than Highwater keeps. */
#include "shared/reading_json.h"

#include "shared/json_scan.h"
#include "shared/log.h"
#include "shared/mem.h"
#include "shared/timestamp.h"
#include "shared/topic.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const error_texts[READING_ERROR_COUNT] = {
    [READING_OK] = "ok",
    [READING_EMPTY] = "empty",
    [READING_NOT_JSON] = "not_json",
    [READING_TRAILING_BYTES] = "trailing_bytes",
    [READING_TOO_DEEP] = "too_deep",
    [READING_INVALID_UTF8] = "invalid_utf8",
    [READING_NUL_CHARACTER] = "nul_character",
    [READING_NOT_AN_OBJECT] = "not_an_object",
    [READING_DUPLICATE_MEMBER] = "duplicate_member",
    [READING_TOO_MANY_MEMBERS] = "too_many_members",
    [READING_WRONG_TYPE] = "wrong_type",
    [READING_NOT_FINITE] = "not_finite",
    [READING_NUMBER_TOO_LONG] = "number_too_long",
    [READING_BAD_DEVICE_ID] = "bad_device_id",
    [READING_DEVICE_ID_MISMATCH] = "device_id_mismatch",
    [READING_BAD_TIMESTAMP] = "bad_timestamp",
    [READING_TIMESTAMP_IN_FUTURE] = "timestamp_in_future",
    [READING_TIMESTAMP_TOO_OLD] = "timestamp_too_old",
    [READING_UNKNOWN_STATUS] = "unknown_status",
    [READING_NO_VALUE] = "no_value",
    [READING_RETAINED] = "retained",
    [READING_REFUSED_BY_DATABASE] = "refused_by_database",
};

static const enum reading_error scan_errors[] = {
    [JSON_OK] = READING_OK,
    [JSON_EMPTY] = READING_EMPTY,
    [JSON_MALFORMED] = READING_NOT_JSON,
    [JSON_TRAILING_BYTES] = READING_TRAILING_BYTES,
    [JSON_TOO_DEEP] = READING_TOO_DEEP,
    [JSON_INVALID_UTF8] = READING_INVALID_UTF8,
    [JSON_NUL_CHARACTER] = READING_NUL_CHARACTER,
    [JSON_NUMBER_TOO_LONG] = READING_NUMBER_TOO_LONG,
};

const char *reading_error_text(enum reading_error error)
{
    return error < READING_ERROR_COUNT ? error_texts[error] : "unknown";
}

/* What is known while one object is read. */
struct parse {
    const struct reading_rules *rules;
    const char *device_id;
    int64_t now_us;
    struct reading_item *item;
    struct reading *reading;
};

__attribute__((format(printf, 3, 4))) static bool
reject(struct parse *parse, enum reading_error error, const char *format, ...)
{
    va_list args;

    parse->item->error = error;
    va_start(args, format);
    vsnprintf(parse->item->detail, sizeof(parse->item->detail), format, args);
    va_end(args);
    return false;
}

/* A member's text for a sentence: short, and safe to print. */
struct shown {
    char text[72];
};

static struct shown shown(const char *text)
{
    struct shown short_text = {""};

    log_escaped(short_text.text, sizeof(short_text.text), text, strlen(text));
    return short_text;
}

static bool take_device_id(struct parse *parse, const cJSON *member)
{
    if (!cJSON_IsString(member))
        return reject(parse, READING_WRONG_TYPE, "deviceId is not a string");
    if (!device_id_is_legal(member->valuestring, strlen(member->valuestring)))
        return reject(parse, READING_BAD_DEVICE_ID, "deviceId \"%s\" is not " DEVICE_ID_LEGAL,
                      shown(member->valuestring).text);
    if (strcmp(member->valuestring, parse->device_id) != 0)
        return reject(parse, READING_DEVICE_ID_MISMATCH,
                      "deviceId \"%s\" is not the topic's \"%s\"", shown(member->valuestring).text,
                      shown(parse->device_id).text);
    return true;
}

/* A clock reads today between 1e9 and 1e10 in seconds, and each finer unit is a thousand times
 * that, so the size tells the unit for every moment from 1973 to 5138. */
static bool epoch_us(double number, int64_t *out_us)
{
    double size = fabs(number);
    double us = size < 1e11   ? number * 1e6
                : size < 1e14 ? number * 1e3
                : size < 1e17 ? number
                              : number / 1e3;

    if (!isfinite(us) || fabs(us) > 9e18)
        return false;
    *out_us = llround(us);
    return true;
}

static bool take_timestamp(struct parse *parse, const cJSON *member)
{
    int64_t us;

    if (cJSON_IsString(member)) {
        if (!timestamp_parse(&us, member->valuestring))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp \"%s\" is not RFC 3339 such as 2026-11-23T12:00:00.123Z",
                          shown(member->valuestring).text);
    } else if (cJSON_IsNumber(member)) {
        if (!epoch_us(member->valuedouble, &us))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp %g is not a number of s, ms, us or ns since 1970",
                          member->valuedouble);
    } else {
        return reject(parse, READING_WRONG_TYPE, "timestamp is neither a string nor a number");
    }
    parse->reading->recorded_at_us = us;
    parse->item->has_timestamp = true;
    return true;
}

static bool take_status(struct parse *parse, const cJSON *member)
{
    enum reading_status status;

    if (!cJSON_IsString(member))
        return reject(parse, READING_WRONG_TYPE, "status is not a string");
    status = reading_status_parse(member->valuestring);
    if (status == STATUS_COUNT)
        return reject(parse, READING_UNKNOWN_STATUS,
                      "status \"%s\" is not one of ON, OFF, ACTIVE, INACTIVE",
                      shown(member->valuestring).text);
    parse->reading->status = (uint8_t)status;
    return true;
}

static bool take_seq(struct parse *parse, const cJSON *member)
{
    double number = member->valuedouble;

    if (!cJSON_IsNumber(member) || !(number >= 0 && number <= 9007199254740992.0) ||
        number != floor(number))
        return reject(parse, READING_WRONG_TYPE, "seq is not a whole number from 0 to 2^53");
    parse->item->seq = (int64_t)number;
    return true;
}

static bool take_feature(struct parse *parse, const cJSON *member, size_t feature)
{
    if (!cJSON_IsNumber(member))
        return reject(parse, READING_WRONG_TYPE, "%s is not a number", member->string);
    if (!isfinite(member->valuedouble))
        return reject(parse, READING_NOT_FINITE, "%s is not finite", member->string);
    /* Adding zero makes -0 a 0: the two are equal, so they must be stored alike. */
    parse->reading->values[feature] = member->valuedouble + 0.0;
    return true;
}

static bool has_twin(const cJSON *object, const cJSON *member)
{
    for (const cJSON *other = object->child; other != member; other = other->next) {
        if (strcmp(other->string, member->string) == 0)
            return true;
    }
    return false;
}

static bool take_member(struct parse *parse, const cJSON *member)
{
    const char *name = member->string;
    size_t feature;

    /* null is how some devices write "absent" */
    if (strcmp(name, "deviceId") == 0)
        return take_device_id(parse, member);
    if (strcmp(name, "timestamp") == 0)
        return cJSON_IsNull(member) || take_timestamp(parse, member);
    if (strcmp(name, "status") == 0)
        return cJSON_IsNull(member) || take_status(parse, member);
    if (strcmp(name, "seq") == 0)
        return cJSON_IsNull(member) || take_seq(parse, member);
    feature = features_find(parse->rules->features, name);
    if (feature < parse->rules->features->count)
        return cJSON_IsNull(member) || take_feature(parse, member, feature);
    parse->item->unknown_members++;
    return true;
}

static bool check_time(struct parse *parse)
{
    int64_t us = parse->reading->recorded_at_us;
    char when[TIMESTAMP_TEXT_SIZE];
    char limit[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, us);
    if (us < parse->rules->earliest_us) {
        timestamp_format(limit, parse->rules->earliest_us);
        return reject(parse, READING_TIMESTAMP_TOO_OLD, "timestamp %s is before %s", when, limit);
    }
    if (us > parse->now_us + parse->rules->future_tolerance_us) {
        timestamp_format(limit, parse->now_us);
        return reject(parse, READING_TIMESTAMP_IN_FUTURE,
                      "timestamp %s is more than %g s after its arrival at %s", when,
                      (double)parse->rules->future_tolerance_us / 1e6, limit);
    }
    return true;
}

static bool take_object(struct parse *parse, const cJSON *object)
{
    const struct features *features = parse->rules->features;
    size_t members = 0;
    bool has_value = false;

    if (!cJSON_IsObject(object))
        return reject(parse, READING_NOT_AN_OBJECT, "a reading is a JSON object");
    for (const cJSON *member = object->child; member; member = member->next) {
        if (++members > READING_MEMBERS_MAX)
            return reject(parse, READING_TOO_MANY_MEMBERS, "more than %d members",
                          READING_MEMBERS_MAX);
        if (has_twin(object, member))
            return reject(parse, READING_DUPLICATE_MEMBER, "\"%s\" stands there twice",
                          shown(member->string).text);
        if (!take_member(parse, member))
            return false;
    }
    if (!check_time(parse))
        return false;
    has_value = parse->reading->status != STATUS_ABSENT;
    for (size_t i = 0; i < features->count && !has_value; i++)
        has_value = !isnan(parse->reading->values[i]);
    if (!has_value)
        return reject(parse, READING_NO_VALUE, "neither a status nor one of the features");
    parse->reading->content_hash = reading_content_hash(parse->reading, features);
    return true;
}

/* Without memory cJSON would say that the text is no JSON, and a good reading would be rejected. */
static cJSON *parse_json(const char *text, size_t bytes)
{
    static cJSON_Hooks hooks = {.malloc_fn = mem_alloc, .free_fn = free};
    static bool has_hooks;

    if (!has_hooks)
        cJSON_InitHooks(&hooks);
    has_hooks = true;
    return cJSON_ParseWithLength(text, bytes);
}

static void parse_object(struct parse *parse, reading_item_fn on_item, void *user)
{
    struct reading_item *item = parse->item;
    cJSON *root = parse_json(item->bytes, item->length);

    item->seq = -1;
    if (!root)
        reject(parse, READING_NOT_JSON, "cJSON cannot read it");
    else if (take_object(parse, root))
        item->reading = parse->reading;
    cJSON_Delete(root);
    on_item(user, item);
}

static void parse_one(const struct reading_rules *rules, const char *device_id, const char *bytes,
                      size_t length, int64_t now_us, reading_item_fn on_item, void *user)
{
    union reading_storage storage = {.reading = {.recorded_at_us = now_us}};
    struct reading_item item = {.bytes = bytes, .length = length};
    struct parse parse = {.rules = rules,
                          .device_id = device_id,
                          .now_us = now_us,
                          .item = &item,
                          .reading = &storage.reading};

    for (size_t i = 0; i < rules->features->count; i++)
        storage.reading.values[i] = (double)NAN;
    parse_object(&parse, on_item, user);
}

static void reject_payload(enum reading_error error, size_t at, const char *payload, size_t bytes,
                           reading_item_fn on_item, void *user)
{
    struct reading_item item = {.error = error, .bytes = payload, .length = bytes, .seq = -1};

    snprintf(item.detail, sizeof(item.detail), "at byte %zu of %zu", at, bytes);
    on_item(user, &item);
}

void reading_json_parse(const struct reading_rules *rules, const char *device_id,
                        const char *payload, size_t bytes, int64_t now_us, reading_item_fn on_item,
                        void *user)
{
    size_t at;
    enum json_error error = json_scan_document(payload, bytes, &at);
    size_t start = 0;

    if (error) {
        reject_payload(scan_errors[error], at, payload, bytes, on_item, user);
        return;
    }
    while (strchr(" \t\r\n", payload[start]))
        start++;
    if (payload[start] != '[') {
        parse_one(rules, device_id, payload, bytes, now_us, on_item, user);
        return;
    }
    /* The document is known to be good, so each element ends at a comma or at the bracket. */
    do {
        at = ++start;
        if (json_scan_value(payload, bytes, &at) != JSON_OK) {
            reject_payload(READING_EMPTY, at, payload, bytes, on_item, user); /* [] */
            return;
        }
        parse_one(rules, device_id, payload + start, at - start, now_us, on_item, user);
        start = at;
    } while (payload[at] == ',');
}

void reading_json_write(struct buffer *out, const char *device_id, const struct reading *reading,
                        const struct features *features)
{
    char when[TIMESTAMP_TEXT_SIZE];
    const char *status = reading_status_text((enum reading_status)reading->status);

    timestamp_format(when, reading->recorded_at_us);
    buffer_put_text(out, "{\"deviceId\":");
    buffer_put_json_string(out, device_id);
    buffer_printf(out, ",\"timestamp\":\"%s\",\"status\":", when);
    if (status)
        buffer_put_json_string(out, status);
    else
        buffer_put_text(out, "null");
    for (size_t i = 0; i < features->count; i++) {
        buffer_printf(out, ",\"%s\":", features->names[i]);
        buffer_put_json_double(out, reading->values[i]);
    }
    buffer_put_text(out, "}");
}
