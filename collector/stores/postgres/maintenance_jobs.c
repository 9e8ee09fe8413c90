/* All that is done is in SQL functions (schema/), each of which explains itself. */
#include "collector/stores/postgres/maintenance_jobs.h"

#include "collector/stores/postgres/maintenance_packing.h"
#include "collector/stores/postgres/maintenance_rejected.h"
#include "collector/stores/postgres/migrate.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/pg_rights.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROLL_SHARE = 20,        /* of the time, one part goes into rolling up */
    FOLD_MOST = 20000,      /* rows in one slice */
    FOLD_LATE_VALUES = 2000 /* fewer are as quick to look at as a node */
};

#define SUMMARIZE_SQL                                                                              \
    "SELECT brin_summarize_new_values(x.indexrelid) FROM reading_partitions p"                     \
    " JOIN pg_index x ON x.indrelid = to_regclass(p.name)"                                         \
    " JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam"                     \
    " WHERE a.amname = 'brin' AND p.starts_at <= now() AND p.ends_at > now() - interval '1 hour'"

/* ---- results -------------------------------------------------------------------------------- */

static const char *text_of(const PGresult *result, int column)
{
    if (PQntuples(result) < 1 || PQgetisnull(result, 0, column))
        return NULL;
    return PQgetvalue(result, 0, column);
}

static int64_t number_of(const PGresult *result, int column)
{
    const char *text = text_of(result, column);

    return text ? strtoll(text, NULL, 10) : 0;
}

static bool is_true(const PGresult *result, int column)
{
    const char *text = text_of(result, column);

    return text && *text == 't';
}

/* INT64_MIN for NULL and -infinity. */
static int64_t timestamp_of(const PGresult *result, int column)
{
    const char *text = text_of(result, column);
    int64_t us;

    return text && timestamp_parse(&us, text) ? us : INT64_MIN;
}

/* ---- the jobs ------------------------------------------------------------------------------- */

static void put_rights(struct maintenance *maintenance, struct buffer *sql)
{
    maintenance->rights_answers = 0;
    maintenance->lacks_found = false;
    buffer_put_text(sql, pg_rights_to_write_sql);
}

/* Comes twice, for two questions. */
static void read_rights(struct maintenance *maintenance, const PGresult *result)
{
    const char *found = text_of(result, 0);

    if (found && !maintenance->lacks_found) {
        maintenance->lacks_found = true;
        if (strcmp(found, maintenance->stats.lacks) != 0)
            log_error("database: %s", found);
        snprintf(maintenance->stats.lacks, sizeof(maintenance->stats.lacks), "%s", found);
    }
    if (++maintenance->rights_answers == 2 && !maintenance->lacks_found)
        maintenance->stats.lacks[0] = '\0';
}

static void put_lock(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql,
                    "SELECT pg_try_advisory_lock(hashtextextended('highwater maintenance', 0))");
}

static void read_lock(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->stats.is_holder = is_true(result, 0);
    if (!maintenance->stats.is_holder)
        return;
    log_info("maintenance: this collector looks after storage");
    for (int job = 0; job < MAINTENANCE_JOB_COUNT; job++)
        maintenance->due_ms[job] = uv_now(maintenance->link.loop);
}

static void put_collectors(struct maintenance *maintenance, struct buffer *sql)
{
    const char *session = maintenance->config.session(maintenance->config.user);

    if (session)
        buffer_printf(
            sql, "UPDATE sessions SET has_begun = true WHERE client_id = '%s' AND NOT has_begun;",
            session);
    buffer_put_text(sql, "SELECT * FROM collectors_seen()");
}

static void read_collectors(struct maintenance *maintenance, const PGresult *result)
{
    void *user = maintenance->config.user;

    for (int row = 0; row < PQntuples(result); row++)
        maintenance->config.on_collector(user, PQgetvalue(result, row, 0),
                                         *PQgetvalue(result, row, 1) == 't',
                                         strtoll(PQgetvalue(result, row, 2), NULL, 10));
    maintenance->config.on_collector(user, NULL, false, 0);
}

/* So that a standby knows as of when it is (schema/012_heartbeat.sql). */
static void put_beat(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "UPDATE heartbeat SET beat = clock_timestamp()");
}

static void put_devices(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT device_states_fold()");
}

static void put_recent_values(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT values_recent()");
}

static void put_requests(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_printf(sql, "SELECT answer_partition_request('%s', '%" PRId64 " microseconds', ",
                  maintenance->config.partition, maintenance->config.span_us);
    if (maintenance->config.retention_us > 0)
        buffer_printf(sql, "'%" PRId64 " microseconds')", maintenance->config.retention_us);
    else
        buffer_put_text(sql, "NULL)");
}

static void read_requests(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->wants_more = is_true(result, 0);
    maintenance->stats.partitions_made += maintenance->wants_more;
}

static void put_partitions(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_printf(sql, MAKE_PARTITIONS_SQL, maintenance->config.partition);
}

static void read_partitions(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->wants_more = is_true(result, 1);
    if (number_of(result, 0) > 0)
        maintenance->again_ms = 10 * MAINTENANCE_SECOND_MS;
}

static void put_detach(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_printf(sql, "SELECT detach_partition(now() - interval '%" PRId64 " microseconds')",
                  maintenance->config.retention_us);
}

static void read_detach(struct maintenance *maintenance, const PGresult *result)
{
    const char *name = text_of(result, 0);

    if (!name)
        return;
    log_info("maintenance: %s is older than the retention and is dropped", name);
    maintenance->stats.partitions_dropped++;
    maintenance->wants_more = true;
}

static void put_drop(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT drop_detached(), rollup_forget()");
}

static void put_summarize(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, SUMMARIZE_SQL);
}

static void put_announce(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_printf(sql, "SELECT rollup_set_late_before('%" PRId64 " microseconds')",
                  maintenance->config.delay_us);
}

static void read_announce(struct maintenance *maintenance, const PGresult *result)
{
    int64_t before_us = timestamp_of(result, 0);
    uint64_t busy_ms = maintenance->roll_busy_ms;

    if (before_us == INT64_MIN) {
        maintenance->again_ms = MAINTENANCE_SECOND_MS;
        return;
    }
    maintenance->late_before_us = before_us;
    maintenance->due_ms[MAINTENANCE_ROLL] = uv_now(maintenance->link.loop);
    maintenance->roll_busy_ms = 0;
    if (busy_ms * ROLL_SHARE > MAINTENANCE_MINUTE_MS)
        maintenance->again_ms = busy_ms * ROLL_SHARE;
}

static void put_roll(struct maintenance *maintenance, struct buffer *sql)
{
    char upto[TIMESTAMP_TEXT_SIZE];
    int64_t upto_us = maintenance->late_before_us;

    if (maintenance->stats.rolled_until_us > 0 &&
        upto_us > maintenance->stats.rolled_until_us + maintenance->slice_us)
        upto_us = maintenance->stats.rolled_until_us + maintenance->slice_us;
    timestamp_format(upto, upto_us);
    buffer_printf(sql, "SELECT rollup_until('%s')", upto);
    FAILPOINT_SOON("rollup", 2000);
}

static void read_roll(struct maintenance *maintenance, const PGresult *result)
{
    uint64_t took_ms = uv_now(maintenance->link.loop) - maintenance->began_ms;

    maintenance->stats.rolled_until_us = timestamp_of(result, 0);
    maintenance->stats.slices++;
    maintenance->roll_busy_ms += took_ms;
    maintenance->slice_us = maintenance_next_slice_us(maintenance->slice_us, took_ms);
    maintenance->wants_more = maintenance->stats.rolled_until_us < maintenance->late_before_us;
}

static void put_fold_fleet(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_printf(sql, "SELECT rollup_fold_fleet(%d)", FOLD_MOST);
}

static void put_fold_late(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_printf(sql, "SELECT rollup_fold_late(%d)", FOLD_MOST);
}

static void read_fold(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->wants_more = number_of(result, 0) == FOLD_MOST;
}

static void put_late_values(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_printf(sql, "SELECT values_fold_late(%d)", FOLD_LATE_VALUES);
}

static void read_late_values(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->wants_more = number_of(result, 0) > 0;
}

static void put_values(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT values_pass()");
}

static void read_pass(struct maintenance *maintenance, const PGresult *result)
{
    maintenance->wants_more = is_true(result, 0);
}

static void put_minutes(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT minutes_pass()");
}

static void put_status(struct maintenance *maintenance, struct buffer *sql)
{
    (void)maintenance;
    buffer_put_text(sql, "SELECT * FROM storage_status()");
}

static void read_status(struct maintenance *maintenance, const PGresult *result)
{
    struct maintenance_stats *stats = &maintenance->stats;
    int64_t default_rows = number_of(result, 1);

    if (default_rows > 0 && stats->default_rows == 0)
        log_warning("maintenance: %" PRId64 " readings are of days without a partition (table "
                    "partition_requests says why)",
                    default_rows);
    stats->partitions = number_of(result, 0);
    stats->default_rows = default_rows;
    stats->requests_open = number_of(result, 2);
    stats->requests_answered = number_of(result, 3);
    stats->late_rows = number_of(result, 4);
    stats->fleet_log_rows = number_of(result, 5);
    stats->rolled_until_us = timestamp_of(result, 6);
    stats->kept_from_us = timestamp_of(result, 7);
    stats->oldest_partition_us = timestamp_of(result, 8);
    stats->is_known = true;
}

static void put_sizes(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_printf(sql, "SELECT what, bytes FROM tell_storage(%" PRId64 ") ORDER BY what",
                  maintenance->config.retention_us / 1000);
}

static void read_sizes(struct maintenance *maintenance, const PGresult *result)
{
    struct maintenance_stats *stats = &maintenance->stats;
    int rows = PQntuples(result);

    stats->size_count = 0;
    for (int row = 0; row < rows && row < MAINTENANCE_SIZES_MOST; row++) {
        snprintf(stats->sizes[row].what, sizeof(stats->sizes[row].what), "%s",
                 PQgetvalue(result, row, 0));
        stats->sizes[row].bytes = strtoll(PQgetvalue(result, row, 1), NULL, 10);
        stats->size_count++;
    }
}

const struct maintenance_job_kind maintenance_jobs[MAINTENANCE_JOB_COUNT] = {
    [MAINTENANCE_RIGHTS] = {"rights", 5 * MAINTENANCE_SECOND_MS, true, false, put_rights,
                            read_rights},
    [MAINTENANCE_LOCK] = {"lock", 5 * MAINTENANCE_SECOND_MS, true, false, put_lock, read_lock},
    [MAINTENANCE_COLLECTORS] = {"collectors", MAINTENANCE_SECOND_MS, true, false, put_collectors,
                                read_collectors},
    [MAINTENANCE_BEAT] = {"heartbeat", MAINTENANCE_SECOND_MS, false, false, put_beat, NULL},
    [MAINTENANCE_REQUESTS] = {"partition requests", MAINTENANCE_SECOND_MS, true, false,
                              put_requests, read_requests},
    [MAINTENANCE_PARTITIONS] = {"partitions", MAINTENANCE_HOUR_MS, false, false, put_partitions,
                                read_partitions},
    [MAINTENANCE_DETACH] = {"retention", MAINTENANCE_MINUTE_MS, false, true, put_detach,
                            read_detach},
    [MAINTENANCE_DROP] = {"dropping", MAINTENANCE_MINUTE_MS, false, true, put_drop, NULL},
    [MAINTENANCE_SUMMARIZE] = {"block ranges", MAINTENANCE_MINUTE_MS, false, true, put_summarize,
                               NULL},
    [MAINTENANCE_ANNOUNCE] = {"announcing", MAINTENANCE_MINUTE_MS, false, false, put_announce,
                              read_announce},
    [MAINTENANCE_ROLL] = {"rollups", UINT64_MAX, false, true, put_roll, read_roll},
    [MAINTENANCE_FOLD_FLEET] = {"fleet sums", 10 * MAINTENANCE_SECOND_MS, false, true,
                                put_fold_fleet, read_fold},
    [MAINTENANCE_FOLD_LATE] = {"late sums", 30 * MAINTENANCE_SECOND_MS, false, true, put_fold_late,
                               read_fold},
    [MAINTENANCE_REJECTED] = {"rejected messages", 5 * MAINTENANCE_SECOND_MS, false, true,
                              maintenance_put_rejected, maintenance_read_rejected},
    [MAINTENANCE_DEVICES] = {"lists of devices", 5 * MAINTENANCE_SECOND_MS, false, true,
                             put_devices, NULL},
    [MAINTENANCE_RECENT_VALUES] = {"recent values", 5 * MAINTENANCE_SECOND_MS, false, true,
                                   put_recent_values, NULL},
    [MAINTENANCE_STATUS] = {"status", 10 * MAINTENANCE_SECOND_MS, true, false, put_status,
                            read_status},
    [MAINTENANCE_SIZES] = {"sizes", MAINTENANCE_MINUTE_MS, false, true, put_sizes, read_sizes},
    [MAINTENANCE_PACKED] = {"packed days", 10 * MAINTENANCE_SECOND_MS, false, false,
                            maintenance_put_packed, maintenance_read_packed},
    [MAINTENANCE_PACK] = {"packing", 10 * MAINTENANCE_SECOND_MS, false, true, maintenance_put_pack,
                          maintenance_read_pack},
    [MAINTENANCE_LATE_VALUES] = {"late values", 5 * MAINTENANCE_MINUTE_MS, false, true,
                                 put_late_values, read_late_values},
    [MAINTENANCE_VALUES] = {"values", 10 * MAINTENANCE_SECOND_MS, false, true, put_values,
                            read_pass},
    [MAINTENANCE_MINUTES] = {"minutes", 10 * MAINTENANCE_SECOND_MS, false, true, put_minutes,
                             read_pass},
};
