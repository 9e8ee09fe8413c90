#include "collector/decoders/record.h"

#include <string.h>

/* A reading stands for all of the record, so that this is what is kept if the store refuses it. */
static void on_item(void *user, const struct reading_item *item)
{
    struct record_decoder *record = user;
    const struct decoder_taker *taker = &record->decoder.taker;
    struct reading_item whole = *item;
    union reading_storage storage;

    if (item->error) {
        taker->on_item(taker->user, item);
        return;
    }
    memcpy(&storage.reading, item->reading, reading_size(record->rules->features->count));
    if (record->message->is_decoded)
        storage.reading.content_hash = record->message->content_hash;
    whole.reading = &storage.reading;
    whole.bytes = record->message->payload;
    whole.length = record->message->bytes;
    taker->on_item(taker->user, &whole);
}

static void reject_key(struct record_decoder *record, const struct reading_source *source)
{
    const struct reading_item item = {.error = READING_BAD_DEVICE_ID,
                                      .detail = "the record's key is not " DEVICE_ID_LEGAL,
                                      .bytes = record->message->payload,
                                      .length = record->message->bytes,
                                      .received_at_us = source->received_at_us,
                                      .first_received_at_us = source->first_received_at_us};

    record->decoder.taker.on_item(record->decoder.taker.user, &item);
}

static void find_device(struct record_decoder *record, struct reading_source *source)
{
    const struct source_message *message = record->message;
    const struct decoder_taker *taker = &record->decoder.taker;

    source->device_id = message->device
                            ? taker->on_device(taker->user, message->device, message->device_bytes)
                            : NULL;
}

static bool is_meant(const struct record_decoder *record, const struct source_message *message)
{
    return message->is_record && message->is_decoded == (record->origin == RECORD_OF_COLLECTORS);
}

static enum decoder_outcome begin(struct decoder *decoder, const struct source_message *message,
                                  struct reading_source *source, size_t most,
                                  struct reading_rest *rest)
{
    struct record_decoder *record = (struct record_decoder *)decoder;

    if (!is_meant(record, message))
        return DECODER_NO_TOPIC;
    record->message = message;
    decoder->taken_off = 0;
    find_device(record, source);
    if (source->device_id)
        decoder->taken_off = reading_json_begin(record->rules, source, message->payload,
                                                message->bytes, most, rest, on_item, record);
    else
        reject_key(record, source);
    return DECODER_READ;
}

/* The device is asked for again: it may have been removed meanwhile. */
static void go_on(struct decoder *decoder, const struct source_message *message,
                  struct reading_source *source, size_t most, struct reading_rest *rest)
{
    struct record_decoder *record = (struct record_decoder *)decoder;

    record->message = message;
    find_device(record, source);
    reading_json_continue(record->rules, source, message->payload, most, rest, on_item, record);
}

static void release(struct decoder *decoder)
{
    (void)decoder;
}

static const struct decoder_kind kind = {
    .name = "record", .begin = begin, .go_on = go_on, .release = release};

void record_decoder_init(struct record_decoder *record, const struct reading_rules *rules,
                         enum record_origin origin, const struct decoder_taker *taker)
{
    *record = (struct record_decoder){
        .decoder = {.kind = &kind, .taker = *taker}, .rules = rules, .origin = origin};
}
