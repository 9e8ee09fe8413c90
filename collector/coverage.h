/* coverage.h: how much of what other collectors have stored is in our windows.
 *
 * Shape    a count of batches for each collector in the database's table, taken from the snapshot
 *          that the windows were loaded from. The numbers of a load that is running are put aside and
 *          count once it is complete; they are published once the boards show what it brought.
 * Rule     a reader that merges boards needs, for each collector that it does not hear, one that has
 *          loaded all of its batches. So a collector that is gone, and has more of them than we have
 *          loaded, is a reason to load again: docs/DECISIONS.md, "Which collectors there are".
 * Owner    coverage_release() frees what it holds.
 */
#ifndef HIGHWATER_COVERAGE_H
#define HIGHWATER_COVERAGE_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COLLECTOR_ID_SIZE = 65 };

struct coverage_count {
    char id[COLLECTOR_ID_SIZE];
    int64_t batches;
};

struct coverage_counts {
    struct coverage_count *items;
    size_t count;
    size_t capacity;
};

struct coverage {
    struct coverage_counts loading;
    struct coverage_counts loaded;
    struct coverage_counts shown;
    uint64_t loads; /* completed */
};

void coverage_release(struct coverage *coverage);

/* A load begins, finds so many batches of a collector, is complete, and is shown. */
void coverage_begin(struct coverage *coverage);
void coverage_found(struct coverage *coverage, const char *id, int64_t batches);
void coverage_complete(struct coverage *coverage);
void coverage_show(struct coverage *coverage);

/* True when the windows lack some of so many batches. */
bool coverage_lacks(const struct coverage *coverage, const char *id, int64_t batches);

/* Appends {"<id>":batches,...} of what is shown, our own left out. */
void coverage_write(const struct coverage *coverage, const char *own_id, struct buffer *out);

#endif
