/* Asks for the topic's metadata, as a consumer that may make no topic: a producer's question would be an order
 * to a Kafka that makes what it is asked for. */
#include "collector/check/check.h"
#include "shared/net/kafka_link.h"
#include "shared/net/kafka_url.h"

#include <stdio.h>

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

static void ask(struct check *check, struct kafka_link *link, const char *what, const char *topic,
                int timeout_ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(link->rk, topic, NULL);
    const struct rd_kafka_metadata *answer = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(link->rk, 0, handle, &answer, timeout_ms);

    if (error)
        check_say(check, CHECK_ERROR, what, "%s%s%s", rd_kafka_err2str(error),
                  *link->trouble ? "; librdkafka: " : "", link->trouble);
    else if (answer->topic_cnt != 1 || answer->topics[0].err)
        check_say(check, CHECK_ERROR, what, "the topic %s: %s", topic,
                  rd_kafka_err2str(answer->topic_cnt == 1
                                       ? answer->topics[0].err
                                       : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
    else
        check_say(check, CHECK_OK, what, "the topic %s has %d partitions", topic,
                  answer->topics[0].partition_cnt);
    if (answer)
        rd_kafka_metadata_destroy(answer);
    rd_kafka_topic_destroy(handle);
}

void kafka_check_run(struct check *check, const struct settings *settings, const char *what,
                     const char *text)
{
    static const struct kafka_property properties[] = {
        {.name = "allow.auto.create.topics", .value = "false", .is_ours = true}, {0}};
    struct kafka_link link = {0};
    struct kafka_url url;
    char error[KAFKA_CONF_ERROR_SIZE];
    uint64_t timeout_ms = check_timeout_ms(settings);
    uv_loop_t loop;

    uv_loop_init(&loop);
    if (!kafka_url_parse(&url, text)) {
        check_say(check, CHECK_ERROR, what, "%s", KAFKA_URL_LEGAL);
    } else if (!kafka_link_start(&link, &loop,
                                 &(struct kafka_link_config){.name = what,
                                                             .type = RD_KAFKA_CONSUMER,
                                                             .brokers = url.brokers,
                                                             .properties = properties,
                                                             .file = settings->kafka_config,
                                                             .on_ready = on_ready,
                                                             .on_trouble = on_error,
                                                             .on_fatal = on_error},
                                 error, sizeof(error))) {
        check_say(check, CHECK_ERROR, what, "%s", error);
    } else {
        ask(check, &link, what, url.topic,
            timeout_ms < QUESTION_MS ? (int)timeout_ms : QUESTION_MS);
        kafka_link_close(&link, 0, on_closed);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&loop);
    kafka_url_release(&url);
}
