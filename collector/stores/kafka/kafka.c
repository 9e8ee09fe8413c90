/* Kafka as a kind of store: kafka_store.h, and what of the settings it is made from. */
#include "collector/store.h"

#include "collector/settings.h"
#include "collector/stores/kafka/kafka_store.h"
#include "shared/base/mem.h"
#include "shared/model/record.h"
#include "shared/net/kafka_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kafka {
    struct kafka_store writer; /* first, and the struct store is first in that */
    struct kafka_url url;
    char rejected_topic[KAFKA_TOPIC_MAX + sizeof(RECORD_REJECTED_SUFFIX)];
};

static struct store *make(void)
{
    struct kafka *kafka = mem_calloc(1, sizeof(*kafka));

    return &kafka->writer.base;
}

static void free_kafka(struct store *store)
{
    struct kafka *kafka = (struct kafka *)store;

    kafka_url_release(&kafka->url);
    free(kafka);
}

static const char *url_flaw(const char *text)
{
    struct kafka_url url;
    bool is_legal = kafka_url_parse(&url, text);
    bool has_params = url.param_count > 0;

    kafka_url_release(&url);
    if (!is_legal)
        return KAFKA_URL_LEGAL;
    return has_params ? "kafka://host[:port][,host[:port]...]/topic, nothing behind it" : NULL;
}

static bool check(const struct settings *settings, char *error, size_t error_bytes)
{
    char why[KAFKA_CONF_ERROR_SIZE];

    if (kafka_link_check(kafka_store_properties, settings->kafka_config, why, sizeof(why)))
        return true;
    snprintf(error, error_bytes, "kafka-config: %s", why);
    return false;
}

static bool start(struct store *store, uv_loop_t *loop, char *error, size_t error_bytes)
{
    struct kafka *kafka = (struct kafka *)store;
    const struct settings *s = store->config.settings;
    struct kafka_store_config config = {.file = s->kafka_config,
                                        .collector_id = s->collector_id,
                                        .client_id = s->client_id,
                                        .features = &s->features,
                                        .devices = store->config.devices,
                                        .watchdog_ms = (uint64_t)s->watchdog_us / 1000};

    kafka_url_release(&kafka->url);
    if (!kafka_url_parse(&kafka->url, s->store)) {
        snprintf(error, error_bytes, "store: %s", KAFKA_URL_LEGAL);
        return false;
    }
    snprintf(kafka->rejected_topic, sizeof(kafka->rejected_topic), "%s" RECORD_REJECTED_SUFFIX,
             kafka->url.topic);
    config.brokers = kafka->url.brokers;
    config.topic = kafka->url.topic;
    config.rejected_topic = kafka->rejected_topic;
    return kafka_store_start(&kafka->writer, loop, &config, error, error_bytes);
}

static void on_writer_closed(struct kafka_store *writer)
{
    writer->base.on_closed(writer->base.user);
}

static void close_kafka(struct store *store)
{
    kafka_store_close((struct kafka_store *)store, on_writer_closed);
}

static const char *const schemes[] = {"kafka", NULL};

const struct store_kind store_kafka = {
    .schemes = schemes,
    .url_flaw = url_flaw,
    .check = check,
    .make = make,
    .free = free_kafka,
    .start = start,
    .close = close_kafka,
    .reload = kafka_store_reload,
    .begin = kafka_store_begin,
    .give_up = kafka_store_give_up,
    .explain = kafka_store_explain,
    .put_faults = kafka_store_put_faults,
    .put_metrics = kafka_store_put_metrics,
};
