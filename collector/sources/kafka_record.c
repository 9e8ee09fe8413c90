#include "collector/sources/kafka_record.h"

#include "shared/base/utf8.h"
#include "shared/model/record.h"

#include <string.h>

/* A topic of MQTT is not longer; what is shown and kept for each record should not be either. */
enum { TOPIC_MOST = 65535, DETAIL_MOST = 2 * READING_DETAIL_SIZE };

void kafka_record_reader_release(struct kafka_record_reader *reader)
{
    buffer_release(&reader->topic);
    buffer_release(&reader->detail);
}

static void take_headers(const rd_kafka_message_t *message, struct record *record)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t bytes;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++)
        record_take_header(record, name, value, bytes);
}

/* When it came: as the collector says that wrote it, or when it was written. What cannot be is for the one
 * who asks to find out (intake.c). */
static int64_t said_us(const rd_kafka_message_t *message, const struct record *record)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms;

    if (record->has_arrival)
        return record->arrival_us;
    ms = rd_kafka_message_timestamp(message, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > INT64_MAX / 1000)
        return INT64_MIN;
    return ms * 1000;
}

static void put_topic(struct buffer *out, const rd_kafka_message_t *message,
                      const struct record *record, const char *topic)
{
    buffer_clear(out);
    if (record->topic_bytes > 0 && record->topic_bytes <= TOPIC_MOST) {
        buffer_put(out, record->topic, record->topic_bytes);
        return;
    }
    buffer_put_text(out, topic);
    if (message->key_len > 0 && message->key_len <= TOPIC_MOST &&
        utf8_is_visible(message->key, message->key_len)) {
        buffer_put(out, "/", 1);
        buffer_put(out, message->key, message->key_len);
    }
}

/* The sentence of the collector that rejected it. */
static const char *detail_of(struct buffer *out, const struct record *record)
{
    size_t bytes = record->detail_bytes < DETAIL_MOST ? record->detail_bytes : DETAIL_MOST;

    buffer_clear(out);
    if (record->detail)
        buffer_put(out, record->detail, bytes);
    return buffer_text(out);
}

/* Of several readings no identity is said, for it would be that of each. */
static bool is_decoded(const rd_kafka_message_t *message, const struct record *record)
{
    return record->has_identity && ((const char *)message->payload)[0] == '{';
}

bool kafka_record_read(struct kafka_record_reader *reader, const rd_kafka_message_t *message,
                       const char *topic, bool is_rejected_topic, struct source_message *out)
{
    struct record record = {0};
    bool is_rejected;

    take_headers(message, &record);
    is_rejected = is_rejected_topic && record.has_reason && record.reason != READING_ERROR_COUNT;
    if (message->len == 0 && !is_rejected)
        return false;
    put_topic(&reader->topic, message, &record, topic);
    *out = (struct source_message){.topic = buffer_text(&reader->topic),
                                   .payload = message->len > 0 ? message->payload : "",
                                   .bytes = message->len,
                                   .said_us = said_us(message, &record),
                                   .is_shared = true,
                                   .is_record = true};
    if (message->key && device_id_is_legal(message->key, message->key_len)) {
        out->device = message->key;
        out->device_bytes = message->key_len;
    }
    if (is_rejected) {
        out->rejected = record.reason;
        out->detail = detail_of(&reader->detail, &record);
    } else if (is_decoded(message, &record)) {
        out->is_decoded = true;
        out->is_shared = false; /* its key is its device, so one partition has all of it */
        out->content_hash = record.content_hash;
    }
    return true;
}
