/* Asks which topics there are, and not for one of them: a Kafka that makes topics when they are asked for would
 * take the question for an order. */
#include "collector/check/check.h"
#include "shared/net/kafka_link.h"
#include "shared/net/kafka_url.h"

#include <string.h>

enum { QUESTION_MS = 10000 };

static void on_ready(struct kafka_link *link)
{
    (void)link;
}

static void on_error(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    (void)link;
    (void)error;
    (void)text;
}

static void on_closed(struct kafka_link *link)
{
    (void)link;
}

static const struct rd_kafka_metadata_topic *find(const struct rd_kafka_metadata *all,
                                                  const char *name)
{
    for (int i = 0; i < all->topic_cnt; i++) {
        if (strcmp(all->topics[i].topic, name) == 0)
            return &all->topics[i];
    }
    return NULL;
}

static void ask(struct check *check, struct kafka_link *link, const char *what, const char *name,
                int timeout_ms)
{
    const struct rd_kafka_metadata *all = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(link->rk, 1, NULL, &all, timeout_ms);
    const struct rd_kafka_metadata_topic *topic = all ? find(all, name) : NULL;

    if (error)
        check_say(check, CHECK_ERROR, what, "%s%s%s", rd_kafka_err2str(error),
                  *link->trouble ? "; librdkafka: " : "", link->trouble);
    else if (!topic)
        check_say(check, CHECK_ERROR, what, "Kafka has no topic %s, or does not let us see it",
                  name);
    else if (topic->err)
        check_say(check, CHECK_ERROR, what, "the topic %s: %s", name, rd_kafka_err2str(topic->err));
    else
        check_say(check, CHECK_OK, what, "the topic %s has %d partitions", name,
                  topic->partition_cnt);
    if (all)
        rd_kafka_metadata_destroy(all);
}

static void visit(struct check *check, const struct settings *settings, const char *what,
                  const struct kafka_url *url)
{
    /* A consumer has a group, which it does not join: without one it has no queue. */
    static const struct kafka_property properties[] = {
        {.name = "group.id", .value = "highwater-check"}, {0}};
    const struct kafka_link_config config = {.name = what,
                                             .type = RD_KAFKA_CONSUMER,
                                             .brokers = url->brokers,
                                             .properties = properties,
                                             .file = settings->kafka_config,
                                             .on_ready = on_ready,
                                             .on_trouble = on_error,
                                             .on_fatal = on_error};
    uint64_t timeout_ms = check_timeout_ms(settings);
    struct kafka_link link = {0};
    char error[KAFKA_CONF_ERROR_SIZE];
    uv_loop_t loop;

    uv_loop_init(&loop);
    if (kafka_link_start(&link, &loop, &config, error, sizeof(error))) {
        ask(check, &link, what, url->topic,
            timeout_ms < QUESTION_MS ? (int)timeout_ms : QUESTION_MS);
        kafka_link_close(&link, on_closed);
        uv_run(&loop, UV_RUN_DEFAULT);
    } else {
        check_say(check, CHECK_ERROR, what, "%s", error);
    }
    uv_loop_close(&loop);
}

void kafka_check_run(struct check *check, const struct settings *settings, const char *what,
                     const char *text)
{
    struct kafka_url url;

    if (kafka_url_parse(&url, text))
        visit(check, settings, what, &url);
    else
        check_say(check, CHECK_ERROR, what, "%s", KAFKA_URL_LEGAL);
    kafka_url_release(&url);
}
