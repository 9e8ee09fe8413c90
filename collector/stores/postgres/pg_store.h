/* pg_store.h: puts batches into PostgreSQL, one at a time, until each is committed.
 *
 * Shape    owns the connection that writes. A batch is one transaction: the readings by binary COPY,
 *          the peaks they improve, the rejected messages. States:
 *          away -> preparing -> (locked_out) -> ready -> writing -> ready
 *                                                 writing <-> pausing (before another try)
 * Promise  on_stored comes after the tag COMMIT was seen, and not before. Rows are idempotent, so
 *          trying again is safe when it is not known whether a try succeeded.
 * Errors   transient ones: again, with backoff. A key that is there already: again through a staging
 *          table that skips those. A row that the database refuses (SQLSTATE 22, 23): found by
 *          halves (parts.h) and kept among the rejected messages. What takes too long, or too much
 *          memory: in halves, down to single rows, and later batches so, too, until it goes well. A
 *          schema that does not fit, or a server that does not keep what it commits: hold, and say so.
 * Fence    the positions of a log that a batch's mark moves are moved in its transaction. When one is not where
 *          it is to be moved from, the batch ends in on_fenced instead, and nothing of the try is stored.
 * Removals what is taken out of the tables (schema/007_removal.sql) is told by a notification, and a
 *          batch that does not know of it is sent back. Either way the store asks which devices it was,
 *          between two tries, and says so before anything else is stored.
 * Limits   one live collector per id: the session holds an advisory lock, a second one waits.
 * Owner    embedded; the batch belongs to the caller and must not change while it is written.
 */
#ifndef HIGHWATER_PG_STORE_H
#define HIGHWATER_PG_STORE_H

#include "collector/backlog.h"
#include "collector/devices.h"
#include "collector/store.h"
#include "collector/stores/parts.h"
#include "collector/stores/postgres/fleet_rollup.h"
#include "collector/stores/postgres/peaks.h"
#include "collector/stores/postgres/rows.h"
#include "collector/subscriptions.h"
#include "shared/net/pg_link.h"

struct pg_store;

enum pg_store_state {
    PG_STORE_AWAY,
    PG_STORE_PREPARING,
    PG_STORE_LOCKED_OUT,
    PG_STORE_READY,
    PG_STORE_WRITING,
    PG_STORE_PAUSING
};

enum pg_store_plan {
    PG_STORE_PLAIN, /* COPY what is fresh into the partition of today; the rest as follows */
    PG_STORE_STAGED /* COPY beside it, then insert into readings what is not there */
};

/* What the results of a try's statements are good for, in their order. */
enum pg_store_statement {
    PG_STORE_ENTER,
    PG_STORE_ROWS,
    PG_STORE_STAGED_ROWS,
    PG_STORE_PEAKS,
    PG_STORE_AGAIN,
    PG_STORE_COMMIT,
    PG_STORE_OTHER
};

enum { PG_STORE_STATEMENTS_MAX = 24 };

/* With strings of their own. */
struct pg_store_positions {
    struct source_position *items;
    size_t count;
    size_t capacity;
};

struct pg_store_config {
    const char *database_url;
    const char *collector_id;
    const char *client_id; /* at the broker, "" = made of the names of collector and database */
    const struct subscriptions *subscriptions; /* what the session is to have */
    const struct features *features;
    struct devices *devices;
    uint64_t watchdog_ms; /* a transaction that takes longer costs the connection */
    int64_t fresh_us;     /* readings of the last so long, */
    int64_t ahead_us;     /* and of the next, go straight to their partition */
    void (*on_staged)(struct pg_store *store); /* readings were stored that may lack a partition */
};

struct pg_store {
    struct store base; /* first: a struct store of this kind is one of these */
    struct pg_store_config config;
    enum pg_store_state state;
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
    struct backlog again;   /* rejected messages that the current try makes readable */
    struct batch *batch;    /* being written, NULL = none */
    enum pg_store_plan plan;
    struct parts parts;    /* which of the sorted rows the current try is about */
    size_t rejected_at;    /* of batch->rejected: committed until here, */
    size_t rejected_until; /* and here by the current try */
    size_t part_most;      /* rows in a try; SIZE_MAX unless that took too long of late */
    uint64_t began_ms;     /* the current try: of the loop's clock */
    uint64_t inserted;     /* by the current try */
    size_t rows_due;       /* statements with readings whose result is not there yet */
    bool committed;
    bool is_alone; /* no standby has what is committed, though one is waited for */
    enum pg_store_statement statements[PG_STORE_STATEMENTS_MAX]; /* of the current try */
    size_t statement_count;
    size_t results_seen;
    struct rows_span fresh; /* of the current try: what goes straight to the partition */
    struct fleet_rollup rollup;
    struct refs refs;
    struct buffer unheard; /* numbers of devices that others stored readings of, with commas */
    struct buffer names_sql;
    struct pg_query names; /* asks what those are called */
    bool is_naming;
    struct pg_store_positions wanted; /* are to be looked up, */
    struct pg_store_positions asked;  /* and are being looked up */
    struct buffer find_sql;
    struct pg_query finding;
    bool is_finding;
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
    bool is_turn_new;   /* for on_ready: another may have had the lock since we had it last */
    bool is_locked_out; /* another has it: said once */
    bool is_durable;
    struct pg_error failure; /* of the last try of this batch */
    struct pg_error refusal; /* what the database has against the row that is searched for */
    const char *params[1];
    char application_name[48]; /* of this process alone, whatever the URL says */
    char hold_reason[400];
    bool was_staged;      /* rows of the batch went through the staging table */
    uint64_t copies_done; /* COPYs of readings ever tried, for tests and metrics */
    uint64_t retries;
    void (*on_closed)(struct pg_store *store);
};

/* Once store->base is as store_new() and store_start() make it. */
bool pg_store_start(struct pg_store *store, uv_loop_t *loop, const struct pg_store_config *config,
                    char *error, size_t error_bytes);

/* What store.h says of them. */
void pg_store_begin(struct store *base, struct batch *batch, bool expects_duplicates);
void pg_store_give_up(struct store *base);
void pg_store_explain(const struct store *base, struct buffer *out);
void pg_store_find_positions(struct store *base, const struct source_position *positions,
                             size_t count);

/* Appends why no batch can be stored, if so. */
void pg_store_put_faults(const struct pg_store *store, struct buffer *reasons);

/* A batch that is being written is given up; it was not acknowledged. */
void pg_store_close(struct pg_store *store, void (*on_closed)(struct pg_store *store));

#endif
