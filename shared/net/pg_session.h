/* pg_session.h: what every session of ours is told, asked and spared, in one place.
 *
 * Shape    first the look (PG_SESSION_LOOK_SQL), before anything is set: whether the database can hold
 *          our texts, and whether a pooler stands between. Then the settings, and in the same round
 *          trip what became of them. Both ways to connect go through here: pg_link.h does it on the
 *          loop, pg_session_open() waits. What a pooler keeps of a session when its client is gone, such
 *          as locks, is given back at the end, and at the beginning in place of whoever was killed.
 * Why      Role, database, URL (options=), PGOPTIONS and postgresql.conf all set defaults, and any of
 *          them can make an answer wrong (DateStyle, search_path), a promise void (synchronous_commit)
 *          or work endless (statement_timeout). What a session sets itself is above them all.
 * Errors   a reason, one sentence, for a person.
 * Source   PostgreSQL 15 manual, chapter 20.
 */
#ifndef HIGHWATER_PG_SESSION_H
#define HIGHWATER_PG_SESSION_H

#include "shared/base/buffer.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What differs between our sessions. */
struct pg_session {
    bool reads_only;
    uint64_t statement_timeout_ms; /* 0 = none */
    uint64_t lock_timeout_ms;
};

#define PG_SESSION_LOOK_SQL                                                                        \
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.getdatabaseencoding(),"                        \
    " pg_catalog.current_database()"

/* Why the database cannot be ours, from the result of the look; false = it can. */
bool pg_session_is_unfit(const PGresult *look, char *reason, size_t reason_bytes);

/* Whether a pooler stands between, by the same: the server's process is not the one that we were
 * told of. */
bool pg_session_is_pooled(const PGresult *look, const PGconn *conn);

/* Whether the pooler gives our session to others between two transactions: it gives it to a second
 * connection of ours, or that one gets several. When neither happens the caller looks again, which
 * must be answered by the same process: a pooler that shares takes the session that became free last,
 * which is ours, and the second connection gets it; or is another, and then we do.
 * Waits, for a few seconds at most; may run in any thread. */
bool pg_session_is_shared(const char *const *names, const char *const *values, int backend_pid);
extern const char pg_session_shared_reason[];

enum { PG_SESSION_LOOKS = 3 }; /* how often to look again */

/* Appends what clears the session of a client before us, the settings, and the question what became of
 * them. */
void pg_session_put_sql(struct buffer *sql, const struct pg_session *session);

/* Of the results of that string, the answer is one. */
bool pg_session_is_answer(const PGresult *result);

/* From the answer: whether a setting does not hold, and which; and what of the server weakens what is
 * stored there, "" = nothing. */
bool pg_session_is_unset(const PGresult *answer, char *reason, size_t reason_bytes);
void pg_session_weakness(const PGresult *answer, char *warning, size_t warning_bytes);

/* From the same: whether the server is a standby. It may be promoted while the session lasts. */
bool pg_session_is_standby(const PGresult *answer);

/* Connects, waiting up to `timeout_ms` for an answer; NULL with the reason. */
PGconn *pg_session_open(const char *url, const char *application_name,
                        const struct pg_session *session, uint64_t timeout_ms, char *reason,
                        size_t reason_bytes);

/* Ends it; NULL is accepted. */
void pg_session_close(PGconn *conn);

/* For who does not wait, before PQfinish() of a connection to a pooler: locks, subscriptions, settings and
 * temporary tables are given back. No answer is waited for. If the pooler reads the end of the connection
 * before the answer, it ends the session, as it must end one that is in the middle of a query or of a
 * transaction. */
void pg_session_leave(PGconn *conn);

/* For those that wait. PQexec() has no end where a server holds the connection and says nothing: a machine
 * that is stopped, a proxy without what is behind it. The server's statement_timeout does not help then.
 *
 * As PQexec(): the last result, or the one that failed; NULL when the time is over, or the connection. */
PGresult *pg_session_ask(PGconn *conn, const char *sql, uint64_t timeout_ms);

/* Until PQgetResult() need not wait; false when the time is over, or the connection. */
bool pg_session_wait(PGconn *conn, uint64_t timeout_ms);

/* What libpq says, or that nothing came. */
void pg_session_failure(const PGconn *conn, char *reason, size_t reason_bytes);

#endif
