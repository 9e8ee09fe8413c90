/* pg_password.h: the database's password, when a file has it.
 *
 * Shape    One file for the process, since a program is one role: named once, before the first connection,
 *          and read again at each, so that a password can be changed while programs run. libpq's own
 *          passfile would be another way, but it takes no file that a group may read, which is what
 *          systemd makes of credentials, and none with a password alone.
 * Errors   no connection is made without the file; the reason names it.
 */
#ifndef HIGHWATER_PG_PASSWORD_H
#define HIGHWATER_PG_PASSWORD_H

#include "shared/net/pg_url.h"

/* NULL or "": none. The path must stay. */
void pg_password_set_file(const char *path);

/* Adds the password, which wins over one in the URL, and gives it to the caller, who frees it after the
 * connection has begun. Without a file nothing is added, and `password` is NULL. */
bool pg_password_add(struct pg_params *params, char **password, char *reason, size_t reason_bytes);

#endif
