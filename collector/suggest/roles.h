/* roles.h: which level of a group's topics is the device, and which says what is measured.
 *
 * Shape    positions of levels, and names by which a pattern calls those that vary.
 * Errors   none; -1 where there is no such level.
 */
#ifndef HIGHWATER_SUGGEST_ROLES_H
#define HIGHWATER_SUGGEST_ROLES_H

#include "collector/suggest/groups.h"
#include "shared/base/buffer.h"

enum { ROLE_NAME_SIZE = 32 };

struct roles {
    int device;
    int feature;
    bool is_guess;     /* no level varies: it is the one that looks most like a device */
    bool is_entity;    /* the device's level ends in what is measured: cellar_temperature */
    bool is_ambiguous; /* the same device stands in it below others: both make the id */
    char names[GROUP_LEVELS_MOST][ROLE_NAME_SIZE];
};

/* The group is one of the groups. */
void roles_find(struct roles *roles, const struct groups *groups, const struct group *group);

/* Makes a guess a level that varies; before the pattern is written. */
void roles_accept(struct roles *roles, struct group *group);

/* tele/{device}/SENSOR */
void roles_put_topic(struct buffer *out, const struct roles *roles, const struct group *group);

/* What the rule says of the device: {device}, {gateway}/{device}, or the level's text where nothing varies.
 * Empty when the topic has nothing of the kind. */
void roles_put_device(struct buffer *out, const struct roles *roles, const struct group *group);

#endif
