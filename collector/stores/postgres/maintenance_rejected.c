#include "collector/stores/postgres/maintenance_rejected.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stdlib.h>

void maintenance_put_rejected(struct maintenance *maintenance, struct buffer *sql)
{
    const struct maintenance_config *config = &maintenance->config;

    if (config->rejected_retention_us > 0)
        buffer_printf(sql,
                      "SELECT * FROM rejected_forget(now() - interval '%" PRId64 " microseconds', ",
                      config->rejected_retention_us);
    else
        buffer_put_text(sql, "SELECT * FROM rejected_forget(NULL, ");
    if (config->rejected_bytes > 0)
        buffer_printf(sql, "%" PRIu64 ")", config->rejected_bytes);
    else
        buffer_put_text(sql, "NULL)");
}

void maintenance_read_rejected(struct maintenance *maintenance, const PGresult *result)
{
    struct maintenance_stats *stats = &maintenance->stats;
    uint64_t forgotten;

    if (PQntuples(result) != 1 || PQnfields(result) != 4)
        return;
    forgotten = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    stats->rejected_kept = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    stats->rejected_bytes = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
    stats->knows_rejected = true;
    stats->rejected_forgotten += forgotten;
    maintenance->forgotten_unsaid += forgotten;
    maintenance->wants_more = *PQgetvalue(result, 0, 3) == 't';
    if (maintenance->wants_more || maintenance->forgotten_unsaid == 0)
        return;
    log_warning("maintenance: the %" PRIu64 " oldest rejected messages were deleted, for "
                "REJECTED_RETENTION or REJECTED_SIZE; %" PRId64 " are left",
                maintenance->forgotten_unsaid, stats->rejected_kept);
    maintenance->forgotten_unsaid = 0;
}
