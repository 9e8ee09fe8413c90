#include "collector/suggest/groups.h"

#include "collector/suggest/words.h"
#include "shared/base/hash.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"
#include "shared/model/json_walk.h"

#include <stdlib.h>
#include <string.h>

/* ---- kinds ---------------------------------------------------------------------------------- */

/* Among the payloads of one topic, the one that says most decides. */
static enum group_kind kind_of(const struct heard_topic *topic, enum look *look)
{
    static const enum look order[] = {LOOK_JSON,   LOOK_SENML, LOOK_NUMBER,      LOOK_STATUS,
                                      LOOK_BINARY, LOOK_TEXT,  LOOK_BROKEN_JSON, LOOK_NONE};
    static const enum group_kind kinds[] = {
        [LOOK_JSON] = GROUP_JSON,          [LOOK_SENML] = GROUP_SENML,
        [LOOK_NUMBER] = GROUP_NUMBER,      [LOOK_NONE] = GROUP_NUMBER,
        [LOOK_STATUS] = GROUP_STATUS,      [LOOK_TEXT] = GROUP_UNUSED,
        [LOOK_BROKEN_JSON] = GROUP_UNUSED, [LOOK_BINARY] = GROUP_UNUSED};
    unsigned seen = 0;
    bool says_something = false;

    for (size_t i = 0; i < topic->count; i++) {
        seen |= 1U << look_at(topic->payloads[i].text, topic->payloads[i].bytes);
        says_something |= topic->payloads[i].bytes > 0;
    }
    *look = LOOK_NONE;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (seen & 1U << order[i]) {
            *look = order[i];
            break;
        }
    }
    return says_something ? kinds[*look] : GROUP_UNUSED;
}

static void note_names(struct group *group, const struct heard_topic *topic)
{
    for (size_t i = 0; i < topic->count; i++) {
        struct json_walk walk;
        struct json_token root;
        struct json_token name;
        struct json_token value;

        if (json_walk_open(&root, topic->payloads[i].text, topic->payloads[i].bytes) != JSON_OK ||
            root.kind != JSON_OBJECT)
            continue;
        json_walk_init(&walk, &root);
        while (group->name_count < GROUP_NAMES_MOST && json_walk_next(&walk, &name, &value)) {
            uint64_t hash = hash_bytes(name.text, name.bytes);
            size_t at = 0;

            while (at < group->name_count && group->names[at] != hash)
                at++;
            if (at == group->name_count)
                group->names[group->name_count++] = hash;
        }
    }
}

/* Devices of a kind have members in common, though hardly two have all. */
static bool have_names_in_common(const struct group *a, const struct group *b)
{
    size_t common = 0;
    size_t fewer = a->name_count < b->name_count ? a->name_count : b->name_count;

    for (size_t i = 0; i < a->name_count; i++) {
        for (size_t j = 0; j < b->name_count; j++)
            common += a->names[i] == b->names[j];
    }
    return fewer == 0 ? a->name_count == b->name_count : 10 * common >= 3 * fewer;
}

/* ---- levels --------------------------------------------------------------------------------- */

static bool is_usable(const char *topic)
{
    size_t levels = 1;

    for (const char *c = topic; *c; c++)
        levels += *c == '/';
    return levels <= GROUP_LEVELS_MOST && !strpbrk(topic, "{}") &&
           utf8_is_visible(topic, strlen(topic));
}

static void split(struct group *group, const char *topic)
{
    for (;;) {
        struct group_level *level = &group->levels[group->level_count++];

        *level = (struct group_level){.text = topic, .bytes = strcspn(topic, "/")};
        topic += level->bytes;
        if (!*topic++)
            return;
    }
}

/* What the family knows of the levels. A level that says what is measured is one only where the payload is
 * nothing but a number: another kind of payload there is another kind of message. */
static void name_levels(struct group *group)
{
    const char *pattern = group->family ? group->family->pattern : "";

    for (size_t i = 0; i < group->level_count && *pattern; i++) {
        struct group_level *level = &group->levels[i];
        size_t bytes = strcspn(pattern, "/");

        if (*pattern == '{' && pattern[bytes - 2] != '*') {
            level->name = pattern + 1;
            level->name_bytes = bytes - 2;
            level->varies = group->kind == GROUP_NUMBER || level->name_bytes != 7 ||
                            memcmp(level->name, "feature", 7) != 0;
        }
        pattern += bytes + (pattern[bytes] == '/');
    }
}

const char *group_level_of(const struct heard_topic *topic, size_t number, size_t *bytes)
{
    const char *at = topic->name;

    for (; number > 0; number--)
        at += strcspn(at, "/") + 1;
    *bytes = strcspn(at, "/");
    return at;
}

bool group_fits(const struct group *group, const char *topic)
{
    for (size_t i = 0; i < group->level_count; i++) {
        const struct group_level *level = &group->levels[i];
        size_t bytes = strcspn(topic, "/");
        bool is_last = i + 1 == group->level_count;

        if (level->varies ? bytes == 0
                          : bytes != level->bytes || memcmp(topic, level->text, bytes) != 0)
            return false;
        topic += bytes;
        if (is_last || !*topic)
            return is_last && !*topic;
        topic++;
    }
    return false;
}

static bool is_same(const struct group_level *a, const struct group_level *b)
{
    return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

/* A level that may be one of many. Beside numbers, what is measured is one, too. */
static bool may_vary(const struct group *group, const struct group_level *level)
{
    return level->varies ||
           (!word_is_structural(level->text, level->bytes) &&
            (group->kind == GROUP_NUMBER || !word_is_quantity(level->text, level->bytes)));
}

/* Where the two differ, a bit for each level. False when they do where they may not: in more levels than
 * there is reason to believe in, one, or two where twice as many are the same. */
static bool compare_levels(const struct group *a, const struct group *b, uint32_t *differing)
{
    size_t same = 0;
    size_t count = 0;

    *differing = 0;
    if (a->level_count != b->level_count)
        return false;
    for (size_t i = 0; i < a->level_count; i++) {
        const struct group_level *one = &a->levels[i];
        const struct group_level *other = &b->levels[i];

        if (!one->varies && !other->varies && is_same(one, other)) {
            same += one->bytes > 0;
            continue;
        }
        if (!may_vary(a, one) || !may_vary(b, other))
            return false;
        if (one->varies || other->varies)
            continue;
        *differing |= UINT32_C(1) << i;
        count++;
    }
    return same > 0 && (count <= 1 || (count == 2 && same >= 2));
}

static void widen(struct group *group, const struct group *other, uint32_t differing)
{
    for (size_t i = 0; i < group->level_count; i++)
        group->levels[i].varies |= other->levels[i].varies || (differing >> i & 1);
}

/* ---- groups --------------------------------------------------------------------------------- */

static void add_topic(struct group *group, const struct heard_topic *topic)
{
    group->topics = mem_grow_zeroed(group->topics, &group->topic_capacity, group->topic_count + 1,
                                    sizeof(struct heard_topic *));
    group->topics[group->topic_count++] = topic;
}

/* A switch beside sensors, site/kitchen/door beside site/kitchen/temperature: a pattern of both would take
 * the sensors' messages. */
static bool takes_others(const struct groups *groups, const struct group *to,
                         const struct group *from, uint32_t differing)
{
    struct group grown = *to;

    if (to->kind != GROUP_STATUS || differing == 0)
        return false;
    widen(&grown, from, differing);
    for (size_t i = 0; i < groups->heard->count; i++) {
        if (groups->kinds[i] != GROUP_STATUS && groups->kinds[i] != GROUP_UNUSED &&
            group_fits(&grown, groups->heard->topics[i].name))
            return true;
    }
    return false;
}

/* True when `from` has become part of `to`. */
static bool join(const struct groups *groups, struct group *to, const struct group *from)
{
    uint32_t differing;

    if (to->kind != from->kind || to->family != from->family ||
        (to->kind == GROUP_UNUSED && to->look != from->look) ||
        !compare_levels(to, from, &differing))
        return false;
    if ((to->family && differing != 0) ||
        (to->kind == GROUP_JSON && !to->family && !have_names_in_common(to, from)) ||
        takes_others(groups, to, from, differing))
        return false;
    widen(to, from, differing);
    for (size_t i = 0; i < from->topic_count; i++)
        add_topic(to, from->topics[i]);
    for (size_t i = 0; i < from->name_count && to->name_count < GROUP_NAMES_MOST; i++)
        to->names[to->name_count++] = from->names[i];
    return true;
}

static void add(struct groups *groups, struct group *group)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (join(groups, &groups->items[i], group)) {
            free(group->topics);
            return;
        }
    }
    if (groups->count == GROUPS_MOST) {
        free(group->topics);
        groups->left_out++;
        return;
    }
    groups->items = mem_grow_zeroed(groups->items, &groups->capacity, groups->count + 1,
                                    sizeof(groups->items[0]));
    groups->items[groups->count++] = *group;
}

static enum group_kind kind_for(const struct heard_topic *topic, const struct family *family,
                                enum look *look)
{
    enum group_kind kind = kind_of(topic, look);

    if (family && family->is_ignored)
        return GROUP_UNUSED;
    return family && family->is_sparkplug ? GROUP_SPARKPLUG : kind;
}

static void add_heard(struct groups *groups, const struct heard_topic *topic)
{
    struct group group = {.family = family_of(topic->name)};

    if (!is_usable(topic->name)) {
        groups->unusable++;
        return;
    }
    group.kind = kind_for(topic, group.family, &group.look);
    split(&group, topic->name);
    name_levels(&group);
    note_names(&group, topic);
    add_topic(&group, topic);
    add(groups, &group);
}

/* What has grown may now be like another, so it is tried again until nothing changes. */
static void join_all(struct groups *groups)
{
    bool has_changed = true;

    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < groups->count; i++) {
            for (size_t j = groups->count; j-- > i + 1;) {
                if (!join(groups, &groups->items[i], &groups->items[j]))
                    continue;
                free(groups->items[j].topics);
                groups->items[j] = groups->items[--groups->count];
                has_changed = true;
            }
        }
    }
}

static size_t literals(const struct group *group)
{
    size_t count = 0;

    for (size_t i = 0; i < group->level_count; i++)
        count += !group->levels[i].varies;
    return count;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *one = a;
    const struct group *other = b;

    if (literals(one) != literals(other))
        return literals(one) > literals(other) ? -1 : 1;
    return strcmp(one->topics[0]->name, other->topics[0]->name);
}

void groups_make(struct groups *groups, const struct heard_messages *heard)
{
    enum look look;

    *groups = (struct groups){.heard = heard};
    groups->kinds = mem_calloc(heard->count + 1, sizeof(groups->kinds[0]));
    for (size_t i = 0; i < heard->count; i++)
        groups->kinds[i] = kind_for(&heard->topics[i], family_of(heard->topics[i].name), &look);
    for (size_t i = 0; i < heard->count; i++)
        add_heard(groups, &heard->topics[i]);
    join_all(groups);
    if (groups->count > 0)
        qsort(groups->items, groups->count, sizeof(groups->items[0]), compare_groups);
}

void groups_release(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        free(groups->items[i].topics);
    free(groups->items);
    free(groups->kinds);
    *groups = (struct groups){0};
}
