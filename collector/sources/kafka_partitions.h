/* kafka_partitions.h: which partitions are ours, how far each was read, and how far it is stored.
 *
 * Shape    asked --place--> reading --gap--> held --place elsewhere--> reading
 *          Of a partition two places are known: `stored`, the next record that the store must get, and `next`,
 *          the one after what was delivered. What lies between them is in hand. A partition that is lost
 *          while something of it is in hand stays in the table, and in the marks, until that is stored or
 *          given back: it is the store that finds out whether another has stored it before us.
 * Units    offsets of records. A log may have gaps in them (compaction, transactions), so the one after
 *          a record is the record's and 1, and nothing is said of what is there.
 * Errors   none. No memory: mem.h.
 * Owner    embedded; zeroed is empty; kafka_partitions_release() frees it. Topics are the caller's texts, and
 *          must live as long.
 */
#ifndef HIGHWATER_KAFKA_PARTITIONS_H
#define HIGHWATER_KAFKA_PARTITIONS_H

#include "collector/source_mark.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kafka_partition_state {
    KAFKA_PARTITION_ASKED,   /* the store has not said yet where it starts */
    KAFKA_PARTITION_READING, /* records of it are delivered */
    KAFKA_PARTITION_HELD,    /* what comes next is not there any more: a person decides */
    KAFKA_PARTITION_LEAVING, /* another is to have it, once nothing of it is in hand */
    KAFKA_PARTITION_LOST     /* it is not ours, but something of it is in hand */
};

struct kafka_partition {
    const char *topic;
    int32_t partition;
    enum kafka_partition_state state;
    bool is_assigned;  /* it is being fetched, as librdkafka has it */
    bool is_looked_at; /* while it is held: where the topic begins and ends is being asked */
    unsigned starts;   /* times that librdkafka was told where to read */
    int64_t stored;
    int64_t next;
    int64_t end;      /* there was nothing after it but what is no record; -1 = not known */
    int64_t gap_from; /* while it is held: what is missing, */
    int64_t gap_to;   /* and the first that is there; lower when the log ends before gap_from */
};

struct kafka_partitions {
    struct kafka_partition *items;
    size_t count;
    size_t capacity;
    size_t last; /* that was found */
    const char *group;
    struct source_position *mark; /* of the last */
    size_t mark_capacity;
};

/* What became of a partition that the store has said the place of. */
enum kafka_place {
    KAFKA_PLACE_START, /* from partition->next on */
    KAFKA_PLACE_STAY,  /* it is held, and nobody has moved it */
    KAFKA_PLACE_WAIT   /* what is in hand will be refused; then it is asked again */
};

void kafka_partitions_release(struct kafka_partitions *partitions);

/* NULL when it is not in the table. Nearly always it is the one that was found last. */
struct kafka_partition *kafka_partitions_find(struct kafka_partitions *partitions,
                                              const char *topic, int32_t partition);

/* It is ours from now on. */
struct kafka_partition *kafka_partitions_gain(struct kafka_partitions *partitions,
                                              const char *topic, int32_t partition);

/* It is not any more. Forgotten when nothing of it is in hand, so pointers are not valid after this. */
void kafka_partitions_lose(struct kafka_partitions *partitions, const char *topic,
                           int32_t partition);

/* The store's next record of it is `stored`, or SOURCE_POSITION_NEW. */
enum kafka_place kafka_partition_place(struct kafka_partition *partition, int64_t stored);

/* The record at `offset` was delivered. */
static inline void kafka_partition_pass(struct kafka_partition *partition, int64_t offset)
{
    partition->next = offset + 1;
}

/* Delivered and not stored. */
static inline bool kafka_partition_is_in_hand(const struct kafka_partition *partition)
{
    return partition->next != partition->stored;
}

/* Of one that is held: the first and the last record that are not there. */
static inline int64_t kafka_partition_gap_first(const struct kafka_partition *partition)
{
    return partition->gap_from < partition->gap_to ? partition->gap_from : partition->gap_to;
}

static inline int64_t kafka_partition_gap_last(const struct kafka_partition *partition)
{
    return (partition->gap_from < partition->gap_to ? partition->gap_to : partition->gap_from) - 1;
}

/* All that is in hand; valid until the next. */
struct source_mark kafka_partitions_mark(struct kafka_partitions *partitions);

/* It is stored. */
void kafka_partitions_settle(struct kafka_partitions *partitions, const struct source_mark *mark);

/* Nothing that is in hand will be stored: what is ours is to be asked for again. */
void kafka_partitions_give_back(struct kafka_partitions *partitions);

/* A partition that is leaving has something in hand. */
bool kafka_partitions_await(const struct kafka_partitions *partitions);

#endif
