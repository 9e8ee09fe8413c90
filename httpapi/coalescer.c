#include "httpapi/coalescer.h"

#include "httpapi/database_problem.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
    struct waiter *next;
    struct server_request *request;
    struct question *question;
};

struct question {
    struct coalescer *coalescer;
    struct question *next;
    struct buffer key;
    struct query query;
    struct pool_job job;
    struct waiter *waiters;
};

struct coalescer {
    struct coalescer_config config;
    struct question *first;
    uint64_t shared;
};

struct coalescer *coalescer_new(const struct coalescer_config *config)
{
    struct coalescer *coalescer = mem_calloc(1, sizeof(*coalescer));

    coalescer->config = *config;
    return coalescer;
}

void coalescer_free(struct coalescer *coalescer)
{
    assert(!coalescer->first);
    free(coalescer);
}

/* ---- one question --------------------------------------------------------------------------- */

static void free_question(struct question *question)
{
    struct question **at = &question->coalescer->first;

    while (*at && *at != question)
        at = &(*at)->next;
    if (*at)
        *at = question->next;
    query_release(&question->query);
    buffer_release(&question->key);
    free(question);
}

/* Off the list first: a callback may ask the same again at once. */
static struct waiter *unlist(struct question *question)
{
    struct waiter *waiters = question->waiters;
    struct question **at = &question->coalescer->first;

    question->waiters = NULL;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    return waiters;
}

static void answer_all(struct question *question, struct server_answer *answer,
                       const struct problem *problem)
{
    const struct coalescer_config *config = &question->coalescer->config;
    struct waiter *waiter = unlist(question);

    while (waiter) {
        struct waiter *next = waiter->next;
        struct server_request *request = waiter->request;

        free(waiter);
        request->on_gone = NULL;
        if (answer)
            server_respond(request, answer);
        else
            config->on_failed(config->user, request, &question->query, problem);
        waiter = next;
    }
}

static void on_result(struct pool_job *job, const PGresult *result)
{
    struct question *question = job->user;

    question->query.kind->write(&question->query, result);
}

static void on_as_of(struct pool_job *job, int64_t as_of_us)
{
    struct question *question = job->user;

    query_set_as_of(&question->query, as_of_us);
    job->sql = buffer_text(&question->query.sql);
}

static void on_done(struct pool_job *job, const struct pg_error *error)
{
    struct question *question = job->user;
    const struct coalescer_config *config = &question->coalescer->config;
    struct server_answer *answer = NULL;
    struct problem problem;

    if (error) {
        database_problem_of_error(&problem, error);
        if (problem.status == 500)
            log_error("database: %s: %s", error->sqlstate, error->text);
    } else if (!question->query.is_found) {
        char id[160];

        log_escaped(id, sizeof(id), question->query.params.device_id,
                    strlen(question->query.params.device_id));
        problem_set(&problem, 404, "there is no device \"%s\": it never sent a reading", id);
    } else {
        answer = config->on_answer(config->user, &question->query);
    }
    answer_all(question, answer, &problem);
    server_answer_release(answer);
    free_question(question);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void on_gone(struct server_request *request)
{
    struct waiter *waiter = request->user;
    struct waiter **at = &waiter->question->waiters;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    free(waiter);
}

static void join(struct question *question, struct server_request *request)
{
    struct waiter *waiter = mem_calloc(1, sizeof(*waiter));

    waiter->request = request;
    waiter->question = question;
    waiter->next = question->waiters;
    question->waiters = waiter;
    request->user = waiter;
    request->on_gone = on_gone;
}

static struct question *find(const struct coalescer *coalescer, const struct buffer *key)
{
    for (struct question *q = coalescer->first; q; q = q->next) {
        if (q->key.bytes == key->bytes && memcmp(q->key.data, key->data, key->bytes) == 0)
            return q;
    }
    return NULL;
}

void coalescer_ask(struct coalescer *coalescer, struct server_request *request,
                   const struct query_kind *kind, struct catalog *catalog,
                   const struct params *params, const struct param *table, struct buffer *rows,
                   int64_t now_us)
{
    struct buffer key = {0};
    struct question *question;
    struct problem problem;
    enum pool_refusal refusal;

    buffer_put(&key, &kind, sizeof(kind));
    buffer_put(&key, &catalog, sizeof(catalog));
    params_key(&key, params, table);
    question = find(coalescer, &key);
    if (question) {
        buffer_release(&key);
        coalescer->shared++;
        join(question, request);
        return;
    }
    question = mem_calloc(1, sizeof(*question));
    question->coalescer = coalescer;
    question->key = key;
    query_init(&question->query, kind, params, catalog, now_us);
    if (rows)
        query_set_about(&question->query, rows);
    question->job = (struct pool_job){.sql = buffer_text(&question->query.sql),
                                      .param_count = question->query.bound_count,
                                      .params = question->query.bound,
                                      .user = question,
                                      .on_as_of = on_as_of,
                                      .on_result = on_result,
                                      .on_done = on_done};
    question->next = coalescer->first;
    coalescer->first = question;
    join(question, request);
    refusal = pool_submit(coalescer->config.pool, &question->job, false);
    if (refusal != POOL_TAKEN) {
        database_problem_of_refusal(&problem, refusal);
        answer_all(question, NULL, &problem);
        free_question(question);
    }
}

uint64_t coalescer_shared_count(const struct coalescer *coalescer)
{
    return coalescer->shared;
}
