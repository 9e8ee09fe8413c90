/* migrate.h: brings the database to the schema this program knows, and keeps its partitions ahead.
 *
 * Shape    one run: connect, take the advisory lock, refuse a database that other files have
 *          made (schema_migrations has the hash of each), apply those of schema/ that it does not
 *          list (each in a transaction of its own), add a column for each
 *          configured feature, make the partitions of the days around now, disconnect. Every step
 *          does nothing where it is done already, so any number of collectors may run it.
 * Errors   what passes (no connection, a lock) is tried again, for as long as `give_up_after_ms` says; what a person must correct ends the run
 *          with its text.
 * Owner    embedded; on_done comes once per run, after the connection is closed.
 */
#ifndef HIGHWATER_MIGRATE_H
#define HIGHWATER_MIGRATE_H

#include "collector/stores/postgres/applied.h"
#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/net/pg_link.h"

/* From yesterday on, so that readings around midnight find theirs, to a week ahead. What someone
 * holds a lock on is left to the next time. The answer is how many those are, and whether there is
 * more to do at once. */
#define MAKE_PARTITIONS_SQL                                                                        \
    "SELECT missing, wants_more FROM make_partitions("                                             \
    "date_trunc('day', now(), 'UTC') - interval '24 hours',"                                       \
    " date_trunc('day', now(), 'UTC') + interval '192 hours', '%s')"

struct migrate {
    struct pg_link link;
    struct pg_query query;
    const struct features *features;
    const char *partition; /* day, week or month */
    void *user;
    void (*on_done)(struct migrate *migrate, const char *error); /* NULL = all is as it should be */
    int step;
    struct applied applied;
    size_t next_file;
    struct buffer sql;
    char error[400];
    uint64_t give_up_after_ms; /* 0 = never */
    uint64_t started_ms;
    bool wants_more; /* the step is to be done again */
    bool is_running;
};

/* False when the URL is no connection string. */
bool migrate_start(struct migrate *migrate, uv_loop_t *loop, const char *database_url,
                   const struct features *features, const char *partition,
                   uint64_t give_up_after_ms, void *user,
                   void (*on_done)(struct migrate *migrate, const char *error), char *error,
                   size_t error_bytes);

/* Ends a run early; on_done comes with an error. Nothing happens when none is under way. */
void migrate_cancel(struct migrate *migrate);

#endif
