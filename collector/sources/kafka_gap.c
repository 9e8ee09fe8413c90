/* A position that the log does not have: what lay there was deleted before we read it (retention), or the log
 * ends before it (the topic was deleted and made again, or lost what it had acknowledged). To go on at
 * whatever there is would hide that readings are missing; so the partition is held until a person has
 * moved its position, which is looked at every few seconds. The others go on.
 *
 * librdkafka says only that there is nothing. Where the log begins and ends is asked in a thread, for that
 * call waits for the broker. */
#include "collector/sources/kafka_source.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LOOK_TIMEOUT_MS = 2000 };

struct look {
    uv_work_t work; /* first */
    struct kafka_source *k;
    rd_kafka_t *rk;
    const char *topic;
    int32_t partition;
    int64_t first; /* that there is */
    int64_t end;   /* the one after the last */
    rd_kafka_resp_err_t error;
};

/* `which` is RD_KAFKA_OFFSET_BEGINNING or _END. Not rd_kafka_query_watermark_offsets(), which may wait for ever
 * when a leader goes (until 2.4.0). */
static rd_kafka_resp_err_t find_offset(const struct look *look, int64_t which, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *item =
        rd_kafka_topic_partition_list_add(list, look->topic, look->partition);
    rd_kafka_resp_err_t error;

    item->offset = which;
    error = rd_kafka_offsets_for_times(look->rk, list, LOOK_TIMEOUT_MS);
    if (!error)
        error = item->err;
    *offset = item->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

static void ask_broker(uv_work_t *work)
{
    struct look *look = (struct look *)work;

    look->error = find_offset(look, RD_KAFKA_OFFSET_BEGINNING, &look->first);
    if (!look->error)
        look->error = find_offset(look, RD_KAFKA_OFFSET_END, &look->end);
}

static void say(const struct kafka_source *k, const struct kafka_partition *partition)
{
    const char *what = partition->gap_to > partition->gap_from
                           ? "are not in the topic any more: it was told to keep less than we had "
                             "yet to read"
                           : "are not in the topic, which ends before: it is not the one that was "
                             "read, or has lost what it had";

    log_error("kafka: %s/%" PRId32 ": records %" PRId64 " to %" PRId64 " %s; nothing of this "
              "partition is stored until you say where to go on: UPDATE positions SET next = "
              "%" PRId64 " WHERE group_id = '%s' AND topic = '%s' AND partition = %" PRId32,
              partition->topic, partition->partition, kafka_partition_gap_first(partition),
              kafka_partition_gap_last(partition), what, partition->gap_to, k->partitions.group,
              partition->topic, partition->partition);
}

static void hold(struct kafka_source *k, struct kafka_partition *partition, int64_t to)
{
    partition->gap_from = partition->next;
    partition->gap_to = to;
    k->counters.gaps++;
    if (to > partition->next)
        k->counters.missing += (uint64_t)(to - partition->next);
    say(k, partition);
}

/* What is between is nothing, or what we have seen to be no records (ends of transactions): there is no gap.
 * A new partition begins with whatever there is. */
static bool is_no_gap(const struct kafka_partition *partition, const struct look *look)
{
    if (partition->next == SOURCE_POSITION_NEW)
        return true;
    return partition->next <= look->end &&
           (partition->next >= look->first || partition->end >= look->first);
}

static void judge(struct kafka_source *k, const struct look *look)
{
    struct kafka_partition *partition =
        kafka_partitions_find(&k->partitions, look->topic, look->partition);

    if (!partition)
        return;
    partition->is_looked_at = false;
    if (partition->state != KAFKA_PARTITION_HELD || look->rk != k->link.rk)
        return;
    if (look->error) {
        log_warning("kafka: %s/%" PRId32 ": record %" PRId64 " is not there, and where the topic "
                    "begins cannot be found: %s",
                    partition->topic, partition->partition, partition->next,
                    rd_kafka_err2str(look->error));
    } else if (is_no_gap(partition, look)) {
        partition->state = KAFKA_PARTITION_READING;
        kafka_group_read_from(k, partition,
                              partition->next > look->first ? partition->next : look->first);
    } else {
        hold(k, partition, partition->next < look->first ? look->first : look->end);
    }
}

static void on_looked(uv_work_t *work, int status)
{
    struct look *look = (struct look *)work;
    struct kafka_source *k = look->k;

    (void)status; /* it is never cancelled */
    k->looks--;
    if (k->is_ending)
        kafka_client_end(k);
    else
        judge(k, look);
    free(look);
}

static void look_at(struct kafka_source *k, struct kafka_partition *partition)
{
    struct look *look = mem_calloc(1, sizeof(*look));

    *look = (struct look){
        .k = k, .rk = k->link.rk, .topic = partition->topic, .partition = partition->partition};
    partition->is_looked_at = true;
    k->looks++;
    uv_queue_work(k->link.loop, &look->work, ask_broker, on_looked);
}

void kafka_gap_look(struct kafka_source *k, struct kafka_partition *partition)
{
    partition->state = KAFKA_PARTITION_HELD;
    partition->gap_from = partition->gap_to = partition->next;
    if (!partition->is_looked_at)
        look_at(k, partition);
}

void kafka_gap_look_again(struct kafka_source *k)
{
    for (size_t i = 0; i < k->partitions.count; i++) {
        struct kafka_partition *partition = &k->partitions.items[i];

        if (partition->state == KAFKA_PARTITION_HELD && !partition->is_looked_at &&
            partition->gap_from == partition->gap_to)
            look_at(k, partition);
    }
}
