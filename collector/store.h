/* store.h: where readings go: a database, or a log. One row of a kind (kinds[] in store.c) and one
 * folder of collector/stores/ each; the rest of the collector knows no more of a store than this.
 *
 * Shape    one batch at a time: store_begin() takes it, on_stored gives it back. A kind of store puts
 *          `struct store` first in a struct of its own. What some kinds have and others have not (a
 *          schema, boards, rejected messages that can be listed) is NULL in struct store_kind; the
 *          functions here cope, and say what happens then.
 * Promise  on_stored comes when the readings of the batch are as safe as that store can make them,
 *          and not before: acknowledgements leave after it. Until then the batch is tried again for as
 *          long as it takes. Trying again is safe: a reading that was stored is not stored twice.
 * Cost     a call through the table for each batch, none for each reading.
 * Owner    store_new() makes it, store_free() frees it, once nothing of it runs any more. The batch is
 *          the caller's, and must not change while it is stored.
 */
#ifndef HIGHWATER_STORE_H
#define HIGHWATER_STORE_H

#include "collector/batch.h"
#include "collector/mqtt_identity.h"
#include "collector/source.h"

#include <uv.h>

struct coverage;
struct devices;
struct hearing;
struct prometheus;
struct sequences;
struct settings;
struct store;
struct thresholds;
struct windows;

struct store_outcome {
    uint64_t stored;
    uint64_t duplicates;
    uint64_t refused; /* rows that became rejected messages */
};

struct store_config {
    const struct settings *settings; /* a kind takes what it needs of them */
    struct devices *devices;
    void *user;
    /* The client id of the session that the broker has of us, which the store is to remember; NULL =
     * none. */
    const char *(*session)(void *user);
    /* Every second: of each collector that stores there whether it is live and how many batches it has
     * stored; then NULL. */
    void (*on_collector)(void *user, const char *id, bool is_live, int64_t batches);
};

/* What the store tells. */
struct store_events {
    /* It takes batches. Another may have stored under our id since it did last: is_turn_new. */
    void (*on_ready)(void *user, bool is_turn_new);
    void (*on_unready)(void *user);                 /* after on_ready */
    void (*on_locked_out)(void *user);              /* another collector with this id is live */
    void (*on_device)(void *user, uint32_t device); /* its index is new */
    /* Readings of a device were taken out of the store, or it was itself; no batch is under way that
     * was committed before and is not stored yet. */
    void (*on_removed)(void *user, uint32_t device, bool is_whole);
    /* Someone other than a collector has stored readings of a device. */
    void (*on_added)(void *user, uint32_t device);
    void (*on_added_many)(void *user); /* or of devices that are not named */
    void (*on_stored)(void *user, struct batch *batch, const struct store_outcome *outcome);
    /* Instead: the store does not stand where the batch's mark begins, so another has stored what is in it,
     * or we have, in a try whose end we did not see. Nothing of this try is stored. */
    void (*on_fenced)(void *user, struct batch *batch);
    /* The answer to store_find_positions(), perhaps in several calls: `from` is where each stands. */
    void (*on_positions)(void *user, const struct source_position *positions, size_t count);
    /* Appends the topic that a row of the batch came under, as far as it is still known. */
    void (*put_topic)(void *user, const struct batch *batch, const struct batch_row *row,
                      struct buffer *out);
    /* What the store has of Sparkplug nodes can be loaded: before on_ready, when its turn is new. True:
     * do; then the others come, nodes first. */
    bool (*on_nodes)(void *user);
    void (*on_node)(void *user, const struct sparkplug_node_change *node);
    void (*on_birth)(void *user, const struct sparkplug_birth_change *birth);
    /* A rejected message can be read now: after on_ready, or before on_stored of the batch with its birth. */
    void (*on_again)(void *user, const struct source_message *message);
};

/* What is to be read from the store into the windows, in one snapshot of it. */
struct store_load {
    const uint32_t *only; /* devices: their peaks and readings, nothing else; NULL = all there is */
    size_t only_count;
    int64_t longest_us; /* how far back; 0 = no readings, only peaks */
    struct windows *windows;
    struct sequences *sequences;
    struct coverage *coverage;
    struct thresholds *thresholds; /* NULL = there are none */
    void *user;
    int64_t (*as_of_us)(void *user); /* of the windows: the `now` of what is inserted */
    void (*on_device)(void *user, uint32_t device); /* new; add it to the windows */
    /* what is loaded from now on was stored before this time */
    void (*on_snapshot)(void *user, int64_t before_us);
    void (*on_done)(void *user, bool complete);
};

struct store_kind {
    const char *const *schemes; /* of its URLs; NULL ends them */
    const char *(*url_flaw)(const char *url);
    /* What else of the settings is its own; NULL = nothing. False: `error` says what is wrong. */
    bool (*check)(const struct settings *settings, char *error, size_t error_bytes);

    /* Nothing of it runs yet, or any more. */
    struct store *(*make)(void);
    void (*free)(struct store *store);

    /* False when the settings are not legal; `error` says why. */
    bool (*start)(struct store *store, uv_loop_t *loop, char *error, size_t error_bytes);
    void (*close)(struct store *store); /* ends in store->on_closed() */
    void (*begin)(struct store *store, struct batch *batch, bool expects_duplicates);
    void (*give_up)(struct store *store);
    void (*explain)(const struct store *store, struct buffer *out);
    void (*put_faults)(const struct store *store, struct buffer *reasons);
    void (*put_metrics)(const struct store *store, const struct prometheus *to);

    /* What follows may be NULL. SIGHUP: files are read again. */
    void (*reload)(struct store *store);

    /* Before it is started the place is brought to what this program knows. */
    bool (*migrate)(struct store *store, uv_loop_t *loop, uint64_t give_up_after_ms, char *error,
                    size_t error_bytes); /* ends in store->on_migrated() */
    void (*cancel_migration)(struct store *store);

    /* It keeps the positions of sources that are logs. */
    void (*find_positions)(struct store *store, const struct source_position *positions,
                           size_t count);

    /* It can be asked for what it has, so boards can be made. */
    bool (*load)(struct store *store, const struct store_load *load, char *error,
                 size_t error_bytes);
    void (*cancel_load)(struct store *store);

    /* It keeps the numbers of devices, and when they were heard: both called once a second. */
    void (*keep_hearing)(struct store *store, struct hearing *hearing);
    void (*save_sequences)(struct store *store, struct sequences *sequences,
                           int64_t settled_until_us);

    /* The command --rejected; returns the exit status. */
    int (*run_rejected)(const struct settings *settings);
};

/* Kinds keep it up to date; the others ask the functions below. */
struct store {
    const struct store_kind *kind;
    struct store_config config;
    const struct store_events *events;
    void *user;                    /* of the events */
    bool is_ready;                 /* it takes batches */
    bool is_held;                  /* for a person */
    struct store_outcome outcome;  /* of the batch that is being stored, so far */
    int64_t turn;                  /* how often this id has begun to store there */
    bool had_session;              /* the broker has had our session */
    struct mqtt_identity identity; /* as of on_ready */
    void (*on_migrated)(struct store *store, const char *error);
    void (*on_closed)(void *user);
};

extern const struct store_kind store_postgres;
extern const struct store_kind store_kafka;

enum { STORE_ERROR_SIZE = 640 };

/* NULL when the URL is legal for its kind, or what is. */
const char *store_url_flaw(const char *url);

/* Whether that kind keeps the positions of a source that is a log. */
bool store_url_has_positions(const char *url);

/* False, with a sentence, when the settings are not legal for the kind of store that they ask for. */
bool store_check(const struct settings *settings, char error[STORE_ERROR_SIZE]);

/* Of the kind that the settings ask for. */
struct store *store_new(const struct store_config *config);
void store_free(struct store *store); /* NULL is fine */

/* on_done comes once; NULL = all is as it should be. A kind that has nothing to be migrated says so at
 * once. False when the settings are not legal. */
bool store_migrate(struct store *store, uv_loop_t *loop, uint64_t give_up_after_ms,
                   void (*on_done)(struct store *store, const char *error), char *error,
                   size_t error_bytes);

/* Ends that early; on_done comes with an error. Nothing happens when none is under way. */
void store_cancel_migration(struct store *store);

bool store_start(struct store *store, uv_loop_t *loop, const struct store_events *events,
                 void *user, char *error, size_t error_bytes);

/* A batch that is being stored is given up; it was not acknowledged. */
void store_close(struct store *store, void (*on_closed)(void *user));

/* SIGHUP: what it knows of files is read again, where it does not do so by itself. */
void store_reload(struct store *store);

/* Only when no batch is being stored. Starts at once when it is ready, else as soon as it is. */
void store_begin(struct store *store, struct batch *batch, bool expects_duplicates);

/* The batch is not to be stored, now that the store is ready again. */
void store_give_up(struct store *store);

/* Where the partitions stand, once no batch of ours is under way that would move them; as soon as it is
 * ready. `from` and `to` are not looked at. Only of a kind that keeps positions. */
void store_find_positions(struct store *store, const struct source_position *positions,
                          size_t count);

/* For kinds: a row that can never be stored becomes a rejected message of its batch. */
void store_refuse_row(struct store *store, struct batch *batch, struct batch_row *row,
                      const char *detail);

/* Appends what is known of why a batch is not stored yet: "; ..." on the same line, or nothing. */
void store_explain(const struct store *store, struct buffer *out);

/* Appends, a line each, why it takes no batches, and what else is wrong with it. */
void store_put_faults(const struct store *store, struct buffer *reasons);

void store_put_metrics(const struct store *store, const struct prometheus *to);

/* Whether it is brought to what this program knows before it is started. */
bool store_has_schema(const struct store *store);

/* Whether there can be boards: it can be asked for what it has. */
bool store_has_boards(const struct store *store);

/* One at a time; on_done comes once. False when it cannot begin. */
bool store_load(struct store *store, const struct store_load *load, char *error,
                size_t error_bytes);

/* Ends that early; on_done comes all the same. */
void store_cancel_load(struct store *store);

/* The numbers of all readings received up to `settled_until_us` have been taken, or will never be
 * stored; INT64_MIN: that cannot be said now. */
void store_save_sequences(struct store *store, struct sequences *sequences,
                          int64_t settled_until_us);

/* Call once a second: when devices were heard is kept, and is known after a start. */
void store_keep_hearing(struct store *store, struct hearing *hearing);

/* The command --rejected; returns the exit status. */
int store_run_rejected(const struct settings *settings);

static inline bool store_is_ready(const struct store *store)
{
    return store->is_ready;
}

/* It needs a person. */
static inline bool store_is_held(const struct store *store)
{
    return store->is_held;
}

/* What has become so far of the batch that is being stored. */
static inline const struct store_outcome *store_progress(const struct store *store)
{
    return &store->outcome;
}

static inline int64_t store_turn(const struct store *store)
{
    return store->turn;
}

/* Who we are to the broker, as of on_ready. */
static inline const struct mqtt_identity *store_identity(const struct store *store)
{
    return &store->identity;
}

/* The broker has had our session, so that it may have lost it. */
static inline bool store_had_session(const struct store *store)
{
    return store->had_session;
}

#endif
