/* What can be said of the gate at any moment: up to when all is settled, and what is in flight. */
#include "collector/ingest.h"

int64_t ingest_settled_until_us(const struct ingest *ingest, int64_t now_us)
{
    int64_t open_us = now_us;

    if (ingest->state == INGEST_CLOSING)
        return ingest->drained_in_time ? ingest->closed_at_us - 1 : INT64_MIN;
    if (!ingest_is_live(ingest))
        return INT64_MIN;
    if (batch_has_rows(ingest->filling))
        open_us = ingest->filling->oldest_received_at_us;
    if (ingest->committing && batch_has_rows(ingest->committing))
        open_us = ingest->committing->oldest_received_at_us;
    if (ingest->backlog.first && ingest->backlog.first->rest.is_there &&
        ingest->backlog.first->received_at_us < open_us)
        open_us = ingest->backlog.first->received_at_us;
    return open_us < now_us ? open_us - 1 : now_us - 1;
}

static uint64_t unsettled(const struct batch *batch)
{
    return batch ? batch->count + batch->rejected_count : 0;
}

uint64_t ingest_in_flight(const struct ingest *ingest)
{
    /* A row that was refused is in the batch and, from then on, among its rejected messages. */
    uint64_t twice = ingest->committing ? store_progress(ingest->store)->refused : 0;

    return unsettled(ingest->filling) + unsettled(ingest->committing) + ingest->rejects.count -
           twice;
}

bool ingest_is_live(const struct ingest *ingest)
{
    if (!ingest->store)
        return false; /* it has not started yet */
    return ingest->state != INGEST_CLOSING && store_is_ready(ingest->store) &&
           source_is_up(ingest->source);
}
