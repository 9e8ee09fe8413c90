/* pg_url.h: connection strings of libpq, and the passwords in them.
 *
 * Errors   pg_url_flaw() says what is wrong without quoting any of it.
 * Source   PostgreSQL 15 manual, section 34.1.1.
 */
#ifndef HIGHWATER_PG_URL_H
#define HIGHWATER_PG_URL_H

#include <libpq-fe.h>

/* NULL when `url` is a connection string (NULL and "" are: the PG* variables); otherwise what is
 * legal. Also when libpq would take it, but for something else than was meant: it would then quote
 * what it takes for a host, and that is a part of the password. */
const char *pg_url_flaw(const char *url);

/* Hides the connection's passwords in a text of libpq's. */
void pg_url_scrub(const PGconn *conn, char *text);

#endif
