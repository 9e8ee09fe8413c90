/* replay.h: what a property test says when it fails: how to see it again.
 *
 * Shape    everything such a test does follows from a seed. A failure prints the part and the seed
 *          that repeat it, also when it is the failure of an assert inside the code under test (with
 *          sanitizers: under ASAN_OPTIONS=abort_on_error=1).
 */
#ifndef HIGHWATER_TESTS_REPLAY_H
#define HIGHWATER_TESTS_REPLAY_H

#include <stdint.h>

/* SEED, 1 when it is not set; 0 takes one from the clock. */
uint64_t replay_seed(void);

/* A number from the environment. */
uint64_t replay_setting(const char *name, uint64_t otherwise);

/* What is about to be done. `how` is what repeats it besides SEED. */
void replay_begin(const char *part, uint64_t seed, const char *how);

/* Prints how to repeat it; returns the exit status. */
int replay_failed(void);

#endif
