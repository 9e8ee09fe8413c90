#include "collector/decoders/json.h"

#include <string.h>

/* Where the id stands in the topic, by the first filter that it matches. No id has a slash: what has one
 * there matches no filter, but that is looked at when the id is not a known one. */
static bool find_device(struct json_decoder *json, const char *topic, const char **id)
{
    struct decoder *decoder = &json->decoder;
    const char *start;
    size_t bytes;

    for (size_t i = 0; i < *json->filter_count; i++) {
        if (!topic_find_id(&json->filters[i], topic, &start, &bytes))
            continue;
        decoder->filter = &json->filters[i];
        decoder->filter_number = (uint16_t)(json->first_number + i);
        *id = decoder->taker.on_device(decoder->taker.user, start, bytes);
        if (*id || !memchr(start, '/', bytes))
            return true;
    }
    return false;
}

static void reject_id(struct json_decoder *json, const struct source_message *message,
                      const struct reading_source *source)
{
    const struct reading_item item = {.error = READING_BAD_DEVICE_ID,
                                      .detail = "the topic's device id is not " DEVICE_ID_LEGAL,
                                      .bytes = message->payload,
                                      .length = message->bytes,
                                      .received_at_us = source->received_at_us,
                                      .first_received_at_us = source->first_received_at_us};

    json->decoder.taker.on_item(json->decoder.taker.user, &item);
}

static enum decoder_outcome begin(struct decoder *decoder, const struct source_message *message,
                                  struct reading_source *source, size_t most,
                                  struct reading_rest *rest)
{
    struct json_decoder *json = (struct json_decoder *)decoder;

    if (!find_device(json, message->topic, &source->device_id))
        return DECODER_NO_TOPIC;
    decoder->is_shared = topic_filter_is_shared(decoder->filter);
    decoder->taken_off = 0;
    if (source->device_id)
        decoder->taken_off =
            reading_json_begin(json->rules, source, message->payload, message->bytes, most, rest,
                               decoder->taker.on_item, decoder->taker.user);
    else
        reject_id(json, message, source);
    return DECODER_READ;
}

/* The device is asked for again: it may have been removed meanwhile. */
static void go_on(struct decoder *decoder, const struct source_message *message,
                  struct reading_source *source, size_t most, struct reading_rest *rest)
{
    struct json_decoder *json = (struct json_decoder *)decoder;

    find_device(json, message->topic, &source->device_id);
    reading_json_continue(json->rules, source, message->payload, most, rest, decoder->taker.on_item,
                          decoder->taker.user);
}

static void release(struct decoder *decoder)
{
    (void)decoder;
}

static const struct decoder_kind kind = {
    .name = "json", .begin = begin, .go_on = go_on, .release = release};

void json_decoder_init(struct json_decoder *json, const struct reading_rules *rules,
                       const struct topic_filter *filters, const size_t *filter_count,
                       uint16_t first_number, const struct decoder_taker *taker)
{
    *json = (struct json_decoder){.decoder = {.kind = &kind, .taker = *taker},
                                  .rules = rules,
                                  .filters = filters,
                                  .filter_count = filter_count,
                                  .first_number = first_number};
}
