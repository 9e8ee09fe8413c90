/* applied.h: which of the schema's files a database has.
 *
 * Shape    a flag for each file, however many there are.
 * Errors   applied_check() is false for a file that is not ours, byte for byte: no later one would
 *          fit on it. `error` says what to do.
 * Owner    embedded; applied_release() frees the flags. The files are borrowed.
 */
#ifndef HIGHWATER_APPLIED_H
#define HIGHWATER_APPLIED_H

#include "collector/stores/postgres/schema_sql.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct applied {
    const struct schema_file *files;
    size_t count;
    bool *is_applied;
};

void applied_init(struct applied *applied, const struct schema_file *files, size_t count);
void applied_release(struct applied *applied);

/* None is, for all that is known. */
void applied_clear(struct applied *applied);

/* What is recorded with a file, and tells whether it was changed since. */
int64_t applied_hash(const struct schema_file *file);

/* Takes note of a row of schema_migrations. */
bool applied_check(struct applied *applied, const char *name, const char *hash, char *error,
                   size_t error_bytes);

/* The first file from `from` on that the database lacks; the count when it has them all. */
size_t applied_next(const struct applied *applied, size_t from);

#endif
