/* tower.h: a staircase of many steps.
 *
 * Shape    a directory of flights (flight.h), all but the last few at least half full, in
 *          ascending time: two bisections find a step, an insert moves at most one flight's steps,
 *          expiry frees whole flights at the front. Inside the staircase only.
 * Limit    towers are in the lists of their kind's budget by size. An insert that takes the budget
 *          over its limit coarsens the largest, not necessarily its own, a flight at a time, until
 *          it fits: staircase.h says what an answer can then be wrong about.
 * Errors   none. No memory: mem.h.
 * Owner    a staircase, which refers to it and which it refers to. With few steps left it makes
 *          the staircase one flight again, and is gone.
 */
#ifndef HIGHWATER_TOWER_H
#define HIGHWATER_TOWER_H

#include "collector/staircase.h"

/* Makes a tower of a staircase that is one flight. */
void tower_raise(struct staircase *staircase, struct staircase_kind *kind);

/* These are the staircase's calls of the same names. */
bool tower_insert(struct staircase *staircase, const void *step, int64_t expired_us,
                  int64_t *earlier_us);
const void *tower_best_after(const struct tower *tower, int64_t after_us);
const void *tower_newest(const struct tower *tower);
size_t tower_count(const struct tower *tower);
void tower_trim(struct staircase *staircase, int64_t expired_us);
void tower_release(struct staircase *staircase);
void tower_moved(struct staircase *staircase);
void tower_keep(struct tower *tower, struct pack_move *move);

#endif
