/* Settings that exist only in some versions (transaction_timeout: 17) are found in pg_settings or passed
 * over. What is as it should be is not set, because some may be set by superusers alone. Left as they
 * are: what an operator tunes and no answer depends on (work_mem above a floor, parallel workers, costs,
 * log_*, temp_*), SET ROLE, and lc_messages, for no text of the server's is ever compared. */
#include "shared/net/pg_session.h"

#include "shared/net/pg_password.h"
#include "shared/net/pg_url.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAVE_SQL "DISCARD ALL"

enum { PROBES = 4, PROBE_PAUSE_MS = 25, PROBE_WAIT_MS = 2000, CLOSE_WAIT_MS = 2000 };

const char pg_session_shared_reason[] =
    "the pooler before it gives our session to others between two transactions (pool_mode "
    "transaction or statement); locks and settings belong to sessions here: set pool_mode = "
    "session, "
    "or go past the pooler";

/* Name and value as pg_settings has them: folding case depends on the database, in Turkish for one. */
static const struct {
    const char *name;
    const char *value;
} settings[] = {
    /* how values look, here and inside functions that write them into SQL */
    {"DateStyle", "ISO, YMD"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"client_encoding", "UTF8"},
    {"extra_float_digits", "1"},
    {"bytea_output", "hex"},
    {"standard_conforming_strings", "on"},
    {"array_nulls", "on"},
    {"transform_null_equals", "off"},
    {"quote_all_identifiers", "off"},
    {"xmloption", "content"},
    /* a snapshot has to be younger than the locks that were waited for */
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"},
    /* an error is better than rows that silently lack */
    {"row_security", "off"},
    /* replica: triggers do not fire, so nobody counts */
    {"session_replication_role", "origin"},
    {"check_function_bodies", "on"},
    /* our own clocks decide how long something may take */
    {"transaction_timeout", "0"},
    {"idle_session_timeout", "0"},
    {"idle_in_transaction_session_timeout", "60000"},
    /* plans: compiling takes longer than our queries, and the planner takes a table without
     * statistics for a large one */
    {"jit", "off"},
    {"plan_cache_mode", "auto"},
    {"constraint_exclusion", "partition"},
    {"force_parallel_mode", "off"},
    {"debug_parallel_query", "off"},
    {"client_min_messages", "warning"},
};

/* What a client that was killed has left to a pooler that clears nothing between two. Settings are set
 * anyway, and RESET ALL would take our name away, by which our earlier sessions are known. */
#define LEFT_SQL                                                                                   \
    "CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; SELECT pg_advisory_unlock_all(); DISCARD TEMP;"

#define ANSWER_COLUMN "highwater_unset"

static void put_settings(struct buffer *sql, const struct pg_session *session)
{
    buffer_put_text(sql, "(VALUES ");
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        buffer_printf(sql, "('%s', '%s'), ", settings[i].name, settings[i].value);
    buffer_printf(sql,
                  "('default_transaction_read_only', '%s'), ('statement_timeout', '%" PRIu64
                  "'), ('lock_timeout', '%" PRIu64 "')) AS v (name, value)",
                  session->reads_only ? "on" : "off", session->statement_timeout_ms,
                  session->lock_timeout_ms);
}

void pg_session_put_sql(struct buffer *sql, const struct pg_session *session)
{
    /* First what could end or mislead the rest. Temporary tables come last, for whatever else
     * is in the session (a pooler's client before us) may have some of our names. */
    buffer_put_text(sql, "SET statement_timeout = 0; SET search_path = public, pg_temp;" LEFT_SQL
                         "SELECT set_config(s.name, v.value, false) FROM ");
    put_settings(sql, session);
    buffer_put_text(
        sql, " JOIN pg_settings s ON s.name = v.name WHERE s.setting <> v.value;"
             "SELECT set_config(name, boot_val, false) FROM pg_settings"
             " WHERE starts_with(name, 'enable_') AND setting <> boot_val;"
             "SELECT set_config('work_mem', '4MB', false) FROM pg_settings"
             " WHERE name = 'work_mem' AND setting::bigint < 4096;"
             /* on is the least that is durable; remote_apply is more */
             "SELECT set_config('synchronous_commit', 'on', false)"
             " WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');"
             "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
             "SET tcp_keepalives_count = 3;"
             "SELECT (SELECT string_agg(s.name || ' = ' || s.setting, ', ') FROM ");
    put_settings(sql, session);
    buffer_put_text(
        sql,
        " JOIN pg_settings s ON s.name = v.name WHERE s.setting <> v.value)"
        " AS " ANSWER_COLUMN ","
        " (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),"
        " current_setting('full_page_writes'), current_setting('fsync'),"
        " current_setting('synchronous_standby_names'),"
        /* of other roles' processes some see only that they are there: then nothing is said */
        " NOT EXISTS (SELECT FROM pg_stat_replication"
        " WHERE coalesce(sync_state, 'unknown') IN ('sync', 'quorum', 'unknown'))"
        " AND NOT pg_is_in_recovery(),"
        /* what follows is seen by every role, and how by some; without names none is waited for */
        " (SELECT string_agg(DISTINCT application_name, ', ') FROM pg_stat_replication"
        " WHERE current_setting('synchronous_standby_names') = ''"
        " AND application_name NOT IN ('pg_basebackup', 'pg_receivewal')"
        " AND NOT EXISTS (SELECT FROM pg_replication_slots"
        " WHERE active_pid = pid AND slot_type = 'logical')),"
        " pg_is_in_recovery()");
}

bool pg_session_is_answer(const PGresult *result)
{
    return PQntuples(result) == 1 && strcmp(PQfname(result, 0), ANSWER_COLUMN) == 0;
}

bool pg_session_is_unset(const PGresult *answer, char *reason, size_t reason_bytes)
{
    if (PQgetisnull(answer, 0, 0))
        return false;
    snprintf(reason, reason_bytes, "its sessions do not keep their settings: %s",
             PQgetvalue(answer, 0, 0));
    return true;
}

/* The settings that pg_session_put_sql() raises. */
static bool is_raised(const char *synchronous_commit)
{
    return strcmp(synchronous_commit, "off") == 0 || strcmp(synchronous_commit, "local") == 0 ||
           strcmp(synchronous_commit, "remote_write") == 0;
}

bool pg_session_is_standby(const PGresult *answer)
{
    return *PQgetvalue(answer, 0, 7) == 't';
}

void pg_session_weakness(const PGresult *answer, char *warning, size_t warning_bytes)
{
    if (strcmp(PQgetvalue(answer, 0, 3), "on") != 0)
        snprintf(warning, warning_bytes,
                 "fsync is off: what is committed may be lost, and the "
                 "database with it, when the machine loses power");
    else if (strcmp(PQgetvalue(answer, 0, 2), "on") != 0)
        snprintf(warning, warning_bytes,
                 "full_page_writes is off: a page that was half written "
                 "when the machine lost power cannot be mended");
    else if (*PQgetvalue(answer, 0, 4) && *PQgetvalue(answer, 0, 5) == 't')
        snprintf(warning, warning_bytes,
                 "synchronous_standby_names is '%s', and no synchronous standby is connected: "
                 "commits wait until one is",
                 PQgetvalue(answer, 0, 4));
    else if (!PQgetisnull(answer, 0, 6))
        snprintf(warning, warning_bytes,
                 "no commit waits for the standby that follows (%s), for synchronous_standby_names "
                 "is empty: promoted, it lacks what was acknowledged last. Name it there, or never "
                 "promote it",
                 PQgetvalue(answer, 0, 6));
    else if (is_raised(PQgetvalue(answer, 0, 1)))
        snprintf(warning, warning_bytes,
                 "synchronous_commit is %s for this role, database or server: it is turned on "
                 "for our sessions",
                 PQgetvalue(answer, 0, 1));
    else
        warning[0] = '\0';
}

bool pg_session_is_unfit(const PGresult *look, char *reason, size_t reason_bytes)
{
    if (strcmp(PQgetvalue(look, 0, 1), "UTF8") == 0)
        return false;
    snprintf(
        reason, reason_bytes,
        "the encoding of database %s is %s: it must be UTF8, or it could not hold every device "
        "id (createdb -E UTF8 -T template0)",
        PQgetvalue(look, 0, 2), PQgetvalue(look, 0, 1));
    return true;
}

bool pg_session_is_pooled(const PGresult *look, const PGconn *conn)
{
    return atoi(PQgetvalue(look, 0, 0)) != PQbackendPID(conn);
}

/* ---- is the session ours alone? -------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when the time is over, or the connection. */
static bool wait_readable(PGconn *conn, int64_t until_ms)
{
    int64_t left_ms;

    while (PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

        left_ms = until_ms - now_ms();
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0 || !PQconsumeInput(conn))
            return false;
    }
    return true;
}

bool pg_session_wait(PGconn *conn, uint64_t timeout_ms)
{
    return wait_readable(conn, now_ms() + (int64_t)timeout_ms);
}

PGresult *pg_session_ask(PGconn *conn, const char *sql, uint64_t timeout_ms)
{
    int64_t until_ms = now_ms() + (int64_t)timeout_ms;
    PGresult *last = NULL;
    PGresult *result = NULL;
    bool is_there = PQsendQuery(conn, sql) == 1;

    while (is_there && (is_there = wait_readable(conn, until_ms)) &&
           (result = PQgetResult(conn)) != NULL) {
        PQclear(last);
        last = result;
    }
    if (is_there)
        return last;
    PQclear(last);
    return NULL;
}

/* The process that serves the next transaction; 0 when no answer comes. */
static int ask_pid(PGconn *conn, int64_t until_ms)
{
    PGresult *result;
    int pid = 0;

    if (!PQsendQuery(conn, PG_SESSION_LOOK_SQL))
        return 0;
    while (wait_readable(conn, until_ms) && (result = PQgetResult(conn)) != NULL) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            pid = atoi(PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    return pid;
}

/* A pooler that keeps sessions apart never serves this connection with that process, and always with
 * the same; one that does not takes whichever is free. Asked a few times, for others take some, too. */
bool pg_session_is_shared(const char *const *names, const char *const *values, int backend_pid)
{
    const struct timespec pause = {.tv_nsec = PROBE_PAUSE_MS * 1000000L};
    int64_t until_ms = now_ms() + PROBE_WAIT_MS;
    PGconn *probe = PQconnectdbParams(names, values, 1);
    bool is_shared = false;
    int first = 0;

    for (int i = 0; i < PROBES && PQstatus(probe) == CONNECTION_OK && !is_shared; i++) {
        int pid = ask_pid(probe, until_ms);

        if (pid == 0)
            break; /* all its sessions are taken: they are kept apart */
        if (first == 0)
            first = pid;
        is_shared = pid == backend_pid || pid != first;
        nanosleep(&pause, NULL);
    }
    PQfinish(probe);
    return is_shared;
}

/* ---- poolers ----------------------------------------------------------------------------- */

static bool run(PGconn *conn, const char *sql, uint64_t timeout_ms, PGresult **result)
{
    *result = pg_session_ask(conn, sql, timeout_ms);
    return PQresultStatus(*result) == PGRES_TUPLES_OK;
}

static bool is_shared(PGconn *conn, const struct pg_params *params, int backend_pid)
{
    if (pg_session_is_shared(params->names, params->values, backend_pid))
        return true;
    for (int i = 0; i < PG_SESSION_LOOKS; i++) {
        if (ask_pid(conn, now_ms() + PROBE_WAIT_MS) != backend_pid)
            return true;
    }
    return false;
}

static bool prepare(PGconn *conn, const struct pg_params *params, const struct pg_session *session,
                    uint64_t timeout_ms, char *reason, size_t reason_bytes)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    bool is_good = false;

    pg_session_put_sql(&sql, session);
    if (!run(conn, PG_SESSION_LOOK_SQL, timeout_ms, &result) ||
        pg_session_is_unfit(result, reason, reason_bytes))
        goto out;
    if (pg_session_is_pooled(result, conn) &&
        is_shared(conn, params, atoi(PQgetvalue(result, 0, 0)))) {
        snprintf(reason, reason_bytes, "%s", pg_session_shared_reason);
        goto out;
    }
    PQclear(result);
    is_good = run(conn, buffer_text(&sql), timeout_ms, &result) &&
              !pg_session_is_unset(result, reason, reason_bytes);
out:
    PQclear(result);
    buffer_release(&sql);
    return is_good;
}

void pg_session_failure(const PGconn *conn, char *reason, size_t reason_bytes)
{
    const char *message = PQerrorMessage(conn);

    snprintf(reason, reason_bytes, "%s",
             *message ? message : "the server is connected, and does not answer in time");
}

PGconn *pg_session_open(const char *url, const char *application_name,
                        const struct pg_session *session, uint64_t timeout_ms, char *reason,
                        size_t reason_bytes)
{
    struct pg_params params;
    char timeout_s[24];
    char *password;
    bool is_good;
    PGconn *conn;

    snprintf(timeout_s, sizeof(timeout_s), "%" PRIu64, (timeout_ms + 999) / 1000);
    pg_params_fill(&params, url, application_name, false, NULL);
    pg_params_add(&params, "connect_timeout", timeout_s);
    if (!pg_password_add(&params, &password, reason, reason_bytes))
        return NULL;
    conn = PQconnectdbParams(params.names, params.values, 1);
    reason[0] = '\0';
    is_good = PQstatus(conn) == CONNECTION_OK &&
              prepare(conn, &params, session, timeout_ms, reason, reason_bytes);
    free(password);
    if (is_good)
        return conn;
    if (!reason[0]) {
        pg_session_failure(conn, reason, reason_bytes);
        reason[strcspn(reason, "\n")] = '\0';
        pg_url_scrub(conn, reason);
    }
    PQfinish(conn);
    return NULL;
}

/* ---- the end ------------------------------------------------------------------------------ */

void pg_session_leave(PGconn *conn)
{
    if (PQtransactionStatus(conn) == PQTRANS_IDLE && PQsendQuery(conn, LEAVE_SQL))
        PQflush(conn);
}

void pg_session_close(PGconn *conn)
{
    if (PQtransactionStatus(conn) == PQTRANS_IDLE)
        PQclear(pg_session_ask(conn, LEAVE_SQL, CLOSE_WAIT_MS));
    PQfinish(conn);
}
