#include "collector/stores/postgres/postgres_metrics.h"

#include "shared/net/prometheus.h"

static void put_store(const struct pg_store *store, struct buffer *out)
{
    const struct prometheus_sample samples[] = {
        {"highwater_store_copies_total", "counter", "COPYs of readings tried.",
         (double)store->copies_done},
        {"highwater_store_retries_total", "counter", "Tries of a batch that were made again.",
         (double)store->retries},
        {"highwater_store_on_hold", "gauge", "1 while the store needs an operator.",
         store->base.is_held},
        {"highwater_turn", "gauge", "How often a process of this id has begun to store.",
         (double)store->base.turn},
        {"highwater_database_connects_total", "counter", "Times the database was connected.",
         (double)store->link.connects},
        {"highwater_database_up", "gauge", "1 while batches can be stored.", store->base.is_ready},
    };

    PROMETHEUS_WRITE(out, samples);
}

static void put_maintenance(const struct maintenance_stats *stats, struct buffer *out)
{
    const struct prometheus_sample known[] = {
        {"highwater_partitions", "gauge", "Partitions of readings.", (double)stats->partitions},
        {"highwater_default_readings", "gauge",
         "Readings of days that have no partition; partition_requests says why.",
         (double)stats->default_rows},
        {"highwater_partition_requests_open", "gauge", "Days that wait for their partition.",
         (double)stats->requests_open},
        {"highwater_partition_requests_answered", "gauge", "Days that stay without a partition.",
         (double)stats->requests_answered},
        {"highwater_rollup_late_rows", "gauge", "Sums of late readings to be folded in.",
         (double)stats->late_rows},
        {"highwater_rollup_fleet_log_rows", "gauge", "Sums of transactions to be folded in.",
         (double)stats->fleet_log_rows},
        {"highwater_rollup_timestamp_seconds", "gauge",
         "Up to when readings are rolled up, since 1970.", (double)stats->rolled_until_us / 1e6},
    };
    const struct prometheus_sample own[] = {
        {"highwater_maintenance_holder", "gauge", "1 while this collector looks after storage.",
         stats->is_holder},
        {"highwater_partition_requests_total", "counter", "Requests for partitions answered.",
         (double)stats->partitions_made},
        {"highwater_partitions_dropped_total", "counter", "Partitions dropped by retention.",
         (double)stats->partitions_dropped},
        {"highwater_rollup_slices_total", "counter", "Slices of rollups done.",
         (double)stats->slices},
        {"highwater_rejected_messages_deleted_total", "counter",
         "Rejected messages deleted for REJECTED_RETENTION or REJECTED_SIZE.",
         (double)stats->rejected_forgotten},
        {"highwater_maintenance_failures_total", "counter", "Jobs that failed and are tried again.",
         (double)stats->failures},
    };

    const struct prometheus_sample rejected[] = {
        {"highwater_rejected_messages", "gauge", "Rejected messages that are kept.",
         (double)stats->rejected_kept},
        {"highwater_rejected_messages_bytes", "gauge", "What they take.",
         (double)stats->rejected_bytes},
    };

    PROMETHEUS_WRITE(out, own);
    if (stats->knows_rejected && stats->is_holder)
        PROMETHEUS_WRITE(out, rejected);
    if (stats->is_known)
        PROMETHEUS_WRITE(out, known);
}

void postgres_put_metrics(const struct pg_store *store, const struct maintenance_stats *stats,
                          struct buffer *out)
{
    put_store(store, out);
    put_maintenance(stats, out);
}
