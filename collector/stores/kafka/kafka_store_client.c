/* The client: made at the start and again when one had to be given up, and asked whether Kafka is there. Who
 * we are to the MQTT broker is made of Kafka's cluster id, as it is made of a database's mark. */
#include "collector/stores/kafka/kafka_store_inner.h"

#include "shared/base/log.h"
#include "shared/model/reading.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    PROBE_WRITING_MS = 2000, /* no delivery report for so long */
    PROBE_IDLE_MS = 10000,
    DENIED_PROBES = 10, /* before the file is read again: somebody may have mended it */
    RETRY_LEAST_MS = 50,
    RETRY_MOST_MS = 2000
};

/* message.timeout.ms 0 is for ever: see kafka_store.c. A request that hangs is made again, which is no harm to
 * an idempotent producer. */
const struct kafka_property kafka_store_properties[] = {
    {.name = "enable.idempotence", .value = "true", .is_ours = true},
    {.name = "acks", .value = "all", .is_ours = true},
    {.name = "request.required.acks", .is_ours = true},
    {.name = "partitioner", .value = "murmur2_random", .is_ours = true},
    {.name = "message.timeout.ms", .value = "0", .is_ours = true},
    {.name = "delivery.timeout.ms", .is_ours = true},
    {.name = "retries", .is_ours = true},
    {.name = "message.send.max.retries", .is_ours = true},
    {.name = "transactional.id", .is_ours = true},
    {.name = "delivery.report.only.error", .value = "false", .is_ours = true},
    /* Time for the records of a batch to go together: with 1 ms the client and Kafka have so many more, smaller
     * requests that a flood is a sixth slower. */
    {.name = "linger.ms", .value = "5"},
    {.name = "socket.timeout.ms", .value = "10000"},
    {0},
};

/* ---- who we are ------------------------------------------------------------------------------- */

/* Stays as it is for as long as we run: another cluster under the same names is no other installation. */
static void identify(struct kafka_store *store)
{
    const char *cluster = store->probe.cluster[0] ? store->probe.cluster : store->config.brokers;
    char mark[MQTT_IDENTITY_MARK_SIZE];
    char client_id[MQTT_IDENTITY_CLIENT_ID_SIZE];
    struct buffer place = {0};

    if (store->has_identity)
        return;
    buffer_printf(&place, "%s/%s", cluster, store->config.topic);
    snprintf(mark, sizeof(mark), "%016" PRIx64,
             (uint64_t)reading_content_hash(buffer_text(&place), place.bytes));
    buffer_release(&place);
    snprintf(client_id, sizeof(client_id), "highwater-%.64s-%s", store->config.collector_id, mark);
    mqtt_identity_set(&store->base.identity, mark,
                      store->config.client_id[0] ? store->config.client_id : client_id, "", "");
    store->has_identity = store->is_turn_new = true;
}

/* ---- is it there ------------------------------------------------------------------------------ */

static void note_partitions(struct kafka_store *store)
{
    int partitions = store->probe.partitions;

    if (partitions == 1 && store->partitions != 1)
        log_warning("store: the topic %s has one partition, so one collector at a time can read "
                    "it; give it as many as there will ever be",
                    store->config.topic);
    else if (store->partitions > 0 && partitions != store->partitions)
        log_warning("store: the topic %s has %d partitions, not %d as before: a device's readings "
                    "may now go to another one",
                    store->config.topic, partitions, store->partitions);
    store->partitions = partitions;
}

static void note_absence(struct kafka_store *store)
{
    const struct kafka_probe *probe = &store->probe;
    char fault[KAFKA_STORE_REASON_SIZE];

    store->bad_probes++;
    if (probe->is_answered && store->bad_probes == 1 && !store->base.is_ready)
        return; /* a topic that the broker makes when it is asked for is there a moment later */
    snprintf(fault, sizeof(fault), "%s%s%.200s", probe->fault,
             !probe->is_answered && store->link.trouble[0] ? "; librdkafka: " : "",
             !probe->is_answered ? store->link.trouble : "");
    kafka_store_set_unready(store);
    kafka_store_put_fault(store, probe->needs_person, fault);
    if (store->is_denied && store->bad_probes % DENIED_PROBES == 0)
        kafka_store_renew(store);
}

static void finish_closing(struct kafka_store *store);

static void on_probed(void *user)
{
    struct kafka_store *store = user;

    store->probed_ms = uv_now(store->loop);
    if (store->is_closing) {
        finish_closing(store);
    } else if (store->wants_new_client) {
        kafka_store_renew(store);
    } else if (store->probe.is_good) {
        store->bad_probes = 0;
        store->is_denied = false;
        store->link.trouble[0] = '\0';
        note_partitions(store);
        identify(store);
        kafka_store_set_ready(store);
    } else {
        note_absence(store);
    }
}

void kafka_store_probe(struct kafka_store *store)
{
    if (store->link.rk && !store->is_closing)
        kafka_probe_start(&store->probe, store->loop, store->link.rk);
}

/* ---- the client ------------------------------------------------------------------------------- */

static void on_queue(struct kafka_link *link)
{
    struct kafka_store *store = link->config.user;

    if (store->is_closing || store->wants_new_client)
        return;
    rd_kafka_poll(link->rk, 0); /* all that there is */
    if (store->is_fatal) {
        kafka_store_renew(store);
        return;
    }
    if (store->state != KAFKA_STORE_WRITING)
        return;
    kafka_store_produce(store);
    if (kafka_store_try_is_over(store))
        kafka_store_end_try(store);
}

static void on_trouble(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_store *store = link->config.user;

    log_debug("kafka: %s", text);
    store->is_denied = store->is_denied || error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                       error == RD_KAFKA_RESP_ERR__SSL;
    if (error != RD_KAFKA_RESP_ERR__TRANSPORT) /* of one broker: there may be others */
        kafka_store_probe(store);
}

static void on_fatal(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_store *store = link->config.user;

    (void)error;
    log_error("store: librdkafka gives the producer up: %s; another is made, and what was not "
              "confirmed is written again",
              text);
    store->is_fatal = true;
}

static void set_up(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, kafka_store_on_delivery);
}

/* The most that a record of this client may have. */
static size_t record_most(rd_kafka_t *rk)
{
    char text[32];
    size_t bytes = sizeof(text);

    if (rd_kafka_conf_get(rd_kafka_conf(rk), "message.max.bytes", text, &bytes) != RD_KAFKA_CONF_OK)
        return 1000000;
    return strtoul(text, NULL, 10);
}

static bool make_client(struct kafka_store *store, char *error, size_t error_bytes)
{
    const struct kafka_link_config config = {.name = "kafka",
                                             .type = RD_KAFKA_PRODUCER,
                                             .brokers = store->config.brokers,
                                             .properties = kafka_store_properties,
                                             .file = store->config.file,
                                             .user = store,
                                             .set_up = set_up,
                                             .on_ready = on_queue,
                                             .on_trouble = on_trouble,
                                             .on_fatal = on_fatal};

    if (!kafka_link_start(&store->link, store->loop, &config, error, error_bytes))
        return false;
    store->clients++;
    store->topic = rd_kafka_topic_new(store->link.rk, store->config.topic, NULL);
    store->rejected_topic = rd_kafka_topic_new(store->link.rk, store->config.rejected_topic, NULL);
    store->rejected_part_most = record_most(store->link.rk) / 10 * 9;
    return true;
}

static void drop_client(struct kafka_store *store)
{
    if (!store->link.rk)
        return;
    rd_kafka_topic_destroy(store->topic);
    rd_kafka_topic_destroy(store->rejected_topic);
    kafka_link_drop(&store->link);
}

void kafka_store_renew(struct kafka_store *store)
{
    char error[256];

    uv_timer_stop(&store->pause);
    kafka_store_set_state(store, KAFKA_STORE_AWAY);
    kafka_store_set_unready(store);
    store->wants_new_client = store->probe.is_running;
    if (store->wants_new_client)
        return; /* the probe uses it */
    store->is_fatal = store->wants_reload = false;
    store->try = (struct kafka_store_try){0};
    drop_client(store);
    if (make_client(store, error, sizeof(error)))
        kafka_store_probe(store);
    else
        kafka_store_put_fault(store, true, error);
}

/* librdkafka reads its files when a client is made. What is under way would be written twice, so a batch is
 * stored first. */
void kafka_store_reload(struct store *base)
{
    struct kafka_store *store = (struct kafka_store *)base;
    char error[KAFKA_CONF_ERROR_SIZE];

    if (!kafka_link_check(kafka_store_properties, store->config.file, error, sizeof(error))) {
        log_error("store: KAFKA_CONFIG stays as it was: %s", error);
        return;
    }
    store->wants_reload = store->batch && store->base.is_ready;
    if (!store->wants_reload && !store->is_closing)
        kafka_store_renew(store);
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void watch_batch(struct kafka_store *store, uint64_t silent_ms)
{
    char fault[KAFKA_STORE_REASON_SIZE];

    if (silent_ms < store->config.watchdog_ms)
        return;
    snprintf(fault, sizeof(fault),
             "the topic %s: %zu records were not confirmed within %.0f s; are as many replicas in "
             "sync as min.insync.replicas asks for?",
             store->try.is_of_rejected ? store->config.rejected_topic : store->config.topic,
             store->try.unreported, (double)store->config.watchdog_ms / 1e3);
    kafka_store_put_fault(store, true, fault);
    store->retries++;
    kafka_store_renew(store);
}

static void on_tick(uv_timer_t *timer)
{
    struct kafka_store *store = timer->data;
    bool is_writing = store->state == KAFKA_STORE_WRITING;
    uint64_t now_ms = uv_now(timer->loop);
    uint64_t silent_ms = now_ms - store->began_ms;
    uint64_t unasked_ms = now_ms - store->probed_ms;

    if (!store->link.rk) {
        kafka_store_renew(store);
        return;
    }
    if (!store->base.is_ready || (is_writing && silent_ms > PROBE_WRITING_MS) ||
        (silent_ms > PROBE_IDLE_MS && unasked_ms > PROBE_IDLE_MS))
        kafka_store_probe(store);
    if (is_writing && store->base.is_ready) /* else it waits for Kafka, and so do its records */
        watch_batch(store, silent_ms);
}

bool kafka_store_start(struct kafka_store *store, uv_loop_t *loop,
                       const struct kafka_store_config *config, char *error, size_t error_bytes)
{
    const struct store base = store->base;

    *store = (struct kafka_store){.base = base, .config = *config, .loop = loop};
    store->probe.topics[0] = config->topic;
    store->probe.topics[1] = config->rejected_topic;
    store->probe.user = store;
    store->probe.on_probed = on_probed;
    if (!make_client(store, error, error_bytes))
        return false;
    backoff_init(&store->backoff, RETRY_LEAST_MS, RETRY_MOST_MS, (uint64_t)(uintptr_t)store);
    uv_timer_init(loop, &store->tick);
    uv_timer_init(loop, &store->pause);
    store->tick.data = store->pause.data = store;
    uv_timer_start(&store->tick, on_tick, TICK_MS, TICK_MS);
    kafka_store_probe(store);
    return true;
}

static void on_link_closed(struct kafka_link *link)
{
    struct kafka_store *store = link->config.user;

    buffer_release(&store->value);
    buffer_release(&store->topic_text);
    store->on_closed(store);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct kafka_store *store = handle->data;

    drop_client(store);
    kafka_link_close(&store->link, on_link_closed);
}

static void on_first_timer_closed(uv_handle_t *handle)
{
    struct kafka_store *store = handle->data;

    uv_close((uv_handle_t *)&store->pause, on_timer_closed);
}

static void finish_closing(struct kafka_store *store)
{
    uv_close((uv_handle_t *)&store->tick, on_first_timer_closed);
}

void kafka_store_close(struct kafka_store *store, void (*on_closed)(struct kafka_store *store))
{
    store->on_closed = on_closed;
    store->is_closing = true;
    uv_timer_stop(&store->tick);
    uv_timer_stop(&store->pause);
    if (!store->probe.is_running)
        finish_closing(store); /* else the probe does, at its end */
}
