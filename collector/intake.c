#include "collector/intake.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <string.h>

/* A batch is counted in readings; this is for messages that are large and say nothing. */
enum { BATCH_BYTES_MOST = 16 * 1024 * 1024 };

/* ---- elements ------------------------------------------------------------------------------- */

/* A device is born with its first reading: a client that sends only what is none leaves no trace but the
 * rejected messages. */
static uint32_t sender(struct ingest *ingest)
{
    bool is_new;

    if (ingest->message_device != INGEST_NO_DEVICE)
        return ingest->message_device;
    ingest->message_device =
        devices_find_or_add(ingest->devices, ingest->message_device_id, &is_new);
    assert(is_new);
    ingest->config.on_device(ingest, ingest->message_device);
    return ingest->message_device;
}

static void on_item(void *user, const struct reading_item *item)
{
    struct ingest *ingest = user;
    const char *topic = ingest->message->topic;

    ingest->last_arrival_us = item->received_at_us;
    ingest->counters.received++;
    ingest->message_elements++;
    if (item->error) {
        if (rejects_add(&ingest->rejects, topic, item, ingest->message_elements))
            ingest->config.on_rejected(ingest, topic, item->error, item->detail);
        return;
    }
    ingest->counters.unknown_members += item->unknown_members;
    if (!item->has_timestamp)
        ingest->counters.without_timestamp++;
    batch_push(ingest->filling, sender(ingest), item);
    batch_row(ingest->filling, ingest->filling->count - 1)->filter = ingest->message_filter;
}

/* ---- messages ------------------------------------------------------------------------------- */

const struct topic_filter *ingest_filter(const struct ingest *ingest, uint8_t number)
{
    const struct mqtt_identity *identity = &ingest->store.identity;

    return number > 0 && number <= identity->former_count ? &identity->former[number - 1]
                                                          : &ingest->config.filter;
}

/* Whether the topic matches a filter of ours; then the device, if it is known, and its id, NULL when
 * that is not legal. */
static bool matches(struct ingest *ingest, uint8_t number, const char *topic, const char **id)
{
    const struct topic_filter *filter = ingest_filter(ingest, number);
    const char *start;
    size_t bytes;

    if (!topic_find_id(filter, topic, &start, &bytes))
        return false;
    ingest->message_filter = number;
    /* Nearly always it is known, and then it was judged when it was new. */
    if (devices_find(ingest->devices, start, bytes, &ingest->message_device)) {
        const struct device *device = &ingest->devices->items[ingest->message_device];

        *id = device->is_legal ? device->id : NULL;
        return true;
    }
    ingest->message_device = INGEST_NO_DEVICE;
    *id = topic_device_id(ingest->message_device_id, filter, topic) ? ingest->message_device_id
                                                                    : NULL;
    return !memchr(start, '/', bytes);
}

/* What waited in the session when the filter was another one, or was queued before the broker had taken
 * that one back, is read as it was meant. */
static bool matches_former(struct ingest *ingest, const char *topic, const char **id)
{
    uint8_t count = (uint8_t)ingest->store.identity.former_count;
    uint8_t number = 1;

    while (number <= count && !matches(ingest, number, topic, id))
        number++;
    if (number <= count && !ingest->has_said_former)
        log_info("mqtt: what waited under %s, which SUBSCRIBE was before, is collected, too",
                 ingest_filter(ingest, number)->text);
    ingest->has_said_former = ingest->has_said_former || number <= count;
    return number <= count;
}

/* Whether the topic matches any of them. */
static bool find_device(struct ingest *ingest, const char *topic, const char **id)
{
    return matches(ingest, 0, topic, id) || matches_former(ingest, topic, id);
}

static int64_t next_arrival_us(const struct ingest *ingest)
{
    int64_t now_us = timestamp_now();

    return now_us > ingest->last_arrival_us ? now_us : ingest->last_arrival_us + 1;
}

/* When it came first: now, unless it says otherwise and may be believed. */
static int64_t first_arrival_us(const struct ingest *ingest, int64_t said_us, int64_t now_us)
{
    return said_us >= ingest->config.rules.earliest_us && said_us <= now_us ? said_us : now_us;
}

static void reject_whole(struct ingest *ingest, const struct reading_source *source,
                         enum reading_error error, const char *detail)
{
    struct reading_item item = {.error = error,
                                .detail = detail,
                                .bytes = ingest->message->payload,
                                .length = ingest->message->bytes,
                                .received_at_us = source->received_at_us,
                                .first_received_at_us = source->first_received_at_us};

    on_item(ingest, &item);
}

static void parse_payload(struct ingest *ingest, const struct reading_source *source,
                          struct reading_rest *rest)
{
    const struct source_message *message = ingest->message;
    unsigned taken_off =
        reading_json_begin(&ingest->config.rules, source, message->payload, message->bytes,
                           ingest->config.batch_size, rest, on_item, ingest);

    ingest->counters.byte_order_marks += (taken_off & READING_BYTE_ORDER_MARK) != 0;
    ingest->counters.trailing_nuls += (taken_off & READING_TRAILING_NUL) != 0;
}

/* All of a message, or its first part. */
static void begin(struct ingest *ingest, struct reading_source *source, struct reading_rest *rest)
{
    const struct source_message *message = ingest->message;

    ingest->message_elements = 0;
    ingest->counters.messages++;
    if (message->is_at_most_once)
        ingest->counters.qos0++;
    if (message->is_retained) {
        ingest->counters.retained++;
        reject_whole(ingest, source, READING_RETAINED,
                     "replayed by the subscription, not sent just now");
        return;
    }
    if (!find_device(ingest, message->topic, &source->device_id))
        reject_whole(ingest, source, READING_NO_SUCH_TOPIC,
                     "the topic matches neither SUBSCRIBE nor what that was before");
    else if (source->device_id)
        parse_payload(ingest, source, rest);
    else
        reject_whole(ingest, source, READING_BAD_DEVICE_ID,
                     "the topic's device id is not " DEVICE_ID_LEGAL);
}

static void end(struct ingest *ingest, const struct reading_source *source)
{
    const struct rejects_message message = {.topic = ingest->message->topic,
                                            .payload = ingest->message->payload,
                                            .bytes = ingest->message->bytes,
                                            .elements = ingest->message_elements,
                                            .first_received_at_us = source->first_received_at_us};

    rejects_move(&ingest->rejects, ingest->filling, &message);
}

static void keep(struct backlog_message *message, const struct reading_source *source,
                 const struct reading_rest *rest)
{
    message->received_at_us = source->received_at_us;
    message->first_received_at_us = source->first_received_at_us;
    message->rest = *rest;
}

static struct reading_source source_now(const struct ingest *ingest, int64_t said_us)
{
    int64_t now_us = next_arrival_us(ingest);

    return (struct reading_source){.received_at_us = now_us,
                                   .first_received_at_us =
                                       first_arrival_us(ingest, said_us, now_us)};
}

void intake_begin(struct ingest *ingest, const struct source_message *message)
{
    struct reading_source source;
    struct reading_rest rest = {0};

    if (!backlog_is_empty(&ingest->backlog)) {
        backlog_put(&ingest->backlog, message);
        return;
    }
    source = source_now(ingest, message->said_us);
    ingest->message = message;
    begin(ingest, &source, &rest);
    if (rest.is_there)
        keep(backlog_put(&ingest->backlog, message), &source, &rest);
    else
        end(ingest, &source);
    ingest->message = NULL;
}

/* The id of the device whose message has been begun; no other is begun before its end. */
static const char *delivering_id(const struct ingest *ingest)
{
    return ingest->message_device != INGEST_NO_DEVICE
               ? ingest->devices->items[ingest->message_device].id
               : ingest->message_device_id;
}

void intake_go_on(struct ingest *ingest)
{
    struct backlog_message *first = ingest->backlog.first;
    struct reading_source source = {.received_at_us = first->received_at_us,
                                    .first_received_at_us = first->first_received_at_us};

    ingest->message = &first->message;
    if (first->rest.is_there) {
        source.device_id = delivering_id(ingest);
        reading_json_continue(&ingest->config.rules, &source, first->message.payload,
                              ingest->config.batch_size, &first->rest, on_item, ingest);
    } else {
        source = source_now(ingest, first->message.said_us);
        begin(ingest, &source, &first->rest);
        keep(first, &source, &first->rest);
    }
    if (!first->rest.is_there) {
        end(ingest, &source);
        backlog_drop(&ingest->backlog);
    }
    ingest->message = NULL;
}

bool intake_is_full(const struct ingest *ingest)
{
    const struct batch *batch = ingest->filling;

    return batch->count + batch->rejected_count >= ingest->config.batch_size ||
           batch_bytes(batch) >= BATCH_BYTES_MOST;
}
