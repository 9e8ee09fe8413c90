/* On the connection of maintenance, between its other jobs: a slice takes no longer than one of rollups, so
 * they do not wait for it for long, and one lock says who does either. (A connection of its own would need
 * another, and behind a pooler it might be given the very session that holds ours.) */
#include "collector/stores/postgres/maintenance_packing.h"

#include "shared/base/failpoint.h"
#include "shared/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_SHARE = 3,        /* times as long as the slice: rollups and values come in between */
    PAUSE_SHARE_BEHIND = 1, /* while more than one partition waits */
    PAUSE_LEAST_MS = 20,
    LOCKED_MS = 1000, /* another has a lock that it needs */
    SETTLED_SHARE =
        10 /* of PACK_AFTER: how long late readings wait for others before they are merged */
};

#define SETTLED_MOST_US (INT64_C(5) * 60 * 1000000)

uint64_t maintenance_pack_pause_ms(uint64_t took_ms, int64_t waiting)
{
    uint64_t pause_ms = took_ms * (waiting > 1 ? PAUSE_SHARE_BEHIND : PAUSE_SHARE);

    return pause_ms > PAUSE_LEAST_MS ? pause_ms : PAUSE_LEAST_MS;
}

void maintenance_put_pack(struct maintenance *maintenance, struct buffer *sql)
{
    int64_t after_us = maintenance->config.pack_after_us;
    int64_t settled_us =
        after_us / SETTLED_SHARE < SETTLED_MOST_US ? after_us / SETTLED_SHARE : SETTLED_MOST_US;

    buffer_printf(sql,
                  "SELECT did, partition, readings, wants_more FROM packing_step("
                  "'%" PRId64 " microseconds', '%" PRId64 " microseconds')",
                  after_us, settled_us);
    FAILPOINT_SOON("packing", 2000);
}

void maintenance_read_pack(struct maintenance *maintenance, const PGresult *result)
{
    struct maintenance_packing *packing = &maintenance->stats.packing;
    uint64_t now_ms = uv_now(maintenance->link.loop);

    packing->has_failed = false;
    if (PQntuples(result) != 1 || PQnfields(result) != 4 || PQgetisnull(result, 0, 0))
        return;
    if (strcmp(PQgetvalue(result, 0, 0), "waits") == 0) {
        maintenance->again_ms = LOCKED_MS;
        return;
    }
    if (strcmp(PQgetvalue(result, 0, 0), "turned") == 0)
        log_info("maintenance: %s is packed", PQgetvalue(result, 0, 1));
    packing->packed += strtoull(PQgetvalue(result, 0, 2), NULL, 10);
    if (*PQgetvalue(result, 0, 3) == 't')
        maintenance->again_ms =
            maintenance_pack_pause_ms(now_ms - maintenance->began_ms, packing->waiting);
}

void maintenance_put_packed(struct maintenance *maintenance, struct buffer *sql)
{
    buffer_put_text(sql, "SELECT packed_days, packed_readings, packed_bytes, late_readings,"
                         " waiting_days, share FROM packing_status(");
    if (maintenance->config.pack_after_us > 0)
        buffer_printf(sql, "'%" PRId64 " microseconds')", maintenance->config.pack_after_us);
    else
        buffer_put_text(sql, "NULL)");
}

void maintenance_read_packed(struct maintenance *maintenance, const PGresult *result)
{
    struct maintenance_packing *packing = &maintenance->stats.packing;

    if (PQntuples(result) != 1 || PQnfields(result) != 6)
        return;
    packing->days = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    packing->readings = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    packing->bytes = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
    packing->late = strtoll(PQgetvalue(result, 0, 3), NULL, 10);
    packing->waiting = strtoll(PQgetvalue(result, 0, 4), NULL, 10);
    packing->share = strtod(PQgetvalue(result, 0, 5), NULL);
    packing->is_known = true;
}
