/* One scan (json_scan.h) checks every byte and notes where the members stand; one walk over them
 * fills the reading. Members that the settings do not name are counted and ignored, so devices may
 * send more than Highwater keeps. Rejected: a tree of cJSON's between the two. It was half of all
 * that a reading cost in this program, most of it in malloc() and free(). */
#include "shared/model/reading_json.h"

#include "shared/base/duration.h"
#include "shared/base/json_write.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_token.h"
#include "shared/model/topic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Static_assert((int)READING_MEMBERS_MAX <= (int)JSON_MEMBERS_MAX,
               "what is not noted cannot be read");

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define NONE_LEFT SIZE_MAX

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
    [READING_NO_SUCH_TOPIC] = "no_such_topic",
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

const char *reading_error_text(enum reading_error error)
{
    return error < READING_ERROR_COUNT ? error_texts[error] : "unknown";
}

/* A payload that is taken apart. */
struct payload {
    const struct reading_rules *rules;
    const struct reading_source *source;
    const char *whole;
    size_t whole_bytes;
    reading_item_fn on_item;
    void *user;
    int64_t items; /* so far */
    int64_t stop;  /* when there are so many, the rest is left */
    char *detail;  /* READING_DETAIL_SIZE bytes, of the item if it is rejected */
};

/* What is known while one object is read. */
struct parse {
    struct payload *payload;
    const struct reading_rules *rules;
    const char *device_id;
    struct reading_item *item;
    struct reading *reading;
    uint64_t known_seen; /* bits of the members that have come, by enum member and feature */
};

__attribute__((format(printf, 3, 4))) static bool
reject(struct parse *parse, enum reading_error error, const char *format, ...)
{
    va_list args;

    parse->item->error = error;
    parse->item->detail = parse->payload->detail;
    va_start(args, format);
    vsnprintf(parse->payload->detail, READING_DETAIL_SIZE, format, args);
    va_end(args);
    return false;
}

/* A text for a sentence: short, and safe to print. */
struct shown {
    char text[72];
};

static struct shown shown_bytes(const char *text, size_t bytes)
{
    struct shown short_text = {""};

    log_escaped(short_text.text, sizeof(short_text.text), text, bytes);
    return short_text;
}

static struct shown shown(const char *text)
{
    return shown_bytes(text, strlen(text));
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

static bool take_device_id(struct parse *parse, const struct json_token *value)
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

static bool is_within(int64_t number, int64_t limit)
{
    return number > -limit && number < limit;
}

/* A clock reads today between 1e9 and 1e10 in seconds, and each finer unit is a thousand times
 * that, so the size tells the unit for every moment from 1973 to 5138. Below a microsecond it is cut
 * off, as it is in text, so that both ways to write a moment give the same one. */
static bool epoch_us(const struct json_token *value, int64_t *out_us)
{
    int64_t number;
    bool is_whole;
    int power_of_ten;

    if (!json_token_floor(value, 0, &number, &is_whole))
        return false;
    power_of_ten = is_within(number, INT64_C(100000000000))         ? 6
                   : is_within(number, INT64_C(100000000000000))    ? 3
                   : is_within(number, INT64_C(100000000000000000)) ? 0
                                                                    : -3;
    if (!is_whole || power_of_ten < 0)
        return json_token_floor(value, power_of_ten, out_us, &is_whole);
    *out_us = number * (power_of_ten == 6 ? 1000000 : power_of_ten == 3 ? 1000 : 1);
    return true;
}

static bool parse_time_token(int64_t *out_us, const struct json_token *value)
{
    struct json_text text;
    bool is_legal;

    json_text_init(&text, value);
    is_legal = timestamp_parse(out_us, text.chars);
    json_text_release(&text);
    return is_legal;
}

static const char *leap_second_hint(const struct json_token *value)
{
    enum { SECONDS_AT = 16 }; /* 2026-11-23T12:00:60Z */
    bool is_60 = value->bytes >= SECONDS_AT + 3 && memcmp(value->text + SECONDS_AT, ":60", 3) == 0;

    return is_60 ? "; a second 60 ends only June and December, at 23:59 UTC" : "";
}

static bool take_timestamp(struct parse *parse, const struct json_token *value)
{
    int64_t us;

    if (value->kind == JSON_STRING) {
        if (!parse_time_token(&us, value))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp \"%s\" is not RFC 3339 such as 2026-11-23T12:00:00.123Z%s",
                          shown_token(value).text, leap_second_hint(value));
    } else if (value->kind == JSON_NUMBER) {
        if (!epoch_us(value, &us))
            return reject(parse, READING_BAD_TIMESTAMP,
                          "timestamp %s is not a number of s, ms, us or ns since 1970",
                          shown_bytes(value->text, value->bytes).text);
    } else {
        return reject(parse, READING_WRONG_TYPE, "timestamp is neither a string nor a number");
    }
    parse->reading->recorded_at_us = us;
    parse->item->has_timestamp = true;
    return true;
}

static bool take_status(struct parse *parse, const struct json_token *value)
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

static bool take_seq(struct parse *parse, const struct json_token *value)
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
                      shown_bytes(value->text, value->bytes).text);
    parse->item->seq = number;
    return true;
}

static bool take_feature(struct parse *parse, const struct json_token *value, size_t feature)
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

enum member { MEMBER_DEVICE_ID, MEMBER_TIMESTAMP, MEMBER_STATUS, MEMBER_SEQ, MEMBER_FEATURES };

/* Which member the name is of; MEMBER_FEATURES + n for the features, behind them: unknown. */
static size_t find_member(const struct features *features, const struct json_token *name)
{
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
    for (i = 0; i < features->count; i++) {
        if (json_token_is(name, features->names[i], strlen(features->names[i])))
            break;
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

static bool take_known(struct parse *parse, size_t which, const struct json_token *value)
{
    if (which == MEMBER_DEVICE_ID)
        return take_device_id(parse, value);
    if (value->kind == JSON_NULL) /* is how some devices write "absent" */
        return true;
    if (which == MEMBER_TIMESTAMP)
        return take_timestamp(parse, value);
    if (which == MEMBER_STATUS)
        return take_status(parse, value);
    if (which == MEMBER_SEQ)
        return take_seq(parse, value);
    return take_feature(parse, value, which - MEMBER_FEATURES);
}

static bool take_member(struct parse *parse, const struct json_value *object, size_t index)
{
    const struct json_member *member = &object->members[index];
    size_t which = find_member(parse->rules->features, &member->name);
    bool is_known = which < MEMBER_FEATURES + parse->rules->features->count;
    uint64_t bit = UINT64_C(1) << which;

    if (is_known ? (parse->known_seen & bit) != 0 : has_twin(object, index))
        return reject(parse, READING_DUPLICATE_MEMBER, "\"%s\" stands there twice",
                      shown_token(&member->name).text);
    if (!is_known) {
        parse->item->unknown_members++;
        return true;
    }
    parse->known_seen |= bit;
    return take_known(parse, which, &member->value);
}

static int64_t earliest_of(const struct reading_rules *rules, int64_t arrival_us)
{
    int64_t youngest_us = arrival_us - rules->most_age_us;

    return rules->most_age_us > 0 && youngest_us > rules->earliest_us ? youngest_us
                                                                      : rules->earliest_us;
}

static bool check_time(struct parse *parse)
{
    int64_t us = parse->reading->recorded_at_us;
    int64_t earliest_us = earliest_of(parse->rules, parse->item->first_received_at_us);
    char when[TIMESTAMP_TEXT_SIZE];
    char limit[TIMESTAMP_TEXT_SIZE];

    if (us < earliest_us) {
        timestamp_format(when, us);
        timestamp_format(limit, earliest_us);
        return reject(parse, READING_TIMESTAMP_TOO_OLD,
                      "timestamp %s is before %s, so of a clock that is wrong (EARLIEST)", when,
                      limit);
    }
    if (us > parse->item->received_at_us + parse->rules->future_tolerance_us) {
        timestamp_format(when, us);
        timestamp_format(limit, parse->item->received_at_us);
        return reject(parse, READING_TIMESTAMP_IN_FUTURE,
                      "timestamp %s is more than %g s after its arrival at %s", when,
                      (double)parse->rules->future_tolerance_us / 1e6, limit);
    }
    return true;
}

static bool take_object(struct parse *parse, const struct json_value *object)
{
    const struct features *features = parse->rules->features;
    bool has_value = false;

    if (object->kind != JSON_OBJECT)
        return reject(parse, READING_NOT_AN_OBJECT, "a reading is a JSON object");
    for (size_t i = 0; i < object->member_count; i++) {
        if (i == READING_MEMBERS_MAX)
            return reject(parse, READING_TOO_MANY_MEMBERS, "more than %d members",
                          READING_MEMBERS_MAX);
        if (!take_member(parse, object, i))
            return false;
    }
    if (!check_time(parse))
        return false;
    has_value = parse->reading->status != STATUS_ABSENT;
    for (size_t i = 0; i < features->count && !has_value; i++)
        has_value = !isnan(parse->reading->values[i]);
    if (!has_value)
        return reject(parse, READING_NO_VALUE, "neither a status nor one of the features");
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

static struct reading_item next_item(struct payload *payload, const char *bytes, size_t length)
{
    int64_t later_us = payload->items++;

    return (struct reading_item){.bytes = bytes,
                                 .length = length,
                                 .received_at_us = payload->source->received_at_us + later_us,
                                 .first_received_at_us =
                                     payload->source->first_received_at_us + later_us,
                                 .seq = -1,
                                 .detail = ""};
}

static void take_item(struct payload *payload, struct json_value *value, const char *bytes,
                      size_t length)
{
    char *decoded[JSON_MEMBERS_MAX];
    size_t decoded_count = decode_names(value, decoded);
    union reading_storage storage;
    struct reading_item item = next_item(payload, bytes, length);
    struct parse parse = {.payload = payload,
                          .rules = payload->rules,
                          .device_id = payload->source->device_id,
                          .item = &item,
                          .reading = &storage.reading};

    storage.reading = (struct reading){.recorded_at_us = item.first_received_at_us};
    for (size_t i = 0; i < payload->rules->features->count; i++)
        storage.reading.values[i] = (double)NAN;
    if (take_object(&parse, value))
        item.reading = &storage.reading;
    while (decoded_count > 0)
        free(decoded[--decoded_count]);
    payload->on_item(payload->user, &item);
}

/* ---- what is no JSON ------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool starts_with(const char *text, size_t bytes, const char *start)
{
    return bytes >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* What numbers and names are made of. */
static bool is_of_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.' || c == '_';
}

static bool is_no_finite_number(const char *word, size_t bytes)
{
    static const char *const names[] = {"nan", "inf", "infinity"};

    if (bytes > 0 && (*word == '-' || *word == '+')) {
        word++;
        bytes--;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == bytes && strncasecmp(word, names[i], bytes) == 0)
            return true;
    }
    return false;
}

static void describe_nul(char *out, const char *text, size_t bytes, size_t at)
{
    size_t last = bytes;

    while (last > at && text[last - 1] == '\0')
        last--;
    if (last == at && bytes - at > 1)
        snprintf(out, READING_DETAIL_SIZE,
                 "%zu NUL bytes behind byte %zu: one is taken for the end of a C string, more are "
                 "the rest of a buffer",
                 bytes - at, at);
    else
        snprintf(out, READING_DETAIL_SIZE, "a NUL at byte %zu of %zu", at, bytes);
}

/* Names the word at fault, or else the byte. */
static void describe_word(char *out, const char *text, size_t bytes, size_t at)
{
    size_t from = at;
    size_t to = at;

    while (from > 0 && is_of_word(text[from - 1]))
        from--;
    while (to < bytes && is_of_word(text[to]))
        to++;
    if (from == to)
        to++;
    snprintf(out, READING_DETAIL_SIZE, "\"%s\" at byte %zu of %zu is not JSON%s",
             shown_bytes(text + from, to - from).text, from, bytes,
             is_no_finite_number(text + from, to - from)
                 ? ": what is no number is null, or not there"
                 : "");
}

static void describe(char *out, enum reading_error error, const char *text, size_t bytes, size_t at)
{
    if (error == READING_EMPTY)
        snprintf(out, READING_DETAIL_SIZE, "nothing where a reading should be, at byte %zu of %zu",
                 at, bytes);
    else if (error == READING_NUL_CHARACTER && at < bytes && text[at] == '\0')
        describe_nul(out, text, bytes, at);
    else if (error != READING_NOT_JSON)
        snprintf(out, READING_DETAIL_SIZE, "at byte %zu of %zu", at, bytes);
    else if (starts_with(text, bytes, "\xff\xfe") || starts_with(text, bytes, "\xfe\xff"))
        snprintf(out, READING_DETAIL_SIZE, "UTF-16: JSON is sent as UTF-8");
    else if (at >= bytes)
        snprintf(out, READING_DETAIL_SIZE, "it ends too early, at byte %zu", bytes);
    else if (starts_with(text + at, bytes - at, BYTE_ORDER_MARK))
        snprintf(out, READING_DETAIL_SIZE,
                 "a byte order mark at byte %zu of %zu: only one is taken, at the very start", at,
                 bytes);
    else
        describe_word(out, text, bytes, at);
}

static void reject_bytes(struct payload *payload, enum reading_error error, const char *bytes,
                         size_t length)
{
    struct reading_item item = next_item(payload, bytes, length);

    item.error = error;
    item.detail = payload->detail;
    payload->on_item(payload->user, &item);
}

/* ---- whole payloads -------------------------------------------------------------------------- */

/* Narrows [*from, *to) to what is not white space. */
static void trim(const char *text, size_t *from, size_t *to)
{
    while (*from < *to && is_space(text[*from]))
        ++*from;
    while (*to > *from && is_space(text[*to - 1]))
        --*to;
}

/* The elements of an array that is known to be good, each with its own: `at` is its bracket, or the
 * comma before the first that is to be taken. Returns the comma before the first that is left, or
 * NONE_LEFT. */
static size_t take_elements(struct payload *payload, const char *text, size_t bytes, size_t at,
                            struct json_value *value)
{
    do {
        size_t start = ++at;
        size_t end;

        if (json_scan_value(text, bytes, &at, value) != JSON_OK) {
            describe(payload->detail, READING_EMPTY, text, bytes, at); /* [] */
            reject_bytes(payload, READING_EMPTY, payload->whole, payload->whole_bytes);
            return NONE_LEFT;
        }
        end = at;
        trim(text, &start, &end);
        take_item(payload, value, text + start, end - start);
    } while (text[at] == ',' && payload->items < payload->stop);
    return text[at] == ',' ? at : NONE_LEFT;
}

/* Whether it can be told where each element of an array ends, and the array, though not all of it
 * is JSON. */
static bool is_delimited(const char *text, size_t bytes, size_t at)
{
    size_t end = bytes;

    do {
        at++;
        if (!json_skip_element(text, bytes, &at))
            return false;
    } while (text[at] == ',');
    at++;
    trim(text, &at, &end);
    return at == end;
}

/* The elements of such an array, so: what is no JSON costs itself alone. */
static size_t take_what_is_good(struct payload *payload, const char *text, size_t bytes, size_t at,
                                struct json_value *value)
{
    do {
        size_t start = ++at;
        size_t end;
        size_t fault;
        enum reading_error error;

        json_skip_element(text, bytes, &at);
        end = at;
        trim(text, &start, &end);
        error = scan_errors[json_scan_document(text + start, end - start, &fault, value)];
        if (error) {
            describe(payload->detail, error, text + start, end - start, fault);
            reject_bytes(payload, error, text + start, end - start);
        } else {
            take_item(payload, value, text + start, end - start);
        }
    } while (text[at] == ',' && payload->items < payload->stop);
    return text[at] == ',' ? at : NONE_LEFT;
}

static void take_text(struct payload *payload, const char *text, size_t bytes,
                      struct reading_rest *rest)
{
    struct json_value value;
    size_t at;
    enum reading_error error = scan_errors[json_scan_document(text, bytes, &at, &value)];
    size_t start = 0;
    size_t end = bytes;

    trim(text, &start, &end);
    if (!error && value.kind == JSON_ARRAY) {
        rest->at = take_elements(payload, text, bytes, start, &value);
    } else if (!error) {
        take_item(payload, &value, text + start, end - start);
    } else if (start < end && text[start] == '[' && is_delimited(text, bytes, start)) {
        rest->has_faults = true;
        rest->at = take_what_is_good(payload, text, bytes, start, &value);
    } else {
        describe(payload->detail, error, text, bytes, at);
        reject_bytes(payload, error, payload->whole, payload->whole_bytes);
    }
}

unsigned reading_json_begin(const struct reading_rules *rules, const struct reading_source *source,
                            const char *text, size_t bytes, size_t most, struct reading_rest *rest,
                            reading_item_fn on_item, void *user)
{
    char detail[READING_DETAIL_SIZE];
    struct payload payload = {.rules = rules,
                              .source = source,
                              .whole = text,
                              .whole_bytes = bytes,
                              .on_item = on_item,
                              .user = user,
                              .stop = most < INT64_MAX ? (int64_t)most : INT64_MAX,
                              .detail = detail};
    unsigned taken_off = 0;

    *rest = (struct reading_rest){.at = NONE_LEFT};
    if (starts_with(text, bytes, BYTE_ORDER_MARK)) {
        taken_off |= READING_BYTE_ORDER_MARK;
        rest->from = strlen(BYTE_ORDER_MARK);
    }
    rest->bytes = bytes - rest->from;
    if (rest->bytes > 0 && text[bytes - 1] == '\0') {
        taken_off |= READING_TRAILING_NUL;
        rest->bytes--;
    }
    take_text(&payload, text + rest->from, rest->bytes, rest);
    rest->is_there = rest->at != NONE_LEFT;
    rest->items = payload.items;
    return taken_off;
}

void reading_json_continue(const struct reading_rules *rules, const struct reading_source *source,
                           const char *text, size_t most, struct reading_rest *rest,
                           reading_item_fn on_item, void *user)
{
    char detail[READING_DETAIL_SIZE];
    struct payload payload = {.rules = rules,
                              .source = source,
                              .on_item = on_item,
                              .user = user,
                              .items = rest->items,
                              .stop = rest->items + (int64_t)most,
                              .detail = detail};
    struct json_value value;
    size_t (*take)(struct payload *, const char *, size_t, size_t, struct json_value *) =
        rest->has_faults ? take_what_is_good : take_elements;

    rest->at = take(&payload, text + rest->from, rest->bytes, rest->at, &value);
    rest->is_there = rest->at != NONE_LEFT;
    rest->items = payload.items;
}

unsigned reading_json_parse(const struct reading_rules *rules, const struct reading_source *source,
                            const char *text, size_t bytes, reading_item_fn on_item, void *user)
{
    struct reading_rest rest;

    return reading_json_begin(rules, source, text, bytes, SIZE_MAX, &rest, on_item, user);
}

void reading_json_write(struct buffer *out, const char *device_id, const struct reading *reading,
                        const struct features *features)
{
    char when[TIMESTAMP_TEXT_SIZE];
    const char *status = reading_status_text((enum reading_status)reading->status);

    timestamp_format(when, reading->recorded_at_us);
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, device_id);
    buffer_printf(out, ",\"timestamp\":\"%s\",\"status\":", when);
    if (status)
        json_write_string(out, status);
    else
        buffer_put_text(out, "null");
    for (size_t i = 0; i < features->count; i++) {
        buffer_printf(out, ",\"%s\":", features->names[i]);
        json_write_double(out, reading->values[i]);
    }
    buffer_put_text(out, "}");
}
