#include "collector/sources/kafka_source.h"

#include "shared/base/duration.h"
#include "shared/base/log.h"
#include "shared/net/prometheus.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* A group that is joined does not mean that somebody writes. */
void kafka_report_watch_silence(struct kafka_source *k)
{
    char length[DURATION_TEXT_SIZE];

    switch (silence_look(&k->silence, k->is_member, k->counters.records,
                         k->source.config.settings->silent_after_us, now_us())) {
    case SILENCE_BEGAN:
        log_warning("kafka: no record of %s for %s: nobody writes, or other members of the group "
                    "have all of its partitions",
                    k->topics[0],
                    duration_format(length, k->source.config.settings->silent_after_us));
        break;
    case SILENCE_ENDED:
        log_info("kafka: records come again");
        break;
    case SILENCE_NO_NEWS:
        break;
    }
}

/* ---- what is wrong ---------------------------------------------------------------------------- */

static void put_away(const struct kafka_source *k, struct buffer *out)
{
    if (!k->is_wanted && !k->is_member)
        buffer_put_text(out, "Kafka is not joined yet: the database is awaited\n");
    else if (!k->is_member)
        buffer_printf(out, "the group %s is not joined%s%s\n", k->partitions.group,
                      k->failure[0] ? ": " : " yet", k->failure);
}

void kafka_report_put_faults(const struct source *source, struct buffer *out)
{
    const struct kafka_source *k = (const void *)source;

    put_away(k, out);
    if (k->lacks_topic)
        buffer_printf(out, "there is no topic %s\n", k->topics[0]);
    for (size_t i = 0; i < k->partitions.count; i++) {
        const struct kafka_partition *partition = &k->partitions.items[i];

        if (partition->state == KAFKA_PARTITION_HELD && partition->gap_from != partition->gap_to)
            buffer_printf(out,
                          "%s/%" PRId32 " is held: its records from %" PRId64 " to %" PRId64
                          " are not in the topic\n",
                          partition->topic, partition->partition,
                          kafka_partition_gap_first(partition),
                          kafka_partition_gap_last(partition));
    }
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static size_t count_of(const struct kafka_source *k, enum kafka_partition_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < k->partitions.count; i++)
        count += k->partitions.items[i].state == state;
    return count;
}

/* Records that are there and not stored, as far as is known from what was fetched last. */
static bool find_lag(const struct kafka_source *k, const struct kafka_partition *partition,
                     int64_t *lag)
{
    int64_t first;
    int64_t end;
    int64_t next = partition->stored;

    if (!k->link.rk || !partition->is_assigned ||
        rd_kafka_get_watermark_offsets(k->link.rk, partition->topic, partition->partition, &first,
                                       &end) ||
        end < 0)
        return false;
    if (!kafka_partition_is_in_hand(partition) && partition->end > next)
        next = partition->end;
    if (next == SOURCE_POSITION_NEW)
        next = first > 0 ? first : 0;
    *lag = end > next ? end - next : 0;
    return true;
}

static void put_lags(const struct kafka_source *k, const struct prometheus *to)
{
    int64_t lag;

    prometheus_head(to, "highwater_kafka_lag_records", "gauge",
                    "Records of a partition that are there and not stored.");
    for (size_t i = 0; i < k->partitions.count; i++) {
        const struct kafka_partition *partition = &k->partitions.items[i];
        char number[16];
        const struct prometheus_label labels[] = {{"topic", partition->topic},
                                                  {"partition", number}};

        snprintf(number, sizeof(number), "%" PRId32, partition->partition);
        if (find_lag(k, partition, &lag))
            prometheus_value(to, "highwater_kafka_lag_records", labels, 2, (double)lag);
    }
}

void kafka_report_put_metrics(const struct source *source, const struct prometheus *to)
{
    const struct kafka_source *k = (const void *)source;
    const struct kafka_counters *n = &k->counters;
    const struct prometheus_sample samples[] = {
        {"highwater_kafka_up", "gauge",
         "1 while we are a member of the group, or batches can be stored in Kafka.", k->is_member},
        {"highwater_kafka_paused", "gauge",
         "1 while no records are taken: the store is behind or away.",
         k->is_paused || !k->is_wanted},
        {"highwater_kafka_partitions", "gauge",
         "Partitions that we read, or of the topic that we write.",
         (double)count_of(k, KAFKA_PARTITION_READING)},
        {"highwater_kafka_held_partitions", "gauge",
         "Partitions of which nothing is stored, because what comes next is not in the topic.",
         (double)count_of(k, KAFKA_PARTITION_HELD)},
        {"highwater_kafka_gaps_total", "counter",
         "Times that a position was one the topic does not have.", (double)n->gaps},
        {"highwater_kafka_missing_records_total", "counter",
         "Records that were deleted before they were read, as far as is known.",
         (double)n->missing},
        {"highwater_kafka_records_total", "counter",
         "Records taken, or those of readings that Kafka has confirmed.", (double)n->records},
        {"highwater_kafka_tombstones_total", "counter",
         "Records without a value, which are passed over.", (double)n->tombstones},
        {"highwater_kafka_rebalances_total", "counter",
         "Times that the group gave us partitions, be it none, or took some.",
         (double)n->rebalances},
        {"highwater_kafka_rereads_total", "counter",
         "Times that what was read and not stored was let go, to be read again.",
         (double)n->given_back},
        {"highwater_kafka_starts_total", "counter", "Clients started, with the first.",
         (double)n->starts},
        {"highwater_last_message_age_seconds", "gauge",
         "Since the last message came, or the broker was joined; SILENT_AFTER says it in the log.",
         (double)silence_age_us(&k->silence, now_us()) / 1e6},
    };

    PROMETHEUS_WRITE(to, samples);
    put_lags(k, to);
}
