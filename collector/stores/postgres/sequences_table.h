/* sequences_table.h: keeps the numbers of devices (sequences.h) in the database.
 *
 * Shape    a round is written in statements of SEQUENCES_TABLE_MOST devices, a transaction each, in the
 *          order of their numbers there, so that two collectors never wait for each other: first the
 *          rows of device_sequences, and with the last of them the mark (sequence_marks).
 * Errors   what was not written is written with the next round.
 * Owner    embedded; sequences_table_release() frees it, once its link is closed.
 */
#ifndef HIGHWATER_SEQUENCES_TABLE_H
#define HIGHWATER_SEQUENCES_TABLE_H

#include "collector/sequences.h"
#include "collector/stores/postgres/refs.h"
#include "shared/base/buffer.h"
#include "shared/net/pg_link.h"

enum { SEQUENCES_TABLE_MOST = 5000 }; /* devices in one statement */

struct sequences_table {
    const struct refs *refs;
    const char *collector_id;
    struct sequences *sequences; /* that are being written */
    uint64_t clears;             /* of them, when the statement was sent */
    unsigned ticks;              /* since the last round */
    bool is_saving;
    struct pg_link *link;
    struct pg_query query;
    struct buffer sql;
};

void sequences_table_init(struct sequences_table *table, const struct refs *refs,
                          const char *collector_id);
void sequences_table_release(struct sequences_table *table);

/* Call once a second. Every few seconds, with the link up, it writes what changed. */
void sequences_table_tick(struct sequences_table *table, struct sequences *sequences,
                          struct pg_link *link, int64_t settled_until_us);

/* A part of it: the next statement of a round. */
void sequences_table_put(const struct sequences_table *table, struct sequences *sequences,
                         struct buffer *out);

#endif
