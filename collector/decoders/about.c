/* Rare, so it is read plainly: scanned whole, walked through once. */
#include "collector/decoders/about.h"

#include "shared/base/json_write.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"
#include "shared/model/reading_json_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MOST = 64, SHOWN = 60, SHOWN_OF_TEXT = 40 };

#define LABEL_LEGAL "1 to 128 bytes of visible text"
#define GROUP_LEGAL "1 to 64 bytes of visible text"
#define LOCATION_LEGAL                                                                             \
    "1 to 128 bytes of visible text, or {\"latitude\": -90 to 90, \"longitude\": -180 to 180}"

static enum reading_error fail(char *detail, const char *name, const char *value, size_t bytes,
                               const char *legal)
{
    const struct shown shown = reading_show(value, bytes < SHOWN ? bytes : SHOWN);

    snprintf(detail, READING_DETAIL_SIZE, "\"%s\" is %s, not %s", name, shown.text, legal);
    return READING_BAD_ABOUT;
}

/* Of a text one sees where it begins and ends, or how long it is. */
static enum reading_error fail_text(char *detail, const char *name, const char *text,
                                    const char *legal)
{
    size_t bytes = strlen(text);
    const struct shown shown = reading_show(text, bytes < SHOWN_OF_TEXT ? bytes : SHOWN_OF_TEXT);
    char more[48] = "";

    if (bytes > SHOWN_OF_TEXT)
        snprintf(more, sizeof(more), "... of %zu bytes", bytes);
    else if (bytes > 0 && (text[0] == ' ' || text[bytes - 1] == ' '))
        snprintf(more, sizeof(more), " with a blank at an end");
    snprintf(detail, READING_DETAIL_SIZE, "\"%s\" is \"%s\"%s, not %s", name, shown.text, more,
             legal);
    return READING_BAD_ABOUT;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static void replace(char **out, char *text)
{
    free(*out);
    *out = text;
}

/* A text that people may be shown. */
static bool is_legal(const char *text, size_t most)
{
    size_t bytes = strlen(text);

    return bytes > 0 && bytes <= most && text[0] != ' ' && text[bytes - 1] != ' ' &&
           utf8_is_visible(text, bytes);
}

enum reading_error about_put_label(struct about *out, const char *text,
                                   char detail[READING_DETAIL_SIZE])
{
    if (!is_legal(text, ABOUT_LABEL_MAX))
        return fail_text(detail, "label", text, LABEL_LEGAL);
    replace(&out->label, mem_strdup(text));
    return READING_OK;
}

enum reading_error about_put_group(struct about *out, const char *text,
                                   char detail[READING_DETAIL_SIZE])
{
    if (!is_legal(text, ABOUT_GROUP_MAX))
        return fail_text(detail, "group", text, GROUP_LEGAL);
    replace(&out->group, mem_strdup(text));
    return READING_OK;
}

enum reading_error about_put_location(struct about *out, const char *text,
                                      char detail[READING_DETAIL_SIZE])
{
    struct buffer json = {0};

    if (!is_legal(text, ABOUT_LOCATION_MAX))
        return fail_text(detail, "location", text, LOCATION_LEGAL);
    json_write_string(&json, text);
    replace(&out->location, mem_strdup(buffer_text(&json)));
    buffer_release(&json);
    return READING_OK;
}

static bool is_within(double degrees, double most)
{
    return degrees >= -most && degrees <= most;
}

enum reading_error about_put_degrees(struct about *out, double latitude, double longitude,
                                     char detail[READING_DETAIL_SIZE])
{
    struct buffer json = {0};
    enum reading_error error = READING_OK;

    if (is_within(latitude, 90) && is_within(longitude, 180)) {
        buffer_put_text(&json, "{\"latitude\":");
        json_write_double(&json, latitude);
        buffer_put_text(&json, ",\"longitude\":");
        json_write_double(&json, longitude);
        buffer_put_text(&json, "}");
        replace(&out->location, mem_strdup(buffer_text(&json)));
    } else { /* which may not be finite */
        buffer_printf(&json, "{\"latitude\":%.9g,\"longitude\":%.9g}", latitude, longitude);
        error = fail(detail, "location", buffer_text(&json), json.bytes, LOCATION_LEGAL);
    }
    buffer_release(&json);
    return error;
}

/* ---- the payload ---------------------------------------------------------------------------- */

/* Null says nothing. */
static enum reading_error read_text(struct about *out, const char *name,
                                    const struct json_token *value, const char *legal,
                                    enum reading_error (*put)(struct about *, const char *, char *),
                                    char *detail)
{
    struct json_text text;
    enum reading_error error;

    if (value->kind == JSON_NULL)
        return READING_OK;
    if (value->kind != JSON_STRING)
        return fail(detail, name, value->text, value->bytes, legal);
    json_text_init(&text, value);
    error = put(out, text.chars, detail);
    json_text_release(&text);
    return error;
}

static bool read_degrees(const struct json_token *value, double *out)
{
    if (value->kind == JSON_NUMBER)
        *out = json_token_number(value);
    return value->kind == JSON_NUMBER;
}

static enum reading_error read_place(struct about *out, const struct json_token *value,
                                     char *detail)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token degrees;
    double latitude = 0;
    double longitude = 0;
    int found = 0;
    bool is_good = json_walk_is_sound(value, MEMBERS_MOST, NULL);

    json_walk_init(&walk, value);
    while (is_good && json_walk_next(&walk, &name, &degrees)) {
        if (json_token_is(&name, "latitude", 8)) {
            is_good = read_degrees(&degrees, &latitude);
            found |= 1;
        } else if (json_token_is(&name, "longitude", 9)) {
            is_good = read_degrees(&degrees, &longitude);
            found |= 2;
        }
    }
    if (!is_good || found != 3)
        return fail(detail, "location", value->text, value->bytes, LOCATION_LEGAL);
    return about_put_degrees(out, latitude, longitude, detail);
}

static enum reading_error read_member(struct about *out, const struct json_token *name,
                                      const struct json_token *value, char *detail)
{
    if (json_token_is(name, "label", 5))
        return read_text(out, "label", value, LABEL_LEGAL, about_put_label, detail);
    if (json_token_is(name, "group", 5))
        return read_text(out, "group", value, GROUP_LEGAL, about_put_group, detail);
    if (json_token_is(name, "location", 8))
        return value->kind == JSON_OBJECT
                   ? read_place(out, value, detail)
                   : read_text(out, "location", value, LOCATION_LEGAL, about_put_location, detail);
    return READING_OK;
}

static enum reading_error read_members(struct about *out, const struct json_token *root,
                                       char *detail)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    enum reading_error error = READING_OK;
    size_t members;

    if (root->kind != JSON_OBJECT) {
        snprintf(detail, READING_DETAIL_SIZE,
                 "it is not an object such as {\"label\": \"Pump 3\", \"group\": \"Hall A\"}");
        return READING_NOT_AN_OBJECT;
    }
    if (!json_walk_is_sound(root, MEMBERS_MOST, &members)) {
        if (members > MEMBERS_MOST) {
            snprintf(detail, READING_DETAIL_SIZE, "it has more than %d members", MEMBERS_MOST);
            return READING_TOO_MANY_MEMBERS;
        }
        snprintf(detail, READING_DETAIL_SIZE, "it has one of its members twice");
        return READING_DUPLICATE_MEMBER;
    }
    json_walk_init(&walk, root);
    while (!error && json_walk_next(&walk, &name, &value))
        error = read_member(out, &name, &value, detail);
    return error;
}

enum reading_error about_parse(struct about *out, const char *payload, size_t bytes,
                               unsigned *taken_off, char detail[READING_DETAIL_SIZE])
{
    struct about about = {0};
    struct json_value value;
    struct json_token root;
    enum reading_error error = READING_OK;
    size_t at = 0;

    *taken_off = 0;
    if (bytes > 0) { /* a mark alone takes nothing back */
        *taken_off = reading_take_off(&payload, &bytes);
        error = reading_error_of(json_scan_document(payload, bytes, &at, &value));
        if (error)
            reading_describe(detail, error, payload, bytes, at);
        else if (json_walk_open(&root, payload, bytes) == JSON_OK)
            error = read_members(&about, &root, detail);
    }
    if (error)
        about_release(&about);
    else
        *out = about;
    return error;
}

/* ---- the message ---------------------------------------------------------------------------- */

static bool find_id(const struct about_decoder *about, const char *topic, const char **id,
                    size_t *bytes)
{
    for (size_t i = 0; i < about->filter_count; i++) {
        if (topic_find_id(&about->filters[i], topic, id, bytes) && !memchr(*id, '/', *bytes))
            return true;
    }
    return false;
}

bool about_decoder_has(const struct about_decoder *about, const char *topic)
{
    const char *id;
    size_t bytes;

    return find_id(about, topic, &id, &bytes);
}

static void reject(struct about_decoder *about, const struct source_message *message,
                   const struct reading_source *source, enum reading_error error,
                   const char *detail)
{
    const struct reading_item item = {.error = error,
                                      .detail = detail,
                                      .bytes = message->payload,
                                      .length = message->bytes,
                                      .received_at_us = source->received_at_us,
                                      .first_received_at_us = source->first_received_at_us};

    about->decoder.taker.on_item(about->decoder.taker.user, &item);
}

static enum decoder_outcome begin(struct decoder *decoder, const struct source_message *message,
                                  struct reading_source *source, size_t most,
                                  struct reading_rest *rest)
{
    struct about_decoder *about = (struct about_decoder *)decoder;
    char detail[READING_DETAIL_SIZE];
    struct about said;
    enum reading_error error;
    const char *id;
    size_t bytes;

    (void)most;
    (void)rest;
    if (!find_id(about, message->topic, &id, &bytes))
        return DECODER_NO_TOPIC;
    decoder->filter = NULL;
    decoder->taken_off = 0;
    id = decoder->taker.on_device(decoder->taker.user, id, bytes);
    if (!id) {
        reject(about, message, source, READING_BAD_DEVICE_ID,
               "the topic's device id is not " DEVICE_ID_LEGAL);
        return DECODER_READ;
    }
    error = about_parse(&said, message->payload, message->bytes, &decoder->taken_off, detail);
    if (error) {
        reject(about, message, source, error, detail);
        return DECODER_READ;
    }
    said.device = mem_strdup(id);
    about->on_about(decoder->taker.user, &said);
    return DECODER_READ;
}

/* It is read at once. */
static void go_on(struct decoder *decoder, const struct source_message *message,
                  struct reading_source *source, size_t most, struct reading_rest *rest)
{
    (void)decoder;
    (void)message;
    (void)source;
    (void)most;
    rest->is_there = false;
}

static void release(struct decoder *decoder)
{
    (void)decoder;
}

static const struct decoder_kind kind = {
    .name = "about", .begin = begin, .go_on = go_on, .release = release};

void about_decoder_init(struct about_decoder *about, const struct topic_filter *filters,
                        size_t filter_count, const struct decoder_taker *taker,
                        void (*on_about)(void *user, const struct about *about_them))
{
    *about = (struct about_decoder){.decoder = {.kind = &kind, .taker = *taker},
                                    .filters = filters,
                                    .filter_count = filter_count,
                                    .on_about = on_about};
}
