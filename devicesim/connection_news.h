/* connection_news.h: what is logged about the connections of a fleet, as a whole.
 *
 * Shape    one line when all are up; one when some cannot be made, and again for another reason,
 *          but not more often than every few seconds. A line for each of 20,000 devices would hide
 *          what it says.
 * Units    microseconds on the monotonic clock.
 * Errors   none.
 * Owner    embedded; publishers and live line are the caller's.
 */
#ifndef HIGHWATER_CONNECTION_NEWS_H
#define HIGHWATER_CONNECTION_NEWS_H

#include "devicesim/live_line.h"
#include "devicesim/publishers.h"

#include <stddef.h>
#include <stdint.h>

struct connection_news {
    struct publishers *publishers;
    struct live_line *line;
    size_t connected;
    int64_t connected_us; /* when the last connection was new; 0 = not looked yet */
    char failure[200];    /* the last one logged; "" = none */
    int64_t logged_us;    /* and when */
};

/* To be called at every tick. */
void connection_news_look(struct connection_news *news, int64_t now_us);

/* Asks one last time why connections cannot be made, without a line. */
void connection_news_close(struct connection_news *news);

#endif
