/* malformed.h: payloads that no store should accept as readings.
 *
 * Shape    a table of classes, each made out of an ordinary payload of the device. A class that is
 *          `legal` must be stored: it looks wrong and is not.
 * Errors   false when a text names no class; malformed_list() says which there are.
 * Owner    appends to the caller's buffer.
 * Source   RFC 8259, RFC 3629, and what lenient parsers are known to let through.
 */
#ifndef HIGHWATER_MALFORMED_H
#define HIGHWATER_MALFORMED_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MALFORMED_MAX = 40 }; /* there may be so many classes */

/* A set of classes, one bit each. */
typedef uint64_t malformed_set;

struct malformed_class {
    const char *name;
    bool is_legal;
    bool is_heavy; /* tens of kilobytes and more */
};

size_t malformed_count(void);
const struct malformed_class *malformed_class(size_t class);

/* "all" (every class that is not legal), "light" (those of them that are small), or names separated
 * by commas. */
bool malformed_set_parse(malformed_set *out, const char *text);

/* The class that `draw`, an even draw from 0 to 2^64, picks from a set that is not empty. */
size_t malformed_pick(malformed_set set, uint64_t draw);

/* Appends the names, separated by commas. */
void malformed_list(struct buffer *out);

/* Appends a payload of the class. `reading` has a status and a value of the first feature. A legal
 * class changes the reading to what must be stored. */
void malformed_write(struct buffer *out, size_t class, const char *device_id,
                     struct reading *reading, const struct features *features);

#endif
