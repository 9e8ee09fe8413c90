#include "collector/intake.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <string.h>

/* A batch is counted in readings; this is for messages that are large and say nothing. */
enum { BATCH_BYTES_MOST = 16 * 1024 * 1024 };

/* Of what a message's rows share, in the batch that fills. */
#define MESSAGE_NOT_KEPT SIZE_MAX

/* ---- topics --------------------------------------------------------------------------------- */

/* Filters are numbered: those that SUBSCRIBE names, and then those that it named before. */
static const struct topic_filter *filter_of(const struct ingest *ingest, uint16_t number)
{
    return number < SUBSCRIPTIONS_MAX
               ? &ingest->config.subscriptions->contract[number]
               : &store_identity(ingest->store)->former_contract[number - SUBSCRIPTIONS_MAX];
}

void intake_put_topic(const struct ingest *ingest, const struct batch *batch,
                      const struct batch_row *row, struct buffer *out)
{
    const char *payload = (const char *)batch->payloads.data + row->payload_at;

    if (row->filter == BATCH_TOPIC_KEPT) {
        buffer_put_text(out, payload + row->payload_bytes);
    } else {
        const struct topic_filter *filter = filter_of(ingest, row->filter);

        buffer_put(out, filter->prefix, filter->prefix_bytes);
        buffer_put_text(out, ingest->devices->items[row->device].id);
        buffer_put_text(out, filter->suffix);
    }
}

/* ---- elements ------------------------------------------------------------------------------- */

/* Whose the items that follow are. Nearly always it is known, and then it was judged when it was new. */
static const char *on_device(void *user, const char *id, size_t bytes)
{
    struct ingest *ingest = user;

    if (devices_find(ingest->devices, id, bytes, &ingest->message_device)) {
        const struct device *device = &ingest->devices->items[ingest->message_device];

        return device->is_legal ? device->id : NULL;
    }
    ingest->message_device = INGEST_NO_DEVICE;
    ingest->message_device_id[0] = '\0';
    if (!device_id_is_legal(id, bytes))
        return NULL;
    memcpy(ingest->message_device_id, id, bytes);
    ingest->message_device_id[bytes] = '\0';
    return ingest->message_device_id;
}

/* A device is born with its first reading: a client that sends only what is none leaves no trace but the
 * rejected messages. */
static void be_born(struct ingest *ingest)
{
    bool is_new;

    ingest->message_device =
        devices_find_or_add(ingest->devices, ingest->message_device_id, &is_new);
    assert(is_new);
    ingest->config.on_device(ingest, ingest->message_device);
}

/* The readings of a message that stand for all of it share its bytes. */
static struct batch_row *push(struct ingest *ingest, const struct reading_item *item)
{
    const struct source_message *message = ingest->message;
    struct batch_row *row;

    if (ingest->message_device == INGEST_NO_DEVICE)
        be_born(ingest);
    if (ingest->decoder->filter) {
        row = batch_push(ingest->filling, ingest->message_device, item);
        row->filter = ingest->decoder->filter_number;
        return row;
    }
    if (ingest->message_at == MESSAGE_NOT_KEPT)
        ingest->message_at =
            batch_keep_message(ingest->filling, message->topic, message->payload, message->bytes);
    row = batch_push_at(ingest->filling, ingest->message_device, item, ingest->message_at);
    row->filter = BATCH_TOPIC_KEPT;
    row->element = (uint32_t)(ingest->message_elements - 1);
    return row;
}

/* Whose message it is that cannot be a reading; "" when that cannot be told. Nothing has asked yet where the message
 * is refused before it is looked into. */
static const char *rejected_device(struct ingest *ingest)
{
    const struct subscriptions *subscriptions = ingest->config.subscriptions;

    if (ingest->message_device != INGEST_NO_DEVICE)
        return ingest->devices->items[ingest->message_device].id;
    for (size_t i = 0; !ingest->message_device_id[0] && i < subscriptions->contract_count; i++) {
        if (!topic_device_id(ingest->message_device_id, &subscriptions->contract[i],
                             ingest->message->topic))
            ingest->message_device_id[0] = '\0';
    }
    return ingest->message_device_id;
}

static void on_item(void *user, const struct reading_item *item)
{
    struct ingest *ingest = user;
    const char *topic = ingest->message->topic;

    ingest->last_arrival_us = item->received_at_us;
    ingest->counters.received++;
    ingest->message_elements++;
    if (item->error) {
        if (rejects_add(&ingest->rejects, topic, rejected_device(ingest), item,
                        ingest->message_elements))
            ingest->config.on_rejected(ingest, topic, item->error, item->detail);
        return;
    }
    ingest->counters.unknown_members += item->unknown_members;
    if (!item->has_timestamp)
        ingest->counters.without_timestamp++;
    push(ingest, item)->is_shared = ingest->decoder->is_shared || ingest->message->is_shared;
}

static void on_about(void *user, const struct about *about)
{
    struct ingest *ingest = user;

    ingest->counters.abouts++;
    abouts_add(&ingest->filling->abouts, about);
}

/* ---- messages ------------------------------------------------------------------------------- */

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

/* What waited in the session when the filter was another one, or was queued before the broker had taken
 * that one back, is read as it was meant. */
static void say_former(struct ingest *ingest)
{
    if (!ingest->has_said_former)
        log_info("mqtt: what waited under %s, which SUBSCRIBE was before, is collected, too",
                 ingest->decoder->filter->text);
    ingest->has_said_former = true;
}

/* The first whose topic it is has the message. */
static enum decoder_outcome decode(struct ingest *ingest, struct reading_source *source,
                                   struct reading_rest *rest)
{
    enum decoder_outcome outcome = DECODER_NO_TOPIC;

    for (size_t i = 0; i < ingest->decoder_count && outcome == DECODER_NO_TOPIC; i++) {
        ingest->decoder = ingest->decoders[i];
        outcome = ingest->decoder->kind->begin(ingest->decoder, ingest->message, source,
                                               ingest->config.batch_size, rest);
    }
    return outcome;
}

static void count(struct ingest *ingest, enum decoder_outcome outcome)
{
    const struct decoder *decoder = ingest->decoder;

    if (outcome != DECODER_READ)
        ingest->counters.without_readings[outcome]++;
    if (decoder->taken_off) {
        ingest->counters.byte_order_marks += (decoder->taken_off & READING_BYTE_ORDER_MARK) != 0;
        ingest->counters.trailing_nuls += (decoder->taken_off & READING_TRAILING_NUL) != 0;
    }
    if (decoder == &ingest->former.decoder)
        say_former(ingest);
}

static bool is_of_contract(const struct ingest *ingest, const char *topic)
{
    const struct subscriptions *subscriptions = ingest->config.subscriptions;
    const char *id;
    size_t bytes;

    for (size_t i = 0; i < subscriptions->contract_count; i++) {
        if (topic_find_id(&subscriptions->contract[i], topic, &id, &bytes))
            return true;
    }
    return false;
}

/* What devices are called is meant to be retained. */
static bool is_of_abouts(const struct ingest *ingest, const char *topic)
{
    return about_decoder_has(&ingest->about, topic) ||
           (mappings_are_about(ingest->config.mappings, topic) && !is_of_contract(ingest, topic));
}

/* All of a message, or its first part. */
static void begin(struct ingest *ingest, struct reading_source *source, struct reading_rest *rest)
{
    const struct source_message *message = ingest->message;
    enum decoder_outcome outcome;

    ingest->message_elements = 0;
    ingest->message_device = INGEST_NO_DEVICE;
    ingest->message_device_id[0] = '\0';
    ingest->counters.messages++;
    if (message->is_at_most_once)
        ingest->counters.qos0++;
    if (message->is_retained && !is_of_abouts(ingest, message->topic)) {
        ingest->counters.retained++;
        reject_whole(ingest, source, READING_RETAINED,
                     "replayed by the subscription, not sent just now");
        return;
    }
    if (message->rejected != READING_OK) {
        reject_whole(ingest, source, message->rejected, message->detail);
        return;
    }
    outcome = decode(ingest, source, rest);
    if (outcome == DECODER_NO_TOPIC)
        reject_whole(ingest, source, READING_NO_SUCH_TOPIC,
                     "the topic is of no subscription, nor of what was one before");
    else
        count(ingest, outcome);
}

static void move_rejects(struct ingest *ingest, const struct reading_source *source)
{
    const struct rejects_message message = {.topic = ingest->message->topic,
                                            .device = rejected_device(ingest),
                                            .payload = ingest->message->payload,
                                            .bytes = ingest->message->bytes,
                                            .elements = ingest->message_elements,
                                            .first_received_at_us = source->first_received_at_us};

    rejects_move(&ingest->rejects, ingest->filling, &message);
}

static void end(struct ingest *ingest, const struct reading_source *source)
{
    if (ingest->rejects.count > 0)
        move_rejects(ingest, source);
    if (ingest->message->rejected_id != 0)
        sparkplug_changes_add_done(&ingest->filling->sparkplug, ingest->message->rejected_id);
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

/* Its bytes are not in the batch that fills, or not any more. */
static void take_up(struct ingest *ingest, const struct source_message *message)
{
    ingest->message = message;
    ingest->message_at = MESSAGE_NOT_KEPT;
    ingest->filling->message_count++;
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
    take_up(ingest, message);
    begin(ingest, &source, &rest);
    if (rest.is_there)
        keep(backlog_put(&ingest->backlog, message), &source, &rest);
    else
        end(ingest, &source);
    ingest->message = NULL;
}

void intake_go_on(struct ingest *ingest)
{
    struct backlog_message *first = ingest->backlog.first;
    struct reading_source source = {.received_at_us = first->received_at_us,
                                    .first_received_at_us = first->first_received_at_us};

    take_up(ingest, &first->message);
    if (first->rest.is_there) {
        ingest->decoder->kind->go_on(ingest->decoder, &first->message, &source,
                                     ingest->config.batch_size, &first->rest);
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

void intake_init(struct ingest *ingest)
{
    const struct ingest_config *config = &ingest->config;
    const struct decoder_taker taker = {.user = ingest, .on_device = on_device, .on_item = on_item};

    json_decoder_init(&ingest->contract, &config->rules, config->subscriptions->contract,
                      &config->subscriptions->contract_count, 0, &taker);
    json_decoder_init(
        &ingest->former, &config->rules, store_identity(ingest->store)->former_contract,
        &store_identity(ingest->store)->former_contract_count, SUBSCRIPTIONS_MAX, &taker);
    if (source_is_log(ingest->source)) {
        record_decoder_init(&ingest->record, &config->rules, RECORD_OF_COLLECTORS, &taker);
        ingest->decoders[ingest->decoder_count++] = &ingest->record.decoder;
    }
    ingest->decoders[ingest->decoder_count++] = &ingest->contract.decoder;
    about_decoder_init(&ingest->about, config->subscriptions->about,
                       config->subscriptions->about_count, &taker, on_about);
    ingest->decoders[ingest->decoder_count++] = &ingest->about.decoder;
    if (config->mappings->count > 0) {
        mapped_decoder_init(&ingest->mapped, config->mappings, &config->rules,
                            config->subscriptions, &taker);
        if (store_has_schema(ingest->store)) /* a log keeps none */
            ingest->mapped.on_about = on_about;
        ingest->decoders[ingest->decoder_count++] = &ingest->mapped.decoder;
        if (mappings_have_sparkplug(config->mappings))
            ingest->mapped.run.sparkplug = &ingest->sparkplug;
    }
    ingest->decoders[ingest->decoder_count++] = &ingest->former.decoder;
    if (source_is_log(ingest->source)) {
        record_decoder_init(&ingest->foreign, &config->rules, RECORD_OF_OTHERS, &taker);
        ingest->decoders[ingest->decoder_count++] = &ingest->foreign.decoder;
    }
}

void intake_release(struct ingest *ingest)
{
    for (size_t i = 0; i < ingest->decoder_count; i++)
        ingest->decoders[i]->kind->release(ingest->decoders[i]);
    sparkplug_release(&ingest->sparkplug);
}

bool intake_is_full(const struct ingest *ingest)
{
    const struct batch *batch = ingest->filling;

    return batch->count + batch->rejected_count + batch->abouts.count >=
               ingest->config.batch_size ||
           batch_bytes(batch) >= BATCH_BYTES_MOST;
}
