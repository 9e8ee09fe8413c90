/* Nothing is committed to the group: nobody needs it, and what a coordinator that is away has not confirmed
 * holds up each rebalance (librdkafka lets no partition go before).
 *
 * The group is answered at once, with no partition at all: what it has given is assigned when the store has
 * said where it starts, however long that takes, and meanwhile the group can give and take. Rejected:
 * answering when the store has, during which the group could not be changed by anybody. */
#include "collector/sources/kafka_source.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LET_GO_AFTER_MS = 2000 };

typedef rd_kafka_topic_partition_list_t list_t;

/* ---- librdkafka ------------------------------------------------------------------------------- */

/* Nothing of the list is not ours, so nothing can go wrong but what a later rebalance mends. */
static void check(const char *what, rd_kafka_error_t *error)
{
    if (!error)
        return;
    log_warning("kafka: %s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void unassign(struct kafka_source *k, const list_t *list)
{
    list_t *assigned = rd_kafka_topic_partition_list_new(list->cnt);

    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        const struct kafka_partition *partition =
            kafka_partitions_find(&k->partitions, item->topic, item->partition);

        if (partition && partition->is_assigned)
            rd_kafka_topic_partition_list_add(assigned, item->topic, item->partition);
    }
    check("partitions cannot be let go", rd_kafka_incremental_unassign(k->link.rk, assigned));
    rd_kafka_topic_partition_list_destroy(assigned);
}

/* Its queue is to lead to ours before anything is in it. */
static void lead(struct kafka_source *k, const struct kafka_partition *partition)
{
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition(k->link.rk, partition->topic, partition->partition);

    if (!queue)
        return;
    rd_kafka_queue_forward(queue, k->records.queue);
    rd_kafka_queue_destroy(queue);
}

/* When librdkafka stops fetching a partition it takes its queue off ours, some time after it was told to stop:
 * perhaps after it was told to start again. */
void kafka_group_lead(struct kafka_source *k)
{
    for (size_t i = 0; i < k->partitions.count; i++) {
        if (k->partitions.items[i].is_assigned)
            lead(k, &k->partitions.items[i]);
    }
}

/* What is being fetched already is let go before: what of it waits in the queue is dropped with that, so
 * that nothing comes but what follows from there. */
void kafka_group_read_from(struct kafka_source *k, struct kafka_partition *partition,
                           int64_t offset)
{
    list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset =
        offset;
    if (partition->is_assigned)
        check("a partition cannot be let go", rd_kafka_incremental_unassign(k->link.rk, list));
    lead(k, partition);
    check("a partition cannot be read", rd_kafka_incremental_assign(k->link.rk, list));
    partition->is_assigned = true;
    partition->starts++;
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_group_read_on(struct kafka_source *k, struct kafka_partition *partition)
{
    kafka_group_read_from(k, partition,
                          partition->next == SOURCE_POSITION_NEW ? RD_KAFKA_OFFSET_BEGINNING
                                                                 : partition->next);
}

/* ---- what the store says ---------------------------------------------------------------------- */

static struct source_position position_of(const struct kafka_source *k,
                                          const struct kafka_partition *partition)
{
    return (struct source_position){.group = k->partitions.group,
                                    .topic = partition->topic,
                                    .partition = partition->partition,
                                    .from = partition->stored,
                                    .to = partition->next};
}

static void tell(struct kafka_source *k, enum kafka_partition_state state,
                 void (*event)(void *user, const struct source_position *positions, size_t count))
{
    struct source_position *positions = mem_calloc(k->partitions.count + 1, sizeof(positions[0]));
    size_t count = 0;

    for (size_t i = 0; i < k->partitions.count; i++) {
        if (k->partitions.items[i].state == state)
            positions[count++] = position_of(k, &k->partitions.items[i]);
    }
    if (count > 0)
        event(k->source.user, positions, count);
    free(positions);
}

void kafka_group_ask(struct kafka_source *k, enum kafka_partition_state state)
{
    tell(k, state, k->source.events->on_gained);
}

static void say_start(const struct kafka_partition *partition, bool was_held)
{
    char record[40] = "the oldest record";

    if (partition->next != SOURCE_POSITION_NEW)
        snprintf(record, sizeof(record), "record %" PRId64, partition->next);
    log_info("kafka: %s/%" PRId32 " is read from %s on%s", partition->topic, partition->partition,
             record, was_held ? ", as it was told to" : "");
}

static bool place(struct kafka_source *k, const struct source_position *position)
{
    struct kafka_partition *partition =
        kafka_partitions_find(&k->partitions, position->topic, position->partition);
    bool was_held;

    if (!partition ||
        (partition->state != KAFKA_PARTITION_ASKED && partition->state != KAFKA_PARTITION_HELD))
        return false;
    was_held = partition->state == KAFKA_PARTITION_HELD;
    if (kafka_partition_place(partition, position->from) != KAFKA_PLACE_START)
        return false;
    say_start(partition, was_held);
    kafka_group_read_on(k, partition);
    return true;
}

bool kafka_group_place(struct source *source, const struct source_position *positions, size_t count)
{
    struct kafka_source *k = (void *)source;
    bool starts = false;

    for (size_t i = 0; i < count && k->records.queue; i++)
        starts = place(k, &positions[i]) || starts;
    return starts;
}

/* ---- what the group says ---------------------------------------------------------------------- */

static void keep(list_t **to, const list_t *list)
{
    if (*to) {
        for (int i = 0; i < list->cnt; i++)
            rd_kafka_topic_partition_list_add(*to, list->elems[i].topic, list->elems[i].partition);
    } else {
        *to = rd_kafka_topic_partition_list_copy(list);
    }
}

static void forget_list(list_t **list)
{
    if (*list)
        rd_kafka_topic_partition_list_destroy(*list);
    *list = NULL;
}

void kafka_group_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t error, list_t *list, void *opaque)
{
    struct kafka_link *link = opaque;
    struct kafka_source *k = link->config.user;

    if (link->rk != rk) { /* the end of a client that was dropped, in a thread of its own */
        rd_kafka_error_t *failure = rd_kafka_incremental_unassign(rk, list);

        if (failure)
            rd_kafka_error_destroy(failure);
        return;
    }
    keep(error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? &k->granted : &k->revoked, list);
}

static void take_granted(struct kafka_source *k, list_t *list)
{
    list_t *none = rd_kafka_topic_partition_list_new(0);

    k->counters.rebalances++;
    for (int i = 0; i < list->cnt; i++)
        kafka_partitions_gain(&k->partitions, k->topics[0], list->elems[i].partition);
    log_info("kafka: the group has given us %d partitions%s", list->cnt,
             k->is_member ? " more" : "");
    check("the group cannot be answered", rd_kafka_incremental_assign(k->link.rk, none));
    rd_kafka_topic_partition_list_destroy(none);
    k->failure[0] = '\0';
    k->lacks_topic = false;
    if (!k->is_member) {
        k->is_member = true;
        k->source.events->on_up(k->source.user);
    }
    kafka_group_ask(k, KAFKA_PARTITION_ASKED);
    kafka_rejected_divide(k);
    kafka_rejected_count(k);
}

static void let_go(struct kafka_source *k)
{
    unassign(k, k->leaving);
    for (int i = 0; i < k->leaving->cnt; i++)
        kafka_partitions_lose(&k->partitions, k->leaving->elems[i].topic,
                              k->leaving->elems[i].partition);
    forget_list(&k->leaving);
    k->asked_at_ms = 0; /* what is ours of the rest is seen to at once */
}

void kafka_group_let_go(struct kafka_source *k)
{
    if (!k->leaving || !k->link.rk)
        return;
    if (kafka_partitions_await(&k->partitions) &&
        uv_now(k->link.loop) < k->leaving_since_ms + LET_GO_AFTER_MS)
        return;
    let_go(k);
}

void kafka_group_leave(struct kafka_source *k, struct kafka_partition *partition)
{
    if (!k->leaving)
        k->leaving = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(k->leaving, partition->topic, partition->partition);
    partition->state = KAFKA_PARTITION_LEAVING;
}

void kafka_group_say_leaving(struct kafka_source *k)
{
    k->leaving_since_ms = uv_now(k->link.loop);
    tell(k, KAFKA_PARTITION_LEAVING, k->source.events->on_lost);
    kafka_group_let_go(k);
}

/* In order it is let go after what is in hand has been stored, so that who gets it finds it so. When the group
 * holds us for dead somebody has it already. */
static void take_revoked(struct kafka_source *k, list_t *list)
{
    bool is_lost = rd_kafka_assignment_lost(k->link.rk);

    k->counters.rebalances++;
    if (!k->leaving)
        k->leaving = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition =
            kafka_partitions_find(&k->partitions, list->elems[i].topic, list->elems[i].partition);

        if (partition && partition->state != KAFKA_PARTITION_LEAVING)
            kafka_group_leave(k, partition);
    }
    kafka_rejected_leave(k);
    log_info("kafka: %d partitions %s", list->cnt,
             is_lost ? "are lost: the group held us for dead" : "go to another member");
    if (!is_lost) {
        kafka_group_say_leaving(k);
        return;
    }
    tell(k, KAFKA_PARTITION_LEAVING, k->source.events->on_lost);
    let_go(k);
    k->is_member = false;
    k->source.events->on_down(k->source.user);
}

void kafka_group_answer(struct kafka_source *k)
{
    list_t *list;

    if (k->revoked) {
        list = k->revoked;
        k->revoked = NULL;
        take_revoked(k, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
    if (k->granted) {
        list = k->granted;
        k->granted = NULL;
        take_granted(k, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

void kafka_group_forget(struct kafka_source *k)
{
    forget_list(&k->granted);
    forget_list(&k->revoked);
    forget_list(&k->leaving);
    for (size_t i = k->partitions.count; i-- > 0;)
        kafka_partitions_lose(&k->partitions, k->partitions.items[i].topic,
                              k->partitions.items[i].partition);
    k->is_member = false;
}
