/* plan.h: which member of a kind of message is what.
 *
 * Shape    `each`, where the messages have lists, and a member for each role; the rest of those that are
 *          numbers are features.
 * Errors   none; NULL where nothing is.
 * Owner    members are borrowed.
 */
#ifndef HIGHWATER_SUGGEST_PLAN_H
#define HIGHWATER_SUGGEST_PLAN_H

#include "collector/suggest/look.h"
#include "collector/suggest/members.h"
#include "shared/base/buffer.h"

struct plan {
    char each[MEMBER_POINTER_MOST + 1]; /* "": none */
    bool is_of_keys;                    /* each member is a part of the device, named by its key */
    bool is_map;                        /* each member of the root is a device, named by its key */
    bool is_columns;                    /* a list of values for each feature */
    const struct member *name;          /* of a list of names and values */
    const struct member *value;
    const struct member *time;
    const struct member *device;
    const struct member *status;
    const struct member *seq;
    const struct member *step; /* from one row of the columns to the next */
    enum look_time time_look;
    char time_format[LOOK_FORMAT_SIZE];
    int64_t
        time_ahead_us; /* of a local time: by how much, near the arrival; INT64_MIN when it is not */
};

void plan_make(struct plan *plan, const struct members *members);

/* Where the member stands as the rule says it: below `each`, at the root (^), or in the first of a list. */
void plan_put_pointer(struct buffer *out, const struct plan *plan, const struct member *member);

bool plan_is_below(const struct plan *plan, const struct member *member);

/* The values of one member of the plan have a word for. */
bool plan_is_status(const struct member *member);

#endif
