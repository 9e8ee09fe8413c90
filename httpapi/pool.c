#include "httpapi/pool.h"

#include "httpapi/replayed.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHDOG_EXTRA_MS = 3000, TRIES = 4 };

struct pool_slot {
    struct pool *pool;
    struct pg_link link;
    struct pool_job *job;
    bool is_standby;
    struct replayed replayed; /* of a standby, for the job */
};

struct pool {
    struct pool_config config;
    size_t count;
    struct pool_slot *slots;
    struct pool_job *first; /* waiting */
    struct pool_job **last;
    size_t waiting;
    uint64_t jobs;
    uint64_t refused;
    uint64_t failed;
    uint64_t cancelled;
    size_t open_links;
    void (*on_closed)(void *user);
    void *closed_user;
};

static void run_next(struct pool *pool);
static void start(struct pool_slot *slot, struct pool_job *job);

static void end_job(struct pool_job *job, const struct pg_error *error)
{
    struct pool *pool = job->pool;

    job->slot->job = NULL;
    if (error)
        pool->failed++;
    job->on_done(job, error);
    run_next(pool);
}

/* "canceling statement due to conflict with recovery" is an error of serialization on a standby. */
static bool tries_again(struct pool_slot *slot, struct pool_job *job, const struct pg_error *error)
{
    if (!slot->is_standby || !error || error->is_connection ||
        (strcmp(error->sqlstate, "40001") != 0 && strcmp(error->sqlstate, "40P01") != 0))
        return false;
    slot->pool->cancelled++;
    if (++job->cancelled == TRIES || slot->pool->on_closed)
        return false;
    start(slot, job);
    return true;
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct pool_job *job = query->user;

    job->on_result(job, result);
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct pool_job *job = query->user;

    if (!tries_again(job->slot, job, error))
        end_job(job, error);
}

/* A link that goes down fails its queries before it says so: only its state is to be trusted. */
static bool is_usable(const struct pool_slot *slot)
{
    return slot->link.state == PG_LINK_UP;
}

static struct pool_slot *free_slot(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        if (is_usable(&pool->slots[i]) && !pool->slots[i].job)
            return &pool->slots[i];
    }
    return NULL;
}

static void run(struct pool_slot *slot, struct pool_job *job)
{
    job->query =
        (struct pg_query){.sql = job->sql,
                          .param_count = job->param_count,
                          .params = job->params,
                          .wants_binary = true,
                          .timeout_ms = slot->pool->config.statement_timeout_ms + WATCHDOG_EXTRA_MS,
                          .user = job,
                          .on_result = on_result,
                          .on_done = on_done};
    pg_link_submit(&slot->link, &job->query);
}

static void on_replayed_result(struct pg_query *query, const PGresult *result)
{
    struct pool_job *job = query->user;

    replayed_read(&job->slot->replayed, result);
}

static void on_replayed(struct pg_query *query, const struct pg_error *error)
{
    struct pool_job *job = query->user;
    struct pool_slot *slot = job->slot;
    struct pg_error unknown = {.sqlstate = "55000",
                               .text = "the standby does not know yet as of when it is"};

    if (tries_again(slot, job, error))
        return;
    if (!error)
        slot->is_standby = slot->replayed.is_standby;
    if (error || (slot->is_standby && !slot->replayed.is_known)) {
        end_job(job, error ? error : &unknown);
        return;
    }
    if (slot->is_standby)
        job->on_as_of(job, slot->replayed.as_of_us);
    run(slot, job);
}

static void start(struct pool_slot *slot, struct pool_job *job)
{
    job->slot = slot;
    slot->job = job;
    if (!slot->is_standby) {
        run(slot, job);
        return;
    }
    job->query =
        (struct pg_query){.sql = REPLAYED_SQL,
                          .timeout_ms = slot->pool->config.statement_timeout_ms + WATCHDOG_EXTRA_MS,
                          .user = job,
                          .on_result = on_replayed_result,
                          .on_done = on_replayed};
    pg_link_submit(&slot->link, &job->query);
}

static struct pool_job *pop_waiting(struct pool *pool)
{
    struct pool_job *job = pool->first;

    if (!job)
        return NULL;
    pool->first = job->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->waiting--;
    return job;
}

static void run_next(struct pool *pool)
{
    struct pool_slot *slot;

    while (pool->first && (slot = free_slot(pool)) != NULL)
        start(slot, pop_waiting(pool));
}

enum pool_refusal pool_submit(struct pool *pool, struct pool_job *job, bool is_continued)
{
    struct pool_slot *slot = free_slot(pool);

    if (pool->on_closed || pool_up_count(pool) == 0) {
        pool->refused++;
        return POOL_DOWN;
    }
    if (!slot && pool->waiting >= pool->config.queue_limit && !is_continued) {
        pool->refused++;
        return POOL_FULL;
    }
    pool->jobs++;
    job->pool = pool;
    job->cancelled = 0;
    job->next = NULL;
    *pool->last = job;
    pool->last = &job->next;
    pool->waiting++;
    run_next(pool);
    return POOL_TAKEN;
}

/* ---- the connections ------------------------------------------------------------------------ */

static void on_up(struct pg_link *link)
{
    struct pool_slot *slot = link->config.user;

    slot->is_standby = link->is_standby;
    run_next(slot->pool);
}

/* Without a connection the waiting jobs would wait for ever. */
static void fail_waiting(struct pool *pool, const char *reason)
{
    struct pg_error error = {.is_connection = true};
    struct pool_job *job;

    for (size_t i = 0; reason[i] && i + 1 < sizeof(error.text); i++)
        error.text[i] = reason[i];
    while ((job = pop_waiting(pool)) != NULL) {
        pool->failed++;
        job->on_done(job, &error);
    }
}

static void on_down(struct pg_link *link, const char *reason)
{
    struct pool_slot *slot = link->config.user;

    if (pool_up_count(slot->pool) == 0)
        fail_waiting(slot->pool, reason);
}

struct pool *pool_start(uv_loop_t *loop, const struct pool_config *config, char *error,
                        size_t error_bytes)
{
    struct pool *pool = mem_calloc(1, sizeof(*pool));

    pool->config = *config;
    pool->last = &pool->first;
    pool->count = config->connections;
    pool->slots = mem_calloc(pool->count, sizeof(pool->slots[0]));
    for (size_t i = 0; i < pool->count; i++) {
        struct pool_slot *slot = &pool->slots[i];
        struct pg_link_config link = {
            .name = "database",
            .url = config->url,
            .application_name = "highwater-httpapi",
            .session = {.reads_only = true,
                        .statement_timeout_ms = config->statement_timeout_ms,
                        .lock_timeout_ms = config->statement_timeout_ms},
            .user = slot,
            .on_up = on_up,
            .on_down = on_down};

        slot->pool = pool;
        if (!pg_link_start(&slot->link, loop, &link, error, error_bytes)) {
            assert(i == 0); /* the same string is legal every time or never */
            free(pool->slots);
            free(pool);
            return NULL;
        }
    }
    return pool;
}

static void on_link_closed(struct pg_link *link)
{
    struct pool_slot *slot = link->config.user;
    struct pool *pool = slot->pool;
    void (*on_closed)(void *user) = pool->on_closed;
    void *user = pool->closed_user;

    if (--pool->open_links > 0)
        return;
    free(pool->slots);
    free(pool);
    on_closed(user);
}

void pool_close(struct pool *pool, void (*on_closed)(void *user), void *user)
{
    pool->on_closed = on_closed;
    pool->closed_user = user;
    pool->open_links = pool->count;
    fail_waiting(pool, "httpapi stops");
    for (size_t i = 0; i < pool->count; i++)
        pg_link_close(&pool->slots[i].link, on_link_closed);
}

size_t pool_up_count(const struct pool *pool)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->count; i++)
        count += is_usable(&pool->slots[i]);
    return count;
}

const char *pool_failure(const struct pool *pool)
{
    const char *failure = pool->slots[0].link.failure;

    return failure[0] ? failure : "not connected yet";
}

size_t pool_busy_count(const struct pool *pool)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->count; i++)
        count += pool->slots[i].job != NULL;
    return count;
}

size_t pool_waiting_count(const struct pool *pool)
{
    return pool->waiting;
}

uint64_t pool_job_count(const struct pool *pool)
{
    return pool->jobs;
}

uint64_t pool_refused_count(const struct pool *pool)
{
    return pool->refused;
}

uint64_t pool_failed_count(const struct pool *pool)
{
    return pool->failed;
}

uint64_t pool_cancelled_count(const struct pool *pool)
{
    return pool->cancelled;
}
