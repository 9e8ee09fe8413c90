/* board_publisher_inner.h: what the files of the board publisher know of each other; nobody else
 * includes it.
 *
 * Files    board_publisher.c         when boards are made, what the publisher is told, start and end
 *          board_publisher_make.c    what is on them, and which of them go out
 *          board_publisher_status.c  the status, and the lines about rejected messages
 *          board_publisher_topics.c  whose our topics are, and what the broker retained there
 *          board_publisher_rights.c  what the broker lets us publish
 */
#ifndef HIGHWATER_BOARD_PUBLISHER_INNER_H
#define HIGHWATER_BOARD_PUBLISHER_INNER_H

#include "collector/board_publisher.h"

static inline size_t board_publisher_count(const struct board_publisher *publisher)
{
    const struct windows *windows = publisher->config.windows;

    return (size_t)windows->ranking_count * windows->interval_count;
}

/* The topics are ours. */
static inline bool board_publisher_may_speak(const struct board_publisher *publisher)
{
    return publisher->mqtt.state == MQTT_LINK_UP && rival_may_speak(&publisher->rival);
}

/* The first status goes alone: a broker that ends the connection over what it does not allow then
 * leaves no doubt what that is. */
static inline bool board_publisher_is_speaking(const struct board_publisher *publisher)
{
    return publisher->is_complete && board_publisher_may_speak(publisher) &&
           publisher->status_permit.mid == 0;
}

/* ---- board_publisher_make.c */

/* Writes the topic of this board into `publisher->topic`. */
const char *board_publisher_topic(struct board_publisher *publisher, uint32_t ranking,
                                  uint32_t interval);

void board_publisher_make(struct board_publisher *publisher, int64_t as_of_us);

/* Nobody may rely on what was published any longer. */
void board_publisher_disown(struct board_publisher *publisher);

/* Publishes `publisher->payload`, retained; false when that cannot be. Whether the broker took it
 * is told later, if at all. */
bool board_publisher_send(struct board_publisher *publisher, struct permit *permit,
                          const char *topic);

/* ---- board_publisher_status.c */

/* Only while the topics are ours; board_publisher_publish_status() looks first. */
void board_publisher_send_status(struct board_publisher *publisher);

/* ---- board_publisher_topics.c */
void board_publisher_on_up(struct mqtt_link *link, bool session_present);
void board_publisher_on_down(struct mqtt_link *link, const char *reason);
void board_publisher_on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery);

/* Each second: whether another installation publishes under our id. */
void board_publisher_watch_rival(struct board_publisher *publisher);

/* ---- board_publisher_rights.c: permit.h; what is denied is dropped without a word, or ends the
 * connection. It is not vouched for, is named by board_publisher_put_faults(), and is published again
 * every second until it is allowed. */

/* The link's on_published. */
void board_publisher_on_published(struct mqtt_link *link, int mid, int reason_code);

/* The connection has ended: perhaps because of what was on its way. */
void board_publisher_note_suspect(struct board_publisher *publisher);

/* The broker's rights may have been corrected: what was denied is published again, and asks. */
void board_publisher_retry_denied(struct board_publisher *publisher);

#endif
