#include "collector/ingest_account.h"

void ingest_account_stored(struct ingest *ingest, const struct store_outcome *outcome)
{
    struct ingest_counters *counters = &ingest->counters;

    counters->batches++;
    counters->stored += outcome->stored;
    counters->duplicates += outcome->duplicates;
    counters->rejected += ingest->committing->rejected_count;
    for (size_t i = 0; i < READING_ERROR_COUNT; i++)
        counters->rejected_by_reason[i] += ingest->committing->rejected_by_reason[i];
}

uint64_t ingest_account_dropped(struct ingest *ingest)
{
    uint64_t stored = ingest->committing ? store_progress(ingest->store)->stored : 0;
    uint64_t dropped = ingest_in_flight(ingest) - stored;

    ingest->counters.stored += stored;
    ingest->counters.duplicates += dropped;
    ingest->committing = NULL;
    for (size_t i = 0; i < 2; i++)
        batch_clear(&ingest->batches[i]);
    backlog_release(&ingest->backlog);
    rejects_clear(&ingest->rejects);
    ingest->waiting_since_ms = 0;
    return dropped;
}
