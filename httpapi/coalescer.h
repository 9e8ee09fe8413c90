/* coalescer.h: requests that wait for the database; those that ask the same share one query.
 *
 * Shape    a question is a query and the key it is known by. While it is under way, each request
 *          with the same key joins it and gets the same answer (request coalescing).
 * Errors   on_failed() gets a problem: 404, 503 with when to come again, or 500.
 * Owner    a question frees itself when its answer is given. A client that leaves is taken off the
 *          list; the query goes on, since others may join it.
 */
#ifndef HIGHWATER_COALESCER_H
#define HIGHWATER_COALESCER_H

#include "httpapi/pool.h"
#include "httpapi/problem.h"
#include "httpapi/query.h"
#include "shared/net/http_server.h"

#include <stdint.h>

struct question;
struct coalescer;

struct coalescer_config {
    struct pool *pool;
    void *user;
    /* Makes the answer, once for all that wait, out of query->body, which it empties. */
    struct server_answer *(*on_answer)(void *user, struct query *query);
    void (*on_failed)(void *user, struct server_request *request, const struct query *query,
                      const struct problem *problem);
};

struct coalescer *coalescer_new(const struct coalescer_config *config);

/* Nothing may be under way. */
void coalescer_free(struct coalescer *coalescer);

/* Answers the request, sooner or later. The key is the kind and all of `params` that `table`
 * names, positions in the catalog. `rows` are of query_set_about(), NULL = none. */
void coalescer_ask(struct coalescer *coalescer, struct server_request *request,
                   const struct query_kind *kind, struct catalog *catalog,
                   const struct params *params, const struct param *table, struct buffer *rows,
                   int64_t now_us);

uint64_t coalescer_shared_count(const struct coalescer *coalescer);

#endif
