/* One scan (json_scan.h) checks every byte and notes where the members stand; reading_object.c reads
 * them there. Rejected: a tree of cJSON's between the two. It was half of all that a reading cost in
 * this program, most of it in malloc() and free(). */
#include "shared/model/reading_json_inner.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <string.h>

#define NONE_LEFT SIZE_MAX

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

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
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

static void parse_item(struct payload *payload, struct json_value *value, const char *bytes,
                       size_t length)
{
    union reading_storage storage;
    struct reading_item item = next_item(payload, bytes, length);

    if (reading_object_parse(payload->rules, payload->source->device_id, value, &item,
                             &storage.reading, payload->detail))
        item.reading = &storage.reading;
    payload->on_item(payload->user, &item);
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
static size_t parse_elements(struct payload *payload, const char *text, size_t bytes, size_t at,
                             struct json_value *value)
{
    do {
        size_t start = ++at;
        size_t end;

        if (json_scan_value(text, bytes, &at, value) != JSON_OK) {
            reading_describe(payload->detail, READING_EMPTY, text, bytes, at); /* [] */
            reject_bytes(payload, READING_EMPTY, payload->whole, payload->whole_bytes);
            return NONE_LEFT;
        }
        end = at;
        trim(text, &start, &end);
        parse_item(payload, value, text + start, end - start);
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
static size_t parse_good_elements(struct payload *payload, const char *text, size_t bytes,
                                  size_t at, struct json_value *value)
{
    do {
        size_t start = ++at;
        size_t end;
        size_t fault;
        enum reading_error error;

        json_skip_element(text, bytes, &at);
        end = at;
        trim(text, &start, &end);
        error = reading_error_of(json_scan_document(text + start, end - start, &fault, value));
        if (error) {
            reading_describe(payload->detail, error, text + start, end - start, fault);
            reject_bytes(payload, error, text + start, end - start);
        } else {
            parse_item(payload, value, text + start, end - start);
        }
    } while (text[at] == ',' && payload->items < payload->stop);
    return text[at] == ',' ? at : NONE_LEFT;
}

static void parse_payload(struct payload *payload, const char *text, size_t bytes,
                          struct reading_rest *rest)
{
    struct json_value value;
    size_t at;
    enum reading_error error = reading_error_of(json_scan_document(text, bytes, &at, &value));
    size_t start = 0;
    size_t end = bytes;

    trim(text, &start, &end);
    if (!error && value.kind == JSON_ARRAY) {
        rest->at = parse_elements(payload, text, bytes, start, &value);
    } else if (!error) {
        parse_item(payload, &value, text + start, end - start);
    } else if (start < end && text[start] == '[' && is_delimited(text, bytes, start)) {
        rest->has_faults = true;
        rest->at = parse_good_elements(payload, text, bytes, start, &value);
    } else {
        reading_describe(payload->detail, error, text, bytes, at);
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
    const char *json = text;
    unsigned taken_off = reading_take_off(&json, &bytes);

    *rest = (struct reading_rest){.at = NONE_LEFT, .from = (size_t)(json - text), .bytes = bytes};
    parse_payload(&payload, json, bytes, rest);
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
    size_t (*parse)(struct payload *, const char *, size_t, size_t, struct json_value *) =
        rest->has_faults ? parse_good_elements : parse_elements;

    rest->at = parse(&payload, text + rest->from, rest->bytes, rest->at, &value);
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
