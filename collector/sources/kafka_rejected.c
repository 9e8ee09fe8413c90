/* Which partitions of rejected messages are ours. A group that had both topics would balance them as one heap, and
 * may give one member all of the readings and another all of the rejected messages. So the group divides
 * the readings alone, and whoever has partition q of them, of n, reads those of the rejected messages
 * whose number, modulo n, is q. When members do not agree on n for a moment two may read the same one: then
 * one of them stores it, and the other finds the place moved (source_mark.h).
 *
 * How many partitions there are is asked in a thread, for that call waits for the broker. */
#include "collector/sources/kafka_source.h"

#include "shared/base/mem.h"

#include <stdlib.h>

enum { COUNT_TIMEOUT_MS = 2000 };

struct count {
    uv_work_t work; /* first */
    struct kafka_source *k;
    rd_kafka_t *rk;
    int partitions[KAFKA_TOPICS]; /* -1 = not known */
};

/* 0 where there is no such topic. */
static int count_of(rd_kafka_t *rk, const char *name)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    const struct rd_kafka_metadata *metadata;
    int count = -1;

    if (!topic)
        return -1;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, COUNT_TIMEOUT_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && !metadata->topics[0].err)
            count = metadata->topics[0].partition_cnt;
        else if (metadata->topic_cnt == 1 &&
                 metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            count = 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return count;
}

static void ask_broker(uv_work_t *work)
{
    struct count *count = (struct count *)work;

    for (size_t i = 0; i < KAFKA_TOPICS; i++)
        count->partitions[i] = count_of(count->rk, count->k->topics[i]);
}

static void on_counted(uv_work_t *work, int status)
{
    struct count *count = (struct count *)work;
    struct kafka_source *k = count->k;

    (void)status; /* it is never cancelled */
    k->looks--;
    k->is_counting = false;
    for (size_t i = 0; i < KAFKA_TOPICS; i++) {
        if (count->partitions[i] >= 0)
            k->partition_counts[i] = count->partitions[i];
    }
    if (k->is_ending)
        kafka_client_end(k);
    else if (count->rk == k->link.rk)
        kafka_rejected_divide(k);
    free(count);
}

void kafka_rejected_count(struct kafka_source *k)
{
    struct count *count;

    if (k->is_counting || !k->is_member || k->is_ending)
        return;
    count = mem_calloc(1, sizeof(*count));
    count->k = k;
    count->rk = k->link.rk;
    k->is_counting = true;
    k->looks++;
    uv_queue_work(k->link.loop, &count->work, ask_broker, on_counted);
}

static bool is_kept(const struct kafka_partition *partition)
{
    return partition && partition->state != KAFKA_PARTITION_LEAVING &&
           partition->state != KAFKA_PARTITION_LOST;
}

/* That are not ours, or no longer there, and still read. */
static bool leave_others(struct kafka_source *k)
{
    bool leaves = false;

    for (size_t i = 0; i < k->partitions.count; i++) {
        struct kafka_partition *partition = &k->partitions.items[i];

        if (partition->topic != k->topics[1] || !is_kept(partition) ||
            is_kept(kafka_partitions_find(&k->partitions, k->topics[0],
                                          partition->partition % k->partition_counts[0])))
            continue;
        kafka_group_leave(k, partition);
        leaves = true;
    }
    return leaves;
}

static bool gain_ours(struct kafka_source *k)
{
    bool gains = false;

    for (int32_t i = 0; i < k->partition_counts[1]; i++) {
        if (!is_kept(
                kafka_partitions_find(&k->partitions, k->topics[0], i % k->partition_counts[0])) ||
            is_kept(kafka_partitions_find(&k->partitions, k->topics[1], i)))
            continue;
        kafka_partitions_gain(&k->partitions, k->topics[1], i);
        gains = true;
    }
    return gains;
}

bool kafka_rejected_leave(struct kafka_source *k)
{
    return k->partition_counts[0] > 0 && leave_others(k);
}

/* What is leaving has to be gone before it could come back. */
void kafka_rejected_divide(struct kafka_source *k)
{
    if (k->partition_counts[0] <= 0 || k->leaving)
        return;
    if (leave_others(k))
        kafka_group_say_leaving(k);
    else if (gain_ours(k))
        kafka_group_ask(k, KAFKA_PARTITION_ASKED);
}
