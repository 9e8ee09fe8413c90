/* pool.h: a few read-only connections to PostgreSQL and a bounded queue before them.
 *
 * Shape    a job is one statement with parameters. It runs on the first connection that is free.
 * Standby  of which time its answers are, the server is asked on the same connection before the job
 *          runs, and the job is told. Once promoted it is not any more, and nobody has to connect again.
 * Units    durations in ms.
 * Errors   pool_submit() is false, with the reason, when no connection is up or too many wait:
 *          better an honest 503 now than an answer after the client has given up. A job ends with
 *          on_done(error). What a standby cancels, because it must replay what the query stands in the
 *          way of, is asked again a few times.
 * Limits   statement_timeout is the server's; a statement that outlives it by far costs its
 *          connection.
 * Owner    jobs belong to the caller and must live until on_done.
 */
#ifndef HIGHWATER_POOL_H
#define HIGHWATER_POOL_H

#include "shared/net/pg_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { POOL_CONNECTIONS_MAX = 32 };

struct pool;

struct pool_job {
    const char *sql;
    int param_count;
    const char *const *params;
    void *user;
    /* The server is a standby, and as of this time: the job's statement is made for it (query.h). */
    void (*on_as_of)(struct pool_job *job, int64_t as_of_us);
    void (*on_result)(struct pool_job *job, const PGresult *result); /* rows in binary */
    void (*on_done)(struct pool_job *job, const struct pg_error *error);

    struct pg_query query; /* from here on the pool's */
    struct pool *pool;
    struct pool_job *next;
    struct pool_slot *slot;
    unsigned cancelled; /* how often */
};

enum pool_refusal { POOL_TAKEN, POOL_DOWN, POOL_FULL };

struct pool_config {
    const char *url;
    size_t connections;
    size_t queue_limit;
    uint64_t statement_timeout_ms;
};

struct pool *pool_start(uv_loop_t *loop, const struct pool_config *config, char *error,
                        size_t error_bytes);

/* A job that continues an answer already begun (`is_continued`) is not turned away by the queue's
 * limit. */
enum pool_refusal pool_submit(struct pool *pool, struct pool_job *job, bool is_continued);

/* Jobs that run or wait end with a connection error first; then on_closed, and it is freed. */
void pool_close(struct pool *pool, void (*on_closed)(void *user), void *user);

size_t pool_up_count(const struct pool *pool);
const char *pool_failure(const struct pool *pool); /* why none is up */
size_t pool_busy_count(const struct pool *pool);
size_t pool_waiting_count(const struct pool *pool);
uint64_t pool_job_count(const struct pool *pool);
uint64_t pool_refused_count(const struct pool *pool);
uint64_t pool_failed_count(const struct pool *pool);
uint64_t pool_cancelled_count(const struct pool *pool); /* by a standby */

#endif
