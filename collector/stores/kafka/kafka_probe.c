#include "collector/stores/kafka/kafka_probe.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_MS = 2000 };

static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *metadata,
                                                   const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0)
            return &metadata->topics[i];
    }
    return NULL;
}

/* Writing waits for all of them: of which device the next reading is nobody knows. */
static int count_leaderless(const rd_kafka_metadata_topic_t *topic)
{
    int count = 0;

    for (int i = 0; i < topic->partition_cnt; i++)
        count += topic->partitions[i].leader < 0;
    return count;
}

/* True when it can be written, as far as metadata says. */
static bool judge(struct kafka_probe *probe, const char *name,
                  const rd_kafka_metadata_topic_t *topic)
{
    rd_kafka_resp_err_t error = topic ? topic->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int leaderless = topic ? count_leaderless(topic) : 0;

    probe->needs_person = error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                          error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        snprintf(probe->fault, sizeof(probe->fault),
                 "not authorised for the topic %s: our user needs Describe and Write on it", name);
    else if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        snprintf(probe->fault, sizeof(probe->fault),
                 "there is no topic %s, and the broker makes none by itself: create it", name);
    else if (error)
        snprintf(probe->fault, sizeof(probe->fault), "topic %s: %s", name, rd_kafka_err2str(error));
    else if (topic->partition_cnt == 0)
        snprintf(probe->fault, sizeof(probe->fault), "the topic %s has no partitions yet", name);
    else if (leaderless > 0)
        snprintf(probe->fault, sizeof(probe->fault),
                 "%d of the %d partitions of the topic %s have no leader", leaderless,
                 topic->partition_cnt, name);
    else
        return true;
    return false;
}

static void read_answer(struct kafka_probe *probe, const rd_kafka_metadata_t *metadata)
{
    const rd_kafka_metadata_topic_t *first = find_topic(metadata, probe->topics[0]);
    char *cluster = rd_kafka_clusterid(probe->rk, 0);

    probe->is_answered = true;
    probe->is_good = true;
    probe->partitions = first ? first->partition_cnt : 0;
    snprintf(probe->cluster, sizeof(probe->cluster), "%s", cluster ? cluster : "");
    if (cluster)
        rd_kafka_mem_free(probe->rk, cluster);
    for (size_t i = 0; i < KAFKA_PROBE_TOPICS && probe->is_good; i++)
        probe->is_good = judge(probe, probe->topics[i], find_topic(metadata, probe->topics[i]));
}

static void ask(uv_work_t *work)
{
    struct kafka_probe *probe = work->data;
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(probe->rk, 0, NULL, &metadata, PROBE_MS);

    probe->is_answered = probe->needs_person = probe->is_good = false;
    if (error) {
        snprintf(probe->fault, sizeof(probe->fault), "no broker answers: %s",
                 rd_kafka_err2str(error));
        return;
    }
    read_answer(probe, metadata);
    rd_kafka_metadata_destroy(metadata);
}

static void on_asked(uv_work_t *work, int status)
{
    struct kafka_probe *probe = work->data;

    (void)status; /* it is never cancelled */
    probe->is_running = false;
    probe->on_probed(probe->user);
}

void kafka_probe_start(struct kafka_probe *probe, uv_loop_t *loop, rd_kafka_t *rk)
{
    if (probe->is_running)
        return;
    probe->is_running = true;
    probe->rk = rk;
    probe->work.data = probe;
    uv_queue_work(loop, &probe->work, ask, on_asked);
}
