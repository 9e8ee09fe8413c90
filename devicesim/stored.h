/* stored.h: what a database has of the devices of a ledger.
 *
 * Shape    each table is read once, with COPY: a query for each reading would take longer than
 *          sending it did. Waits for libpq, since there is no loop and nothing else to do.
 * Errors   false, with a line in the log.
 * Owner    the connection is the caller's.
 */
#ifndef HIGHWATER_STORED_H
#define HIGHWATER_STORED_H

#include "devicesim/verdict.h"
#include "shared/model/features.h"
#include "shared/model/topic.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* Whether this user may read the tables and they are a version that we know. */
bool stored_is_readable(PGconn *conn);

/* Which features the store keeps: the columns of the view that are numbers with a fraction. */
bool stored_features(PGconn *conn, struct features *out);

/* Gives the verdict each row, and each rejected message on the topic, of the ledger's devices. */
bool stored_readings(PGconn *conn, struct verdict *verdict);
bool stored_rejections(PGconn *conn, struct verdict *verdict, const struct topic_filter *topic);

#endif
