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
    buffer_printf(out, "readings that were received %.1f s ago are not committed",
                  (double)lag_waiting_ms(ingest) / 1e3);
    store_explain(ingest->store, out);
}
