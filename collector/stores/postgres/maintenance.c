/* When each job is run. A job is due at a time of the loop's clock. proceed() runs the first in the
 * table that is, and when it is done, whatever it was, sets the time of its next run; so there is one
 * query at a time and no other state. */
#include "collector/stores/postgres/maintenance.h"

#include "collector/stores/postgres/maintenance_jobs.h"
#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    POKE_MS = 100,        /* pokes in between count as one */
    SLICE_SHORT_MS = 100, /* a slice of rollups should take about so long */
    SLICE_LONG_MS = 500,
    QUERY_MOST_MS = MAINTENANCE_HOUR_MS,
    LOCK_TIMEOUT_MS = 200 /* below deadlock_timeout: no wait of ours cancels an autovacuum */
};

#define MINUTE_US (INT64_C(60) * 1000000)
#define HOUR_US (60 * MINUTE_US)

#define SESSION_SQL                                                                                \
    "SET max_parallel_workers_per_gather = 0; SET work_mem = '64MB';"                              \
    "SET idle_session_timeout = '10min'"

static void proceed(struct maintenance *maintenance);

static uint64_t now_ms(const struct maintenance *maintenance)
{
    return uv_now(maintenance->link.loop);
}

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
    if (job == MAINTENANCE_PACK && maintenance->config.pack_after_us == 0)
        return false;
    return maintenance->stats.is_holder || maintenance_jobs[job].for_all;
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct maintenance *maintenance = query->user;

    if (PQresultStatus(result) == PGRES_TUPLES_OK && maintenance_jobs[maintenance->job].read)
        maintenance_jobs[maintenance->job].read(maintenance, result);
}

static void complain(struct maintenance *maintenance, const struct pg_error *error)
{
    char complaint[sizeof(maintenance->complaint)];

    snprintf(complaint, sizeof(complaint), "%s: %s (SQLSTATE %s)",
             maintenance_jobs[maintenance->job].name, error->text, error->sqlstate);
    maintenance->stats.failures++;
    if (maintenance->job == MAINTENANCE_PACK)
        maintenance->stats.packing.has_failed = true;
    if (strcmp(complaint, maintenance->complaint) != 0 && strcmp(error->sqlstate, "55P03") != 0)
        log_warning("maintenance: %s; trying again", complaint);
    memcpy(maintenance->complaint, complaint, sizeof(complaint));
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct maintenance *maintenance = query->user;
    uint64_t now = now_ms(maintenance);
    uint64_t every_ms = maintenance_jobs[maintenance->job].every_ms;

    maintenance->is_running = false;
    if (error && error->is_connection)
        return; /* on_up goes on */
    if (error) {
        complain(maintenance, error);
        every_ms = 10 * MAINTENANCE_SECOND_MS;
    } else if (maintenance->wants_more) {
        every_ms = 0;
    } else if (maintenance->again_ms > 0) {
        every_ms = maintenance->again_ms;
    }
    maintenance->due_ms[maintenance->job] = every_ms == UINT64_MAX ? UINT64_MAX : now + every_ms;
    if (maintenance_jobs[maintenance->job].is_heavy)
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
    maintenance_jobs[job].put_sql(maintenance, &maintenance->sql);
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
        if (maintenance_jobs[job].is_heavy && due < maintenance->rest_until_ms)
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
    maintenance->stats.size_count = 0;
    maintenance->stats.packing.is_known = false;
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
