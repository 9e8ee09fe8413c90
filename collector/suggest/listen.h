/* listen.h: `collector --suggest-mapping`, a first file of mappings of what a broker's devices say.
 *
 * Shape    listens for so long, with a session of its own that ends with it and QoS 0, so that nothing of the
 *          collector's own is touched; then the mapping on standard output. How it goes is told on
 *          standard error. SIGINT and SIGTERM end the listening, and what was heard by then is used.
 * Errors   a sentence on standard error and exit status 1: no broker, a filter that it refuses, nothing
 *          heard of which a mapping could be made.
 * Note     a command of its own, not part of the running collector; it needs no database.
 */
#ifndef HIGHWATER_SUGGEST_LISTEN_H
#define HIGHWATER_SUGGEST_LISTEN_H

#include <stdint.h>

struct settings;

struct suggest_config {
    const struct settings *settings; /* how to reach the broker */
    const char *filter;
    int64_t for_us;
};

/* Returns the exit status. */
int suggest_run(const struct suggest_config *config);

#endif
