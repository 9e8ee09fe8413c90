#include "collector/stores/postgres/rows.h"

#include "collector/stores/postgres/pg_binary.h"
#include "shared/base/utf8.h"

#include <string.h>

bool rows_is_due(const struct batch_row *row, const struct rows_span *span)
{
    int64_t at_us = batch_reading(row)->recorded_at_us;

    if (row->is_refused || row->is_stored)
        return false;
    return !span || (at_us >= span->from_us && at_us < span->until_us) != span->is_outside;
}

size_t rows_put_readings(const struct batch *batch, const struct refs *refs, size_t from, size_t to,
                         const struct rows_span *span, struct buffer *out)
{
    size_t count = 0;

    for (size_t i = from; i < to; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);
        const struct reading *reading = batch_reading(row);

        if (!rows_is_due(row, span))
            continue;
        pg_put_row(out, (uint16_t)(6 + batch->feature_count));
        pg_put_int4(out, refs->by_device[row->device]);
        pg_put_int8(out, reading->content_hash);
        pg_put_timestamp(out, reading->recorded_at_us);
        pg_put_timestamp(out, row->received_at_us);
        if (reading->status == STATUS_ABSENT)
            pg_put_null(out);
        else
            pg_put_int2(out, reading->status);
        if (row->seq < 0)
            pg_put_null(out);
        else
            pg_put_int8(out, row->seq);
        for (size_t f = 0; f < batch->feature_count; f++)
            pg_put_double(out, reading->values[f]);
        count++;
    }
    return count;
}

static void put_valid_text(struct buffer *out, const char *text)
{
    size_t bytes = strlen(text);
    size_t at = 0;

    buffer_put_be32(out, (uint32_t)bytes);
    while (at < bytes) {
        size_t length = utf8_length((const unsigned char *)text + at, bytes - at);

        buffer_put(out, length ? text + at : "?", length ? length : 1);
        at += length ? length : 1;
    }
}

void rows_put_rejected(const struct rejected_list *rejected, size_t from, size_t to,
                       struct buffer *out)
{
    for (size_t i = from; i < to; i++) {
        const struct rejected_message message = rejected_list_at(rejected, i);

        pg_put_row(out, 6);
        pg_put_timestamp(out, message.first_received_at_us);
        put_valid_text(out, message.topic);
        if (message.device[0])
            put_valid_text(out, message.device);
        else
            pg_put_null(out);
        pg_put_bytes(out, message.payload, message.payload_bytes);
        put_valid_text(out, reading_error_text(message.error));
        put_valid_text(out, message.detail);
    }
}
