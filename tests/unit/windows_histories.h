/* windows_histories.h: random histories for windows_model.h, small, with few devices, values and
 * moments, so that ties and coincidences abound.
 *
 * Shape    everything follows from the seed. Readings are late, current or from the future, with and
 *          without each feature, at the ends of time as well as today. Staircases become towers after
 *          so few steps that both are usual.
 */
#ifndef HIGHWATER_TESTS_WINDOWS_HISTORIES_H
#define HIGHWATER_TESTS_WINDOWS_HISTORIES_H

#include "tests/unit/windows_model.h"

enum { LONGEST_US = 40 }; /* of the finite intervals */

void history_init(struct history *h, uint64_t seed);

/* Windows with the history's settings and devices, and no facts. */
void history_init_windows(const struct history *h, struct windows *windows);

size_t history_below(struct history *h, size_t bound);
bool history_one_in(struct history *h, size_t n);

/* A new fact, near the history's present. Its hash is a function of its content that maps no two to
 * one, so that the same device, time and hash are always the same reading. */
struct fact *history_add_fact(struct history *h);

void history_tell(const struct history *h, struct windows *windows, const struct fact *fact);
void history_tell_all_of(const struct history *h, struct windows *windows, uint32_t device);

/* All facts that are not after a moment, shuffled, each once or up to some times. */
void history_tell_in_any_order(struct history *h, struct windows *windows, int64_t until_us,
                               size_t most_repetitions);

#endif
