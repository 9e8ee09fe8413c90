#include "collector/sources/kafka_source.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

static void note_failure(struct kafka_source *k, const char *text)
{
    snprintf(k->failure, sizeof(k->failure), "%s", text);
}

static void subscribe(struct kafka_source *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t error;

    rd_kafka_topic_partition_list_add(list, k->topics[0], RD_KAFKA_PARTITION_UA);
    error = rd_kafka_subscribe(k->link.rk, list);
    if (error)
        note_failure(k, rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
}

static void set_up(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, kafka_group_on_rebalance);
}

/* A record that has come past our queue (kafka_group_lead()): others may follow it there, so all of them are to come
 * again. */
static void take_stray(struct kafka_source *k, const rd_kafka_message_t *record)
{
    struct kafka_partition *partition =
        kafka_partitions_find(&k->partitions, rd_kafka_topic_name(record->rkt), record->partition);

    if (partition && partition->state == KAFKA_PARTITION_READING &&
        record->offset >= partition->next)
        kafka_group_read_on(k, partition);
}

static void take_news(struct kafka_source *k, const rd_kafka_message_t *news)
{
    const char *topic = news->rkt ? rd_kafka_topic_name(news->rkt) : "";

    if (!news->err) {
        take_stray(k, news);
        return;
    }
    if (news->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (strcmp(topic, k->topics[0]) == 0)
        k->lacks_topic = news->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    note_failure(k, rd_kafka_message_errstr(news));
    log_warning("kafka: %s", rd_kafka_message_errstr(news));
}

void kafka_client_take_strays(struct kafka_source *k)
{
    rd_kafka_message_t *news;

    while ((news = rd_kafka_consumer_poll(k->link.rk, 0))) {
        take_news(k, news);
        rd_kafka_message_destroy(news);
    }
}

void kafka_client_listen(struct kafka_source *k)
{
    struct kafka_link *link = &k->link;
    rd_kafka_message_t *news;

    while (link->rk && (news = rd_kafka_consumer_poll(link->rk, 0))) {
        take_news(k, news);
        rd_kafka_message_destroy(news);
        kafka_group_answer(k);
    }
    if (link->rk)
        kafka_group_answer(k);
    if (k->must_start && !k->is_ending)
        kafka_client_end(k);
}

static void on_ready(struct kafka_link *link)
{
    kafka_client_listen(link->config.user);
}

static void on_trouble(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_source *k = link->config.user;

    (void)error;
    note_failure(k, text);
    log_warning("kafka: %s", text);
}

/* Another has joined the group under our name: while it lives there is no place for us. */
static void on_fatal(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_source *k = link->config.user;

    k->must_start = true;
    note_failure(k, text);
    if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID && !k->is_wanted) {
        log_info("kafka: the collector that is active now has our place in the group");
    } else if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        k->counters.fenced++;
        log_error(
            "kafka: another collector is in the group %s as %s, which was our place; give every "
            "collector an id of its own, or a member in SOURCE",
            k->partitions.group, k->member);
    } else {
        log_error("kafka: %s", text);
    }
}

void kafka_client_start(struct kafka_source *k, void (*on_records)(void *user))
{
    const struct kafka_link_config config = {.name = "kafka",
                                             .type = RD_KAFKA_CONSUMER,
                                             .brokers = k->url.brokers,
                                             .properties = k->properties,
                                             .file = k->source.config.settings->kafka_config,
                                             .user = k,
                                             .set_up = set_up,
                                             .on_ready = on_ready,
                                             .on_trouble = on_trouble,
                                             .on_fatal = on_fatal};
    char error[KAFKA_CONF_ERROR_SIZE];

    k->must_start = false;
    k->started_at_ms = uv_now(k->source.config.loop);
    if (!kafka_link_start(&k->link, k->source.config.loop, &config, error, sizeof(error))) {
        note_failure(k, error);
        log_error("kafka: %s", error);
        k->must_start = true;
        k->start_at_ms = k->started_at_ms + backoff_next_ms(&k->backoff);
        return;
    }
    k->counters.starts++;
    if (!kafka_queue_watch(&k->records, k->link.loop, rd_kafka_queue_new(k->link.rk), on_records,
                           k)) {
        note_failure(k, "no descriptor left for an eventfd");
        k->must_start = true;
        return;
    }
    subscribe(k);
}

static void on_link_closed(struct kafka_link *link)
{
    struct kafka_source *k = link->config.user;

    k->on_closed(k->source.user);
}

/* librdkafka before 2.3 aborts when a member is destroyed that has joined the group and has not been given
 * anything yet. At our own end any that may be just joining is left as it is; else only one that has, since it
 * stays. */
static bool is_deadly(const struct kafka_source *k)
{
    char *id;
    bool has_joined;

    if (!k->link.rk || k->is_member || rd_kafka_version() >= 0x02030000)
        return false;
    if (k->is_closing)
        return true;
    id = rd_kafka_memberid(k->link.rk);
    has_joined = id && *id;
    rd_kafka_mem_free(k->link.rk, id);
    if (has_joined)
        rd_kafka_unsubscribe(k->link.rk);
    return has_joined;
}

/* A member with a name keeps its place when it ends, and goes on at once when it comes back in time: librdkafka
 * does not leave the group for it (KIP-345). Rejected: RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE, with which nobody
 * answers what the group asks just then, and the end of the client waits for that answer for ever. */
void kafka_client_end(struct kafka_source *k)
{
    bool was_member = k->is_member;
    uint64_t now_ms = uv_now(k->source.config.loop);

    k->is_ending = k->looks > 0;
    if (k->is_ending)
        return;
    kafka_queue_close(&k->records);
    if (is_deadly(k))
        kafka_link_abandon(&k->link);
    kafka_group_forget(k);
    backoff_lasted(&k->backoff, now_ms - k->started_at_ms);
    k->start_at_ms = now_ms + backoff_next_ms(&k->backoff);
    if (k->is_closing)
        kafka_link_close(&k->link, on_link_closed);
    else
        kafka_link_drop(&k->link);
    if (was_member && !k->is_closing)
        k->source.events->on_down(k->source.user);
}
