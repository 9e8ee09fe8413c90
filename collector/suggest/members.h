/* members.h: what stands where in the payloads of messages that are alike.
 *
 * Shape    a member is a pointer and a few of the values that were seen there. A list of objects has one
 *          member for all its elements, under the step "*"; so have objects whose names say which of
 *          several they are ("switch:0"), and all that the root has when each of its members is a list of
 *          objects. A list of values has one member for each position.
 * Bounds   MEMBERS_MOST pointers, a few values of each; what is beyond is counted.
 * Errors   none: a name that no pointer of a mapping can say is counted and passed over.
 * Owner    the arena of the struct has all texts; members_release().
 */
#ifndef HIGHWATER_SUGGEST_MEMBERS_H
#define HIGHWATER_SUGGEST_MEMBERS_H

#include "collector/decoders/arena.h"
#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMBERS_MOST = 600,
    MEMBER_POINTER_MOST = 200,
    MEMBER_VALUES_MOST = 8,
    MEMBER_NAMES_MOST = 200, /* of what may be the names of a list of names and values */
    MEMBER_POSITIONS_MOST = 16,
    MEMBER_TEXT_MOST = 64
};

struct member_value {
    const char *text; /* as JSON means it, cut; of a container or null empty */
    size_t bytes;
    enum json_kind kind;
    int64_t at_us;
};

struct member {
    const char *pointer;
    const char *name; /* the last step; of a position the one before it */
    size_t name_bytes;
    bool is_of_keys; /* its last * stands for names such as "switch:0", not for a list's elements */
    size_t value_count;
    size_t value_capacity;
    struct member_value *values; /* no two the same */
};

struct members {
    struct arena arena;
    struct member *items; /* in the order in which they were seen */
    size_t count;
    size_t capacity;
    size_t left_out;
    size_t unusable;
    bool is_map; /* the root's names are those of devices */
};

/* `root` is of a scanned text; 0 where nobody knows when it was sent. */
void members_add(struct members *members, const struct json_token *root, int64_t at_us);

/* All that was seen there is a number, or a text that is one; null apart. */
bool member_is_number(const struct member *member);

/* The same of whole numbers from 0 on. */
bool member_is_count(const struct member *member);

bool member_varies(const struct member *member);

void members_release(struct members *members);

#endif
