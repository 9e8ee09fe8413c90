#include "collector/stores/postgres/postgres_metrics.h"

#include "shared/net/prometheus.h"

static void put_store(const struct pg_store *store, const struct prometheus *to)
{
    const struct prometheus_sample samples[] = {
        {"highwater_store_copies_total", "counter", "COPYs of readings tried.",
         (double)store->copies_done},
        {"highwater_store_retries_total", "counter", "Tries of a batch that were made again.",
         (double)store->retries},
        {"highwater_store_on_hold", "gauge", "1 while the store needs an operator.",
         store->base.is_held},
        {"highwater_database_connects_total", "counter", "Times the database was connected.",
         (double)store->link.connects},
        {"highwater_database_up", "gauge", "1 while batches can be stored.", store->base.is_ready},
    };

    PROMETHEUS_WRITE(to, samples);
    if (store->base.turn >
        0) /* it is the database's count: 0 would look like one that began again */
        prometheus_number(to, "highwater_turns_total", "counter",
                          "How often a process of this id has begun to store, over all restarts.",
                          (double)store->base.turn);
}

static void put_moment(const struct prometheus *to, const char *name, const char *type,
                       const char *help, int64_t us)
{
    if (us != INT64_MIN)
        prometheus_number(to, name, type, help, (double)us / 1e6);
}

static void put_sizes(const struct maintenance_stats *stats, const struct prometheus *to)
{
    prometheus_head(to, "highwater_disk_bytes", "gauge",
                    "What readings, their keys, rollups, rejected messages and all else take on "
                    "the database's disk; of who looks after storage, each minute.");
    for (size_t i = 0; i < stats->size_count; i++)
        prometheus_labelled(to, "highwater_disk_bytes", "what", stats->sizes[i].what,
                            (double)stats->sizes[i].bytes);
}

static void put_packing(const struct maintenance_packing *packing, const struct prometheus *to)
{
    const struct prometheus_sample known[] = {
        {"highwater_packed_partitions", "gauge", "Partitions of readings that are packed.",
         (double)packing->days},
        {"highwater_packed_readings", "gauge", "Readings in packed partitions.",
         (double)packing->readings},
        {"highwater_packed_bytes", "gauge",
         "What packed partitions take on disk, with their index.", (double)packing->bytes},
        {"highwater_packing_late_readings", "gauge",
         "Readings that came after their partition was packed, and are not merged into it yet.",
         (double)packing->late},
        {"highwater_packing_waiting", "gauge",
         "Partitions that PACK_AFTER has come for, and that are not packed yet.",
         (double)packing->waiting},
        {"highwater_packing_progress_ratio", "gauge",
         "How much of the partition that is being packed is done, 0 to 1; 0 while none is.",
         packing->share},
    };

    PROMETHEUS_WRITE(to, known);
}

static void put_maintenance(const struct maintenance_stats *stats, const struct prometheus *to)
{
    const struct prometheus_sample known[] = {
        {"highwater_partitions", "gauge", "Partitions of readings.", (double)stats->partitions},
        {"highwater_default_readings", "gauge",
         "Readings of days that have no partition; partition_requests says why.",
         (double)stats->default_rows},
        {"highwater_partition_requests_open", "gauge", "Days that wait for their partition.",
         (double)stats->requests_open},
        {"highwater_partition_requests_refused", "gauge", "Days that stay without a partition.",
         (double)stats->requests_answered},
        {"highwater_rollup_late_rows", "gauge", "Sums of late readings to be folded in.",
         (double)stats->late_rows},
        {"highwater_rollup_fleet_log_rows", "gauge", "Sums of transactions to be folded in.",
         (double)stats->fleet_log_rows},
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
        {"highwater_readings_packed_total", "counter", "Readings packed, or merged after that.",
         (double)stats->packing.packed},
        {"highwater_packing_failed", "gauge",
         "1 while packing has failed at its last try; the log says why.",
         stats->packing.has_failed},
        {"highwater_maintenance_failures_total", "counter", "Jobs that failed and are tried again.",
         (double)stats->failures},
    };

    const struct prometheus_sample rejected[] = {
        {"highwater_rejected_messages", "gauge", "Rejected messages that are kept.",
         (double)stats->rejected_kept},
        {"highwater_rejected_messages_bytes", "gauge", "What they take.",
         (double)stats->rejected_bytes},
    };

    PROMETHEUS_WRITE(to, own);
    if (stats->knows_rejected && stats->is_holder)
        PROMETHEUS_WRITE(to, rejected);
    if (stats->size_count > 0 && stats->is_holder)
        put_sizes(stats, to);
    if (stats->packing.is_known && stats->is_holder)
        put_packing(&stats->packing, to);
    if (!stats->is_known)
        return;
    PROMETHEUS_WRITE(to, known);
    put_moment(to, "highwater_rollup_timestamp_seconds", "gauge",
               "Up to when readings are rolled up, since 1970.", stats->rolled_until_us);
    put_moment(to, "highwater_oldest_partition_timestamp_seconds", "gauge",
               "Where the oldest partition of readings begins, since 1970.",
               stats->oldest_partition_us);
}

void postgres_put_metrics(const struct pg_store *store, const struct maintenance_stats *stats,
                          const struct prometheus *to)
{
    put_store(store, to);
    put_maintenance(stats, to);
}
