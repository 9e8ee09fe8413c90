/* replayed.h: as of when a standby is.
 *
 * Shape    REPLAYED_SQL is asked before the transaction that is to be as of that time, on the same
 *          connection: what has been replayed when it is answered is in every later snapshot.
 * Units    microseconds since 1970, by the clock of the primary's host; never later than ours, for
 *          nobody asks about a time to come.
 * Source   schema/012_heartbeat.sql
 */
#ifndef HIGHWATER_REPLAYED_H
#define HIGHWATER_REPLAYED_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define REPLAYED_SQL "SELECT pg_is_in_recovery(), replayed_until()"

struct replayed {
    bool is_standby;
    bool is_known; /* and then: */
    int64_t as_of_us;
};

/* Of a result of that statement, as text. */
void replayed_read(struct replayed *out, const PGresult *result);

/* From such two columns of any result. */
void replayed_read_at(struct replayed *out, const PGresult *result, int row, int column);

#endif
