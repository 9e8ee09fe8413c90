#include "collector/sources/kafka_source.h"

#include "collector/mqtt_identity.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/model/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        record->offset < partition->next)
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

/* ---- the client ------------------------------------------------------------------------------- */

static void note_failure(struct kafka_source *k, const char *text)
{
    snprintf(k->failure, sizeof(k->failure), "%s", text);
}

static void subscribe(struct kafka_source *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t error;

    rd_kafka_topic_partition_list_add(list, k->topics[0], RD_KAFKA_PARTITION_UA);
    error = rd_kafka_subscribe(k->link.rk, list);
    if (error)
        note_failure(k, rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
}

static void set_up(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, kafka_group_on_rebalance);
}

/* A record that has come past our queue: others may follow it there, so all of them are to come again. */
static void take_stray(struct kafka_source *k, const rd_kafka_message_t *record)
{
    struct kafka_partition *partition =
        kafka_partitions_find(&k->partitions, rd_kafka_topic_name(record->rkt), record->partition);

    if (partition && partition->state == KAFKA_PARTITION_READING &&
        record->offset >= partition->next)
        kafka_group_read_on(k, partition);
}

static void take_news(struct kafka_source *k, const rd_kafka_message_t *news)
{
    const char *topic = news->rkt ? rd_kafka_topic_name(news->rkt) : "";

    if (!news->err) {
        take_stray(k, news);
        return;
    }
    if (news->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (strcmp(topic, k->topics[0]) == 0)
        k->lacks_topic = news->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    note_failure(k, rd_kafka_message_errstr(news));
    log_warning("kafka: %s", rd_kafka_message_errstr(news));
}

static void on_ready(struct kafka_link *link)
{
    struct kafka_source *k = link->config.user;
    rd_kafka_message_t *news;

    while (link->rk && (news = rd_kafka_consumer_poll(link->rk, 0))) {
        take_news(k, news);
        rd_kafka_message_destroy(news);
        kafka_group_answer(k);
    }
    if (link->rk)
        kafka_group_answer(k);
    if (k->must_start && !k->is_ending)
        kafka_source_end_client(k);
}

static void on_trouble(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_source *k = link->config.user;

    (void)error;
    note_failure(k, text);
    log_warning("kafka: %s", text);
}

/* Another has joined the group under our name: while it lives there is no place for us. */
static void on_fatal(struct kafka_link *link, rd_kafka_resp_err_t error, const char *text)
{
    struct kafka_source *k = link->config.user;

    k->must_start = true;
    note_failure(k, text);
    if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID && !k->is_wanted) {
        log_info("kafka: the collector that is active now has our place in the group");
    } else if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        k->counters.fenced++;
        log_error(
            "kafka: another collector is in the group %s as %s, which was our place; give every "
            "collector an id of its own, or a member in SOURCE",
            k->partitions.group, k->member);
    } else {
        log_error("kafka: %s", text);
    }
}

static void start_client(struct kafka_source *k)
{
    const struct kafka_link_config config = {.name = "kafka",
                                             .type = RD_KAFKA_CONSUMER,
                                             .brokers = k->url.brokers,
                                             .properties = k->properties,
                                             .file = k->source.config.settings->kafka_config,
                                             .user = k,
                                             .set_up = set_up,
                                             .on_ready = on_ready,
                                             .on_trouble = on_trouble,
                                             .on_fatal = on_fatal};
    char error[KAFKA_CONF_ERROR_SIZE];

    k->must_start = false;
    k->started_at_ms = uv_now(k->source.config.loop);
    if (!kafka_link_start(&k->link, k->source.config.loop, &config, error, sizeof(error))) {
        note_failure(k, error);
        log_error("kafka: %s", error);
        k->must_start = true;
        k->start_at_ms = k->started_at_ms + backoff_next_ms(&k->backoff);
        return;
    }
    k->counters.starts++;
    if (!kafka_queue_watch(&k->records, k->link.loop, rd_kafka_queue_new(k->link.rk), on_records,
                           k)) {
        note_failure(k, "no descriptor left for an eventfd");
        k->must_start = true;
        return;
    }
    subscribe(k);
}

/* A member with a name keeps its place when it ends, and goes on at once when it comes back in time. */
static int destroy_flags(const struct kafka_source *k)
{
    return *k->member ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0;
}

static void on_link_closed(struct kafka_link *link)
{
    struct kafka_source *k = link->config.user;

    k->on_closed(k->source.user);
}

/* librdkafka before 2.3 aborts when a member is destroyed that has joined the group and has not been given
 * anything yet. At our own end any that may be just joining is left as it is; else only one that has, since it
 * stays. */
static bool is_deadly(const struct kafka_source *k)
{
    char *id;
    bool has_joined;

    if (!k->link.rk || k->is_member || rd_kafka_version() >= 0x02030000)
        return false;
    if (k->is_closing)
        return true;
    id = rd_kafka_memberid(k->link.rk);
    has_joined = id && *id;
    rd_kafka_mem_free(k->link.rk, id);
    if (has_joined)
        rd_kafka_unsubscribe(k->link.rk);
    return has_joined;
}

void kafka_source_end_client(struct kafka_source *k)
{
    bool was_member = k->is_member;
    uint64_t now_ms = uv_now(k->source.config.loop);

    k->is_ending = k->looks > 0;
    if (k->is_ending)
        return;
    kafka_queue_close(&k->records);
    if (is_deadly(k))
        kafka_link_abandon(&k->link);
    kafka_group_forget(k);
    backoff_lasted(&k->backoff, now_ms - k->started_at_ms);
    k->start_at_ms = now_ms + backoff_next_ms(&k->backoff);
    if (k->is_closing)
        kafka_link_close(&k->link, destroy_flags(k), on_link_closed);
    else
        kafka_link_drop(&k->link, destroy_flags(k));
    if (was_member && !k->is_closing)
        k->source.events->on_down(k->source.user);
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void join(struct source *source)
{
    struct kafka_source *k = (void *)source;

    if (!k->is_wanted)
        kafka_queue_poke(&k->records);
    k->is_wanted = true;
    if (!k->link.rk && !k->must_start && !k->is_ending)
        start_client(k);
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
        start_client(k);
    if (!k->link.rk || k->is_ending)
        return;
    on_ready(&k->link); /* or the group would take us for dead (max.poll.interval.ms) */
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

static void add_property(struct kafka_source *k, const char *name, const char *value, bool is_ours)
{
    size_t at = 0;

    while (k->properties[at].name)
        at++;
    k->properties[at] = (struct kafka_property){name, value, is_ours};
}

static void fill_properties(struct kafka_source *k)
{
    static const struct kafka_property fixed[] = {
        /* what is stored moves with the readings, not with the group */
        {"enable.auto.commit", "false", true},
        {"enable.auto.offset.store", "false", true},
        {"auto.offset.reset", "error", true},
        {"partition.assignment.strategy", "cooperative-sticky", true},
        {"isolation.level", "read_committed", true},
        {"enable.partition.eof", "true", true},
        {"allow.auto.create.topics", "false", true},
        {"session.timeout.ms", "6000", false},
        {"heartbeat.interval.ms", "500", false},
        {"topic.metadata.refresh.interval.ms", "10000", false},
        {"queued.min.messages", "1000000", false}, /* so that what counts is the size of them */
        {"queued.max.messages.kbytes", "65536", false},
    };

    add_property(k, "group.id", k->partitions.group, true);
    add_property(k, "group.instance.id", *k->member ? k->member : NULL, true);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        add_property(k, fixed[i].name, fixed[i].value, fixed[i].is_ours);
}

static char *joined(const char *a, const char *b)
{
    struct buffer text = {0};
    char *result;

    buffer_printf(&text, "%s%s", a, b);
    result = mem_strdup(buffer_text(&text));
    buffer_release(&text);
    return result;
}

/* NULL when all is as it should be. */
static const char *read_url(struct kafka_source *k, const char *text)
{
    const char *group;
    const char *member;

    if (!kafka_url_parse(&k->url, text))
        return SOURCE_URL_LEGAL;
    for (size_t i = 0; i < k->url.param_count; i++) {
        if (strcmp(k->url.params[i].name, "group") != 0 &&
            strcmp(k->url.params[i].name, "member") != 0)
            return SOURCE_URL_LEGAL;
    }
    group = kafka_url_param(&k->url, "group");
    member = kafka_url_param(&k->url, "member");
    if ((group && !mqtt_identity_is_legal(group)) || (member && !mqtt_identity_is_legal(member)))
        return SOURCE_URL_LEGAL;
    k->partitions.group = group ? group : "highwater";
    k->member = member ? member : k->source.config.settings->collector_id;
    if (strcmp(k->member, "-") == 0)
        k->member = "";
    return NULL;
}

/* NULL, and what is legal, when the URL is not. */
static struct kafka_source *make(const struct source_config *config, const char *url,
                                 const char **flaw)
{
    struct kafka_source *k = mem_calloc(1, sizeof(*k));

    k->source = (struct source){.kind = &source_kafka, .config = *config};
    k->link.config.user = k;
    *flaw = read_url(k, url);
    if (*flaw) {
        source_free(&k->source);
        return NULL;
    }
    k->topics[0] = mem_strdup(k->url.topic);
    k->topics[1] = joined(k->url.topic, RECORD_REJECTED_SUFFIX);
    fill_properties(k);
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
    kafka_source_end_client(k);
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
