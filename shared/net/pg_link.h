/* pg_link.h: one PostgreSQL connection on the loop, kept up for good, one query at a time.
 *
 * Shape    states: waiting -> resolving -> connecting -> preparing -> up -> waiting ... A session that is
 *          up has all its settings (pg_session.h). A query is a string with or without parameters;
 *          without, it may hold several statements and any number of COPY FROM STDIN (each fed from
 *          the next struct pg_copy_in) or COPY TO STDOUT. Queries queue.
 * Units    durations in ms.
 * Errors   a query ends with on_done(error): NULL = every statement succeeded. Otherwise the
 *          server's SQLSTATE and text, or is_connection: the link went down while it ran, and what
 *          became of it is not known. PostgreSQL answers COMMIT in a failed transaction with
 *          success and the tag ROLLBACK; a query that must know looks at its tags in on_result.
 * Limits   a query that outlives timeout_ms costs the connection: there is no other way to be sure
 *          that it ended. COPY data goes out in slices as the socket takes it, so libpq's buffer
 *          stays small however large the batch is.
 * Owner    the link is embedded; queries belong to the caller and must live until on_done.
 *          Results are cleared by the link after on_result.
 * Source   PostgreSQL 15 manual, chapters 34 (libpq) and 55.2 (message flow), Appendix A.
 */
#ifndef HIGHWATER_PG_LINK_H
#define HIGHWATER_PG_LINK_H

#include "shared/base/backoff.h"
#include "shared/net/pg_hosts.h"
#include "shared/net/pg_session.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pg_link;
struct pg_query;

enum pg_link_state {
    PG_LINK_WAITING,
    PG_LINK_RESOLVING,
    PG_LINK_CONNECTING,
    PG_LINK_PREPARING, /* the session */
    PG_LINK_UP,
    PG_LINK_CLOSED
};

/* What to do about an error. */
enum pg_error_class {
    PG_ERROR_TRANSIENT, /* connection, shutdown, resources, locks: the same again, later */
    PG_ERROR_DUPLICATE, /* 23505: a key that is there already */
    PG_ERROR_DATA,      /* 22, 23: one of the rows is to blame */
    PG_ERROR_SCHEMA     /* 42, 3D, 3F, 28, 22P03 and the rest: an operator has to correct it */
};

struct pg_error {
    bool is_connection;
    bool is_timeout;  /* a connection error of our own making: it took longer than timeout_ms */
    char sqlstate[6]; /* "" for a connection error */
    char text[256];   /* one line */
};

struct pg_copy_in {
    const void *data;
    size_t bytes;
};

struct pg_query {
    const char *sql;
    int param_count;
    const char *const *params;
    bool wants_binary; /* results of a query with parameters in binary */
    const struct pg_copy_in *copies;
    size_t copy_count;
    uint64_t timeout_ms; /* 0 = none */

    void *user;
    void (*on_result)(struct pg_query *query, const PGresult *result); /* may be NULL */
    void (*on_copy_row)(struct pg_query *query, const char *row, size_t bytes);
    void (*on_done)(struct pg_query *query, const struct pg_error *error);

    struct pg_query *next; /* the link's */
    size_t copies_done;
    size_t copied_bytes;
    struct pg_error error;
    bool failed;
    bool is_alone; /* committed here, while the wait for a standby was cancelled */
};

struct pg_link_config {
    const char *name;             /* for the log: "database" */
    const char *url;              /* a libpq connection string; NULL or "" = the PG* variables */
    const char *application_name; /* shown in pg_stat_activity, unless the URL has another */
    bool keeps_name;              /* the URL's does not count */
    bool warns;                   /* of what weakens what is stored there */
    struct pg_session session;
    uint64_t give_up_after_ms; /* of attempts; 0 = never */
    void *user;
    void (*on_up)(struct pg_link *link);
    /* instead of another attempt; at once when a person must correct it, such as a password */
    void (*on_given_up)(struct pg_link *link, const char *reason);
    void (*on_down)(struct pg_link *link, const char *reason); /* only after on_up */
    /* a channel that this session listens to was notified; between two queries */
    void (*on_notify)(struct pg_link *link, const char *payload);
};

struct pg_link {
    struct pg_link_config config;
    enum pg_link_state state;
    uint64_t connects;
    uint64_t up_at_ms; /* of the loop's clock: when it came up last */

    uv_loop_t *loop;
    PGconn *conn;
    struct fd_watch *watch;
    uv_timer_t timer;    /* next attempt, connect timeout */
    uv_timer_t watchdog; /* of the running query */
    struct backoff backoff;
    struct pg_place place; /* of the attempt */
    size_t attempt;        /* of a round through all hosts (pg_hosts.h), from 0 */
    size_t round;
    char round_failure[320]; /* why not the hosts before it */
    struct pg_query *running;
    struct pg_query *first; /* waiting */
    struct pg_query **last;
    bool is_copying_in;
    bool wants_flush;
    bool is_timeout; /* it is the watchdog that ends the connection */
    struct pg_query session_query;
    struct buffer session_sql;
    struct pg_probe *probe; /* of the pooler, under way */
    int backend_pid;
    bool is_standby; /* when the session began */
    int looks;       /* at the session, which are still to come */
    bool is_pooled;
    char unfit[320];       /* why the session cannot be ours */
    char failure[320];     /* why it is not up */
    char failure_state[6]; /* its SQLSTATE, when it is the server's */
    uint64_t failing_since_ms;
    unsigned open_handles;
    void (*on_closed)(struct pg_link *link);
};

/* False when the URL is no connection string; `error` says why. */
bool pg_link_start(struct pg_link *link, uv_loop_t *loop, const struct pg_link_config *config,
                   char *error, size_t error_bytes);

/* Runs the query after those submitted before it. When the link is not up it fails at once, as a
 * connection error, from inside this call. */
void pg_link_submit(struct pg_link *link, struct pg_query *query);

/* Drops the connection and connects again; the running query and those that wait fail. */
void pg_link_reset(struct pg_link *link, const char *reason);

/* Queries that run or wait fail with a connection error first. */
void pg_link_close(struct pg_link *link, void (*on_closed)(struct pg_link *link));

enum pg_error_class pg_error_class(const struct pg_error *error);

#endif
