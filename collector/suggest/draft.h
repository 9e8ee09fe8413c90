/* draft.h: the mapping of one group of topics, as text.
 *
 * Shape    `is_used` when there is something in its messages that can be stored; otherwise only `why` not.
 * Errors   none.
 * Owner    draft_release().
 */
#ifndef HIGHWATER_SUGGEST_DRAFT_H
#define HIGHWATER_SUGGEST_DRAFT_H

#include "collector/suggest/feature_names.h"
#include "collector/suggest/roles.h"

struct draft {
    struct group *group;
    struct roles roles;
    bool is_used;
    struct buffer text;
    const char *why;
};

/* The group is one of the groups. */
void draft_make(struct draft *draft, const struct groups *groups, struct group *group,
                struct feature_names *names);
void draft_release(struct draft *draft);

#endif
