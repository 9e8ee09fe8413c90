#include "collector/ingest_linger.h"

enum {
    BUSY_PER_MS = 20,    /* readings */
    BUSY_LINGER_MS = 50, /* how old a batch may then get */
    AT_ONCE_MS = 2
};

/* Nothing was read while the last batch was committed, so what comes at once when it is may be as old as that
 * took. Of a commit that took longer than the linger the rest is taken off the next one: or whoever was held
 * up by a slow commit would be held up again, by a linger that is meant for those who come one by one. */
uint64_t ingest_linger_ms(const struct ingest *ingest)
{
    uint64_t linger_ms = ingest->config.linger_ms;
    uint64_t now_ms = uv_now(ingest->linger.loop);
    uint64_t waited_ms =
        now_ms - ingest->resumed_ms <= AT_ONCE_MS ? ingest->resumed_ms - ingest->paused_ms : 0;
    uint64_t most_ms = 2 * linger_ms - linger_ms / 4;

    if (waited_ms <= linger_ms)
        return linger_ms;
    return 2 * linger_ms - (waited_ms < most_ms ? waited_ms : most_ms);
}

/* While readings come faster than BUSY_PER_MS a commit is better put off: large batches cost
 * the database a quarter less a row, and at such a load readings wait anyway. What had piled up while nothing
 * was read looks like such a load; half a linger later it does no more. */
bool ingest_goes_on_lingering(struct ingest *ingest)
{
    size_t gained = ingest->filling->count - ingest->lingered_count;
    uint64_t age_ms = uv_now(ingest->linger.loop) - ingest->filling_since_ms;

    ingest->lingered_count = ingest->filling->count;
    return ingest->linger_wait_ms > 0 && gained >= ingest->linger_wait_ms * BUSY_PER_MS &&
           age_ms < BUSY_LINGER_MS && ingest->state == INGEST_READING && !ingest->is_draining;
}
