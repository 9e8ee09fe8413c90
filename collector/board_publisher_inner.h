/* board_publisher_inner.h: what the files of the board publisher know of each other; nobody else
 * includes it.
 *
 * Files    board_publisher.c         when boards are made, what the publisher is told, start and end
 *          board_publisher_make.c    what is on them, and which of them go out
 *          board_publisher_status.c  the status, the lines about rejected messages, the numbers
 *          board_publisher_sinks.c   the sinks: what they are given, and what they say
 */
#ifndef HIGHWATER_BOARD_PUBLISHER_INNER_H
#define HIGHWATER_BOARD_PUBLISHER_INNER_H

#include "collector/board_publisher.h"

static inline size_t board_publisher_count(const struct board_publisher *publisher)
{
    const struct windows *windows = publisher->config.windows;

    return (size_t)windows->ranking_count * windows->interval_count;
}

/* ---- board_publisher_make.c */

/* Writes the key of this board into `publisher->key`. */
const char *board_publisher_key(struct board_publisher *publisher, uint32_t ranking,
                                uint32_t interval);

void board_publisher_make(struct board_publisher *publisher, int64_t as_of_us);

/* What was last published of this board, once more, for one sink. */
void board_publisher_repeat(struct board_publisher *publisher, struct sink *sink, size_t board);

/* Nobody may rely on what was published any longer. */
void board_publisher_disown(struct board_publisher *publisher);

/* ---- board_publisher_status.c */

/* Only while the keys are ours; board_publisher_publish_status() looks first. */
void board_publisher_send_status(struct board_publisher *publisher);

/* ---- board_publisher_sinks.c */

extern const struct sink_events board_publisher_events;

/* The keys of a sink are ours. */
bool board_publisher_may_speak(const struct board_publisher *publisher);

/* And the windows are complete, and it takes boards. */
bool board_publisher_is_speaking(const struct board_publisher *publisher);

/* Into all that are ready. False when it will not be there in the first one, whose boards the status
 * vouches for. */
bool board_publisher_put(struct board_publisher *publisher, const struct sink_item *item);

/* The same for one. */
bool board_publisher_put_into(struct board_publisher *publisher, struct sink *sink,
                              const struct sink_item *item);

void board_publisher_hold(struct board_publisher *publisher);
void board_publisher_flush(struct board_publisher *publisher);

/* What the first sink lacks is made again; another gets what was published. */
void board_publisher_retry(struct board_publisher *publisher);

#endif
