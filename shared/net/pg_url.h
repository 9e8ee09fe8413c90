/* pg_url.h: connection strings of libpq, and the passwords in them.
 *
 * Errors   pg_url_flaw() says what is wrong without quoting any of it.
 * Source   PostgreSQL 15 manual, section 34.1.1.
 */
#ifndef HIGHWATER_PG_URL_H
#define HIGHWATER_PG_URL_H

#include "shared/net/pg_hosts.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { PG_PARAMS_MAX = 16 };

/* For PQconnectStartParams() and its like, ended by NULL; points into what it was made of. */
struct pg_params {
    const char *names[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int count;
};

/* NULL when `url` is a connection string (NULL and "" are: the PG* variables); otherwise what is
 * legal. Also when libpq would take it, but for something else than was meant: it would then quote
 * what it takes for a host, and that is a part of the password. */
const char *pg_url_flaw(const char *url);

/* What we want of a connection, with the URL's own wishes above it. `keeps_name`: the application's
 * name is not the URL's to choose. `place`: of its hosts that one; NULL = as the URL has it. */
void pg_params_fill(struct pg_params *params, const char *url, const char *application_name,
                    bool keeps_name, const struct pg_place *place);
void pg_params_add(struct pg_params *params, const char *name, const char *value);

/* Copies the host that has to be looked up; false when there is none: a socket, a number, a
 * hostaddr given, or a list of hosts (pg_hosts.h). */
bool pg_url_host(const char *url, char *out, size_t out_bytes);

/* Not an address, nor where a socket is. */
bool pg_url_is_name(const char *host);

/* Hides the connection's passwords in a text of libpq's. */
void pg_url_scrub(const PGconn *conn, char *text);

#endif
