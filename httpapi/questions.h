/* questions.h: requests that wait for the database; those that ask the same wait together.
 *
 * Shape    a question is a query and the key it is known by. While it is under way, everybody who
 *          comes with the same key joins and gets the same answer.
 * Errors   on_failed() gets a problem: 404, 503 with when to come again, or 500.
 * Owner    a question frees itself when its answer is given. A client that leaves is taken off the
 *          list; the query goes on, since others may join it.
 */
#ifndef HIGHWATER_QUESTIONS_H
#define HIGHWATER_QUESTIONS_H

#include "httpapi/pool.h"
#include "httpapi/problem.h"
#include "httpapi/queries.h"
#include "shared/net/http_server.h"

#include <stdint.h>

struct question;
struct questions;

struct questions_config {
    struct pool *pool;
    void *user;
    /* Makes the answer, once for all who wait; takes query->body. */
    struct server_answer *(*on_answer)(void *user, struct query *query);
    void (*on_failed)(void *user, struct server_request *request, const struct problem *problem);
};

struct questions *questions_new(const struct questions_config *config);

/* Nothing may be under way. */
void questions_free(struct questions *questions);

/* Answers the request, sooner or later. The key is the kind and all of `params` that `table`
 * names, positions in the catalog. */
void questions_ask(struct questions *questions, struct server_request *request,
                   const struct query_kind *kind, struct catalog *catalog,
                   const struct params *params, const struct param *table, int64_t now_us);

/* Turns a database error into a problem. */
void questions_describe(struct problem *out, const struct pg_error *error);
void questions_describe_refusal(struct problem *out, enum pool_refusal refusal);

uint64_t questions_shared_count(const struct questions *questions);

#endif
