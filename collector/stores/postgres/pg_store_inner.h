/* pg_store_inner.h: what the files of the store know of each other; nobody else includes it.
 *
 * Files    pg_store.c              the states, and a batch from its beginning to its commit
 *          pg_store_session.c      the session: its settings, the lock, the identity
 *          pg_store_devices.c      devices get their ids in the database
 *          pg_store_transaction.c  the text of a transaction, and what its results say
 *          pg_store_retry.c        after a try that failed: what to try next
 *          pg_store_positions.c    where we stand in the logs that we read
 *          pg_store_abouts.c       what devices say of themselves
 *          pg_store_sparkplug.c    what is known of Sparkplug nodes, saved and loaded
 *          pg_store_removals.c     what others took out of the tables, or put in
 */
#ifndef HIGHWATER_PG_STORE_INNER_H
#define HIGHWATER_PG_STORE_INNER_H

#include "collector/devices.h"
#include "collector/stores/postgres/pg_store.h"

enum {
    PG_STORE_HOLD_RETRY_MS = 2000,
    PG_STORE_REFUSED_SAID_MOST = 3 /* refused readings of a batch, one by one */
};

/* pg_store.c */
void pg_store_set_state(struct pg_store *store, enum pg_store_state state);
void pg_store_become_ready(struct pg_store *store);
void pg_store_next_try(struct pg_store *store);

/* The batch is another's by now. */
void pg_store_fence(struct pg_store *store);
void pg_store_on_timer(uv_timer_t *timer);

/* Waits before another try. */
void pg_store_pause(struct pg_store *store, uint64_t ms);

/* Needs an operator: logs it once, then retries silently. */
void pg_store_hold(struct pg_store *store, const char *what, const struct pg_error *error);

/* One query of the store itself, with the first `copy_count` of its copies. */
void pg_store_submit(struct pg_store *store, const char *sql, size_t copy_count,
                     void (*on_result)(struct pg_query *, const PGresult *),
                     void (*on_done)(struct pg_query *, const struct pg_error *));

/* pg_store_session.c */
void pg_store_prepare(struct pg_store *store);

/* pg_store_devices.c: true when the batch has devices without an id in the database, which are being
 * registered now; pg_store_next_try() follows. */
bool pg_store_register_devices(struct pg_store *store);

/* pg_store_transaction.c */
void pg_store_write_batch(struct pg_store *store,
                          void (*on_done)(struct pg_query *query, const struct pg_error *error));

/* Says that a statement was added to the string. */
/* NULL where there is no text. */
void pg_store_put_literal(const struct pg_store *store, struct buffer *sql, const char *text);
void pg_store_note_statement(struct pg_store *store, enum pg_store_statement what);

/* pg_store_positions.c */

/* Into a try's string; with the last of a batch they move. */
void pg_store_put_positions(struct pg_store *store, bool is_last);

/* Those that are wanted, unless a batch is under way: then after it. */
void pg_store_ask_positions(struct pg_store *store);
void pg_store_release_positions(struct pg_store *store);

/* pg_store_sparkplug.c */

/* Into a try's string, with the last of the readings. */
void pg_store_put_sparkplug(struct pg_store *store);
void pg_store_on_again(struct pg_store *store, const PGresult *result);
void pg_store_clear_again(struct pg_store *store);
void pg_store_give_again(struct pg_store *store);

/* When the turn is new; then, as in every case, pg_store_ask_removals(). */
void pg_store_load_sparkplug(struct pg_store *store);

/* pg_store_retry.c */

/* After the ROLLBACK that follows a failed try. */
void pg_store_on_rolled_back(struct pg_query *query, const struct pg_error *error);

/* The first row of the part goes among the rejected messages. */
void pg_store_refuse_row(struct pg_store *store);

bool pg_store_is_too_much(const struct pg_error *error);

/* Parts of half as many rows; false when there is nothing left to be halved. */
bool pg_store_shrink(struct pg_store *store);

/* Larger parts again, when twice as much can still be expected to be in time. */
void pg_store_grow(struct pg_store *store);

/* pg_store_abouts.c: with the last of a batch, what devices say of themselves. */
void pg_store_put_abouts(struct pg_store *store);

/* pg_store_removals.c */
void pg_store_ask_removals(struct pg_store *store);
void pg_store_on_notify(struct pg_link *link, const char *payload);

#endif
