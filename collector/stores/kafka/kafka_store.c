/* The states of the store, and a batch from its beginning to its end. The other files of the store, and
 * what each does, are listed in kafka_store_inner.h.
 *
 * librdkafka is told to try for ever, and does so in order and without doubles for as long as the producer
 * lives. So what fails has a reason that time alone does not mend, and the watchdog here is the one
 * limit. Rejected: its own limit (message.timeout.ms), after which some records of a batch are there and
 * others are not, and one cannot know which of those that timed out. */
#include "collector/stores/kafka/kafka_store_inner.h"

#include "shared/base/log.h"
#include "shared/net/prometheus.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { HOLD_RETRY_MS = 2000, REJECTED_PART_LEAST = 1024 };

static const char *const state_names[] = {"away", "ready", "writing", "pausing"};

void kafka_store_set_state(struct kafka_store *store, enum kafka_store_state state)
{
    if (state == store->state)
        return;
    log_debug("store: %s -> %s", state_names[store->state], state_names[state]);
    store->state = state;
}

void kafka_store_put_fault(struct kafka_store *store, bool is_held, const char *fault)
{
    bool is_same = strcmp(fault, store->fault) == 0 && store->base.is_held == is_held;

    store->base.is_held = is_held;
    if (is_same)
        return;
    snprintf(store->fault, sizeof(store->fault), "%s", fault);
    if (is_held)
        log_error("store: on hold: %s; nothing is acknowledged until this is corrected", fault);
    else
        log_warning("store: Kafka is away: %s", fault);
}

static void clear_fault(struct kafka_store *store)
{
    if (store->base.is_held)
        log_info("store: no longer on hold");
    store->base.is_held = false;
    store->fault[0] = '\0';
}

/* ---- a batch ---------------------------------------------------------------------------------- */

static void begin_try(struct kafka_store *store, bool is_of_rejected, size_t from, size_t from_byte,
                      size_t to)
{
    kafka_store_set_state(store, KAFKA_STORE_WRITING);
    store->try = (struct kafka_store_try){
        .is_of_rejected = is_of_rejected, .next = from, .next_byte = from_byte, .to = to};
    store->began_ms = uv_now(store->loop);
    kafka_store_produce(store);
}

static void finish_batch(struct kafka_store *store)
{
    struct batch *batch = store->batch;
    const struct store_outcome outcome = store->base.outcome;

    store->batch = NULL;
    backoff_reset(&store->backoff);
    clear_fault(store);
    kafka_store_set_state(store, KAFKA_STORE_READY);
    kafka_store_set_ready(store); /* if it was not, what it has just done says so */
    store->base.events->on_stored(store->base.user, batch, &outcome);
    if (store->wants_reload && !store->batch && !store->is_closing)
        kafka_store_renew(store);
}

void kafka_store_next_try(struct kafka_store *store)
{
    const struct rejected_list *rejected = &store->batch->rejected;

    if (store->parts.from < store->parts.count)
        begin_try(store, false, store->parts.from, 0, store->parts.to);
    else if (store->rejected_at < rejected->count)
        begin_try(store, true, store->rejected_at, store->rejected_byte, rejected->count);
    else
        finish_batch(store);
}

void kafka_store_on_pause(uv_timer_t *timer)
{
    kafka_store_next_try(timer->data);
}

static void pause_for(struct kafka_store *store, uint64_t ms)
{
    store->retries++;
    kafka_store_set_state(store, KAFKA_STORE_PAUSING);
    uv_timer_start(&store->pause, kafka_store_on_pause, ms, 0);
}

/* One that stays wrong until somebody does something about it. */
static bool needs_person(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return true;
    default:
        return false;
    }
}

static const char *topic_tried(const struct kafka_store *store)
{
    return store->try.is_of_rejected ? store->config.rejected_topic : store->config.topic;
}

static void fail_try(struct kafka_store *store, rd_kafka_resp_err_t error)
{
    bool is_held = needs_person(error);
    char fault[KAFKA_STORE_REASON_SIZE];

    snprintf(fault, sizeof(fault), "the topic %s: %s: %s", topic_tried(store),
             rd_kafka_err2name(error), rd_kafka_err2str(error));
    if (is_held)
        kafka_store_put_fault(store, true, fault);
    else
        log_warning("store: %s; trying again", fault);
    pause_for(store, is_held ? HOLD_RETRY_MS : backoff_next_ms(&store->backoff));
}

/* What was placed is not written again, but for rejected messages. */
static void write_unplaced_again(struct kafka_store *store)
{
    log_info("store: the topic %s: where %zu records were put is not known; they are written again",
             topic_tried(store), store->try.unplaced);
    store->retries++;
    kafka_store_next_try(store);
}

/* librdkafka sends many records as one, and all of them fail with the one that does not fit; or it is all of
 * them together that the topic does not take. */
static void end_unfit_rows(struct kafka_store *store)
{
    struct parts *parts = &store->parts;

    if (parts->to - parts->from > 1) {
        if (!store->has_said_unfit)
            log_warning("store: the topic %s does not take %zu records of a batch: %s; trying "
                        "fewer at a time. If it takes less than librdkafka sends, set "
                        "message.max.bytes in KAFKA_CONFIG to its max.message.bytes",
                        store->config.topic, store->try.unfit,
                        rd_kafka_err2str(store->try.unfit_error));
        store->has_said_unfit = true;
        parts_halve(parts);
    } else {
        kafka_store_refuse_row(store, parts->from, store->try.unfit_error);
        parts_refuse(parts);
    }
    store->retries++;
    kafka_store_next_try(store);
}

static void end_unfit_rejected(struct kafka_store *store)
{
    if (store->rejected_singly && store->rejected_part_most <= REJECTED_PART_LEAST) {
        fail_try(store, store->try.unfit_error);
        return;
    }
    if (store->rejected_singly)
        store->rejected_part_most /= 2;
    store->rejected_singly = true;
    store->retries++;
    kafka_store_next_try(store);
}

void kafka_store_end_try(struct kafka_store *store)
{
    const struct kafka_store_try *try = &store->try;

    if (try->error) {
        fail_try(store, try->error);
    } else if (try->unfit > 0) {
        if (try->is_of_rejected)
            end_unfit_rejected(store);
        else
            end_unfit_rows(store);
    } else if (try->unplaced > 0) {
        write_unplaced_again(store);
    } else {
        if (try->is_of_rejected) {
            store->rejected_at = try->next;
            store->rejected_byte = try->next_byte;
        } else {
            parts_commit(&store->parts);
        }
        kafka_store_next_try(store);
    }
}

void kafka_store_begin(struct store *base, struct batch *batch, bool expects_duplicates)
{
    struct kafka_store *store = (struct kafka_store *)base;

    (void)expects_duplicates; /* they are found where the topic is read */
    assert(!store->batch);
    store->batch = batch;
    store->has_said_unfit = false;
    store->rejected_singly = false;
    store->rejected_at = store->rejected_byte = 0;
    parts_begin(&store->parts, batch->count, SIZE_MAX);
    if (store->state == KAFKA_STORE_READY)
        kafka_store_next_try(store);
}

void kafka_store_give_up(struct store *base)
{
    struct kafka_store *store = (struct kafka_store *)base;

    assert(store->state == KAFKA_STORE_READY);
    store->batch = NULL;
}

/* ---- ready or not ----------------------------------------------------------------------------- */

void kafka_store_set_ready(struct kafka_store *store)
{
    if (store->base.is_ready)
        return;
    if (!store->batch || !store->base.is_held) /* else a batch that is stored clears it */
        clear_fault(store);
    store->base.is_ready = true;
    store->began_ms = uv_now(store->loop);
    if (store->state == KAFKA_STORE_AWAY)
        kafka_store_set_state(store, KAFKA_STORE_READY);
    log_info("store: Kafka is there, the topic %s has %d partitions", store->config.topic,
             store->partitions);
    store->base.events->on_ready(store->base.user, store->is_turn_new);
    store->is_turn_new = false;
    if (store->state == KAFKA_STORE_READY && store->batch)
        kafka_store_next_try(store);
}

void kafka_store_set_unready(struct kafka_store *store)
{
    if (store->state == KAFKA_STORE_READY)
        kafka_store_set_state(store, KAFKA_STORE_AWAY);
    if (!store->base.is_ready)
        return;
    store->base.is_ready = false;
    store->base.events->on_unready(store->base.user);
}

/* ---- what it says ----------------------------------------------------------------------------- */

void kafka_store_explain(const struct store *base, struct buffer *out)
{
    const struct kafka_store *store = (const struct kafka_store *)base;

    if (store->state == KAFKA_STORE_WRITING)
        buffer_printf(out, "; Kafka has not confirmed %zu records, none for %.1f s",
                      store->try.unreported, (double)(uv_now(store->loop) - store->began_ms) / 1e3);
    if (store->fault[0])
        buffer_printf(out, "; %s", store->fault);
    if (store->link.trouble[0])
        buffer_printf(out, "; librdkafka's latest trouble: %s", store->link.trouble);
}

void kafka_store_put_faults(const struct store *base, struct buffer *reasons)
{
    const struct kafka_store *store = (const struct kafka_store *)base;

    if (store->base.is_held)
        buffer_printf(reasons, "on hold: %s\n", store->fault);
    else if (!store->base.is_ready)
        buffer_printf(reasons, "Kafka is away: %s\n",
                      store->fault[0] ? store->fault : "no broker has answered yet");
}

void kafka_store_put_metrics(const struct store *base, const struct prometheus *to)
{
    const struct kafka_store *store = (const struct kafka_store *)base;
    const struct prometheus_sample samples[] = {
        {"highwater_kafka_up", "gauge",
         "1 while we are a member of the group, or batches can be stored in Kafka.",
         store->base.is_ready},
        {"highwater_kafka_records_total", "counter",
         "Records taken, or those of readings that Kafka has confirmed.", (double)store->records},
        {"highwater_kafka_rejected_records_total", "counter",
         "Records of rejected messages that Kafka has confirmed; a large message is several.",
         (double)store->rejected_records},
        {"highwater_kafka_unconfirmed_records", "gauge", "Records on their way to Kafka.",
         store->state == KAFKA_STORE_WRITING ? (double)store->try.unreported : 0},
        {"highwater_kafka_producers_total", "counter",
         "Producers made: one, and another after each that was given up.", (double)store->clients},
        {"highwater_kafka_partitions", "gauge",
         "Partitions that we read, or of the topic that we write.", store->partitions},
        {"highwater_store_retries_total", "counter", "Tries of a batch that were made again.",
         (double)store->retries},
        {"highwater_store_on_hold", "gauge", "1 while the store needs an operator.",
         store->base.is_held},
    };

    PROMETHEUS_WRITE(to, samples);
}
