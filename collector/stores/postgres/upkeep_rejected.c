#include "collector/stores/postgres/upkeep_rejected.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stdlib.h>

void upkeep_put_rejected(struct upkeep *upkeep, struct buffer *sql)
{
    const struct upkeep_config *config = &upkeep->config;

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

void upkeep_take_rejected(struct upkeep *upkeep, const PGresult *result)
{
    struct upkeep_stats *stats = &upkeep->stats;
    uint64_t forgotten;

    if (PQntuples(result) != 1 || PQnfields(result) != 4)
        return;
    forgotten = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    stats->rejected_kept = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    stats->rejected_bytes = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
    stats->knows_rejected = true;
    stats->rejected_forgotten += forgotten;
    upkeep->forgotten_unsaid += forgotten;
    upkeep->wants_more = *PQgetvalue(result, 0, 3) == 't';
    if (upkeep->wants_more || upkeep->forgotten_unsaid == 0)
        return;
    log_warning("upkeep: the %" PRIu64 " oldest rejected messages were deleted, for "
                "REJECTED_RETENTION or REJECTED_SIZE; %" PRId64 " are left",
                upkeep->forgotten_unsaid, stats->rejected_kept);
    upkeep->forgotten_unsaid = 0;
}
