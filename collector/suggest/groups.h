/* groups.h: topics that are of one kind, and the pattern that they share.
 *
 * Idea     two topics are alike when their payloads are of a kind, they have as many levels, and differ in
 *          one that says whose the message is and not what it is. Groups of such topics are alike in
 *          the same way, so what begins with one device and its two sensors ends as {device} and {sensor}.
 *          Topics of devices that are widely used need no such guess: which of their levels vary is known
 *          (families.h), even where there is only one device.
 * Shape    groups, the most specific pattern first: a message goes to the first that fits.
 * Errors   none: a topic that no pattern can say is in no group, and counted.
 * Owner    texts are of the topics that were heard, which must stay; groups_release().
 */
#ifndef HIGHWATER_SUGGEST_GROUPS_H
#define HIGHWATER_SUGGEST_GROUPS_H

#include "collector/suggest/families.h"
#include "collector/suggest/heard.h"
#include "collector/suggest/look.h"

/* No more than a file may have subscriptions, of which Sparkplug takes two. */
enum { GROUPS_MOST = 250, GROUP_LEVELS_MOST = 24, GROUP_NAMES_MOST = 64 };

/* What becomes of the messages of a group. */
enum group_kind {
    GROUP_JSON,
    GROUP_SENML,
    GROUP_NUMBER,
    GROUP_STATUS,
    GROUP_SPARKPLUG,
    GROUP_UNUSED
};

struct group_level {
    const char *text; /* of the first topic */
    size_t bytes;
    bool varies;
    const char *name; /* by which a family knows it; NULL otherwise */
    size_t name_bytes;
};

struct group {
    enum group_kind kind;
    enum look look; /* of its first payload */
    const struct family *family;
    size_t level_count;
    struct group_level levels[GROUP_LEVELS_MOST];
    size_t name_count; /* of the members at the top of its payloads */
    uint64_t names[GROUP_NAMES_MOST];
    size_t topic_count;
    size_t topic_capacity;
    const struct heard_topic **topics;
};

struct groups {
    const struct heard_messages *heard;
    enum group_kind *kinds; /* of its topics */
    struct group *items;
    size_t count;
    size_t capacity;
    size_t left_out; /* topics of groups that were one too many */
    size_t unusable; /* topics with braces, or what nobody can see, or too many levels */
};

void groups_make(struct groups *groups, const struct heard_messages *heard);

bool group_fits(const struct group *group, const char *topic);

/* Level `number` of a topic of the group. */
const char *group_level_of(const struct heard_topic *topic, size_t number, size_t *bytes);

void groups_release(struct groups *groups);

#endif
