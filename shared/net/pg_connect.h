/* pg_connect.h: from an attempt to a session that is ours; a part of pg_link.c, for nobody else.
 *
 * Shape    resolving -> connecting -> preparing (the look, perhaps a probe, the settings) -> up.
 *          Whatever fails on the way ends in pg_link_down() with the reason.
 */
#ifndef HIGHWATER_PG_CONNECT_H
#define HIGHWATER_PG_CONNECT_H

#include "shared/net/pg_link.h"

/* What pg_link.c calls. */
void pg_connect_attempt(struct pg_link *link);
void pg_connect_poll(struct pg_link *link);
void pg_connect_pop_state(struct pg_link *link, char *text); /* moves the SQLSTATE out of it */
/* Whether another host of the round is to be tried at once. If not, the reason becomes the round's. */
bool pg_connect_has_next(struct pg_link *link, char *reason, size_t reason_bytes);
void pg_connect_forget(struct pg_link *link); /* the connection ends: nothing may come back to it */

/* What it offers. */
void pg_link_set_state(struct pg_link *link, enum pg_link_state state);
void pg_link_down(struct pg_link *link, const char *reason);
void pg_link_down_as_libpq_says(struct pg_link *link);
void pg_link_watch(struct pg_link *link, int events); /* the socket, which may be another one now */
void pg_link_run(struct pg_link *link, struct pg_query *query);
void pg_link_up(struct pg_link *link);

#endif
