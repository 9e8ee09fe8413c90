/* allowance.h: how many messages the broker sends before it waits for acknowledgements, learnt.
 *
 * Why      a broker has a window of its own for what is on its way to one client unacknowledged
 *          (max_inflight_messages of Mosquitto, 20 by default), and does not tell how large. Once it
 *          is used up a batch cannot grow, and whatever it waits for is lost time: with 100 and a
 *          linger of 10 ms it is the rate that is lost, fivefold.
 * Rule     a window that is used up shows as silence while we hold so many, from the last message
 *          until our acknowledgements leave, and as messages at once when they have left. A count at
 *          which that was seen TIMES_ENOUGH times in a row is the window. It is given up as soon as
 *          more are held, which a window does not allow, and on each new connection.
 *          A fleet that happens to send just so is taken for a window, too: its batches are then
 *          committed a little sooner, which hurts nobody.
 * Units    messages; ms of one clock, passed in.
 * Owner    embedded; zeroed has seen nothing.
 */
#ifndef HIGHWATER_ALLOWANCE_H
#define HIGHWATER_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

struct allowance {
    uint64_t window;      /* 0 = not known */
    uint64_t suspected;   /* at which it may end */
    unsigned times;       /* in a row that this was seen */
    uint64_t quiet_at;    /* so many were held when all was quiet; 0 = it was not */
    uint64_t released_ms; /* when they were let out */
};

/* True when nothing more will come before what is held is acknowledged. */
static inline bool allowance_is_used_up(const struct allowance *allowance, uint64_t held)
{
    return allowance->window > 0 && held == allowance->window;
}

/* All that there was has been read, and so many are held. True when the window is given up. */
bool allowance_note_held(struct allowance *allowance, uint64_t held);

/* They are about to be acknowledged. `is_quiet`: since the last of them nothing has come. */
void allowance_note_release(struct allowance *allowance, uint64_t held, bool is_quiet,
                            uint64_t now_ms);

/* The first message after that has come. True when by it the window is known. */
bool allowance_note_message(struct allowance *allowance, uint64_t now_ms);

#endif
