/* store_inner.h: what the files of the store know of each other; nobody else includes it.
 *
 * Files    store.c              the states, and a batch from its beginning to its commit
 *          store_session.c      the session: its settings, the lock, the identity
 *          store_devices.c      devices get their ids in the database
 *          store_transaction.c  the text of a transaction, and what its results say
 *          store_retry.c        after a try that failed: what to try next
 *          store_removals.c     what others took out of the tables, or put in
 */
#ifndef HIGHWATER_STORE_INNER_H
#define HIGHWATER_STORE_INNER_H

#include "collector/stores/postgres/store.h"

enum {
    STORE_HOLD_RETRY_MS = 2000,
    STORE_REFUSED_SAID_MOST = 3 /* refused readings of a batch, one by one */
};

/* store.c */
void store_set_state(struct store *store, enum store_state state);
void store_become_ready(struct store *store);
void store_next_try(struct store *store);
void store_on_timer(uv_timer_t *timer);

/* Waits before another try. */
void store_pause(struct store *store, uint64_t ms);

/* Needs an operator: logs it once, then retries silently. */
void store_hold(struct store *store, const char *what, const struct pg_error *error);

/* One query of the store itself, with the first `copy_count` of its copies. */
void store_submit(struct store *store, const char *sql, size_t copy_count,
                  void (*on_result)(struct pg_query *, const PGresult *),
                  void (*on_done)(struct pg_query *, const struct pg_error *));

/* store_session.c */
void store_prepare(struct store *store);

/* store_devices.c: true when the batch has devices without an id in the database, which are being
 * registered now; store_next_try() follows. */
bool store_register_devices(struct store *store);

/* store_transaction.c */
void store_write_batch(struct store *store,
                       void (*on_done)(struct pg_query *query, const struct pg_error *error));

/* store_retry.c */

/* After the ROLLBACK that follows a failed try. */
void store_on_rolled_back(struct pg_query *query, const struct pg_error *error);

/* The first row of the part goes among the rejected messages. */
void store_refuse_row(struct store *store);

bool store_is_too_much(const struct pg_error *error);

/* Parts of half as many rows; false when there is nothing left to be halved. */
bool store_shrink(struct store *store);

/* Larger parts again, when twice as much can still be expected to be in time. */
void store_grow(struct store *store);

/* store_removals.c */
void store_ask_removals(struct store *store);
void store_on_notify(struct pg_link *link, const char *payload);

#endif
