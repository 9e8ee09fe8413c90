/* board_changes.h: what changed between two states of a board.
 *
 * Shape    both are JSON arrays of readings, as they are sent. What comes out are the members
 *          "removed": places in the first that go, and then
 *          "added": [{"place","reading"}], lowest first, each put where it stands in the second.
 *          A reading that changed is removed and added. Who does both in this order has the second, byte
 *          for byte, whatever the two are: that they are ranked only makes it short.
 * Errors   false, and nothing is written, when that is no shorter than the second is.
 * Owner    the caller has all three buffers.
 */
#ifndef HIGHWATER_BOARD_CHANGES_H
#define HIGHWATER_BOARD_CHANGES_H

#include "shared/base/buffer.h"

#include <stdbool.h>

bool board_changes_write(struct buffer *out, const struct buffer *before,
                         const struct buffer *after);

#endif
