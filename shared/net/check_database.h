/* check_database.h: --check of a database: that it can be reached, is ours to use, and has our schema.
 *
 * Shape    one session, which can only read; it waits, up to the timeout for each answer.
 */
#ifndef HIGHWATER_CHECK_DATABASE_H
#define HIGHWATER_CHECK_DATABASE_H

#include "shared/base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct check_database {
    const char *url;
    const char *application_name;
    bool writes; /* a collector: it owns the tables, and makes them where there are none */
    uint64_t timeout_ms;
};

void check_database_run(struct check *check, const struct check_database *database);

#endif
