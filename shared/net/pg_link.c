/* libpq's own asynchronous calls, driven by poll events. PQputCopyData() buffers without limit, so each
 * slice waits for PQflush(). How a connection is made is in pg_connect.c. */
#include "shared/net/pg_link.h"

#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/fd_watch.h"
#include "shared/net/pg_connect.h"
#include "shared/net/pg_url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKOFF_LEAST_MS = 100, BACKOFF_MOST_MS = 3000, COPY_SLICE_BYTES = 64 * 1024 };

static const char *const state_names[] = {"waiting",   "resolving", "connecting",
                                          "preparing", "up",        "closed"};

static void run_next(struct pg_link *link);
static void on_events(void *user, int events);

void pg_link_set_state(struct pg_link *link, enum pg_link_state state)
{
    if (state == link->state)
        return;
    log_debug("%s: %s -> %s", link->config.name, state_names[link->state], state_names[state]);
    link->state = state;
}

/* The first line of a message of libpq's, which come with line breaks. */
static void copy_line(char *out, size_t out_bytes, const char *text)
{
    snprintf(out, out_bytes, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
}

/* ---- the end of a connection ---------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct pg_link *link = handle->data;

    assert(link->open_handles > 0);
    if (--link->open_handles == 0)
        link->on_closed(link);
}

static void finish_close(struct pg_link *link)
{
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->watchdog, on_handle_closed);
    buffer_release(&link->session_sql);
}

static void fail_query(struct pg_query *query, const char *reason, bool is_timeout)
{
    query->error = (struct pg_error){.is_connection = true, .is_timeout = is_timeout};
    copy_line(query->error.text, sizeof(query->error.text), reason);
    query->on_done(query, &query->error);
}

static void fail_queries(struct pg_link *link, const char *reason)
{
    struct pg_query *query = link->running;
    struct pg_query *waiting = link->first;
    bool is_timeout = link->is_timeout;

    link->is_timeout = false;
    link->running = NULL;
    link->first = NULL;
    link->last = &link->first;
    if (query)
        fail_query(query, reason, is_timeout);
    while (waiting) {
        query = waiting;
        waiting = query->next;
        fail_query(query, reason, false);
    }
}

static void on_retry(uv_timer_t *timer);

/* For good; the caller of a command that is under way gets its on_done. */
static bool gives_up(const struct pg_link *link, bool was_up)
{
    bool is_for_a_person = link->unfit[0] || strncmp(link->failure_state, "28", 2) == 0 ||
                           strcmp(link->failure_state, "3D000") == 0;

    return link->config.give_up_after_ms > 0 && !was_up && !link->on_closed &&
           (is_for_a_person ||
            uv_now(link->loop) - link->failing_since_ms >= link->config.give_up_after_ms);
}

void pg_link_down(struct pg_link *link, const char *text)
{
    bool was_up = link->state == PG_LINK_UP;
    bool was_reached = link->state == PG_LINK_PREPARING;
    char reason[sizeof(link->failure)];
    bool is_given_up;
    bool has_next;

    copy_line(reason, sizeof(reason), text);
    has_next = pg_connect_has_next(link, reason, sizeof(reason));
    is_given_up = !has_next && gives_up(link, was_up);
    pg_connect_forget(link);
    fd_watch_free(link->watch);
    link->watch = NULL;
    if (link->is_pooled)
        pg_session_leave(link->conn);
    PQfinish(link->conn);
    link->conn = NULL;
    uv_timer_stop(&link->timer);
    uv_timer_stop(&link->watchdog);
    link->is_copying_in = false;
    link->wants_flush = false;
    if (was_up)
        link->failing_since_ms = uv_now(link->loop);
    if (was_up)
        backoff_lasted(&link->backoff, uv_now(link->loop) - link->up_at_ms);
    if (link->on_closed) {
        pg_link_set_state(link, PG_LINK_CLOSED);
    } else if (has_next) {
        pg_link_set_state(link, PG_LINK_WAITING);
        uv_timer_start(&link->timer, on_retry, 0, 0);
    } else {
        pg_link_set_state(link, PG_LINK_WAITING);
        if (!is_given_up)
            uv_timer_start(&link->timer, on_retry, backoff_next_ms(&link->backoff), 0);
        if (was_up)
            log_warning("%s: up -> down: %s", link->config.name, reason);
        else if (!is_given_up && strcmp(reason, link->failure) != 0)
            log_warning("%s: not %s: %s; trying again", link->config.name,
                        was_reached ? "usable" : "reachable", reason);
    }
    if (!has_next)
        snprintf(link->failure, sizeof(link->failure), "%s", reason);
    fail_queries(link, reason);
    if (was_up && link->config.on_down)
        link->config.on_down(link, reason);
    if (link->on_closed)
        finish_close(link);
    else if (is_given_up)
        link->config.on_given_up(link, reason);
}

void pg_link_down_as_libpq_says(struct pg_link *link)
{
    char text[sizeof(link->failure)];

    copy_line(text, sizeof(text), PQerrorMessage(link->conn));
    if (link->state == PG_LINK_CONNECTING)
        pg_connect_pop_state(link, text);
    pg_url_scrub(link->conn, text);
    pg_link_down(link, *text ? text : "the server closed the connection");
}

/* ---- queries -------------------------------------------------------------------------------- */

static void rearm(struct pg_link *link)
{
    if (link->watch)
        fd_watch_want(link->watch, UV_READABLE | (link->wants_flush ? UV_WRITABLE : 0));
}

/* False when the connection is gone. */
static bool flush(struct pg_link *link)
{
    int rc = PQflush(link->conn);

    if (rc < 0) {
        pg_link_down_as_libpq_says(link);
        return false;
    }
    link->wants_flush = rc > 0;
    return true;
}

static void note_error(struct pg_query *query, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *column = context ? strstr(context, ", column ") : NULL;
    size_t used;

    if (query->failed)
        return; /* the first one is the cause */
    query->failed = true;
    query->error = (struct pg_error){.is_connection = !state};
    copy_line(query->error.sqlstate, sizeof(query->error.sqlstate), state);
    copy_line(query->error.text, sizeof(query->error.text),
              text ? text : PQresultErrorMessage(result));
    used = strlen(query->error.text);
    if (column) /* of a COPY whose message does not say which */
        copy_line(query->error.text + used, sizeof(query->error.text) - used, column);
}

/* Sends what the socket takes of the current COPY; false when the connection is gone. */
static bool copy_in(struct pg_link *link)
{
    struct pg_query *query = link->running;
    const struct pg_copy_in *copy;

    assert(query);
    copy = &query->copies[query->copies_done];
    while (link->is_copying_in && !link->wants_flush) {
        size_t left = copy->bytes - query->copied_bytes;
        size_t slice = left < COPY_SLICE_BYTES ? left : COPY_SLICE_BYTES;
        int rc = left > 0
                     ? PQputCopyData(link->conn, (const char *)copy->data + query->copied_bytes,
                                     (int)slice)
                     : PQputCopyEnd(link->conn, NULL);

        if (rc < 0) {
            pg_link_down_as_libpq_says(link);
            return false;
        }
        if (rc == 0) { /* not taken: the buffer is full, and has to be written first */
            link->wants_flush = true;
            return true;
        }
        if (left == 0) {
            link->is_copying_in = false;
            query->copies_done++;
        }
        query->copied_bytes += slice;
        if (!flush(link))
            return false;
        FAILPOINT(left == 0 ? "copy_end_sent" : "mid_copy"); /* the COMMIT went ahead of it */
    }
    return true;
}

static void finish_query(struct pg_link *link)
{
    struct pg_query *query = link->running;

    if (query->failed && query->error.is_connection) {
        /* An error of libpq's own, which perhaps had no memory for the result. The connection may
         * still be there; but who asked has to be told that it is not, so it must not. */
        pg_link_down(link, query->error.text);
        return;
    }
    uv_timer_stop(&link->watchdog);
    link->running = NULL;
    query->on_done(query, query->failed ? &query->error : NULL);
    if (link->state == PG_LINK_UP && !link->running)
        run_next(link);
}

static bool read_copy_out(struct pg_link *link)
{
    char *row;
    int bytes;

    while ((bytes = PQgetCopyData(link->conn, &row, 1)) > 0) {
        if (link->running->on_copy_row)
            link->running->on_copy_row(link->running, row, (size_t)bytes);
        PQfreemem(row);
    }
    return bytes != 0; /* 0: more will come; -1, -2: its result is next */
}

/* Handles every result that is there. */
static void read_results(struct pg_link *link)
{
    while (link->running && !link->is_copying_in && !PQisBusy(link->conn)) {
        struct pg_query *query = link->running;
        PGresult *result = PQgetResult(link->conn);
        ExecStatusType status = PQresultStatus(result);

        if (!result) {
            finish_query(link);
            return;
        }
        if (status == PGRES_COPY_OUT) {
            PQclear(result);
            if (!read_copy_out(link))
                return;
            continue;
        }
        if (status == PGRES_COPY_IN) {
            assert(query->copies_done < query->copy_count);
            link->is_copying_in = true;
            query->copied_bytes = 0;
        } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            note_error(query, result);
        } else if (query->on_result && !query->failed) {
            query->on_result(query, result);
        }
        PQclear(result);
        if (link->is_copying_in && !copy_in(link))
            return;
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;

    link->is_timeout = true;
    pg_link_reset(link, "a query took too long");
}

static void start_query(struct pg_link *link, struct pg_query *query)
{
    int sent;

    link->running = query;
    if (query->param_count > 0)
        sent = PQsendQueryParams(link->conn, query->sql, query->param_count, NULL, query->params,
                                 NULL, NULL, query->wants_binary);
    else if (query->wants_binary)
        sent = PQsendQueryParams(link->conn, query->sql, 0, NULL, NULL, NULL, NULL, 1);
    else
        sent = PQsendQuery(link->conn, query->sql);
    if (!sent) {
        pg_link_down_as_libpq_says(link);
        return;
    }
    if (query->timeout_ms > 0)
        uv_timer_start(&link->watchdog, on_watchdog, query->timeout_ms, 0);
    if (flush(link))
        rearm(link);
}

static void run_next(struct pg_link *link)
{
    struct pg_query *query = link->first;

    if (!query)
        return;
    link->first = query->next;
    if (!link->first)
        link->last = &link->first;
    start_query(link, query);
}

void pg_link_submit(struct pg_link *link, struct pg_query *query)
{
    query->next = NULL;
    query->failed = query->is_alone = false;
    query->copies_done = 0;
    if (link->state != PG_LINK_UP) {
        fail_query(query, link->failure[0] ? link->failure : "not connected", false);
        return;
    }
    *link->last = query;
    link->last = &query->next;
    if (!link->running)
        run_next(link);
}

static void read_notifications(struct pg_link *link)
{
    PGnotify *notify;

    while (link->conn && link->config.on_notify && (notify = PQnotifies(link->conn))) {
        link->config.on_notify(link, notify->extra);
        PQfreemem(notify);
    }
}

static void on_query_events(struct pg_link *link, int events)
{
    if (events & UV_READABLE) {
        if (!PQconsumeInput(link->conn)) {
            pg_link_down_as_libpq_says(link);
            return;
        }
        read_results(link);
        read_notifications(link);
        /* outside a query the server only says that it ends the session */
        if (link->conn && !link->running && PQstatus(link->conn) != CONNECTION_OK) {
            pg_link_down_as_libpq_says(link);
            return;
        }
    }
    if (link->conn && link->wants_flush && flush(link) && link->is_copying_in)
        copy_in(link);
    rearm(link);
}

/* ---- connecting: the rest is in pg_connect.c ------------------------------------------------ */

void pg_link_watch(struct pg_link *link, int events)
{
    fd_watch_free(link->watch);
    link->watch = fd_watch_new(link->loop, PQsocket(link->conn), on_events, link);
    fd_watch_want(link->watch, events);
}

void pg_link_run(struct pg_link *link, struct pg_query *query)
{
    query->next = NULL;
    query->failed = query->is_alone = false;
    query->copies_done = 0;
    start_query(link, query);
}

void pg_link_up(struct pg_link *link)
{
    uv_timer_stop(&link->timer);
    link->up_at_ms = uv_now(link->loop);
    link->failure[0] = '\0';
    link->attempt = 0;
    link->connects++;
    pg_link_set_state(link, PG_LINK_UP);
    log_info("%s: connecting -> up: %s", link->config.name, PQdb(link->conn));
    if (link->config.on_up)
        link->config.on_up(link);
}

static void on_events(void *user, int events)
{
    struct pg_link *link = user;

    if (link->state == PG_LINK_CONNECTING)
        pg_connect_poll(link);
    else
        on_query_events(link, events);
}

static void on_retry(uv_timer_t *timer)
{
    pg_connect_attempt(timer->data);
}

/* ---- the interface -------------------------------------------------------------------------- */

bool pg_link_start(struct pg_link *link, uv_loop_t *loop, const struct pg_link_config *config,
                   char *error, size_t error_bytes)
{
    const char *flaw = pg_url_flaw(config->url);

    if (flaw) {
        copy_line(error, error_bytes, flaw);
        return false;
    }
    *link = (struct pg_link){.config = *config, .loop = loop};
    link->last = &link->first;
    link->failing_since_ms = uv_now(loop);
    link->round = pg_hosts_round(config->url);
    backoff_init(&link->backoff, BACKOFF_LEAST_MS, BACKOFF_MOST_MS,
                 (uint64_t)timestamp_now() ^ (uint64_t)(uintptr_t)link);
    uv_timer_init(loop, &link->timer);
    uv_timer_init(loop, &link->watchdog);
    link->timer.data = link->watchdog.data = link;
    link->open_handles = 2;
    uv_timer_start(&link->timer, on_retry, 0, 0);
    return true;
}

void pg_link_reset(struct pg_link *link, const char *reason)
{
    if (link->state == PG_LINK_UP)
        pg_link_down(link, reason);
}

void pg_link_close(struct pg_link *link, void (*on_closed)(struct pg_link *link))
{
    assert(!link->on_closed);
    link->on_closed = on_closed;
    if (link->state != PG_LINK_RESOLVING)
        pg_link_down(link, "closing");
}

enum pg_error_class pg_error_class(const struct pg_error *error)
{
    static const char *const transient[] = {"08",    "57",    "53",    "40",    "55",    "58",
                                            "25P02", "25006", "XX000", "XX001", "XX002", "25P03"};
    const char *state = error->sqlstate;

    if (error->is_connection)
        return PG_ERROR_TRANSIENT;
    if (strcmp(state, "23505") == 0)
        return PG_ERROR_DUPLICATE;
    /* Our binary rows are well formed, so a column has another type than it should. */
    if (strcmp(state, "22P03") == 0)
        return PG_ERROR_SCHEMA;
    for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++) {
        if (strncmp(state, transient[i], strlen(transient[i])) == 0)
            return PG_ERROR_TRANSIENT;
    }
    return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ? PG_ERROR_DATA
                                                                        : PG_ERROR_SCHEMA;
}
