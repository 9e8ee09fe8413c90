#include "collector/sources/kafka_source.h"

#include "collector/mqtt_identity.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TURN_MOST = 2000, /* records that are taken before others on the loop have their turn */
    ASK_AGAIN_MS = 5000,
    START_LEAST_MS = 500,
    START_MOST_MS = 30000
};

/* ---- records ---------------------------------------------------------------------------------- */

/* Nothing that is no record of a partition that we read. */
static void take_error(struct kafka_source *k, const rd_kafka_message_t *record)
{
    struct kafka_partition *partition =
        record->rkt ? kafka_partitions_find(&k->partitions, rd_kafka_topic_name(record->rkt),
                                            record->partition)
                    : NULL;

    if (!partition || partition->state != KAFKA_PARTITION_READING)
        return;
    if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        partition->end = record->offset;
    else if (record->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
             record->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        kafka_gap_look(k, partition);
    else
        log_warning("kafka: %s/%d: %s", partition->topic, (int)partition->partition,
                    rd_kafka_message_errstr(record));
}

/* Where others are missing before it they are no records (a transaction's end, or compacted), or they have come
 * past our queue and are still to be found: then it comes again, after them. */
static bool is_next(struct kafka_source *k, struct kafka_partition *partition, int64_t offset)
{
    unsigned starts = partition->starts;

    if (offset != partition->next)
        kafka_client_take_strays(k);
    return partition->starts == starts && offset >= partition->next;
}

static void take(struct kafka_source *k, const rd_kafka_message_t *record)
{
    struct kafka_partition *partition;
    struct source_message message;

    if (record->err) {
        take_error(k, record);
        return;
    }
    partition =
        kafka_partitions_find(&k->partitions, rd_kafka_topic_name(record->rkt), record->partition);
    if (!partition || partition->state != KAFKA_PARTITION_READING ||
        !is_next(k, partition, record->offset))
        return;
    FAILPOINT("on_message");
    k->counters.records++;
    kafka_partition_pass(partition, record->offset);
    if (kafka_record_read(&k->reader, record, partition->topic, partition->topic != k->topics[0],
                          &message))
        k->source.events->on_message(k->source.user, &message);
    else
        k->counters.tombstones++;
}

static bool is_reading(const struct kafka_source *k)
{
    return k->is_wanted && !k->is_paused;
}

static void on_records(void *user)
{
    struct kafka_source *k = user;
    rd_kafka_message_t *record = NULL;
    size_t count = 0;

    while (is_reading(k) && count < TURN_MOST && k->records.queue &&
           (record = rd_kafka_consume_queue(k->records.queue, 0))) {
        take(k, record);
        rd_kafka_message_destroy(record);
        count++;
    }
    if (count > 0)
        k->source.events->on_read(k->source.user);
    if (record && is_reading(k))
        kafka_queue_poke(&k->records); /* there may be more */
}

static void pause_reading(struct source *source)
{
    ((struct kafka_source *)source)->is_paused = true;
}

static void resume(struct source *source)
{
    struct kafka_source *k = (void *)source;

    if (!k->is_paused)
        return;
    k->is_paused = false;
    kafka_queue_poke(&k->records);
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void join(struct source *source)
{
    struct kafka_source *k = (void *)source;

    if (!k->is_wanted)
        kafka_queue_poke(&k->records);
    k->is_wanted = true;
    if (!k->link.rk && !k->must_start && !k->is_ending)
        kafka_client_start(k, on_records);
}

/* The membership is kept: whoever would get our partitions has the same store. */
static void leave(struct source *source)
{
    struct kafka_source *k = (void *)source;

    if (k->is_wanted && k->link.rk)
        log_info("kafka: nothing more is read until the database is back; the topic keeps it");
    k->is_wanted = false;
}

static struct source_mark mark(struct source *source)
{
    return kafka_partitions_mark(&((struct kafka_source *)source)->partitions);
}

static void release(struct source *source, const struct source_mark *mark)
{
    struct kafka_source *k = (void *)source;

    kafka_partitions_settle(&k->partitions, mark);
    kafka_group_let_go(k);
}

static void give_back(struct source *source)
{
    struct kafka_source *k = (void *)source;

    k->counters.given_back++;
    kafka_partitions_give_back(&k->partitions);
    kafka_group_let_go(k);
    kafka_group_ask(k, KAFKA_PARTITION_ASKED);
}

static void identify(struct source *source, const struct mqtt_identity *identity, bool had_session)
{
    struct kafka_source *k = (void *)source;

    if (had_session && !k->has_said_session)
        log_warning("kafka: this collector had a session at the broker, %s, which still takes "
                    "readings for it; to store what waits there start it once without SOURCE, then "
                    "end that session with --forget %s",
                    identity->client_id, k->source.config.settings->collector_id);
    k->has_said_session = true;
}

static void tick(struct source *source)
{
    struct kafka_source *k = (void *)source;
    uint64_t now_ms = uv_now(k->source.config.loop);

    kafka_report_watch_silence(k);
    if (k->must_start && k->is_wanted && !k->is_ending && !k->link.rk && now_ms >= k->start_at_ms)
        kafka_client_start(k, on_records);
    if (!k->link.rk || k->is_ending)
        return;
    kafka_client_listen(k); /* or the group would take us for dead (max.poll.interval.ms) */
    kafka_group_let_go(k);
    if (k->link.rk)
        kafka_group_lead(k);
    if (k->link.rk && now_ms >= k->asked_at_ms + ASK_AGAIN_MS) {
        k->asked_at_ms = now_ms;
        kafka_gap_look_again(k);
        kafka_rejected_count(k);
        kafka_group_ask(k, KAFKA_PARTITION_HELD);
    }
}

static void reload(struct source *source)
{
    struct kafka_source *k = (void *)source;

    if (k->link.rk && *k->source.config.settings->kafka_config) {
        k->must_start = true; /* librdkafka reads files when a client is made */
        kafka_queue_poke(&k->link.queue);
    }
}

static bool is_up(const struct source *source)
{
    const struct kafka_source *k = (const void *)source;

    return k->is_member && k->is_wanted;
}

/* The positions are moved with the batch, so nothing of it comes again. */
static bool is_current(const struct source *source, const struct source_mark *mark)
{
    (void)source;
    (void)mark;
    return true;
}

static bool is_releasing(const struct source *source)
{
    (void)source;
    return false;
}

static bool is_exhausted(const struct source *source)
{
    (void)source;
    return false;
}

static const char *session(const struct source *source)
{
    (void)source;
    return NULL;
}

static uint64_t takeovers(const struct source *source)
{
    return ((const struct kafka_source *)source)->counters.fenced;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

/* NULL, and what is legal, when the URL is not. */
static struct kafka_source *make(const struct source_config *config, const char *url,
                                 const char **flaw)
{
    struct kafka_source *k = mem_calloc(1, sizeof(*k));

    k->source = (struct source){.kind = &source_kafka, .config = *config};
    k->link.config.user = k;
    *flaw = kafka_settings_read(k, url);
    if (*flaw) {
        source_free(&k->source);
        return NULL;
    }
    backoff_init(&k->backoff, START_LEAST_MS, START_MOST_MS, uv_hrtime());
    return k;
}

static const char *url_flaw(const char *url)
{
    static const struct settings none = {.collector_id = ""};
    const struct source_config config = {.settings = &none};
    const char *flaw;
    struct kafka_source *k = make(&config, url, &flaw);

    if (k)
        source_free(&k->source);
    return flaw;
}

static bool check(const struct settings *settings, char *error, size_t error_bytes)
{
    const struct source_config config = {.settings = settings};
    const char *flaw;
    struct kafka_source *k = make(&config, settings->source, &flaw);
    bool is_good;

    assert(k); /* the URL was looked at before */
    is_good = kafka_link_check(k->properties, settings->kafka_config, error, error_bytes);
    source_free(&k->source);
    return is_good;
}

static struct source *open_source(const struct source_config *config, char *error,
                                  size_t error_bytes)
{
    const char *flaw;
    struct kafka_source *k = make(config, config->settings->source, &flaw);

    if (k)
        return &k->source;
    snprintf(error, error_bytes, "%s", flaw);
    return NULL;
}

static void close_source(struct source *source, void (*on_closed)(void *user))
{
    struct kafka_source *k = (void *)source;

    k->on_closed = on_closed;
    k->is_wanted = false;
    k->is_closing = true;
    kafka_client_end(k);
}

static void free_source(struct source *source)
{
    struct kafka_source *k = (void *)source;

    kafka_partitions_release(&k->partitions);
    kafka_record_reader_release(&k->reader);
    kafka_url_release(&k->url);
    for (size_t i = 0; i < KAFKA_TOPICS; i++)
        free(k->topics[i]);
    free(k);
}

static const char *const schemes[] = {"kafka", NULL};

const struct source_kind source_kafka = {.schemes = schemes,
                                         .url_flaw = url_flaw,
                                         .check = check,
                                         .reads_on = true,
                                         .open = open_source,
                                         .close = close_source,
                                         .free = free_source,
                                         .identify = identify,
                                         .join = join,
                                         .leave = leave,
                                         .pause = pause_reading,
                                         .resume = resume,
                                         .mark = mark,
                                         .release = release,
                                         .give_back = give_back,
                                         .place = kafka_group_place,
                                         .reload = reload,
                                         .tick = tick,
                                         .is_up = is_up,
                                         .is_current = is_current,
                                         .is_releasing = is_releasing,
                                         .is_exhausted = is_exhausted,
                                         .session = session,
                                         .takeovers = takeovers,
                                         .put_faults = kafka_report_put_faults,
                                         .put_metrics = kafka_report_put_metrics};
