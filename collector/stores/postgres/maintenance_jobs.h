/* maintenance_jobs.h: the jobs of maintenance.h: what each asks of the database, and reads from its
 * answer. When they run is for maintenance.c alone.
 */
#ifndef HIGHWATER_MAINTENANCE_JOBS_H
#define HIGHWATER_MAINTENANCE_JOBS_H

#include "collector/stores/postgres/maintenance.h"

enum {
    MAINTENANCE_SECOND_MS = 1000,
    MAINTENANCE_MINUTE_MS = 60 * MAINTENANCE_SECOND_MS,
    MAINTENANCE_HOUR_MS = 60 * MAINTENANCE_MINUTE_MS
};

struct maintenance_job_kind {
    const char *name;
    uint64_t every_ms;
    bool for_all;  /* not only for the holder of the lock */
    bool is_heavy; /* rest afterwards */
    void (*put_sql)(struct maintenance *maintenance, struct buffer *sql);
    void (*read)(struct maintenance *maintenance,
                 const PGresult *result); /* NULL = nothing to read */
};

extern const struct maintenance_job_kind maintenance_jobs[MAINTENANCE_JOB_COUNT];

#endif
