/* source.h: where messages come from.
 *
 * Shape    a message as any source has it; what is the source's own (a QoS, an offset) stays with it.
 * Units    microseconds since 1970.
 * Owner    the source; what a message points to lives until the call that delivers it returns.
 */
#ifndef HIGHWATER_SOURCE_H
#define HIGHWATER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The user property or header in which a message says when it came first, as RFC 3339. */
#define FIRST_RECEIVED_PROPERTY "first-received-at"

struct source_message {
    const char *topic;
    const void *payload;
    size_t bytes;
    int64_t said_us;      /* when it says that it came first; INT64_MIN = it does not */
    bool is_at_most_once; /* it carries no promise: when it is lost, nobody sends it again */
    bool is_retained;     /* replayed by the subscription, not sent just now */
};

#endif
