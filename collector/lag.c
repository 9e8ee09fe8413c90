#include "collector/lag.h"

enum { STANDS_AFTER_MS = 3000 };

uint64_t lag_waiting_ms(const struct ingest *ingest)
{
    return ingest->waiting_since_ms > 0 ? uv_now(ingest->linger.loop) - ingest->waiting_since_ms
                                        : 0;
}

bool lag_stands_still(const struct ingest *ingest)
{
    return lag_waiting_ms(ingest) >= STANDS_AFTER_MS + ingest->config.linger_ms;
}

void lag_explain(const struct ingest *ingest, struct buffer *out)
{
    const struct store *store = &ingest->store;
    const struct pg_error *failure = &store->failure;

    buffer_printf(out, "readings that were received %.1f s ago are not committed",
                  (double)lag_waiting_ms(ingest) / 1e3);
    if (store->state == STORE_WRITING)
        buffer_printf(out, "; PostgreSQL has worked on the transaction for %.1f s",
                      (double)(uv_now(ingest->linger.loop) - store->began_ms) / 1e3);
    if (failure->text[0])
        buffer_printf(out, "; the last try: %s%s%s%s", failure->text,
                      failure->sqlstate[0] ? " (SQLSTATE " : "", failure->sqlstate,
                      failure->sqlstate[0] ? ")" : "");
}
