/* board_message.h: a board as it came over MQTT: which one it is, and what it says.
 *
 * Shape    the place is out of the topic, in our positions; the payload must say the same.
 * Errors   a sentence that says what is wrong, NULL for a board; no board of a later time than now,
 *          and no reading of one that no FUTURE_TOLERANCE would have let in.
 * Owner    a parsed board is the caller's to release.
 */
#ifndef HIGHWATER_BOARD_MESSAGE_H
#define HIGHWATER_BOARD_MESSAGE_H

#include "shared/model/board.h"
#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name that is not in the catalog has the count as its position. */
struct board_place {
    size_t feature;
    size_t interval;
    enum sort_order order;
};

/* feature/interval or feature/interval/lowest; false when it is neither. */
bool board_topic_parse(struct board_place *out, const struct features *features,
                       const struct intervals *intervals, const char *rest);

const char *board_message_parse(struct board *out, const struct features *features,
                                const struct intervals *intervals, const struct board_place *place,
                                const char *payload, size_t bytes, int64_t now_us);

#endif
