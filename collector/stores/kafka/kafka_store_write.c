/* A batch's records. They are copied into librdkafka's queue, whose thread sends them, and each comes back
 * with its delivery report. Its opaque is the number of the row. */
#include "collector/stores/kafka/kafka_store_inner.h"

#include "shared/base/log.h"
#include "shared/model/payload.h"
#include "shared/model/record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    SLICE = 10000,         /* records in a turn of the loop */
    REFUSED_SAID_MOST = 5, /* of a batch, each with a line of its own */
    REJECTED_LEAST = 256   /* bytes of a rejected message in a record */
};

/* ---- one record ------------------------------------------------------------------------------- */

/* Librdkafka keeps copies of all of it. */
static rd_kafka_resp_err_t produce(struct kafka_store *store, rd_kafka_topic_t *topic,
                                   const char *key, const void *value, size_t bytes,
                                   const struct record_headers *headers, size_t opaque)
{
    rd_kafka_headers_t *copies = rd_kafka_headers_new(headers->count);
    rd_kafka_resp_err_t error;

    for (size_t i = 0; i < headers->count; i++) {
        const struct record_header *header = &headers->items[i];

        rd_kafka_header_add(copies, header->name, (ssize_t)strlen(header->name), header->value,
                            (ssize_t)header->bytes);
    }
    /* what it does not change it takes without const */
    error = rd_kafka_producev(store->link.rk, RD_KAFKA_V_RKT(topic),
                              RD_KAFKA_V_KEY((void *)(uintptr_t)key, key ? strlen(key) : 0),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)value, bytes),
                              RD_KAFKA_V_HEADERS(copies), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_OPAQUE((void *)(uintptr_t)opaque), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(copies);
    return error;
}

static void note_failure(struct kafka_store_try *try, rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        try->unfit++;
        try->unfit_error = error;
        break;
    default:
        if (!try->error)
            try->error = error;
    }
}

/* ---- readings --------------------------------------------------------------------------------- */

static rd_kafka_resp_err_t produce_row(struct kafka_store *store, const struct batch_row *row,
                                       size_t index)
{
    const struct reading *reading = batch_reading(row);
    const char *id = store->config.devices->items[row->device].id;
    struct record_headers headers;

    buffer_clear(&store->value);
    payload_write(&store->value, id, reading, store->config.features, row->seq);
    buffer_clear(&store->topic_text);
    store->base.events->put_topic(store->base.user, store->batch, row, &store->topic_text);
    record_headers_of_reading(&headers, reading->content_hash, row->received_at_us,
                              buffer_text(&store->topic_text), store->topic_text.bytes);
    return produce(store, store->topic, id, store->value.data, store->value.bytes, &headers, index);
}

void kafka_store_refuse_row(struct kafka_store *store, size_t index, rd_kafka_resp_err_t error)
{
    struct batch *batch = store->batch;
    struct batch_row *row = batch_row(batch, index);
    const char *id = store->config.devices->items[row->device].id;
    char detail[READING_DETAIL_SIZE];

    snprintf(detail, sizeof(detail), "Kafka takes no such record: %s: %s", rd_kafka_err2name(error),
             rd_kafka_err2str(error));
    store_refuse_row(&store->base, batch, row, detail);
    if (store->base.outcome.refused <= REFUSED_SAID_MOST)
        log_warning("store: a reading of %s is refused, and kept on %s: %s", id,
                    store->config.rejected_topic, detail);
}

/* False: the queue is full. */
static bool produce_next_row(struct kafka_store *store)
{
    struct kafka_store_try *try = &store->try;
    const struct batch_row *row = batch_row(store->batch, try->next);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (!row->is_stored && !row->is_refused) {
        error = produce_row(store, row, try->next);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && try->unreported > 0)
            return false;
        if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            kafka_store_refuse_row(store, try->next, error); /* it is for the client already */
        else if (error)
            note_failure(try, error);
        else
            try->unreported++;
    }
    try->next++;
    return true;
}

/* ---- rejected messages ------------------------------------------------------------------------ */

/* "bytes 1 to 900000 of 2000000: ..." when they are not all. */
static void put_detail(char *out, size_t out_bytes, const struct rejected_message *message,
                       size_t from, size_t to)
{
    if (from == 0 && to == message->payload_bytes)
        snprintf(out, out_bytes, "%s", message->detail);
    else
        snprintf(out, out_bytes, "bytes %zu to %zu of %zu: %s", from + 1, to,
                 message->payload_bytes, message->detail);
}

/* How many bytes of it the next record has. */
static size_t part_bytes(const struct kafka_store *store, const struct rejected_message *message)
{
    size_t taken = strlen(message->topic) + strlen(message->detail);
    size_t most = store->rejected_part_most > taken + REJECTED_LEAST
                      ? store->rejected_part_most - taken
                      : REJECTED_LEAST;
    size_t left = message->payload_bytes - store->try.next_byte;

    return left < most ? left : most;
}

static void advance(struct kafka_store_try *try, const struct rejected_message *message,
                    size_t bytes)
{
    try->next_byte += bytes;
    if (try->next_byte < message->payload_bytes)
        return;
    try->next++;
    try->next_byte = 0;
}

/* False: the queue is full. */
static bool produce_next_rejected(struct kafka_store *store)
{
    struct kafka_store_try *try = &store->try;
    const struct rejected_message message = rejected_list_at(&store->batch->rejected, try->next);
    size_t bytes = part_bytes(store, &message);
    char detail[READING_DETAIL_SIZE + 80];
    const struct record_rejected about = {.reason = reading_error_text(message.error),
                                          .detail = detail,
                                          .topic = message.topic,
                                          .arrival_us = message.first_received_at_us};
    struct record_headers headers;
    rd_kafka_resp_err_t error;

    put_detail(detail, sizeof(detail), &message, try->next_byte, try->next_byte + bytes);
    record_headers_of_rejected(&headers, &about);
    error = produce(store, store->rejected_topic, NULL,
                    (const char *)message.payload + try->next_byte, bytes, &headers, try->next);
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && try->unreported > 0)
        return false;
    /* of a large message one part at a time, so that none of it is written twice */
    try->is_all_produced = error || store->rejected_singly || bytes < message.payload_bytes;
    if (error) {
        note_failure(try, error);
        return true;
    }
    try->unreported++;
    advance(try, &message, bytes);
    return true;
}

/* ---- both ------------------------------------------------------------------------------------- */

static bool has_more(const struct kafka_store_try *try)
{
    return !try->is_all_produced && !try->error && try->next < try->to;
}

void kafka_store_produce(struct kafka_store *store)
{
    struct kafka_store_try *try = &store->try;
    size_t count = 0;

    while (has_more(try) && count++ < SLICE) {
        if (!(try->is_of_rejected ? produce_next_rejected(store) : produce_next_row(store)))
            return; /* a report makes room */
    }
    if (has_more(try) || try->unreported == 0)
        kafka_queue_poke(&store->link.queue);
}

bool kafka_store_try_is_over(const struct kafka_store *store)
{
    return !has_more(&store->try) && store->try.unreported == 0;
}

/* librdkafka takes what was refused for delivered, and says no offset, when what followed it under way was taken. But a
 * partition that knows nothing of the producer yet takes what follows without what was before: the first records of
 * a new topic, or of a partition that was added, would be lost. */
static bool is_placed(const rd_kafka_message_t *message)
{
    return message->offset >= 0;
}

void kafka_store_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    const struct kafka_link *link = opaque;
    struct kafka_store *store = link->config.user;
    struct kafka_store_try *try = &store->try;

    (void)rk;
    assert(store->batch && try->unreported > 0);
    try->unreported--;
    store->began_ms = uv_now(store->loop);
    if (message->err) {
        note_failure(try, message->err);
    } else if (!is_placed(message)) {
        try->unplaced++;
    } else if (try->is_of_rejected) {
        store->rejected_records++;
    } else {
        batch_row(store->batch, (size_t)(uintptr_t)message->_private)->is_stored = true;
        store->base.outcome.stored++;
        store->records++;
    }
}
