/* sink.h: where boards and the status go: a broker, or a cache. One row of a kind and one file of
 * collector/sinks/ each; board_publisher.h knows no more of a sink than this.
 *
 * Shape    a key is a path, such as collectors/<id>/status (board.h has those of boards). What is put
 *          under it replaces what was there, and stays; a line (SINK_LINE) does not stay.
 *          A sink is off until it is joined, and ready when the keys are ours on this connection. It
 *          takes the status first, then boards: sink_takes_boards().
 *          on_ready says that what was put before may be gone, so that it is put again. What could not
 *          be put, or was refused later (on_lacking), is not vouched for by the status.
 * Several  the first sink is the one whose boards the status vouches for, and on its on_ready they are
 *          made anew. What another lacks it gets as it was published last, within a second, as long as
 *          that holds; nobody waits for it, and its faults are remarks: we are ready without it.
 * Errors   told by sink_put_faults(); a sink tries again by itself for as long as it takes. Nothing is
 *          queued: the next board replaces the last.
 * Owner    sinks_open() allocates, sink_close() ends one, sinks_free() frees them after that. What an
 *          item points to lives until sink_put() returns.
 */
#ifndef HIGHWATER_SINK_H
#define HIGHWATER_SINK_H

#include "collector/broker_memory.h"
#include "collector/mqtt_identity.h"
#include "shared/model/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct prometheus;
struct settings;
struct sink;

enum { SINKS_MAX = 2 };

/* A note stays as a board does, one without bytes is taken away; SINK_RECALL asks for the notes that stand
 * below its key: on_recalled. A cache takes neither. */
enum sink_what { SINK_STATUS, SINK_BOARD, SINK_LINE, SINK_NOTE, SINK_RECALL };

struct sink_item {
    enum sink_what what;
    size_t board; /* its number, from 0 */
    int64_t turn; /* of this collector's id: what an earlier one puts is older */
    const char *key;
    const struct buffer *bytes;
    const struct board_head *head; /* of a board, for who does not want it as JSON: */
    const struct board_entry *entries;
    size_t entry_count;
};

struct sink_config {
    uv_loop_t *loop;
    const struct settings *settings;
    size_t board_count;
    int64_t started_at_us; /* this process */
};

/* What a sink tells, and asks. */
struct sink_events {
    void (*on_ready)(void *user, const struct sink *sink);
    void (*on_taking)(void *user); /* it may take boards from now on */
    void (*on_lacking)(void *user, const struct sink *sink, size_t board);
    bool (*is_kept)(void *user, const char *key); /* a board of ours, as the settings are now */
    /* a note that was there before */
    void (*on_recalled)(void *user, const char *key, const void *bytes, size_t count);
    void (*on_note_refused)(void *user); /* one at least is not there */
};

struct sink_kind {
    const char *setting; /* that says where it is; empty = it is not wanted */
    const char *(*url)(const struct settings *settings);
    struct sink *(*open)(const struct sink_config *config, char *error, size_t error_bytes);
    void (*close)(struct sink *sink, void (*on_closed)(void *user));
    void (*free)(struct sink *sink);

    void (*identify)(struct sink *sink, const struct mqtt_identity *identity);
    void (*join)(struct sink *sink);
    void (*leave)(struct sink *sink);
    void (*reload)(struct sink *sink);
    void (*tick)(struct sink *sink);
    bool (*put)(struct sink *sink, const struct sink_item *item);
    void (*hold)(struct sink *sink);
    void (*flush)(struct sink *sink);

    bool (*is_ready)(const struct sink *sink);
    bool (*takes_boards)(const struct sink *sink);
    bool (*lacks)(const struct sink *sink, size_t board);
    enum broker_memory (*memory)(const struct sink *sink, uint64_t since_ms);
    uint64_t (*takeovers)(const struct sink *sink);
    void (*put_away)(const struct sink *sink, struct buffer *out);
    void (*put_faults)(const struct sink *sink, struct buffer *out);
    void (*put_remarks)(const struct sink *sink, struct buffer *out); /* NULL = none ever */
    void (*put_metrics)(const struct sink *sink, const struct prometheus *to);
    void (*put_status)(const struct sink *sink, struct buffer *out);
};

/* Each kind embeds it first. */
struct sink {
    const struct sink_kind *kind;
    struct sink_config config;
    const struct sink_events *events;
    void *user; /* of the events */
};

struct sinks {
    struct sink *items[SINKS_MAX];
    size_t count;
};

extern const struct sink_kind sink_mqtt;
extern const struct sink_kind sink_redis;

/* Those that the settings want. NULL, or the kind whose setting proves not legal; `error` says what is. */
const struct sink_kind *sinks_open(struct sinks *sinks, const struct sink_config *config,
                                   char *error, size_t error_bytes);
void sinks_free(struct sinks *sinks);

/* Once, before it is joined. */
static inline void sink_attach(struct sink *sink, const struct sink_events *events, void *user)
{
    sink->events = events;
    sink->user = user;
}

/* What was put is let out; then nothing is told any more, but that it is closed. */
static inline void sink_close(struct sink *sink, void (*on_closed)(void *user))
{
    sink->kind->close(sink, on_closed);
}

/* Who we are, before the first join. */
static inline void sink_identify(struct sink *sink, const struct mqtt_identity *identity)
{
    sink->kind->identify(sink, identity);
}

static inline void sink_join(struct sink *sink)
{
    sink->kind->join(sink);
}

static inline void sink_leave(struct sink *sink)
{
    sink->kind->leave(sink);
}

/* Certificates are read again. */
static inline void sink_reload(struct sink *sink)
{
    sink->kind->reload(sink);
}

/* Each second. */
static inline void sink_tick(struct sink *sink)
{
    sink->kind->tick(sink);
}

/* False when it will not be there. */
static inline bool sink_put(struct sink *sink, const struct sink_item *item)
{
    return sink->kind->put(sink, item);
}

/* Between the two, what is put is collected. */
static inline void sink_hold(struct sink *sink)
{
    sink->kind->hold(sink);
}

static inline void sink_flush(struct sink *sink)
{
    sink->kind->flush(sink);
}

/* The keys are ours. */
static inline bool sink_is_ready(const struct sink *sink)
{
    return sink->kind->is_ready(sink);
}

static inline bool sink_takes_boards(const struct sink *sink)
{
    return sink->kind->takes_boards(sink);
}

/* It refused the board when it was put last, and may take it now; or it wants it once more. */
static inline bool sink_lacks(const struct sink *sink, size_t board)
{
    return sink->kind->lacks(sink, board);
}

/* What the broker had lost when a connection to it ended at `since_ms` (of the loop's clock). */
static inline enum broker_memory sink_memory(const struct sink *sink, uint64_t since_ms)
{
    return sink->kind->memory(sink, since_ms);
}

/* How often another has taken our place. */
static inline uint64_t sink_takeovers(const struct sink *sink)
{
    return sink->kind->takeovers(sink);
}

/* A line when it is not connected. */
static inline void sink_put_away(const struct sink *sink, struct buffer *out)
{
    sink->kind->put_away(sink, out);
}

/* A line for each reason why it is not what it should be. */
static inline void sink_put_faults(const struct sink *sink, struct buffer *out)
{
    sink->kind->put_faults(sink, out);
}

/* A line for each thing that is wrong with it and does not keep us from being ready. */
static inline void sink_put_remarks(const struct sink *sink, struct buffer *out)
{
    if (sink->kind->put_remarks)
        sink->kind->put_remarks(sink, out);
}

static inline void sink_put_metrics(const struct sink *sink, const struct prometheus *to)
{
    sink->kind->put_metrics(sink, to);
}

/* Appends members to the status: ,"name":value. */
static inline void sink_put_status(const struct sink *sink, struct buffer *out)
{
    sink->kind->put_status(sink, out);
}

#endif
