/* boards_rights.h: the part of boards (boards.h) that minds what the broker lets us publish.
 *
 * Why      permit.h: what is denied is dropped without a word, or ends the connection.
 * Shape    each board, and the status, has a permit. What is denied is not vouched for, is named by
 *          boards_write_faults(), and is published again every second until it is allowed.
 */
#ifndef HIGHWATER_BOARDS_RIGHTS_H
#define HIGHWATER_BOARDS_RIGHTS_H

#include "collector/boards.h"

static inline size_t boards_count(const struct boards *boards)
{
    return (size_t)boards->config.windows->ranking_count * boards->config.windows->interval_count;
}

/* The link's on_published. */
void boards_on_published(struct mqtt_link *link, int mid, int reason_code);

/* The connection has ended: perhaps over what was on its way. */
void boards_suspect(struct boards *boards);

/* Somebody may have mended the broker's rights: what was denied is published again, and asks. */
void boards_ask_again(struct boards *boards);

#endif
