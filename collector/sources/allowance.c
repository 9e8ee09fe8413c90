/* Rejected: a setting (who knows of the window can raise it as well), and committing whenever
 * the socket is quiet for a moment, which makes small batches of a fleet that merely pauses. */
#include "collector/sources/allowance.h"

/* At once is a round trip, to a broker that may be far away or busy. */
enum { TIMES_ENOUGH = 3, AT_ONCE_MS = 50 };

bool allowance_note_held(struct allowance *allowance, uint64_t held)
{
    bool is_more = allowance->window > 0 && held > allowance->window;

    if (is_more)
        *allowance = (struct allowance){0};
    return is_more;
}

void allowance_note_release(struct allowance *allowance, uint64_t held, bool is_quiet,
                            uint64_t now_ms)
{
    allowance->quiet_at = is_quiet ? held : 0;
    allowance->released_ms = now_ms;
    if (held > allowance->suspected)
        allowance->times = 0; /* it does not end there */
}

bool allowance_note_message(struct allowance *allowance, uint64_t now_ms)
{
    uint64_t held = allowance->quiet_at;

    allowance->quiet_at = 0;
    if (held == 0 || allowance->window > 0 || now_ms - allowance->released_ms > AT_ONCE_MS)
        return false;
    if (held != allowance->suspected)
        allowance->times = 0;
    allowance->suspected = held;
    if (++allowance->times < TIMES_ENOUGH)
        return false;
    allowance->window = held;
    return true;
}
