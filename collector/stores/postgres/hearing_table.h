/* hearing_table.h: keeps in the database when devices were heard (hearing.h, schema/014_hearing.sql).
 *
 * Shape    first what was kept under our id is read, then it is written each minute; part by part, a
 *          statement each, on maintenance's connection. What another has heard later is his.
 * Cost     of 100,000 devices 25 statements of 2 to 6 ms, each minute.
 * Errors   what was not read or written is read or written again.
 * Owner    embedded; hearing_table_release() frees it, once its link is closed.
 */
#ifndef HIGHWATER_HEARING_TABLE_H
#define HIGHWATER_HEARING_TABLE_H

#include "collector/hearing.h"
#include "collector/stores/postgres/refs.h"
#include "shared/base/buffer.h"
#include "shared/net/pg_link.h"

enum { HEARING_TABLE_PART = 4096 }; /* devices in one row */

struct hearing_table {
    const struct refs *refs;
    const char *collector_id;
    struct hearing *hearing;
    uint64_t clears; /* of it, when we began to read */
    bool has_read;   /* all that was kept */
    bool is_busy;
    bool has_failed; /* and that was said */
    bool found;      /* by the statement: there was a part */
    int32_t part;    /* that is read or written */
    unsigned ticks;  /* until it is written again */
    struct pg_link *link;
    struct pg_query query;
    struct buffer sql;
};

void hearing_table_init(struct hearing_table *table, const struct refs *refs,
                        const char *collector_id);
void hearing_table_release(struct hearing_table *table);

/* Call once a second, when all devices of the database are known. */
void hearing_table_tick(struct hearing_table *table, struct hearing *hearing, struct pg_link *link);

/* Parts of it: what is written of a part, as an array's text; and what is read of one. */
void hearing_table_put(const struct refs *refs, const struct hearing *hearing, int32_t part,
                       struct buffer *out);
void hearing_table_take(const struct refs *refs, struct hearing *hearing, int32_t part,
                        const char *array);

#endif
