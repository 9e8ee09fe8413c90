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

enum { MEMBERS_MOST = 64, SHOWN = 60 };

/* ---- the payload ---------------------------------------------------------------------------- */

static enum reading_error fail(char *detail, const char *name, const struct json_token *value,
                               const char *legal)
{
    const struct shown shown =
        reading_show(value->text, value->bytes < SHOWN ? value->bytes : SHOWN);

    snprintf(detail, READING_DETAIL_SIZE, "\"%s\" is %s, not %s", name, shown.text, legal);
    return READING_BAD_ABOUT;
}

/* A text that people may be shown; null says nothing. */
static enum reading_error read_text(char **out, const char *name, const struct json_token *value,
                                    size_t most, const char *legal, char *detail)
{
    struct json_text text;
    size_t bytes;
    bool is_legal;

    if (value->kind == JSON_NULL)
        return READING_OK;
    if (value->kind != JSON_STRING)
        return fail(detail, name, value, legal);
    json_text_init(&text, value);
    bytes = strlen(text.chars);
    is_legal = bytes > 0 && bytes <= most && text.chars[0] != ' ' && text.chars[bytes - 1] != ' ' &&
               utf8_is_visible(text.chars, bytes);
    if (is_legal)
        *out = mem_strdup(text.chars);
    json_text_release(&text);
    return is_legal ? READING_OK : fail(detail, name, value, legal);
}

static bool read_degrees(const struct json_token *value, double most, double *out)
{
    *out = value->kind == JSON_NUMBER ? json_token_number(value) : most + 1;
    return *out >= -most && *out <= most;
}

#define LOCATION_LEGAL                                                                             \
    "1 to 128 bytes of visible text, or {\"latitude\": -90 to 90, \"longitude\": -180 to 180}"

static enum reading_error read_place(char **out, const struct json_token *value, char *detail)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token degrees;
    double latitude = 0;
    double longitude = 0;
    int found = 0;
    bool is_good = json_walk_is_sound(value, MEMBERS_MOST, NULL);
    struct buffer text = {0};

    json_walk_init(&walk, value);
    while (is_good && json_walk_next(&walk, &name, &degrees)) {
        if (json_token_is(&name, "latitude", 8)) {
            is_good = read_degrees(&degrees, 90, &latitude);
            found |= 1;
        } else if (json_token_is(&name, "longitude", 9)) {
            is_good = read_degrees(&degrees, 180, &longitude);
            found |= 2;
        }
    }
    if (!is_good || found != 3)
        return fail(detail, "location", value, LOCATION_LEGAL);
    buffer_put_text(&text, "{\"latitude\":");
    json_write_double(&text, latitude);
    buffer_put_text(&text, ",\"longitude\":");
    json_write_double(&text, longitude);
    buffer_put_text(&text, "}");
    *out = mem_strdup(buffer_text(&text));
    buffer_release(&text);
    return READING_OK;
}

static enum reading_error read_location(char **out, const struct json_token *value, char *detail)
{
    char *plain = NULL;
    struct buffer text = {0};
    enum reading_error error;

    if (value->kind == JSON_OBJECT)
        return read_place(out, value, detail);
    error = read_text(&plain, "location", value, ABOUT_LOCATION_MAX, LOCATION_LEGAL, detail);
    if (plain) {
        json_write_string(&text, plain);
        *out = mem_strdup(buffer_text(&text));
        buffer_release(&text);
    }
    free(plain);
    return error;
}

static enum reading_error read_member(struct about *out, const struct json_token *name,
                                      const struct json_token *value, char *detail)
{
    if (json_token_is(name, "label", 5))
        return read_text(&out->label, "label", value, ABOUT_LABEL_MAX,
                         "1 to 128 bytes of visible text", detail);
    if (json_token_is(name, "group", 5))
        return read_text(&out->group, "group", value, ABOUT_GROUP_MAX,
                         "1 to 64 bytes of visible text", detail);
    if (json_token_is(name, "location", 8))
        return read_location(&out->location, value, detail);
    return READING_OK;
}

static enum reading_error read_members(struct about *out, const struct json_token *root,
                                       char *detail)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    enum reading_error error = READING_OK;

    if (root->kind != JSON_OBJECT) {
        snprintf(detail, READING_DETAIL_SIZE,
                 "it is not an object such as {\"label\": \"Pump 3\", \"group\": \"Hall A\"}");
        return READING_NOT_AN_OBJECT;
    }
    if (!json_walk_is_sound(root, MEMBERS_MOST, NULL)) {
        snprintf(detail, READING_DETAIL_SIZE, "it has more than %d members, or one of them twice",
                 MEMBERS_MOST);
        return READING_DUPLICATE_MEMBER;
    }
    json_walk_init(&walk, root);
    while (!error && json_walk_next(&walk, &name, &value))
        error = read_member(out, &name, &value, detail);
    return error;
}

enum reading_error about_parse(struct about *out, const char *payload, size_t bytes,
                               char detail[READING_DETAIL_SIZE])
{
    struct about about = {0};
    struct json_value value;
    struct json_token root;
    enum reading_error error = READING_OK;
    size_t at = 0;

    if (bytes > 0) {
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
    error = about_parse(&said, message->payload, message->bytes, detail);
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
