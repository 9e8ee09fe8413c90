#include "collector/suggest/roles.h"

#include "collector/suggest/words.h"
#include "shared/model/topic.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

static bool is_called(const struct group_level *level, const char *name)
{
    return level->name && is_word(level->name, level->name_bytes, name);
}

static int find_called(const struct group *group, const char *name)
{
    for (size_t i = 0; i < group->level_count; i++) {
        if (group->levels[i].varies && is_called(&group->levels[i], name))
            return (int)i;
    }
    return -1;
}

/* ---- what is measured ----------------------------------------------------------------------- */

/* More than half of a level's texts. */
static bool says_quantities(const struct group *group, size_t number)
{
    size_t count = 0;

    for (size_t i = 0; i < group->topic_count; i++) {
        size_t bytes;
        const char *text = group_level_of(group->topics[i], number, &bytes);

        count += word_is_quantity(text, bytes);
    }
    return 2 * count > group->topic_count;
}

static int find_feature(const struct group *group)
{
    int varying = 0;
    int last = -1;

    if (group->kind != GROUP_NUMBER)
        return -1;
    for (int i = (int)group->level_count - 1; i >= 0; i--) {
        if (!group->levels[i].varies)
            continue;
        if (says_quantities(group, (size_t)i))
            return i;
        if (last < 0)
            last = i;
        varying++;
    }
    return varying > 1 ? last : -1;
}

/* cellar_temperature: all texts of the level are a name and what is measured. */
static bool are_entities(const struct group *group, size_t number)
{
    for (size_t i = 0; i < group->topic_count; i++) {
        size_t bytes;
        const char *text = group_level_of(group->topics[i], number, &bytes);
        size_t tail = bytes;

        while (tail > 0 && text[tail - 1] != '_')
            tail--;
        if (tail < 2 || !word_is_quantity(text + tail, bytes - tail))
            return false;
    }
    return true;
}

/* ---- whose it is ---------------------------------------------------------------------------- */

static bool is_behind_device(const struct group *group, int number)
{
    const struct group_level *before = number > 0 ? &group->levels[number - 1] : NULL;

    return before && !before->varies &&
           (is_word(before->text, before->bytes, "device") ||
            is_word(before->text, before->bytes, "devices"));
}

static int find_device(const struct group *group, int feature)
{
    int found = -1;

    for (int i = 0; i < (int)group->level_count; i++) {
        if (!group->levels[i].varies || i == feature)
            continue;
        found = i;
        if (is_behind_device(group, i))
            break;
    }
    return found;
}

/* With that level varying, the pattern would have messages of other groups, too. */
static bool takes_others(const struct groups *groups, const struct group *group, int level)
{
    struct group grown = *group;

    grown.levels[level].varies = true;
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *other = &groups->items[i];

        for (size_t j = 0; j < other->topic_count && other != group; j++) {
            if (other->kind != GROUP_UNUSED && group_fits(&grown, other->topics[j]->name))
                return true;
        }
    }
    return false;
}

/* The last level that is neither a kind of message nor what is measured. */
static int guess_device(const struct groups *groups, const struct group *group)
{
    for (int i = (int)group->level_count - 1; i >= 0; i--) {
        const struct group_level *level = &group->levels[i];

        if (!level->varies && !word_is_structural(level->text, level->bytes) &&
            !word_is_quantity(level->text, level->bytes) && !takes_others(groups, group, i))
            return i;
    }
    return -1;
}

static bool is_ambiguous(const struct group *group, int device, int feature)
{
    for (size_t i = 1; i < group->topic_count; i++) {
        for (size_t j = i > 200 ? i - 200 : 0; j < i; j++) {
            size_t bytes[2];
            const char *ids[2] = {group_level_of(group->topics[i], (size_t)device, &bytes[0]),
                                  group_level_of(group->topics[j], (size_t)device, &bytes[1])};

            if (bytes[0] != bytes[1] || memcmp(ids[0], ids[1], bytes[0]) != 0)
                continue;
            for (size_t k = 0; k < group->level_count; k++) {
                size_t other[2];
                const char *texts[2] = {group_level_of(group->topics[i], k, &other[0]),
                                        group_level_of(group->topics[j], k, &other[1])};

                if ((int)k != device && (int)k != feature && group->levels[k].varies &&
                    (other[0] != other[1] || memcmp(texts[0], texts[1], other[0]) != 0))
                    return true;
            }
        }
    }
    return false;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_taken(const struct roles *roles, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(roles->names[i], name) == 0)
            return true;
    }
    return strcmp(name, "device") == 0 || strcmp(name, "feature") == 0 ||
           strcmp(name, "quantity") == 0 || strcmp(name, "key") == 0 || strcmp(name, "index") == 0;
}

/* What is written before a level often says what it is: application/{application}. */
static void name_level(struct roles *roles, const struct group *group, size_t number)
{
    const struct group_level *level = &group->levels[number];
    const struct group_level *before = number > 0 && !level[-1].varies ? &level[-1] : NULL;
    const char *text = level->name ? level->name : before ? before->text : "";
    size_t bytes = level->name ? level->name_bytes : before ? before->bytes : 0;
    char *out = roles->names[number];
    size_t used = 0;

    for (size_t i = 0; i < bytes && used + 1 < ROLE_NAME_SIZE; i++) {
        if (isalpha((unsigned char)text[i]) || text[i] == '_')
            out[used++] = text[i];
    }
    out[used] = '\0';
    if (used == 0 || is_taken(roles, number, out))
        snprintf(out, ROLE_NAME_SIZE, "level%zu", number + 1);
}

void roles_find(struct roles *roles, const struct groups *groups, const struct group *group)
{
    *roles = (struct roles){.device = find_called(group, "device"),
                            .feature = find_called(group, "feature")};
    if (roles->feature < 0 && !group->family)
        roles->feature = find_feature(group);
    if (roles->device < 0)
        roles->device = find_device(group, roles->feature);
    if (roles->device < 0 && roles->feature >= 0 && are_entities(group, (size_t)roles->feature)) {
        roles->device = roles->feature; /* and not both: no other level says whose it is */
        roles->feature = -1;
    }
    if (roles->device >= 0 && roles->feature < 0 && group->kind == GROUP_NUMBER)
        roles->is_entity = are_entities(group, (size_t)roles->device);
    if (roles->device >= 0)
        roles->is_ambiguous = is_ambiguous(group, roles->device, roles->feature);
    if (roles->device < 0) {
        roles->device = guess_device(groups, group);
        roles->is_guess = roles->device >= 0;
    }
    for (size_t i = 0; i < group->level_count; i++) {
        if ((int)i == roles->device)
            strcpy(roles->names[i], roles->is_entity ? "entity" : "device");
        else if ((int)i == roles->feature)
            strcpy(roles->names[i], "feature");
        else
            name_level(roles, group, i);
    }
}

void roles_accept(struct roles *roles, struct group *group)
{
    size_t literals = 0;

    for (size_t i = 0; i < group->level_count; i++)
        literals += !group->levels[i].varies && group->levels[i].bytes > 0;
    if (!roles->is_guess || literals < 2)
        return; /* nothing that is written out would be left, and the pattern fit everything */
    group->levels[roles->device].varies = true;
}

void roles_put_topic(struct buffer *out, const struct roles *roles, const struct group *group)
{
    for (size_t i = 0; i < group->level_count; i++) {
        const struct group_level *level = &group->levels[i];

        if (i > 0)
            buffer_put_text(out, "/");
        if (level->varies)
            buffer_printf(out, "{%s}", roles->names[i]);
        else
            buffer_put(out, level->text, level->bytes);
    }
}

void roles_put_device(struct buffer *out, const struct roles *roles, const struct group *group)
{
    const struct group_level *level = roles->device < 0 ? NULL : &group->levels[roles->device];

    if (!level)
        return;
    if (!level->varies) {
        if (device_id_is_legal(level->text, level->bytes))
            buffer_put(out, level->text, level->bytes);
        return;
    }
    for (int i = 0; i < roles->device && roles->is_ambiguous; i++) {
        if (group->levels[i].varies && i != roles->feature)
            buffer_printf(out, "{%s}/", roles->names[i]);
    }
    buffer_put_text(out, "{device}");
}
