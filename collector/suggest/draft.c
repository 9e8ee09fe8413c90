#include "collector/suggest/draft_inner.h"

#include "collector/suggest/look.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- statuses ------------------------------------------------------------------------------- */

void draft_note_word(struct draft_words *words, const char *text, size_t bytes)
{
    const struct word_status *pair = word_status(text, bytes);
    size_t i = 0;

    while (i < words->count && words->pairs[i] != pair)
        i++;
    if (pair && i == words->count && i < sizeof(words->pairs) / sizeof(words->pairs[0]))
        words->pairs[words->count++] = pair;
}

void draft_put_words(struct buffer *out, const struct draft_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct word_status *pair = words->pairs[i];

        buffer_printf(out, "%s\"%s\": \"%s\", \"%s\": \"%s\"", i > 0 ? ", " : "", pair->word,
                      words->of_presence ? "ACTIVE" : pair->status, pair->contrary,
                      words->of_presence ? "INACTIVE" : pair->contrary_status);
    }
}

/* plug-1/online: what is true there is not that it is on. */
static bool says_presence(const struct group *group)
{
    static const char *const words[] = {"online", "lwt", "available", "availability", "connected"};
    const struct group_level *last = &group->levels[group->level_count - 1];

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !last->varies; i++) {
        if (strlen(words[i]) == last->bytes && strncasecmp(words[i], last->text, last->bytes) == 0)
            return true;
    }
    return false;
}

/* ---- the device ----------------------------------------------------------------------------- */

void draft_put_device(struct sheet *sheet, const struct draft *draft)
{
    struct buffer device = {0};
    struct sheet_line *line;

    roles_put_device(&device, &draft->roles, draft->group);
    if (device.bytes == 0)
        buffer_put_text(&device, "device");
    if (strcmp(buffer_text(&device), "{device}") != 0) {
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"device\": ");
        json_write_string(&line->text, buffer_text(&device));
        if (draft->roles.device < 0)
            buffer_put_text(&line->note, "nothing says whose it is: give it a name");
    }
    buffer_release(&device);
}

/* ---- topics that say one value -------------------------------------------------------------- */

/* The level that is written out and says what is measured. */
static void put_what(struct buffer *out, const struct draft *draft)
{
    const struct group *group = draft->group;
    const struct group_level *found = NULL;

    for (size_t i = 0; i < group->level_count; i++) {
        const struct group_level *level = &group->levels[i];

        if (level->varies || (int)i == draft->roles.device)
            continue;
        if (word_is_quantity(level->text, level->bytes) ||
            (!word_is_structural(level->text, level->bytes) && i > 0))
            found = level;
    }
    if (found)
        buffer_put(out, found->text, found->bytes);
    else
        buffer_put_text(out, "measured");
}

static void put_rename(struct sheet *renames, const char *text, size_t bytes,
                       struct feature_names *names)
{
    char name[FEATURE_NAME_MAX + 1];
    char *from = mem_strndup(text, bytes);
    struct sheet_line *line;

    line = sheet_add(renames, !feature_names_take(names, from, name));
    json_write_string(&line->text, from);
    buffer_printf(&line->text, ": \"%s\"", name);
    free(from);
}

/* What the feature's level, or the end of the device's, was seen to say. */
static void put_renames(struct sheet *renames, const struct draft *draft, bool is_entity,
                        struct feature_names *names)
{
    const struct group *group = draft->group;
    size_t level = (size_t)(is_entity ? draft->roles.device : draft->roles.feature);

    for (size_t i = 0; i < group->topic_count; i++) {
        size_t bytes;
        const char *text = group_level_of(group->topics[i], level, &bytes);
        size_t from = is_entity ? bytes : 0;
        bool is_known = false;

        while (is_entity && text[from - 1] != '_')
            from--;
        for (size_t j = 0; j < i && !is_known; j++) {
            size_t other_bytes;
            const char *other = group_level_of(group->topics[j], level, &other_bytes);

            is_known =
                other_bytes >= bytes - from &&
                memcmp(other + other_bytes - (bytes - from), text + from, bytes - from) == 0 &&
                (is_entity || other_bytes == bytes);
        }
        if (!is_known)
            put_rename(renames, text + from, bytes - from, names);
    }
}

static bool draft_number(struct sheet *sheet, struct draft *draft, struct feature_names *names)
{
    const struct roles *roles = &draft->roles;
    struct sheet renames = {0};
    struct sheet_line *line = sheet_add(sheet, false);
    struct buffer what = {0};
    char name[FEATURE_NAME_MAX + 1];
    bool is_used = true;

    buffer_put_text(&line->text, "\"payload\": \"text\"");
    if (roles->is_entity) {
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"match\": {\"{entity}\": \"{device*}_{quantity}\"}");
    } else {
        draft_put_device(sheet, draft);
    }
    line = sheet_add(sheet, false);
    if (roles->is_entity || roles->feature >= 0) {
        put_renames(&renames, draft, roles->is_entity, names);
        is_used = renames.keys > 0;
        buffer_printf(&line->text,
                      "\"feature\": {\"name\": \"{%s}\", \"value\": \"\", \"rename\": {\n",
                      roles->is_entity ? "quantity" : "feature");
        sheet_write(&line->text, &renames, "         ", "");
        buffer_put_text(&line->text, "     }}");
    } else {
        put_what(&what, draft);
        is_used = feature_names_take(names, buffer_text(&what), name);
        buffer_printf(&line->text, "\"features\": {\"%s\": \"\"}", name);
    }
    buffer_release(&what);
    sheet_release(&renames);
    return is_used;
}

static bool draft_status(struct sheet *sheet, struct draft *draft)
{
    const struct group *group = draft->group;
    struct draft_words words = {.of_presence = says_presence(group)};
    struct sheet_line *line = sheet_add(sheet, false);

    buffer_put_text(&line->text, "\"payload\": \"text\"");
    draft_put_device(sheet, draft);
    for (size_t i = 0; i < group->topic_count; i++) {
        for (size_t j = 0; j < group->topics[i]->count; j++)
            draft_note_word(&words, group->topics[i]->payloads[j].text,
                            group->topics[i]->payloads[j].bytes);
    }
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"status\": {\"at\": \"\", \"map\": {");
    draft_put_words(&line->text, &words);
    buffer_put_text(&line->text, "}}");
    return words.count > 0;
}

/* ---- a mapping ------------------------------------------------------------------------------ */

static const char *why_unused(const struct group *group)
{
    if (group->family && group->family->is_ignored)
        return "it is about the gateway, or to it";
    switch (group->look) {
    case LOOK_NONE:
        return group->topics[0]->has_long ? "its messages are too long for a first look"
                                          : "it is empty, or says that there is no value";
    case LOOK_BROKEN_JSON:
        return "it begins as JSON does, and is none (or deeper than 8 levels)";
    case LOOK_BINARY:
        return "it is neither JSON nor text";
    case LOOK_JSON:
    case LOOK_SENML:
    case LOOK_NUMBER:
    case LOOK_STATUS:
    case LOOK_TEXT:
        break;
    }
    return "it is text, neither a number nor a word for a status";
}

static void put_head(struct draft *draft)
{
    const struct group *group = draft->group;
    const char *topic = group->topics[0]->name;

    buffer_put_text(&draft->text, "    // ");
    if (group->topic_count > 1)
        buffer_printf(&draft->text, "%zu topics, such as ", group->topic_count);
    sheet_put_shown(&draft->text, topic, strlen(topic));
    buffer_put_text(&draft->text, ".");
    if (group->family)
        buffer_printf(&draft->text, " It looks like %s", group->family->called);
    if (group->family && group->family->file)
        buffer_printf(&draft->text, ": mappings/%s has more of it", group->family->file);
    buffer_put_text(&draft->text, group->family ? ".\n" : "\n");
    if (draft->roles.is_guess && group->levels[draft->roles.device].varies)
        buffer_put_text(
            &draft->text,
            "    // Only one such topic was heard: which level is the device is a guess.\n");
}

void draft_make(struct draft *draft, const struct groups *groups, struct group *group,
                struct feature_names *names)
{
    struct sheet sheet = {0};
    struct sheet_line *line;

    *draft = (struct draft){.group = group};
    roles_find(&draft->roles, groups, group);
    names->here.count = 0;
    sheet_add(&sheet, false); /* the topic, once it is known what varies */
    switch (group->kind) {
    case GROUP_JSON:
        draft->is_used = draft_json(&sheet, draft, names);
        break;
    case GROUP_SENML:
        draft->is_used = draft_senml(&sheet, draft, names);
        break;
    case GROUP_SPARKPLUG:
        draft->is_used = draft_sparkplug(&sheet, draft, names);
        break;
    case GROUP_NUMBER:
        roles_accept(&draft->roles, group);
        draft->is_used = draft_number(&sheet, draft, names);
        break;
    case GROUP_STATUS:
        roles_accept(&draft->roles, group);
        draft->is_used = draft_status(&sheet, draft);
        break;
    case GROUP_UNUSED:
        draft->why = why_unused(group);
        break;
    }
    if (draft->is_used) {
        struct buffer topic = {0};

        put_head(draft);
        roles_put_topic(&topic, &draft->roles, group);
        line = &sheet.lines[0];
        buffer_put_text(&line->text, "\"topic\": ");
        json_write_string(&line->text, buffer_text(&topic));
        buffer_release(&topic);
        buffer_put_text(&draft->text, "    {\n");
        sheet_write(&draft->text, &sheet, "     ", "");
        buffer_put_text(&draft->text, "    }");
    } else if (!draft->why) {
        draft->why = "there is no number in it, and no word for a status";
    }
    sheet_release(&sheet);
}

void draft_release(struct draft *draft)
{
    buffer_release(&draft->text);
}
