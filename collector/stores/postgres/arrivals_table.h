/* arrivals_table.h: writes when each device's last reading came, and how far its timestamp was from that
 * (hearing.h), into device_states (schema/015_device_states.sql).
 *
 * Shape    each second those whose row is ARRIVALS_TABLE_OLD_US old, or who have been silent for
 *          ARRIVALS_TABLE_SILENT_US since, on maintenance's connection, in turn, and a part of the fleet at most:
 *          a device that sends often is not written as often, and what that costs at most does not
 *          grow with the fleet; how old a row is does.
 * Cost     some 15 us of PostgreSQL's for each: two columns change that have an index each, so every index of
 *          the row gets an entry. At a reading a second and device that is half a microsecond a reading.
 * Errors   what was not written is written again.
 * Limits   what has not been written when the collector ends is not known: such a device seems to have been
 *          heard so much earlier, until it sends again.
 * Owner    embedded; arrivals_table_release() frees it, once its link is closed.
 */
#ifndef HIGHWATER_ARRIVALS_TABLE_H
#define HIGHWATER_ARRIVALS_TABLE_H

#include "collector/hearing.h"
#include "collector/stores/postgres/refs.h"
#include "shared/base/buffer.h"
#include "shared/net/pg_link.h"

/* Devices in a statement, at most: of a small fleet, and of a large one. */
enum { ARRIVALS_TABLE_LEAST = 200, ARRIVALS_TABLE_MOST = 2000 };

#define ARRIVALS_TABLE_OLD_US (INT64_C(30) * 1000000)
#define ARRIVALS_TABLE_SILENT_US (INT64_C(10) * 1000000)

struct arrivals_table {
    const struct refs *refs;
    struct hearing *hearing;
    uint64_t clears; /* of it, when the statement was made */
    bool is_busy;
    bool has_failed; /* and that was said */
    size_t next;     /* the device whose turn it is */
    size_t count;    /* devices that the statement is about, */
    uint32_t devices[ARRIVALS_TABLE_MOST];
    int64_t received_at_us[ARRIVALS_TABLE_MOST]; /* and what it says of each */
    struct pg_query query;
    struct buffer sql;
};

void arrivals_table_init(struct arrivals_table *table, const struct refs *refs);
void arrivals_table_release(struct arrivals_table *table);

/* Call once a second, when all devices of the database are known. */
void arrivals_table_tick(struct arrivals_table *table, struct hearing *hearing,
                         struct pg_link *link);

/* Parts of it: makes the statement about those that are due, if there are any; and notes that it was done. */
bool arrivals_table_put(struct arrivals_table *table, const struct hearing *hearing,
                        int64_t now_us);
void arrivals_table_note_written(const struct arrivals_table *table, struct hearing *hearing);

#endif
