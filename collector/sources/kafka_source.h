/* kafka_source.h: what the files of the Kafka source know of each other; nobody else includes it.
 *
 * Shape    a member of a group reads the partitions that the group gives it, from where the store says on.
 *          The queues of the partitions lead to one of our own. So the consumer's queue, on which the group
 *          speaks, is always read, and records only while they are wanted: a pause of any length keeps the
 *          membership, and costs what librdkafka has read ahead and no more.
 * Files    kafka_source.c      the kind: coming and going, and the records
 *          kafka_client.c      librdkafka's client: its start, what it says, its end
 *          kafka_settings.c    what the URL says, and librdkafka's properties that follow from it
 *          kafka_group.c       the group: partitions that come and go, and where they start
 *          kafka_rejected.c    which partitions of rejected messages come with those of readings
 *          kafka_gap.c         what is not there any more
 *          kafka_report.c      what is wrong with it, and its numbers
 *          kafka_partitions.c  the table of the partitions, which knows nothing of Kafka
 *          kafka_record.c      what a record is as a message
 */
#ifndef HIGHWATER_KAFKA_SOURCE_H
#define HIGHWATER_KAFKA_SOURCE_H

#include "collector/settings.h"
#include "collector/source.h"
#include "collector/sources/kafka_partitions.h"
#include "collector/sources/kafka_record.h"
#include "collector/sources/silence.h"
#include "shared/base/backoff.h"
#include "shared/net/kafka_link.h"
#include "shared/net/kafka_url.h"

enum { KAFKA_PROPERTIES_MAX = 24, KAFKA_TOPICS = 2 };

struct kafka_counters {
    uint64_t records;
    uint64_t tombstones;
    uint64_t rebalances;
    uint64_t given_back; /* times that what was delivered was to come again */
    uint64_t gaps;
    uint64_t missing; /* records, as far as it is known */
    uint64_t fenced;  /* times that another took our place in the group */
    uint64_t starts;  /* of clients */
};

struct kafka_source {
    struct source source;
    struct kafka_url url;
    char *topics[KAFKA_TOPICS]; /* readings, and rejected messages */
    const char *member;         /* "" = one without a name, which leaves the group when it ends */
    struct kafka_property properties[KAFKA_PROPERTIES_MAX];
    struct kafka_link link;
    struct kafka_queue records; /* of all partitions */
    struct kafka_partitions partitions;
    struct kafka_record_reader reader;
    struct kafka_counters counters;
    struct silence silence;
    bool is_wanted; /* joined, and not left */
    bool is_paused; /* by ingest */
    bool is_member; /* the group has given us partitions, be it none */
    bool is_closing;
    bool has_said_session; /* that a session at the broker is left behind */
    bool is_ending;        /* the client is to be dropped once nobody looks at anything with it, */
    bool must_start;       /* and a new one started at `start_at_ms` */
    bool lacks_topic;      /* of readings */
    char failure[KAFKA_CONF_ERROR_SIZE]; /* "" = none */
    uint64_t start_at_ms;
    uint64_t started_at_ms;
    struct backoff backoff;
    rd_kafka_topic_partition_list_t *granted; /* by a rebalance that we have not answered */
    rd_kafka_topic_partition_list_t *revoked;
    rd_kafka_topic_partition_list_t
        *leaving; /* revoked, and to be let go when nothing is in hand */
    uint64_t leaving_since_ms;
    uint64_t asked_at_ms; /* for what may have changed without a word */
    int partition_counts[KAFKA_TOPICS];
    bool is_counting;
    unsigned looks; /* at the broker, in threads, under way */
    void (*on_closed)(void *user);
};

/* ---- kafka_settings.c */

/* Fills in the URL's parts, the topics, the group, the member and the properties. NULL, or what is legal. */
const char *kafka_settings_read(struct kafka_source *k, const char *url);

/* ---- kafka_group.c */

/* Of the client, inside rd_kafka_consumer_poll(). */
void kafka_group_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t *list, void *opaque);

/* Answers the group, once rd_kafka_consumer_poll() has returned. */
void kafka_group_answer(struct kafka_source *k);

/* Lets go what was revoked, as soon as nothing of it is in hand, or it has taken too long. */
void kafka_group_let_go(struct kafka_source *k);

/* It is to go, and then let go of: kafka_group_say_leaving(). */
void kafka_group_leave(struct kafka_source *k, struct kafka_partition *partition);

/* Tells that partitions are leaving, and lets them go as soon as may be. */
void kafka_group_say_leaving(struct kafka_source *k);

/* Asks the store for the places of the partitions in this state. */
void kafka_group_ask(struct kafka_source *k, enum kafka_partition_state state);

/* The store has said where partitions stand. True when something of them starts. */
bool kafka_group_place(struct source *source, const struct source_position *positions,
                       size_t count);

/* Reads a partition from `offset` on. */
void kafka_group_read_from(struct kafka_source *k, struct kafka_partition *partition,
                           int64_t offset);

/* Reads it from the next record that is wanted of it; that of a new one is the oldest there is. */
void kafka_group_read_on(struct kafka_source *k, struct kafka_partition *partition);

/* Sees to it that the queues of all that is read lead to ours: now and then. */
void kafka_group_lead(struct kafka_source *k);

/* There is no client any more. */
void kafka_group_forget(struct kafka_source *k);

/* ---- kafka_rejected.c */

/* Finds out how many partitions there are, and divides them. */
void kafka_rejected_count(struct kafka_source *k);

/* Gains and leaves partitions of rejected messages, as those of readings are ours or not. */
void kafka_rejected_divide(struct kafka_source *k);

/* Only what is to be left; true when there is something. */
bool kafka_rejected_leave(struct kafka_source *k);

/* ---- kafka_gap.c */

/* What comes next of the partition is not there. */
void kafka_gap_look(struct kafka_source *k, struct kafka_partition *partition);

/* At those that could not be looked at. */
void kafka_gap_look_again(struct kafka_source *k);

/* ---- kafka_client.c */

/* Starts it. `on_records` is called when some may be there; its user is `k`. */
void kafka_client_start(struct kafka_source *k, void (*on_records)(void *user));

/* Takes what the group and the broker say. */
void kafka_client_listen(struct kafka_source *k);

/* Reads partitions again of which records have come past our queue. What the group says meanwhile is answered by
 * kafka_client_listen(). */
void kafka_client_take_strays(struct kafka_source *k);

/* Ends it; a new one comes by and by if we are still wanted. */
void kafka_client_end(struct kafka_source *k);

/* ---- kafka_report.c */

void kafka_report_watch_silence(struct kafka_source *k);

void kafka_report_put_faults(const struct source *source, struct buffer *out);
void kafka_report_put_metrics(const struct source *source, const struct prometheus *to);

#endif
