/* windows_spread.h: a history's few features, among as many as windows can have.
 *
 * Shape    the history and its model know up to three features. The windows may have more: `width` of
 *          them, the history's at `positions`. What is told to the windows carries some of the others,
 *          too, with values of every form and size, which follow from the reading's hash. What they
 *          show must carry the same, bit for bit, and comes back without them.
 * Errors   what differs is printed, and the test ends.
 */
#ifndef HIGHWATER_TESTS_WINDOWS_SPREAD_H
#define HIGHWATER_TESTS_WINDOWS_SPREAD_H

#include "tests/unit/windows_model.h"

/* Gives the history its width and positions. */
void spread_init(struct history *h, size_t width);

uint32_t spread_ranking(const struct history *h, uint32_t ranking);

/* The reading as the windows know it; good until the next call. */
const struct reading *spread_reading(const struct history *h, const struct reading *reading);

/* windows_board() and windows_exact_from() of a ranking of the history. The readings in entries are
 * the history's, good until the next call. */
size_t spread_board(const struct history *h, struct windows *windows, uint32_t ranking,
                    uint32_t interval, struct windows_entry *entries);
int64_t spread_exact_from(const struct history *h, const struct windows *windows, uint32_t ranking,
                          uint32_t interval, const struct windows_entry *entries, size_t count);

#endif
