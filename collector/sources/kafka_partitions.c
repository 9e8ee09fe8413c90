#include "collector/sources/kafka_partitions.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void kafka_partitions_release(struct kafka_partitions *partitions)
{
    free(partitions->items);
    free(partitions->mark);
    *partitions = (struct kafka_partitions){0};
}

static bool is_it(const struct kafka_partition *item, const char *topic, int32_t partition)
{
    return item->partition == partition && strcmp(item->topic, topic) == 0;
}

struct kafka_partition *kafka_partitions_find(struct kafka_partitions *partitions,
                                              const char *topic, int32_t partition)
{
    size_t last = partitions->last;

    if (last < partitions->count && is_it(&partitions->items[last], topic, partition))
        return &partitions->items[last];
    for (size_t i = 0; i < partitions->count; i++) {
        if (is_it(&partitions->items[i], topic, partition)) {
            partitions->last = i;
            return &partitions->items[i];
        }
    }
    return NULL;
}

/* What of it is in hand stays so: the marks say from where it was read. */
struct kafka_partition *kafka_partitions_gain(struct kafka_partitions *partitions,
                                              const char *topic, int32_t partition)
{
    struct kafka_partition *item = kafka_partitions_find(partitions, topic, partition);

    if (!item) {
        partitions->items = mem_grow_zeroed(partitions->items, &partitions->capacity,
                                            partitions->count + 1, sizeof(partitions->items[0]));
        item = &partitions->items[partitions->count++];
        *item = (struct kafka_partition){.topic = topic,
                                         .partition = partition,
                                         .stored = SOURCE_POSITION_NEW,
                                         .next = SOURCE_POSITION_NEW,
                                         .end = -1};
    }
    item->state = KAFKA_PARTITION_ASKED;
    return item;
}

static void drop(struct kafka_partitions *partitions, struct kafka_partition *item)
{
    *item = partitions->items[--partitions->count];
}

void kafka_partitions_lose(struct kafka_partitions *partitions, const char *topic,
                           int32_t partition)
{
    struct kafka_partition *item = kafka_partitions_find(partitions, topic, partition);

    if (!item)
        return;
    item->state = KAFKA_PARTITION_LOST;
    item->is_assigned = false;
    if (!kafka_partition_is_in_hand(item))
        drop(partitions, item);
}

/* What is in hand was read from `stored` on. If the store stands elsewhere it will refuse that, and to read
 * from where it stands would put the same records into one batch twice. */
enum kafka_place kafka_partition_place(struct kafka_partition *partition, int64_t stored)
{
    if (kafka_partition_is_in_hand(partition) && stored != partition->stored)
        return KAFKA_PLACE_WAIT;
    if (partition->state == KAFKA_PARTITION_HELD && stored == partition->stored)
        return KAFKA_PLACE_STAY;
    if (!kafka_partition_is_in_hand(partition))
        partition->stored = partition->next = stored;
    partition->state = KAFKA_PARTITION_READING;
    return KAFKA_PLACE_START;
}

struct source_mark kafka_partitions_mark(struct kafka_partitions *partitions)
{
    size_t count = 0;

    partitions->mark = mem_grow_zeroed(partitions->mark, &partitions->mark_capacity,
                                       partitions->count, sizeof(partitions->mark[0]));
    for (size_t i = 0; i < partitions->count; i++) {
        const struct kafka_partition *item = &partitions->items[i];

        if (kafka_partition_is_in_hand(item))
            partitions->mark[count++] = (struct source_position){.group = partitions->group,
                                                                 .topic = item->topic,
                                                                 .partition = item->partition,
                                                                 .from = item->stored,
                                                                 .to = item->next};
    }
    return (struct source_mark){.epoch = 1, .positions = partitions->mark, .position_count = count};
}

void kafka_partitions_settle(struct kafka_partitions *partitions, const struct source_mark *mark)
{
    for (size_t i = 0; i < mark->position_count; i++) {
        const struct source_position *position = &mark->positions[i];
        struct kafka_partition *item =
            kafka_partitions_find(partitions, position->topic, position->partition);

        if (!item || item->stored != position->from)
            continue;
        item->stored = position->to;
        if (item->state == KAFKA_PARTITION_LOST && !kafka_partition_is_in_hand(item))
            drop(partitions, item);
    }
}

void kafka_partitions_give_back(struct kafka_partitions *partitions)
{
    for (size_t i = partitions->count; i-- > 0;) {
        struct kafka_partition *item = &partitions->items[i];
        bool was_in_hand = kafka_partition_is_in_hand(item);

        item->next = item->stored;
        if (item->state == KAFKA_PARTITION_LOST)
            drop(partitions, item);
        else if (item->state == KAFKA_PARTITION_READING ||
                 (item->state == KAFKA_PARTITION_HELD && was_in_hand))
            item->state = KAFKA_PARTITION_ASKED;
    }
}

bool kafka_partitions_await(const struct kafka_partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++) {
        if (partitions->items[i].state == KAFKA_PARTITION_LEAVING &&
            kafka_partition_is_in_hand(&partitions->items[i]))
            return true;
    }
    return false;
}
