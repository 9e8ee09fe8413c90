/* truth_reader.h: enters the lines of a file of truth (truth.h) into a ledger.
 *
 * Errors   truth_reader_apply() is false for a line that is no line of truth; `error` says why. A
 *          line that a kill cut off is one.
 * Owner    embedded; truth_reader_release() frees what it needs to know of the run being read. The
 *          ledger is the caller's.
 */
#ifndef HIGHWATER_TRUTH_READER_H
#define HIGHWATER_TRUTH_READER_H

#include "devicesim/ledger.h"
#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRUTH_READER_ERROR_SIZE = 320 };

struct truth_reader {
    struct ledger *ledger;
    uint32_t *by_number; /* messages of the run being read: reading * 2, rejection * 2 + 1 */
    uint64_t number_capacity;
    size_t columns[FEATURES_MAX]; /* of that run's lines; a feature that is not there: 0 */
    size_t column_count;          /* 0 before the first header */
    size_t bytes_column;
    char ignored[FEATURE_NAME_MAX + 1]; /* a feature that is not compared; "" = all are */
};

void truth_reader_init(struct truth_reader *reader, struct ledger *ledger);
void truth_reader_release(struct truth_reader *reader);

/* Reads a line without its line break, which it changes. `error` has TRUTH_READER_ERROR_SIZE. */
bool truth_reader_apply(struct truth_reader *reader, char *line, char *error);

#endif
