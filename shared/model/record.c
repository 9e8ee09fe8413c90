#include "shared/model/record.h"

#include "shared/base/hex.h"
#include "shared/model/topic.h"

#include <inttypes.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------------- */

static void add(struct record_headers *out, const char *name, const char *value, size_t bytes)
{
    out->items[out->count++] = (struct record_header){name, value, bytes};
}

static void add_arrival(struct record_headers *out, int64_t arrival_us)
{
    timestamp_format(out->arrival, arrival_us);
    add(out, "arrival", out->arrival, sizeof(out->arrival) - 1);
}

static void add_identity(struct record_headers *out, int64_t content_hash)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t rest = (uint64_t)content_hash;

    for (size_t i = RECORD_IDENTITY_DIGITS; i > 0; rest /= 16)
        out->identity[--i] = digits[rest % 16];
    add(out, "identity", out->identity, sizeof(out->identity));
}

void record_headers_of_reading(struct record_headers *out, int64_t content_hash, int64_t arrival_us,
                               const char *topic, size_t topic_bytes)
{
    out->count = 0;
    add_identity(out, content_hash);
    add_arrival(out, arrival_us);
    add(out, "topic", topic, topic_bytes);
}

void record_headers_of_rejected(struct record_headers *out, const struct record_rejected *message)
{
    out->count = 0;
    add(out, "reason", message->reason, strlen(message->reason));
    add(out, "detail", message->detail, strlen(message->detail));
    add_arrival(out, message->arrival_us);
    add(out, "topic", message->topic, strlen(message->topic));
    if (message->device)
        add(out, "device", message->device, strlen(message->device));
}

/* ---- reading -------------------------------------------------------------------------------- */

static void take_identity(struct record *record, const char *text, size_t bytes)
{
    uint64_t hash = 0;

    if (bytes != RECORD_IDENTITY_DIGITS)
        return;
    for (size_t i = 0; i < bytes; i++) {
        int digit = hex_value((unsigned char)text[i]);

        if (digit < 0)
            return;
        hash = hash * 16 + (uint64_t)digit;
    }
    record->has_identity = true;
    record->content_hash = (int64_t)hash;
}

static void take_arrival(struct record *record, const char *text, size_t bytes)
{
    char copy[64];

    if (bytes >= sizeof(copy))
        return;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    record->has_arrival = timestamp_parse(&record->arrival_us, copy) || record->has_arrival;
}

static void take_reason(struct record *record, const char *text, size_t bytes)
{
    int error = READING_OK + 1;

    while (error < READING_ERROR_COUNT) {
        const char *name = reading_error_text((enum reading_error)error);

        if (strlen(name) == bytes && memcmp(name, text, bytes) == 0)
            break;
        error++;
    }
    record->has_reason = true;
    record->reason = (enum reading_error)error;
    record->reason_text = text;
    record->reason_bytes = bytes;
}

static bool is_name(const char *name, const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

void record_take_header(struct record *record, const char *name, const void *value, size_t bytes)
{
    const char *text = value;

    if (!text || memchr(text, '\0', bytes))
        return;
    if (is_name(name, "identity")) {
        take_identity(record, text, bytes);
    } else if (is_name(name, "arrival")) {
        take_arrival(record, text, bytes);
    } else if (is_name(name, "reason")) {
        take_reason(record, text, bytes);
    } else if (is_name(name, "detail")) {
        record->detail = text;
        record->detail_bytes = bytes;
    } else if (is_name(name, "topic")) {
        record->topic = text;
        record->topic_bytes = bytes;
    } else if (is_name(name, "device") && device_id_is_legal(text, bytes)) {
        record->device = text;
        record->device_bytes = bytes;
    }
}
