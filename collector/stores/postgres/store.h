/* store.h: puts batches into PostgreSQL, one at a time, until each is committed.
 *
 * Shape    owns the connection that writes. A batch is one transaction: the readings by binary COPY,
 *          the peaks they improve, the rejected messages. States:
 *          away -> preparing -> (locked_out) -> ready -> writing -> ready
 *                                                 writing <-> pausing (before another try)
 * Promise  on_stored comes after the tag COMMIT was seen, and not before. Until then the batch
 *          is tried again for as long as it takes; rows are idempotent, so trying again is safe when
 *          it is not known whether a try succeeded.
 * Errors   transient ones: again, with backoff. A key that is there already: again through a staging
 *          table that skips those. A row that the database refuses (SQLSTATE 22, 23): found by
 *          halves (parts.h) and kept among the rejected messages. What takes too long, or too much
 *          memory: in halves, down to single rows, and later batches so, too, until it goes well. A
 *          schema that does not fit, or a server that does not keep what it commits: hold, and say so.
 * Removals what is taken out of the tables (schema/007_removal.sql) is told by a notification, and a
 *          batch that does not know of it is sent back. Either way the store asks which devices it was,
 *          between two tries, and says so before anything else is stored.
 * Limits   one live collector per id: the session holds an advisory lock, a second one waits.
 * Owner    embedded; the batch belongs to the caller and must not change while it is written.
 */
#ifndef HIGHWATER_STORE_H
#define HIGHWATER_STORE_H

#include "collector/batch.h"
#include "collector/devices.h"
#include "collector/mqtt_identity.h"
#include "collector/stores/postgres/fleet_rollup.h"
#include "collector/stores/postgres/parts.h"
#include "collector/stores/postgres/peaks.h"
#include "collector/stores/postgres/rows.h"
#include "collector/subscriptions.h"
#include "shared/net/pg_link.h"

struct store;

enum store_state {
    STORE_AWAY,
    STORE_PREPARING,
    STORE_LOCKED_OUT,
    STORE_READY,
    STORE_WRITING,
    STORE_PAUSING
};

enum store_plan {
    STORE_PLAIN, /* COPY what is fresh into the partition of today; the rest as follows */
    STORE_STAGED /* COPY beside it, then insert into readings what is not there */
};

/* What the results of a try's statements are good for, in their order. */
enum store_statement {
    STORE_ENTER,
    STORE_ROWS,
    STORE_STAGED_ROWS,
    STORE_PEAKS,
    STORE_COMMIT,
    STORE_OTHER
};

enum { STORE_STATEMENTS_MAX = 16 };

struct store_outcome {
    uint64_t stored;
    uint64_t duplicates;
    uint64_t refused; /* rows that became rejected messages */
    bool was_staged;  /* some rows went through the staging table: they may lack a partition */
};

struct store_config {
    const char *database_url;
    const char *collector_id;
    const char *client_id; /* at the broker, "" = made of the names of collector and database */
    const struct subscriptions *subscriptions; /* what the session is to have */
    const struct features *features;
    struct devices *devices;
    uint64_t watchdog_ms; /* a transaction that takes longer costs the connection */
    int64_t fresh_us;     /* readings of the last so long, */
    int64_t ahead_us;     /* and of the next, go straight to their partition */
    void *user;
    void (*on_ready)(struct store *store);                       /* connected, prepared, locked */
    void (*on_unready)(struct store *store, const char *reason); /* after on_ready */
    void (*on_locked_out)(struct store *store); /* another collector with this id is live */
    /* Readings of a device were taken out of the tables, or it was itself; no batch is under way
     * that was committed before and is not stored yet. */
    void (*on_removed)(struct store *store, uint32_t device, bool is_whole);
    void (*on_device)(struct store *store, uint32_t device); /* its index is new */
    /* Someone other than a collector has stored readings of a device. */
    void (*on_added)(struct store *store, uint32_t device);
    void (*on_added_many)(struct store *store); /* or of devices that are not named */
    /* Appends the topic that a row came on. */
    void (*put_topic)(const struct store *store, const struct batch *batch,
                      const struct batch_row *row, struct buffer *out);
    void (*on_stored)(struct store *store, struct batch *batch,
                      const struct store_outcome *outcome);
};

struct store {
    struct store_config config;
    enum store_state state;
    struct pg_link link;
    struct pg_query query;
    struct pg_copy_in copies[4];
    uv_timer_t timer; /* before another try */
    struct backoff backoff;
    struct buffer sql;
    struct buffer rows;
    struct buffer fresh_rows;
    struct peaks peaks;
    struct buffer peaks_rows;
    struct buffer rejected;
    struct buffer columns;
    struct buffer features; /* as an array of SQL */
    struct batch *batch;    /* being written, NULL = none */
    enum store_plan plan;
    struct parts parts;    /* which of the sorted rows the current try is about */
    size_t rejected_at;    /* of batch->rejected: committed until here, */
    size_t rejected_until; /* and here by the current try */
    size_t part_most;      /* rows in a try; SIZE_MAX unless that took too long of late */
    uint64_t began_ms;     /* the current try: of the loop's clock */
    uint64_t inserted;     /* by the current try */
    size_t rows_due;       /* statements with readings whose result is not there yet */
    bool committed;
    enum store_statement statements[STORE_STATEMENTS_MAX]; /* of the current try */
    size_t statement_count;
    size_t results_seen;
    struct rows_span fresh; /* of the current try: what goes straight to the partition */
    struct fleet_rollup rollup;
    struct refs refs;
    struct buffer unheard; /* numbers of devices that others stored readings of, with commas */
    struct buffer names_sql;
    struct pg_query names; /* asks what those are called */
    bool is_naming;
    struct pg_query ask; /* for removals */
    char ask_sql[96];
    bool is_asking;
    bool tries_after_asking;
    int64_t removals_known;  /* the last one that was seen; -1 = none was asked for yet */
    struct buffer differing; /* uint32_t each: devices of whose readings the batch has others */
    char partition[64];      /* of the present, "" = not known */
    int64_t partition_from_us;
    int64_t partition_until_us;
    int64_t late_before_us; /* as of the last try: nothing older is fresh */
    bool is_sorted;
    bool is_prepared; /* the session has its settings and staging tables */
    bool has_lock;
    int64_t turn;                  /* how often this id has got the lock; 0 = we never had it */
    bool is_turn_new;              /* for on_ready: another may have had it since we had it last */
    bool had_session;              /* as the database says: the broker has had our session */
    struct mqtt_identity identity; /* as of when we got the lock last */
    bool is_locked_out;            /* another has it: said once */
    bool is_durable;
    struct pg_error failure; /* of the last try of this batch */
    struct pg_error refusal; /* what the database has against the row that is searched for */
    const char *params[1];
    char application_name[48]; /* of this process alone, whatever the URL says */
    bool is_held;              /* for a person: said once */
    char hold_reason[400];
    struct store_outcome outcome;
    uint64_t copies_done; /* COPYs of readings ever tried, for tests and metrics */
    uint64_t retries;
    void (*on_closed)(struct store *store);
};

bool store_start(struct store *store, uv_loop_t *loop, const struct store_config *config,
                 char *error, size_t error_bytes);

/* Only when no batch is being written. Starts at once when ready, else as soon as it is. */
void store_begin(struct store *store, struct batch *batch, bool expects_duplicates);

/* The batch is not to be stored, now that the store is ready again. */
void store_give_up(struct store *store);

static inline bool store_is_ready(const struct store *store)
{
    return store->state >= STORE_READY;
}

/* A batch that is being written is given up; it was not acknowledged. */
void store_close(struct store *store, void (*on_closed)(struct store *store));

#endif
