/* maintenance.h: looks after storage while readings flow: partitions, retention, rollups.
 *
 * Shape    a connection of its own and a table of jobs, each a function of the schema that does one
 *          slice and says whether there is more; between two slices it rests for as long as the
 *          last one took. Of all collectors of a database one holds the advisory lock and does all
 *          jobs; the others wait for it, and make only the partitions that readings ask for.
 * Promise  nothing here makes who stores readings wait longer than a lock_timeout of 200 ms. Every
 *          slice is one transaction, so an end at any time leaves the answers as exact as before.
 * Units    durations in microseconds as in options.h; timestamps in microseconds since 1970.
 * Errors   a job that fails is said once and tried again.
 * Owner    embedded; maintenance_close() ends it, on_closed comes once.
 */
#ifndef HIGHWATER_MAINTENANCE_H
#define HIGHWATER_MAINTENANCE_H

#include "shared/base/buffer.h"
#include "shared/net/pg_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maintenance;

enum maintenance_job {
    MAINTENANCE_RIGHTS,
    MAINTENANCE_LOCK,
    MAINTENANCE_COLLECTORS,
    MAINTENANCE_BEAT,
    MAINTENANCE_REQUESTS,
    MAINTENANCE_PARTITIONS,
    MAINTENANCE_DETACH,
    MAINTENANCE_DROP,
    MAINTENANCE_SUMMARIZE,
    MAINTENANCE_ANNOUNCE,
    MAINTENANCE_ROLL,
    MAINTENANCE_FOLD_FLEET,
    MAINTENANCE_FOLD_LATE,
    MAINTENANCE_REJECTED,
    MAINTENANCE_DEVICES,
    MAINTENANCE_RECENT_VALUES,
    MAINTENANCE_STATUS,
    MAINTENANCE_SIZES,
    MAINTENANCE_PACKED,
    MAINTENANCE_PACK,
    MAINTENANCE_LATE_VALUES,
    /* last: these may go on for long, and whoever comes before them is asked first */
    MAINTENANCE_VALUES,
    MAINTENANCE_MINUTES,
    MAINTENANCE_JOB_COUNT
};

struct maintenance_config {
    const char *database_url;
    const char *partition;         /* day, week or month */
    int64_t span_us;               /* older readings get no partition of their own */
    int64_t retention_us;          /* partitions that end longer ago are dropped; 0 = none is */
    int64_t pack_after_us;         /* partitions that end longer ago are packed; 0 = none is */
    int64_t rejected_retention_us; /* rejected messages that came longer ago are deleted, */
    uint64_t rejected_bytes;       /* and the oldest while they take more than this; 0 = none is */
    int64_t delay_us;              /* what was recorded longer ago is rolled up */
    const char *collector_id;
    void *user;
    /* The client id of the session that the broker has of us, which the database is to remember;
     * NULL = none. */
    const char *(*session)(void *user);
    /* Every second: of each collector whether it is live and how many batches it has stored; then
     * NULL. */
    void (*on_collector)(void *user, const char *id, bool is_live, int64_t batches);
};

enum { MAINTENANCE_SIZES_MOST = 8 };

/* Of packed days (schema/026_packing.sql). */
struct maintenance_packing {
    bool is_known;    /* the first five have been read, of the last few seconds */
    int64_t days;     /* partitions that are packed */
    int64_t readings; /* in them */
    int64_t bytes;    /* which take so much, with their index */
    int64_t late;     /* readings that came since, and wait to be merged */
    int64_t waiting;  /* partitions that are old enough and not packed */
    double share;     /* of the one that is being packed: how much of it is, 0 to 1 */
    uint64_t packed;  /* readings, since the start of the process */
    bool has_failed;  /* the last try of a slice */
};

/* For status and metrics. The numbers about the database are of the last few seconds. */
struct maintenance_stats {
    bool is_holder; /* this collector does the jobs */
    bool is_known;  /* the rest has been read */
    int64_t partitions;
    int64_t default_rows;      /* in readings_default: of days without a partition */
    int64_t requests_open;     /* days that wait for their partition */
    int64_t requests_answered; /* days that stay in readings_default */
    int64_t late_rows;         /* sums that wait to be folded in */
    int64_t fleet_log_rows;
    int64_t rolled_until_us;
    int64_t kept_from_us;        /* INT64_MIN: nothing was ever dropped */
    int64_t oldest_partition_us; /* where it begins; INT64_MIN: there is none */
    uint64_t partitions_made;
    uint64_t partitions_dropped;
    uint64_t slices; /* of rollups */
    bool knows_rejected;
    int64_t rejected_kept; /* rows of rejected_messages */
    int64_t rejected_bytes;
    uint64_t rejected_forgotten;
    struct {
        char what[16];
        int64_t bytes;
    } sizes[MAINTENANCE_SIZES_MOST]; /* on disk, as of the last minute of the holder */
    size_t size_count;               /* 0 = not known */
    struct maintenance_packing packing;
    uint64_t failures;
    char
        lacks[320]; /* a right that the role has not, or whose tables these are; "" = all is well */
};

struct maintenance {
    struct maintenance_config config;
    struct maintenance_stats stats;
    struct pg_link link;
    struct pg_query query;
    struct buffer sql;
    uv_timer_t timer;
    uint64_t due_ms[MAINTENANCE_JOB_COUNT]; /* of the loop's clock */
    uint64_t rest_until_ms;
    uint64_t began_ms; /* the running job */
    uint64_t roll_busy_ms;
    enum maintenance_job job;
    bool is_running;
    bool lacks_found;   /* by the running job, */
    int rights_answers; /* of which so many results are there */
    bool wants_more;    /* the running job said so */
    uint64_t again_ms;  /* or: try again in so long; 0 = as usual */
    int64_t late_before_us;
    int64_t slice_us;
    uint64_t
        forgotten_unsaid; /* rejected messages that were deleted since the last line about it */
    char complaint[400];  /* said last */
    void (*on_closed)(struct maintenance *maintenance);
};

bool maintenance_start(struct maintenance *maintenance, uv_loop_t *loop,
                       const struct maintenance_config *config, char *error, size_t error_bytes);

/* Readings were stored that may lack a partition: look soon. */
void maintenance_poke(struct maintenance *maintenance);

void maintenance_close(struct maintenance *maintenance,
                       void (*on_closed)(struct maintenance *maintenance));

/* How long a slice of rollups may be, after one of `slice_us` took so long. */
int64_t maintenance_next_slice_us(int64_t slice_us, uint64_t took_ms);

#endif
