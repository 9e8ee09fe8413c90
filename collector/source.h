/* source.h: where messages come from: a broker, or a log. One row of a kind (source_kinds[]) and one
 * file of collector/sources/ each; ingest.h knows no more of a source than this.
 *
 * Shape    a source is off until it is joined. From then on it delivers messages, one after another,
 *          and keeps them all for us until they are released: what was delivered and not released
 *          comes again, on a later connection or from a later owner.
 *              delivering -> source_pause() -> [commit] -> source_release(mark) -> source_resume()
 *          A mark stands for all that was delivered and not released before it was taken. The owner must not
 *          let more be delivered between source_mark() and the release, for a source may release all or
 *          nothing; unless it reads on, which says that a mark stands for itself. One mark at a time.
 * Marks    of MQTT: the epoch of the connection whose acknowledgements are held. Of a source whose place is
 *          a position in a log: the positions, which the store writes in the transaction of the batch.
 * Log      its partitions come and go (on_gained, on_lost). Where a partition starts is for the store to
 *          say: nothing of it is delivered before source_place(). What was delivered of one that is lost
 *          stays in the mark, for it stays in the batch: if it is stored first by another, the store
 *          says so (source_mark.h), all is given back, and what is still ours is gained again.
 * Units    microseconds since 1970.
 * Errors   told by source_put_faults(); a source tries again by itself for as long as it takes.
 * Owner    source_open() allocates, source_close() ends it, source_free() frees it after that. What a
 *          message points to lives until the call that delivers it returns.
 */
#ifndef HIGHWATER_SOURCE_H
#define HIGHWATER_SOURCE_H

#include "collector/broker_memory.h"
#include "collector/mqtt_identity.h"
#include "collector/source_mark.h"
#include "shared/base/buffer.h"
#include "shared/model/reading_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct prometheus;
struct settings;
struct source;

/* The user property or header in which a message says when it came first, as RFC 3339. */
#define FIRST_RECEIVED_PROPERTY "first-received-at"

struct source_message {
    const char *topic;
    const void *payload;
    size_t bytes;
    int64_t said_us;      /* when it says that it came first; INT64_MIN = it does not */
    bool is_at_most_once; /* it carries no promise: when it is lost, nobody sends it again */
    bool is_retained;     /* replayed by the subscription, not sent just now */
    bool is_shared;       /* others may get some of what its device sends */
    int64_t
        rejected_id; /* of the rejected message that it was, and that goes when this is stored; 0 = none */

    /* A record of a log says more; zeroed is what a broker's message says. */
    bool is_record;
    bool is_decoded;      /* by a collector: the contract's payload of one reading, */
    int64_t content_hash; /* and its identity */
    const char *device;   /* its key: whose it is when the topic does not say; NULL = no legal id */
    size_t device_bytes;
    enum reading_error rejected; /* by a collector: why; READING_OK = it was not */
    const char *detail;          /* of that */
};

struct source_config {
    uv_loop_t *loop;
    const struct settings *settings;
    void *user;
    /* What the broker had lost when a connection to it ended at `since_ms` of the loop's clock. */
    enum broker_memory (*broker_memory)(void *user, uint64_t since_ms);
};

/* What the source tells. */
struct source_events {
    void (*on_up)(void *user); /* joined: what was not released comes again first */
    void (*on_down)(void *user);
    void (*on_message)(void *user, const struct source_message *message);
    void (*on_read)(void *user);     /* a run of messages was delivered: time to decide */
    void (*on_released)(void *user); /* nothing is on its way out any more */
    /* Of a log, `from` and `to` apart: partitions that came, also when they were ours before what was
     * delivered was given back. They end in source_place(), unless they are lost before. */
    void (*on_gained)(void *user, const struct source_position *positions, size_t count);
    /* They are another's now, or soon. */
    void (*on_lost)(void *user, const struct source_position *positions, size_t count);
};

struct source_kind {
    const char *const *schemes;               /* of its URLs; NULL ends them */
    const char *(*url_flaw)(const char *url); /* NULL: the opening says it */
    /* Whether what else is set for it is legal; NULL = it is. */
    bool (*check)(const struct settings *settings, char *error, size_t error_bytes);
    bool reads_on; /* it may deliver more between a mark and its release */
    struct source *(*open)(const struct source_config *config, char *error, size_t error_bytes);
    void (*close)(struct source *source, void (*on_closed)(void *user));
    void (*free)(struct source *source);

    void (*identify)(struct source *source, const struct mqtt_identity *identity, bool had_session);
    void (*join)(struct source *source);
    void (*leave)(struct source *source);
    void (*pause)(struct source *source);
    void (*resume)(struct source *source);
    struct source_mark (*mark)(struct source *source);
    void (*release)(struct source *source, const struct source_mark *mark);
    void (*give_back)(struct source *source);
    bool (*place)(struct source *source, const struct source_position *positions,
                  size_t count); /* NULL: nothing is gained either */
    void (*reload)(struct source *source);
    void (*tick)(struct source *source);

    bool (*is_up)(const struct source *source);
    bool (*is_current)(const struct source *source, const struct source_mark *mark);
    bool (*is_releasing)(const struct source *source);
    bool (*is_exhausted)(const struct source *source);
    const char *(*session)(const struct source *source);
    uint64_t (*takeovers)(const struct source *source);
    void (*put_faults)(const struct source *source, struct buffer *out);
    void (*put_metrics)(const struct source *source, const struct prometheus *to);
};

/* Each kind embeds it first. */
struct source {
    const struct source_kind *kind;
    struct source_config config;
    const struct source_events *events;
    void *user; /* of the events */
};

extern const struct source_kind source_mqtt;
extern const struct source_kind source_kafka;

#define SOURCE_URL_LEGAL                                                                           \
    "kafka://host[:port][,host[:port]...]/topic[?group=G][&member=M]: the topic, the group and "   \
    "the "                                                                                         \
    "member of letters, digits, . _ and -; users and passwords go into the file of KAFKA_CONFIG"

/* Of a source that is not MQTT_URL: NULL when the URL is legal, or what is. */
const char *source_url_flaw(const char *url);

enum { SOURCE_ERROR_SIZE = 512 };

/* False, with a sentence, when what else is set for the kind that the URL asks for is not legal. */
bool source_check(const struct settings *settings, char error[SOURCE_ERROR_SIZE]);

/* Of the kind that the URL asks for. NULL when the URL is not legal; `error` says what is. */
struct source *source_open(const struct source_config *config, char *error, size_t error_bytes);

/* Else it is to be paused before source_mark(), until the release is through. */
static inline bool source_reads_on(const struct source *source)
{
    return source->kind->reads_on;
}

/* Of a log its messages are records; what it keeps for us are positions. */
static inline bool source_is_log(const struct source *source)
{
    return source->kind->place != NULL;
}

/* Once, before it is joined. */
static inline void source_attach(struct source *source, const struct source_events *events,
                                 void *user)
{
    source->events = events;
    source->user = user;
}

/* Nothing is told any more, but that it is closed. */
static inline void source_close(struct source *source, void (*on_closed)(void *user))
{
    source->kind->close(source, on_closed);
}

/* Who we are to the source, as the store has it, and whether it had a session of ours before. */
static inline void source_identify(struct source *source, const struct mqtt_identity *identity,
                                   bool had_session)
{
    source->kind->identify(source, identity, had_session);
}

static inline void source_join(struct source *source)
{
    source->kind->join(source);
}

/* For the time that the store is away: the source keeps what arrives. */
static inline void source_leave(struct source *source)
{
    source->kind->leave(source);
}

static inline void source_pause(struct source *source)
{
    source->kind->pause(source);
}

static inline void source_resume(struct source *source)
{
    source->kind->resume(source);
}

static inline struct source_mark source_mark(struct source *source)
{
    return source->kind->mark(source);
}

/* What the mark stands for is stored. Nothing is released of what has ended since. */
static inline void source_release(struct source *source, const struct source_mark *mark)
{
    source->kind->release(source, mark);
}

/* All that was delivered and not released is to come again. */
static inline void source_give_back(struct source *source)
{
    source->kind->give_back(source);
}

/* Where partitions that came start: at `from`. Of those that are not ours any more nothing happens. True when
 * some of them are read from now on, and not held; nothing is delivered before it has said so. */
static inline bool source_place(struct source *source, const struct source_position *positions,
                                size_t count)
{
    return source->kind->place && source->kind->place(source, positions, count);
}

/* Certificates are read again. */
static inline void source_reload(struct source *source)
{
    source->kind->reload(source);
}

/* Each second. */
static inline void source_tick(struct source *source)
{
    source->kind->tick(source);
}

static inline bool source_is_up(const struct source *source)
{
    return source->kind->is_up(source);
}

/* False when what the mark stands for comes again, whatever is released. */
static inline bool source_is_current(const struct source *source, const struct source_mark *mark)
{
    return source->kind->is_current(source, mark);
}

/* A release is on its way; nothing is delivered meanwhile. */
static inline bool source_is_releasing(const struct source *source)
{
    return source->kind->is_releasing(source);
}

/* Nothing more comes before what was delivered is released: to wait for more is in vain. */
static inline bool source_is_exhausted(const struct source *source)
{
    return source->kind->is_exhausted(source);
}

/* The name under which the source keeps what we have not seen yet, once it does; NULL = it does not, or
 * has no need of one. */
static inline const char *source_session(const struct source *source)
{
    return source->kind->session(source);
}

/* How often another has taken our place. */
static inline uint64_t source_takeovers(const struct source *source)
{
    return source->kind->takeovers(source);
}

/* A line for each reason why it is not up, or is not what it should be. */
static inline void source_put_faults(const struct source *source, struct buffer *out)
{
    source->kind->put_faults(source, out);
}

static inline void source_put_metrics(const struct source *source, const struct prometheus *to)
{
    source->kind->put_metrics(source, to);
}

static inline void source_free(struct source *source)
{
    source->kind->free(source);
}

#endif
