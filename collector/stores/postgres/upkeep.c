/* All that is done is in SQL functions (schema/), each of which explains itself; here is only when.
 * A job is due at a moment of the loop's clock. proceed() runs the first in the table that is, and
 * when it is done, whatever it was, sets the moment of its next time; so there is one query at a time
 * and no other state. */
#include "collector/stores/postgres/upkeep.h"

#include "collector/stores/postgres/migrate.h"
#include "collector/stores/postgres/upkeep_rejected.h"
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
    void (*put_sql)(struct upkeep *upkeep, struct buffer *sql);
    void (*take)(struct upkeep *upkeep, const PGresult *result);
};

static void proceed(struct upkeep *upkeep);

static uint64_t now_ms(const struct upkeep *upkeep)
{
    return uv_now(upkeep->link.loop);
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

static void put_rights(struct upkeep *upkeep, struct buffer *sql)
{
    upkeep->rights_answers = 0;
    upkeep->lacks_found = false;
    buffer_put_text(sql, pg_rights_to_write_sql);
}

/* Comes twice, for two questions. */
static void take_rights(struct upkeep *upkeep, const PGresult *result)
{
    const char *found = text_of(result, 0);

    if (found && !upkeep->lacks_found) {
        upkeep->lacks_found = true;
        if (strcmp(found, upkeep->stats.lacks) != 0)
            log_error("database: %s", found);
        snprintf(upkeep->stats.lacks, sizeof(upkeep->stats.lacks), "%s", found);
    }
    if (++upkeep->rights_answers == 2 && !upkeep->lacks_found)
        upkeep->stats.lacks[0] = '\0';
}

static void put_lock(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_put_text(sql, "SELECT pg_try_advisory_lock(hashtextextended('highwater upkeep', 0))");
}

static void take_lock(struct upkeep *upkeep, const PGresult *result)
{
    upkeep->stats.is_holder = is_true(result, 0);
    if (!upkeep->stats.is_holder)
        return;
    log_info("upkeep: this collector looks after storage");
    for (int job = 0; job < UPKEEP_JOB_COUNT; job++)
        upkeep->due_ms[job] = now_ms(upkeep);
}

static void put_collectors(struct upkeep *upkeep, struct buffer *sql)
{
    const char *session = upkeep->config.session(upkeep->config.user);

    if (session)
        buffer_printf(
            sql, "UPDATE sessions SET has_begun = true WHERE client_id = '%s' AND NOT has_begun;",
            session);
    buffer_put_text(sql, "SELECT * FROM collectors_seen()");
}

static void take_collectors(struct upkeep *upkeep, const PGresult *result)
{
    void *user = upkeep->config.user;

    for (int row = 0; row < PQntuples(result); row++)
        upkeep->config.on_collector(user, PQgetvalue(result, row, 0),
                                    *PQgetvalue(result, row, 1) == 't',
                                    strtoll(PQgetvalue(result, row, 2), NULL, 10));
    upkeep->config.on_collector(user, NULL, false, 0);
}

static void put_requests(struct upkeep *upkeep, struct buffer *sql)
{
    buffer_printf(sql, "SELECT answer_partition_request('%s', '%" PRId64 " microseconds', ",
                  upkeep->config.partition, upkeep->config.span_us);
    if (upkeep->config.retention_us > 0)
        buffer_printf(sql, "'%" PRId64 " microseconds')", upkeep->config.retention_us);
    else
        buffer_put_text(sql, "NULL)");
}

static void take_requests(struct upkeep *upkeep, const PGresult *result)
{
    upkeep->wants_more = is_true(result, 0);
    upkeep->stats.partitions_made += upkeep->wants_more;
}

static void put_partitions(struct upkeep *upkeep, struct buffer *sql)
{
    buffer_printf(sql, MAKE_PARTITIONS_SQL, upkeep->config.partition);
}

static void take_partitions(struct upkeep *upkeep, const PGresult *result)
{
    upkeep->wants_more = is_true(result, 1);
    if (number_of(result, 0) > 0)
        upkeep->again_ms = 10 * SECOND_MS;
}

static void put_detach(struct upkeep *upkeep, struct buffer *sql)
{
    buffer_printf(sql, "SELECT detach_partition(now() - interval '%" PRId64 " microseconds')",
                  upkeep->config.retention_us);
}

static void take_detach(struct upkeep *upkeep, const PGresult *result)
{
    const char *name = text_of(result, 0);

    if (!name)
        return;
    log_info("upkeep: %s is older than the retention and is dropped", name);
    upkeep->stats.partitions_dropped++;
    upkeep->wants_more = true;
}

static void put_drop(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_put_text(sql, "SELECT drop_detached(), rollup_forget()");
}

static void put_summarize(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_put_text(sql, SUMMARIZE_SQL);
}

static void put_announce(struct upkeep *upkeep, struct buffer *sql)
{
    buffer_printf(sql, "SELECT rollup_announce('%" PRId64 " microseconds')",
                  upkeep->config.delay_us);
}

static void take_announce(struct upkeep *upkeep, const PGresult *result)
{
    int64_t moment_us = moment_of(result, 0);
    uint64_t busy_ms = upkeep->roll_busy_ms;

    if (moment_us == INT64_MIN) {
        upkeep->again_ms = SECOND_MS;
        return;
    }
    upkeep->late_before_us = moment_us;
    upkeep->due_ms[UPKEEP_ROLL] = now_ms(upkeep);
    upkeep->roll_busy_ms = 0;
    if (busy_ms * ROLL_SHARE > MINUTE_MS)
        upkeep->again_ms = busy_ms * ROLL_SHARE;
}

static void put_roll(struct upkeep *upkeep, struct buffer *sql)
{
    char upto[TIMESTAMP_TEXT_SIZE];
    int64_t upto_us = upkeep->late_before_us;

    if (upkeep->stats.rolled_until_us > 0 &&
        upto_us > upkeep->stats.rolled_until_us + upkeep->slice_us)
        upto_us = upkeep->stats.rolled_until_us + upkeep->slice_us;
    timestamp_format(upto, upto_us);
    buffer_printf(sql, "SELECT rollup_until('%s')", upto);
    FAILPOINT_SOON("rollup", 2000);
}

static void take_roll(struct upkeep *upkeep, const PGresult *result)
{
    uint64_t took_ms = now_ms(upkeep) - upkeep->began_ms;

    upkeep->stats.rolled_until_us = moment_of(result, 0);
    upkeep->stats.slices++;
    upkeep->roll_busy_ms += took_ms;
    upkeep->slice_us = upkeep_next_slice_us(upkeep->slice_us, took_ms);
    upkeep->wants_more = upkeep->stats.rolled_until_us < upkeep->late_before_us;
}

static void put_fold_fleet(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_printf(sql, "SELECT rollup_fold_fleet(%d)", FOLD_MOST);
}

static void put_fold_late(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_printf(sql, "SELECT rollup_fold_late(%d)", FOLD_MOST);
}

static void take_fold(struct upkeep *upkeep, const PGresult *result)
{
    upkeep->wants_more = number_of(result, 0) == FOLD_MOST;
}

static void put_status(struct upkeep *upkeep, struct buffer *sql)
{
    (void)upkeep;
    buffer_put_text(sql, "SELECT * FROM storage_status()");
}

static void take_status(struct upkeep *upkeep, const PGresult *result)
{
    struct upkeep_stats *stats = &upkeep->stats;
    int64_t default_rows = number_of(result, 1);

    if (default_rows > 0 && stats->default_rows == 0)
        log_warning("upkeep: %" PRId64 " readings are of days without a partition (table "
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

static const struct job jobs[UPKEEP_JOB_COUNT] = {
    [UPKEEP_RIGHTS] = {"rights", 5 * SECOND_MS, true, false, put_rights, take_rights},
    [UPKEEP_LOCK] = {"lock", 5 * SECOND_MS, true, false, put_lock, take_lock},
    [UPKEEP_COLLECTORS] = {"collectors", SECOND_MS, true, false, put_collectors, take_collectors},
    [UPKEEP_REQUESTS] = {"partition requests", SECOND_MS, true, false, put_requests, take_requests},
    [UPKEEP_PARTITIONS] = {"partitions", HOUR_MS, false, false, put_partitions, take_partitions},
    [UPKEEP_DETACH] = {"retention", MINUTE_MS, false, true, put_detach, take_detach},
    [UPKEEP_DROP] = {"dropping", MINUTE_MS, false, true, put_drop, NULL},
    [UPKEEP_SUMMARIZE] = {"block ranges", MINUTE_MS, false, true, put_summarize, NULL},
    [UPKEEP_ANNOUNCE] = {"announcing", MINUTE_MS, false, false, put_announce, take_announce},
    [UPKEEP_ROLL] = {"rollups", UINT64_MAX, false, true, put_roll, take_roll},
    [UPKEEP_FOLD_FLEET] = {"fleet sums", 10 * SECOND_MS, false, true, put_fold_fleet, take_fold},
    [UPKEEP_FOLD_LATE] = {"late sums", 30 * SECOND_MS, false, true, put_fold_late, take_fold},
    [UPKEEP_REJECTED] = {"rejected messages", 5 * SECOND_MS, false, true, upkeep_put_rejected,
                         upkeep_take_rejected},
    [UPKEEP_STATUS] = {"status", 10 * SECOND_MS, true, false, put_status, take_status},
};

int64_t upkeep_next_slice_us(int64_t slice_us, uint64_t took_ms)
{
    if (took_ms < SLICE_SHORT_MS && slice_us < HOUR_US)
        return slice_us * 2 < HOUR_US ? slice_us * 2 : HOUR_US;
    if (took_ms > SLICE_LONG_MS && slice_us > MINUTE_US)
        return slice_us / 2 > MINUTE_US ? slice_us / 2 : MINUTE_US;
    return slice_us;
}

/* ---- the round ------------------------------------------------------------------------------ */

static bool is_wanted(const struct upkeep *upkeep, int job)
{
    if (job == UPKEEP_LOCK)
        return !upkeep->stats.is_holder;
    if (job == UPKEEP_DETACH && upkeep->config.retention_us == 0)
        return false;
    return upkeep->stats.is_holder || jobs[job].for_all;
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct upkeep *upkeep = query->user;

    if (PQresultStatus(result) == PGRES_TUPLES_OK && jobs[upkeep->job].take)
        jobs[upkeep->job].take(upkeep, result);
}

static void complain(struct upkeep *upkeep, const struct pg_error *error)
{
    char complaint[sizeof(upkeep->complaint)];

    snprintf(complaint, sizeof(complaint), "%s: %s (SQLSTATE %s)", jobs[upkeep->job].name,
             error->text, error->sqlstate);
    upkeep->stats.failures++;
    if (strcmp(complaint, upkeep->complaint) != 0 && strcmp(error->sqlstate, "55P03") != 0)
        log_warning("upkeep: %s; trying again", complaint);
    memcpy(upkeep->complaint, complaint, sizeof(complaint));
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct upkeep *upkeep = query->user;
    uint64_t now = now_ms(upkeep);
    uint64_t every_ms = jobs[upkeep->job].every_ms;

    upkeep->is_running = false;
    if (error && error->is_connection)
        return; /* on_up goes on */
    if (error) {
        complain(upkeep, error);
        every_ms = 10 * SECOND_MS;
    } else if (upkeep->wants_more) {
        every_ms = 0;
    } else if (upkeep->again_ms > 0) {
        every_ms = upkeep->again_ms;
    }
    upkeep->due_ms[upkeep->job] = every_ms == UINT64_MAX ? UINT64_MAX : now + every_ms;
    if (jobs[upkeep->job].is_heavy)
        upkeep->rest_until_ms = now + (now - upkeep->began_ms);
    proceed(upkeep);
}

static void run(struct upkeep *upkeep, enum upkeep_job job)
{
    upkeep->job = job;
    upkeep->is_running = true;
    upkeep->wants_more = false;
    upkeep->again_ms = 0;
    upkeep->began_ms = now_ms(upkeep);
    buffer_clear(&upkeep->sql);
    jobs[job].put_sql(upkeep, &upkeep->sql);
    upkeep->query = (struct pg_query){.sql = buffer_text(&upkeep->sql),
                                      .timeout_ms = QUERY_MOST_MS,
                                      .user = upkeep,
                                      .on_result = on_result,
                                      .on_done = on_done};
    pg_link_submit(&upkeep->link, &upkeep->query);
}

static void on_timer(uv_timer_t *timer)
{
    proceed(timer->data);
}

static void proceed(struct upkeep *upkeep)
{
    uint64_t now = now_ms(upkeep);
    uint64_t next = UINT64_MAX;

    if (upkeep->is_running || upkeep->link.state != PG_LINK_UP)
        return;
    for (int job = 0; job < UPKEEP_JOB_COUNT; job++) {
        uint64_t due = upkeep->due_ms[job];

        if (!is_wanted(upkeep, job))
            continue;
        if (jobs[job].is_heavy && due < upkeep->rest_until_ms)
            due = upkeep->rest_until_ms;
        if (due <= now) {
            run(upkeep, (enum upkeep_job)job);
            return;
        }
        if (due < next)
            next = due;
    }
    uv_timer_start(&upkeep->timer, on_timer, next - now, 0);
}

static void on_prepared(struct pg_query *query, const struct pg_error *error)
{
    struct upkeep *upkeep = query->user;

    upkeep->is_running = false;
    if (error && error->is_connection)
        return;
    if (error)
        log_warning("upkeep: the session: %s (SQLSTATE %s)", error->text, error->sqlstate);
    proceed(upkeep);
}

static void on_up(struct pg_link *link)
{
    struct upkeep *upkeep = link->config.user;

    upkeep->is_running = true;
    upkeep->stats.is_holder = false;
    upkeep->slice_us = MINUTE_US;
    upkeep->rest_until_ms = 0;
    for (int job = 0; job < UPKEEP_JOB_COUNT; job++)
        upkeep->due_ms[job] = now_ms(upkeep);
    upkeep->query = (struct pg_query){.sql = SESSION_SQL, .user = upkeep, .on_done = on_prepared};
    pg_link_submit(link, &upkeep->query);
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct upkeep *upkeep = link->config.user;

    (void)reason;
    upkeep->stats.is_holder = false;
    uv_timer_stop(&upkeep->timer);
}

bool upkeep_start(struct upkeep *upkeep, uv_loop_t *loop, const struct upkeep_config *config,
                  char *error, size_t error_bytes)
{
    struct pg_link_config link_config = {.name = "upkeep",
                                         .url = config->database_url,
                                         .application_name = "highwater upkeep",
                                         .session = {.lock_timeout_ms = LOCK_TIMEOUT_MS},
                                         .user = upkeep,
                                         .on_up = on_up,
                                         .on_down = on_down};

    *upkeep = (struct upkeep){.config = *config, .stats = {.kept_from_us = INT64_MIN}};
    if (!pg_link_start(&upkeep->link, loop, &link_config, error, error_bytes))
        return false;
    uv_timer_init(loop, &upkeep->timer);
    upkeep->timer.data = upkeep;
    return true;
}

void upkeep_poke(struct upkeep *upkeep)
{
    uint64_t soon = now_ms(upkeep) + POKE_MS;

    if (upkeep->due_ms[UPKEEP_REQUESTS] <= soon)
        return;
    upkeep->due_ms[UPKEEP_REQUESTS] = soon;
    proceed(upkeep);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct upkeep *upkeep = handle->data;

    buffer_release(&upkeep->sql);
    upkeep->on_closed(upkeep);
}

static void on_link_closed(struct pg_link *link)
{
    struct upkeep *upkeep = link->config.user;

    uv_close((uv_handle_t *)&upkeep->timer, on_timer_closed);
}

void upkeep_close(struct upkeep *upkeep, void (*on_closed)(struct upkeep *upkeep))
{
    upkeep->on_closed = on_closed;
    pg_link_close(&upkeep->link, on_link_closed);
}
