#include "collector/moments.h"

#include "shared/model/board.h"

enum { CUTS_MOST = 8 };

/* The first moment that is not before this time. */
static int64_t moment_from(int64_t us)
{
    return board_as_of(us + BOARD_GRID_US - 1);
}

void moments_init(struct moments *moments, int64_t now_us)
{
    *moments = (struct moments){.expiry_us = INT64_MAX, .spoilt_us = INT64_MIN};
    moments_skip(moments, board_as_of(now_us));
}

void moments_note_news(struct moments *moments)
{
    moments->has_news = true;
}

void moments_spoil(struct moments *moments, int64_t us)
{
    if (us > moments->spoilt_us)
        moments->spoilt_us = us;
    moments->has_news = true;
}

bool moments_reach(struct moments *moments, int64_t as_of_us)
{
    if (as_of_us <= moments->as_of_us)
        return false;
    if (!moments->has_news) {
        /* what expires at a moment is not on the board of that moment */
        int64_t held_us =
            moments->expiry_us == INT64_MAX ? as_of_us : board_as_of(moments->expiry_us - 1);

        if (held_us > as_of_us)
            held_us = as_of_us;
        if (held_us > moments->as_of_us)
            moments->as_of_us = held_us;
    }
    return moments->as_of_us < as_of_us && as_of_us > moments->spoilt_us;
}

void moments_made(struct moments *moments, int64_t as_of_us, bool is_changed, int64_t expiry_us)
{
    /* What skipped moments would have shown is not known, even if all is as before. */
    if (is_changed || as_of_us > moments->as_of_us + BOARD_GRID_US)
        moments->since_us = as_of_us;
    moments->as_of_us = as_of_us;
    moments->expiry_us = expiry_us;
    moments->has_news = false;
}

void moments_skip(struct moments *moments, int64_t as_of_us)
{
    moments->as_of_us = moments->since_us = as_of_us;
    moments->has_news = true;
}

int64_t moments_next(const struct moments *moments)
{
    int64_t after_us = moments->as_of_us > moments->spoilt_us
                           ? moments->as_of_us + BOARD_GRID_US
                           : board_as_of(moments->spoilt_us) + BOARD_GRID_US;

    if (moments->has_news)
        return after_us;
    if (moments->expiry_us == INT64_MAX)
        return INT64_MAX;
    return moments->expiry_us > after_us ? moment_from(moments->expiry_us) : after_us;
}

int64_t moments_first_cut(int64_t first_us, int64_t last_us)
{
    int64_t cut_us = moment_from(first_us);
    int64_t latest_us = moment_from(last_us) - CUTS_MOST * BOARD_GRID_US;

    return cut_us > latest_us ? cut_us : latest_us;
}
