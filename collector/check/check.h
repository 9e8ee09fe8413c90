/* check.h (of the collector): --check, which tries what a start would, with the same settings, beside a
 * collector that runs, and changes nothing.
 *
 * Shape    a line for each finding on standard output; it returns the exit status.
 */
#ifndef HIGHWATER_COLLECTOR_CHECK_H
#define HIGHWATER_COLLECTOR_CHECK_H

#include "collector/settings.h"
#include "shared/base/check.h"

int collector_check_run(const struct settings *settings);

/* The servers that a build may lack (KAFKA=no, REDIS=no). */
void redis_check_run(struct check *check, const struct settings *settings);
void kafka_check_run(struct check *check, const struct settings *settings, const char *what,
                     const char *url);

static inline uint64_t check_timeout_ms(const struct settings *settings)
{
    return (uint64_t)settings->give_up_after_us / 1000;
}

#endif
