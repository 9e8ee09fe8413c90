/* sys_topics.h: what the broker says of itself under $SYS, where only it should speak, and others may.
 *
 * Shape    texts of a few bytes: "27", "mosquitto version 2.0.11".
 * Errors   false for anything else; `out` is left alone.
 */
#ifndef HIGHWATER_SYS_TOPICS_H
#define HIGHWATER_SYS_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sys_version {
    unsigned major;
    unsigned minor;
    unsigned patch;
};

/* A count: digits and nothing else. */
bool sys_parse_count(uint64_t *out, const void *payload, size_t bytes);

bool sys_parse_version(struct sys_version *out, const void *payload, size_t bytes);

#endif
