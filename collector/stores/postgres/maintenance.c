/* All that is done is in SQL functions (schema/), each of which explains itself; here is only when.
 * A job is due at a moment of the loop's clock. proceed() runs the first in the table that is, and
 * when it is done, whatever it was, sets the moment of its next time; so there is one query at a time
 * and no other state. */
#include "collector/stores/postgres/maintenance.h"

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
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
    POKE_MS = 100,        /* pokes in between count as one */
    ROLL_SHARE = 20,      /* of the time, one part goes into rolling up */
    FOLD_MOST = 20000,    /* rows in one slice */
    SLICE_SHORT_MS = 100, /* a slice of rollups should take about so long */
    SLICE_LONG_MS = 500,
    QUERY_MOST_MS = HOUR_MS,
    LOCK_TIMEOUT_MS = 200 /* below deadlock_timeout: no wait of ours cancels an autovacuum */
};

#define MINUTE_US (INT64_C(60) * 1000000)
#define HOUR_US (60 * MINUTE_US)

#define SESSION_SQL                                                                                \
    "SET max_parallel_workers_per_gather = 0; SET work_mem = '64MB';"                              \
    "SET idle_session_timeout = '10min'"

#define SUMMARIZE_SQL                                                                              \
    "SELECT brin_summarize_new_values(x.indexrelid) FROM reading_partitions p"                     \
    " JOIN pg_index x ON x.indrelid = to_regclass(p.name)"                                         \
    " JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam"                     \
    " WHERE a.amname = 'brin' AND p.starts_at <= now() AND p.ends_at > now() - interval '1 hour'"

struct job {
    const char *name;
    uint64_t every_ms;
    bool for_all;  /* not only for the holder of the lock */
    bool is_heavy; /* rest afterwards */
    void (*put_sql)(struct maintenance *maintenance, struct buffer *sql);
    void (*read)(struct maintenance *maintenance, const PGresult *result);
};

static void proceed(struct maintenance *maintenance);

static uint64_t now_ms(const struct maintenance *maintenance)
{
    return uv_now(maintenance->link.loop);
}

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
static int64_t moment_of(const PGresult *result, int column)
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
        maintenance->due_ms[job] = now_ms(maintenance);
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
        maintenance->again_ms = 10 * SECOND_MS;
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
    int64_t moment_us = moment_of(result, 0);
    uint64_t busy_ms = maintenance->roll_busy_ms;

    if (moment_us == INT64_MIN) {
        maintenance->again_ms = SECOND_MS;
        return;
    }
    maintenance->late_before_us = moment_us;
    maintenance->due_ms[MAINTENANCE_ROLL] = now_ms(maintenance);
    maintenance->roll_busy_ms = 0;
    if (busy_ms * ROLL_SHARE > MINUTE_MS)
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
    uint64_t took_ms = now_ms(maintenance) - maintenance->began_ms;

    maintenance->stats.rolled_until_us = moment_of(result, 0);
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
    stats->rolled_until_us = moment_of(result, 6);
    stats->kept_from_us = moment_of(result, 7);
    stats->is_known = true;
}

static const struct job jobs[MAINTENANCE_JOB_COUNT] = {
    [MAINTENANCE_RIGHTS] = {"rights", 5 * SECOND_MS, true, false, put_rights, read_rights},
    [MAINTENANCE_LOCK] = {"lock", 5 * SECOND_MS, true, false, put_lock, read_lock},
    [MAINTENANCE_COLLECTORS] = {"collectors", SECOND_MS, true, false, put_collectors,
                                read_collectors},
    [MAINTENANCE_REQUESTS] = {"partition requests", SECOND_MS, true, false, put_requests,
                              read_requests},
    [MAINTENANCE_PARTITIONS] = {"partitions", HOUR_MS, false, false, put_partitions,
                                read_partitions},
    [MAINTENANCE_DETACH] = {"retention", MINUTE_MS, false, true, put_detach, read_detach},
    [MAINTENANCE_DROP] = {"dropping", MINUTE_MS, false, true, put_drop, NULL},
    [MAINTENANCE_SUMMARIZE] = {"block ranges", MINUTE_MS, false, true, put_summarize, NULL},
    [MAINTENANCE_ANNOUNCE] = {"announcing", MINUTE_MS, false, false, put_announce, read_announce},
    [MAINTENANCE_ROLL] = {"rollups", UINT64_MAX, false, true, put_roll, read_roll},
    [MAINTENANCE_FOLD_FLEET] = {"fleet sums", 10 * SECOND_MS, false, true, put_fold_fleet,
                                read_fold},
    [MAINTENANCE_FOLD_LATE] = {"late sums", 30 * SECOND_MS, false, true, put_fold_late, read_fold},
    [MAINTENANCE_REJECTED] = {"rejected messages", 5 * SECOND_MS, false, true,
                              maintenance_put_rejected, maintenance_read_rejected},
    [MAINTENANCE_STATUS] = {"status", 10 * SECOND_MS, true, false, put_status, read_status},
};

int64_t maintenance_next_slice_us(int64_t slice_us, uint64_t took_ms)
{
    if (took_ms < SLICE_SHORT_MS && slice_us < HOUR_US)
        return slice_us * 2 < HOUR_US ? slice_us * 2 : HOUR_US;
    if (took_ms > SLICE_LONG_MS && slice_us > MINUTE_US)
        return slice_us / 2 > MINUTE_US ? slice_us / 2 : MINUTE_US;
    return slice_us;
}

/* ---- the round ------------------------------------------------------------------------------ */

static bool is_wanted(const struct maintenance *maintenance, int job)
{
    if (job == MAINTENANCE_LOCK)
        return !maintenance->stats.is_holder;
    if (job == MAINTENANCE_DETACH && maintenance->config.retention_us == 0)
        return false;
    return maintenance->stats.is_holder || jobs[job].for_all;
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct maintenance *maintenance = query->user;

    if (PQresultStatus(result) == PGRES_TUPLES_OK && jobs[maintenance->job].read)
        jobs[maintenance->job].read(maintenance, result);
}

static void complain(struct maintenance *maintenance, const struct pg_error *error)
{
    char complaint[sizeof(maintenance->complaint)];

    snprintf(complaint, sizeof(complaint), "%s: %s (SQLSTATE %s)", jobs[maintenance->job].name,
             error->text, error->sqlstate);
    maintenance->stats.failures++;
    if (strcmp(complaint, maintenance->complaint) != 0 && strcmp(error->sqlstate, "55P03") != 0)
        log_warning("maintenance: %s; trying again", complaint);
    memcpy(maintenance->complaint, complaint, sizeof(complaint));
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct maintenance *maintenance = query->user;
    uint64_t now = now_ms(maintenance);
    uint64_t every_ms = jobs[maintenance->job].every_ms;

    maintenance->is_running = false;
    if (error && error->is_connection)
        return; /* on_up goes on */
    if (error) {
        complain(maintenance, error);
        every_ms = 10 * SECOND_MS;
    } else if (maintenance->wants_more) {
        every_ms = 0;
    } else if (maintenance->again_ms > 0) {
        every_ms = maintenance->again_ms;
    }
    maintenance->due_ms[maintenance->job] = every_ms == UINT64_MAX ? UINT64_MAX : now + every_ms;
    if (jobs[maintenance->job].is_heavy)
        maintenance->rest_until_ms = now + (now - maintenance->began_ms);
    proceed(maintenance);
}

static void run(struct maintenance *maintenance, enum maintenance_job job)
{
    maintenance->job = job;
    maintenance->is_running = true;
    maintenance->wants_more = false;
    maintenance->again_ms = 0;
    maintenance->began_ms = now_ms(maintenance);
    buffer_clear(&maintenance->sql);
    jobs[job].put_sql(maintenance, &maintenance->sql);
    maintenance->query = (struct pg_query){.sql = buffer_text(&maintenance->sql),
                                           .timeout_ms = QUERY_MOST_MS,
                                           .user = maintenance,
                                           .on_result = on_result,
                                           .on_done = on_done};
    pg_link_submit(&maintenance->link, &maintenance->query);
}

static void on_timer(uv_timer_t *timer)
{
    proceed(timer->data);
}

static void proceed(struct maintenance *maintenance)
{
    uint64_t now = now_ms(maintenance);
    uint64_t next = UINT64_MAX;

    if (maintenance->is_running || maintenance->link.state != PG_LINK_UP)
        return;
    for (int job = 0; job < MAINTENANCE_JOB_COUNT; job++) {
        uint64_t due = maintenance->due_ms[job];

        if (!is_wanted(maintenance, job))
            continue;
        if (jobs[job].is_heavy && due < maintenance->rest_until_ms)
            due = maintenance->rest_until_ms;
        if (due <= now) {
            run(maintenance, (enum maintenance_job)job);
            return;
        }
        if (due < next)
            next = due;
    }
    uv_timer_start(&maintenance->timer, on_timer, next - now, 0);
}

static void on_prepared(struct pg_query *query, const struct pg_error *error)
{
    struct maintenance *maintenance = query->user;

    maintenance->is_running = false;
    if (error && error->is_connection)
        return;
    if (error)
        log_warning("maintenance: the session: %s (SQLSTATE %s)", error->text, error->sqlstate);
    proceed(maintenance);
}

static void on_up(struct pg_link *link)
{
    struct maintenance *maintenance = link->config.user;

    maintenance->is_running = true;
    maintenance->stats.is_holder = false;
    maintenance->slice_us = MINUTE_US;
    maintenance->rest_until_ms = 0;
    for (int job = 0; job < MAINTENANCE_JOB_COUNT; job++)
        maintenance->due_ms[job] = now_ms(maintenance);
    maintenance->query =
        (struct pg_query){.sql = SESSION_SQL, .user = maintenance, .on_done = on_prepared};
    pg_link_submit(link, &maintenance->query);
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct maintenance *maintenance = link->config.user;

    (void)reason;
    maintenance->stats.is_holder = false;
    uv_timer_stop(&maintenance->timer);
}

bool maintenance_start(struct maintenance *maintenance, uv_loop_t *loop,
                       const struct maintenance_config *config, char *error, size_t error_bytes)
{
    struct pg_link_config link_config = {.name = "maintenance",
                                         .url = config->database_url,
                                         .application_name = "highwater maintenance",
                                         .session = {.lock_timeout_ms = LOCK_TIMEOUT_MS},
                                         .user = maintenance,
                                         .on_up = on_up,
                                         .on_down = on_down};

    *maintenance = (struct maintenance){.config = *config, .stats = {.kept_from_us = INT64_MIN}};
    if (!pg_link_start(&maintenance->link, loop, &link_config, error, error_bytes))
        return false;
    uv_timer_init(loop, &maintenance->timer);
    maintenance->timer.data = maintenance;
    return true;
}

void maintenance_poke(struct maintenance *maintenance)
{
    uint64_t soon = now_ms(maintenance) + POKE_MS;

    if (maintenance->due_ms[MAINTENANCE_REQUESTS] <= soon)
        return;
    maintenance->due_ms[MAINTENANCE_REQUESTS] = soon;
    proceed(maintenance);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct maintenance *maintenance = handle->data;

    buffer_release(&maintenance->sql);
    maintenance->on_closed(maintenance);
}

static void on_link_closed(struct pg_link *link)
{
    struct maintenance *maintenance = link->config.user;

    uv_close((uv_handle_t *)&maintenance->timer, on_timer_closed);
}

void maintenance_close(struct maintenance *maintenance,
                       void (*on_closed)(struct maintenance *maintenance))
{
    maintenance->on_closed = on_closed;
    pg_link_close(&maintenance->link, on_link_closed);
}
