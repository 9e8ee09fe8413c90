/* json_walk.h: the parts of a text that json_scan.h has found good, one level at a time.
 *
 * Why      json_scan.h notes the members of the outermost object, which is all that a reading has.
 *          What collectors say has objects in arrays in an object.
 * Shape    json_walk_open() scans the text strictly and gives its root; a container's token is all
 *          of its text, brackets among it, and json_walk_next() steps through what is in it. No
 *          memory, no recursion.
 * Errors   of json_walk_open() only: what is walked through is known to be good.
 * Owner    tokens point into the text.
 */
#ifndef HIGHWATER_JSON_WALK_H
#define HIGHWATER_JSON_WALK_H

#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stddef.h>

struct json_walk {
    const char *at;
    const char *end;
    bool is_object;
};

/* `root` is left alone when there is an error. */
enum json_error json_walk_open(struct json_token *root, const char *text, size_t bytes);

void json_walk_init(struct json_walk *walk, const struct json_token *container);

/* The next member or element; false at the end. Of an element the name is empty. */
bool json_walk_next(struct json_walk *walk, struct json_token *name, struct json_token *value);

/* True when a container has `most` parts at most; of an object, when no two have the same name. How
 * many there are goes to `count`, which may be NULL. */
bool json_walk_is_sound(const struct json_token *container, size_t most, size_t *count);

#endif
