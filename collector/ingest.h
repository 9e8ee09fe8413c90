/* ingest.h: the gate: a message is released at its source (source.h) once it is stored, and not before.
 *
 * Shape    between the source and the store (store.h) it goes round:
 *            reading     messages fill a batch, until it is full or `linger` old
 *            committing  the batch is being written; nothing is read, because a later release
 *                        would let that go, too
 *            releasing   committed: the release is on its way; then reading goes on
 *          Meanwhile at most one further batch gathers what the source had read ahead.
 * Parts    a message with more than `batch_size` elements is stored over several batches; nothing
 *          is read or released until the last of them is committed (intake.h).
 * Promise  a message is released only after the tag COMMIT for its readings, and only where it came
 *          from (each batch carries the source's mark).
 * Absence  when the database stays away or on hold for `leave_after_ms`, or another collector has
 *          this id, the source is left on purpose: its queue is the buffer. It is joined again with
 *          the database.
 * Arrival  every element of a message, readings and rejected ones alike, gets a timestamp of its own,
 *          later than all before it: the clock's, or a microsecond after the last where the clock
 *          has not moved on (or was set back). So it orders all that this process received.
 *          A message that `--resubmit` sends again says in a user property when it came first;
 *          that is when it was recorded if it says no time of its own. Anyone may set the property:
 *          it is believed between `rules.earliest_us` and now, as a timestamp is, and gives a
 *          device nothing that a timestamp would not.
 * Sum      received = stored + duplicates + rejected + in flight, in readings, at any time.
 * Owner    embedded. ingest_stop() drains: commit, release, disconnect, close. What is in flight
 *          then stays so, for the last status, until ingest_release() frees it.
 */
#ifndef HIGHWATER_INGEST_H
#define HIGHWATER_INGEST_H

#include "collector/backlog.h"
#include "collector/batch.h"
#include "collector/commit_times.h"
#include "collector/decoders/about.h"
#include "collector/decoders/json.h"
#include "collector/decoders/mapped.h"
#include "collector/decoders/record.h"
#include "collector/devices.h"
#include "collector/rejects.h"
#include "collector/source.h"
#include "collector/store.h"
#include "shared/model/topic.h"

struct ingest;

#define INGEST_NO_DEVICE UINT32_MAX

enum ingest_state {
    INGEST_WAITING, /* for the database */
    INGEST_READING,
    INGEST_COMMITTING,
    INGEST_RELEASING,
    INGEST_CLOSING
};

struct ingest_counters {
    uint64_t messages;
    uint64_t abouts;   /* of these, what devices say of themselves */
    uint64_t received; /* readings: a message may hold several, or none that is legal */
    uint64_t stored;
    uint64_t duplicates;
    uint64_t rejected;
    uint64_t batches;
    uint64_t qos0;
    uint64_t byte_order_marks; /* messages that begin with one, */
    uint64_t trailing_nuls;    /* and that end with a NUL: neither is part of a reading */
    uint64_t retained;
    uint64_t without_timestamp;
    uint64_t unknown_members;
    uint64_t without_readings[DECODER_OUTCOME_COUNT]; /* messages that are not kept, by why */
    uint64_t fenced_batches; /* of a log: not stored, for another had stored what is in them */
    uint64_t stale_batches;  /* committed after their connection had ended: delivered again */
    uint64_t rejected_by_reason[READING_ERROR_COUNT]; /* their sum is rejected */
};

struct ingest_config {
    struct source *source; /* kept by the caller until ingest is released; closed by ingest */
    struct store *store;
    struct devices *devices;
    const char *collector_id;
    struct reading_rules rules;
    const struct subscriptions *subscriptions;
    const struct mappings *mappings; /* none: its count is 0 */
    size_t batch_size;               /* readings */
    uint64_t linger_ms;
    uint64_t leave_after_ms;
    uint64_t drain_ms; /* how long a drain may take */
    void *user;
    /* a device's index is new: the windows want to know */
    void (*on_device)(struct ingest *ingest, uint32_t device);
    /* rows of a committed batch; those in batch->order that are not refused count */
    void (*on_committed)(struct ingest *ingest, const struct batch *batch);
    /* and then: nothing of it is in flight any more */
    void (*on_settled)(struct ingest *ingest);
    void (*on_rejected)(struct ingest *ingest, const char *topic, enum reading_error error,
                        const char *detail);
    void (*on_state)(struct ingest *ingest); /* ready for work, or no longer */
    /* see store.h: what others took out of the tables, or put in */
    void (*on_removed)(struct ingest *ingest, uint32_t device, bool is_whole);
    void (*on_added)(struct ingest *ingest, uint32_t device);
    void (*on_added_many)(struct ingest *ingest);
    /* the store has what the windows lack: partitions of a log came from others, or another has stored
     * what we had received */
    void (*on_behind)(struct ingest *ingest);
    /* this collector has become the active one of its id (again, if another may have been active
     * meanwhile), or is on standby */
    void (*on_role_change)(struct ingest *ingest, bool is_active);
};

struct ingest {
    struct ingest_config config;
    enum ingest_state state;
    struct source *source;
    struct store *store;
    struct devices *devices;
    struct batch batches[2];
    struct batch *filling;
    struct batch *committing; /* NULL = none */
    bool expects_duplicates;
    bool is_active;
    bool is_draining;
    bool drained_in_time;
    int64_t closed_at_us; /* then the lock went */
    uv_timer_t linger;
    uint64_t waiting_since_ms; /* the oldest that is not committed; 0 = none */
    uint64_t filling_since_ms; /* the first of the batch that is filling */
    size_t lingered_count;     /* how many it had when the timer last ran out, */
    uint64_t linger_wait_ms;   /* and for how long that was set */
    uint64_t paused_ms;        /* since when nothing was read while the last batch was committed, */
    uint64_t resumed_ms;       /* and until when */
    uv_timer_t leave;
    uv_timer_t deadline;
    struct ingest_counters counters;
    struct commit_times times;
    struct backlog backlog;               /* of messages, while one is stored in parts */
    struct rejects rejects;               /* of the message that is being taken apart */
    uv_timer_t slice;                     /* for its next part */
    const struct source_message *message; /* being parsed */
    size_t message_elements;              /* of it, so far */
    int64_t last_arrival_us;              /* of an element */
    struct json_decoder contract;         /* of what SUBSCRIBE names, */
    struct json_decoder former;           /* and named before */
    struct about_decoder about;           /* of what devices say of themselves */
    struct mapped_decoder mapped;
    struct record_decoder record;  /* of a log: of what collectors wrote to it, */
    struct record_decoder foreign; /* and others */
    struct sparkplug sparkplug;    /* what its mappings of that kind know */
    struct decoder *decoders[6];   /* in the order in which they are asked */
    size_t decoder_count;
    struct decoder *decoder; /* of the message that was begun last */
    size_t message_at;       /* where it is kept in the batch that fills, if it is kept whole */
    bool has_said_former;
    uint32_t message_device;                /* INGEST_NO_DEVICE: none that is known */
    char message_device_id[DEVICE_ID_SIZE]; /* of one that is not known yet */
    unsigned open_parts;
    void (*on_stopped)(struct ingest *ingest, bool drained);
};

bool ingest_start(struct ingest *ingest, uv_loop_t *loop, const struct ingest_config *config,
                  char *error, size_t error_bytes);

/* Ends in order, or, when that takes longer than drain_ms or it is called again, at once: what was
 * not committed was not released either, and the source keeps it. `drained` says which. */
void ingest_stop(struct ingest *ingest, void (*on_stopped)(struct ingest *ingest, bool drained));

/* Once it has stopped, or never started. */
void ingest_release(struct ingest *ingest);

/* Everything that was received up to this time, itself included, has been given to on_committed or
 * was not stored. INT64_MIN: that cannot be said, for the source or the database is away and there
 * may be more. */
int64_t ingest_settled_until_us(const struct ingest *ingest, int64_t now_us);

uint64_t ingest_in_flight(const struct ingest *ingest);

/* Both connections are up and the store takes batches. */
bool ingest_is_live(const struct ingest *ingest);

#endif
