#include "httpapi/questions.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_DOWN_S = 2, RETRY_FULL_S = 1, RETRY_SLOW_S = 5 };

struct waiter {
    struct waiter *next;
    struct server_request *request;
    struct question *question;
};

struct question {
    struct questions *questions;
    struct question *next;
    struct buffer key;
    struct query query;
    struct pool_job job;
    struct waiter *waiters;
};

struct questions {
    struct questions_config config;
    struct question *first;
    uint64_t shared;
};

struct questions *questions_new(const struct questions_config *config)
{
    struct questions *questions = mem_calloc(1, sizeof(*questions));

    questions->config = *config;
    return questions;
}

void questions_free(struct questions *questions)
{
    assert(!questions->first);
    free(questions);
}

void questions_describe(struct problem *out, const struct pg_error *error)
{
    if (error->is_connection)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database is not reachable: %s",
                                error->text);
    else if (strcmp(error->sqlstate, "57014") == 0)
        problem_set_unavailable(out, RETRY_SLOW_S,
                                "the database did not answer in time; a shorter time span or "
                                "fewer features are quicker");
    else if (strcmp(error->sqlstate, "42P01") == 0 || strcmp(error->sqlstate, "42703") == 0 ||
             strcmp(error->sqlstate, "42883") == 0) /* no such table, column, function */
        problem_set_unavailable(out, RETRY_SLOW_S,
                                "the database does not have the tables for this yet: %s (a "
                                "collector makes them when it starts, for its FEATURES)",
                                error->text);
    else if (pg_error_class(error) == PG_ERROR_TRANSIENT)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database cannot answer now: %s",
                                error->text);
    else
        problem_set(out, 500, "the database refused the query: %s %s", error->sqlstate,
                    error->text);
}

void questions_describe_refusal(struct problem *out, enum pool_refusal refusal)
{
    if (refusal == POOL_DOWN)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database is not reachable");
    else
        problem_set_unavailable(out, RETRY_FULL_S, "too many questions wait for the database");
}

/* ---- one question --------------------------------------------------------------------------- */

static void free_question(struct question *question)
{
    struct question **at = &question->questions->first;

    while (*at && *at != question)
        at = &(*at)->next;
    if (*at)
        *at = question->next;
    query_release(&question->query);
    buffer_release(&question->key);
    free(question);
}

/* Off the list first: whoever is told may ask again at once. */
static struct waiter *take_waiters(struct question *question)
{
    struct waiter *waiters = question->waiters;
    struct question **at = &question->questions->first;

    question->waiters = NULL;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    return waiters;
}

static void tell(struct question *question, struct server_answer *answer,
                 const struct problem *problem)
{
    const struct questions_config *config = &question->questions->config;
    struct waiter *waiter = take_waiters(question);

    while (waiter) {
        struct waiter *next = waiter->next;
        struct server_request *request = waiter->request;

        free(waiter);
        request->on_gone = NULL;
        if (answer)
            server_respond(request, answer);
        else
            config->on_failed(config->user, request, problem);
        waiter = next;
    }
}

static void on_result(struct pool_job *job, const PGresult *result)
{
    struct question *question = job->user;

    question->query.kind->take(&question->query, result);
}

static void on_done(struct pool_job *job, const struct pg_error *error)
{
    struct question *question = job->user;
    const struct questions_config *config = &question->questions->config;
    struct server_answer *answer = NULL;
    struct problem problem;

    if (error) {
        questions_describe(&problem, error);
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
    tell(question, answer, &problem);
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

static struct question *find(const struct questions *questions, const struct buffer *key)
{
    for (struct question *q = questions->first; q; q = q->next) {
        if (q->key.bytes == key->bytes && memcmp(q->key.data, key->data, key->bytes) == 0)
            return q;
    }
    return NULL;
}

void questions_ask(struct questions *questions, struct server_request *request,
                   const struct query_kind *kind, struct catalog *catalog,
                   const struct params *params, const struct param *table, int64_t now_us)
{
    struct buffer key = {0};
    struct question *question;
    struct problem problem;
    enum pool_refusal refusal;

    buffer_put(&key, &kind, sizeof(kind));
    buffer_put(&key, &catalog, sizeof(catalog));
    params_key(&key, params, table);
    question = find(questions, &key);
    if (question) {
        buffer_release(&key);
        questions->shared++;
        join(question, request);
        return;
    }
    question = mem_calloc(1, sizeof(*question));
    question->questions = questions;
    question->key = key;
    query_init(&question->query, kind, params, catalog, now_us);
    question->job = (struct pool_job){.sql = buffer_text(&question->query.sql),
                                      .param_count = question->query.bound_count,
                                      .params = question->query.bound,
                                      .user = question,
                                      .on_result = on_result,
                                      .on_done = on_done};
    question->next = questions->first;
    questions->first = question;
    join(question, request);
    refusal = pool_submit(questions->config.pool, &question->job, false);
    if (refusal != POOL_TAKEN) {
        questions_describe_refusal(&problem, refusal);
        tell(question, NULL, &problem);
        free_question(question);
    }
}

uint64_t questions_shared_count(const struct questions *questions)
{
    return questions->shared;
}
