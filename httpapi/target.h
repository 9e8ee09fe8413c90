/* target.h: the target of a request, cut up, and whether a pattern of a path fits it.
 *
 * Shape    both forms: /path?query and http://host/path?query (or https://), whose authority is a
 *          proxy's affair. Nothing is decoded: a route is chosen by the bytes that came, so that an
 *          escaped slash is part of an id and never ends one.
 * Errors   none.
 * Owner    points into the text.
 * Source   RFC 9112 section 3.2.
 */
#ifndef HIGHWATER_TARGET_H
#define HIGHWATER_TARGET_H

#include <stdbool.h>
#include <stddef.h>

struct target {
    const char *path; /* never empty */
    size_t path_bytes;
    const char *query; /* what follows the `?`, NULL when there is none */
};

struct target target_split(const char *text);

/* Segment by segment; the {name} of a pattern takes any segment that is not empty, which is then
 * `segment`; else that stays as it is. */
bool target_matches(const struct target *target, const char *pattern, const char **segment,
                    size_t *segment_bytes);

#endif
