#include "collector/suggest/draft_inner.h"

#include "collector/suggest/plan.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces --------------------------------------------------------------------------------- */

static void put_pointer(struct buffer *out, const struct plan *plan, const struct member *member)
{
    struct buffer pointer = {0};

    plan_put_pointer(&pointer, plan, member);
    json_write_string(out, buffer_text(&pointer));
    buffer_release(&pointer);
}

static void put_example(struct buffer *out, const struct member *member)
{
    if (member->value_count > 0)
        sheet_put_shown(out, member->values[0].text, member->values[0].bytes);
}

static void put_key(struct sheet *sheet, const char *key, const struct plan *plan,
                    const struct member *member)
{
    struct sheet_line *line;

    if (!member)
        return;
    line = sheet_add(sheet, false);
    buffer_printf(&line->text, "\"%s\": ", key);
    put_pointer(&line->text, plan, member);
    put_example(&line->note, member);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* A local time that is ahead of the arrival by whole quarters of an hour, more or less, is of a zone. */
static bool offset_of(int64_t ahead_us, char out[8])
{
    const int64_t quarter_us = 900 * TIMESTAMP_US_PER_S;
    int64_t quarters;
    int64_t minutes;

    if (ahead_us == INT64_MIN || llabs(ahead_us) > 15 * 4 * quarter_us)
        return false;
    quarters = (ahead_us + (ahead_us < 0 ? -quarter_us : quarter_us) / 2) / quarter_us;
    minutes = 15 * (quarters < 0 ? -quarters : quarters);
    if (llabs(ahead_us - quarters * quarter_us) > quarter_us / 3 || minutes > 14 * 60)
        return false;
    snprintf(out, 8, "%c%02d:%02d", quarters < 0 ? '-' : '+', (int)(minutes / 60),
             (int)(minutes % 60));
    return true;
}

static void put_step(struct buffer *out, const struct plan *plan)
{
    const char *name = plan->step->name;

    buffer_put_text(out, ", \"step\": {\"at\": ");
    put_pointer(out, plan, plan->step);
    if (plan->step->name_bytes > 3 && memcmp(name + plan->step->name_bytes - 3, "_ms", 3) == 0)
        buffer_put_text(out, ", \"scale\": 0.001");
    buffer_put_text(out, "}");
}

static void put_time(struct sheet *sheet, const struct plan *plan)
{
    bool is_local = plan->time_look == LOOK_LOCAL || plan->time_look == LOOK_FORMATTED;
    struct sheet_line *line;
    char zone[8] = "";

    if (!plan->time)
        return;
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"time\": ");
    put_example(&line->note, plan->time);
    if (!is_local && !plan->step) {
        put_pointer(&line->text, plan, plan->time);
        return;
    }
    buffer_put_text(&line->text, "{\"at\": ");
    put_pointer(&line->text, plan, plan->time);
    if (plan->time_look == LOOK_FORMATTED)
        buffer_printf(&line->text, ", \"format\": \"%s\"", plan->time_format);
    if (plan->step)
        put_step(&line->text, plan);
    if (is_local && offset_of(plan->time_ahead_us, zone) && strcmp(zone, "+00:00") != 0)
        buffer_printf(&line->text, ", \"zone\": \"%s\"", zone);
    buffer_put_text(&line->text, "}");
    if (is_local)
        buffer_put_text(&line->note,
                        *zone ? ": local time; the zone's name (Europe/Berlin) knows of summer, too"
                              : ": no offset, so it is taken as UTC; or say its zone");
}

/* ---- status, device ------------------------------------------------------------------------- */

static void put_status(struct sheet *sheet, const struct plan *plan)
{
    struct draft_words words = {.count = 0};
    struct sheet_line *line;

    if (!plan->status)
        return;
    for (size_t i = 0; i < plan->status->value_count; i++)
        draft_note_word(&words, plan->status->values[i].text, plan->status->values[i].bytes);
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"status\": {\"at\": ");
    put_pointer(&line->text, plan, plan->status);
    buffer_put_text(&line->text, ", \"map\": {");
    draft_put_words(&line->text, &words);
    buffer_put_text(&line->text, "}}");
    put_example(&line->note, plan->status);
}

/* Whether the payload knows better than the topic whose it is. */
static bool is_device_in_payload(const struct draft *draft, const struct plan *plan)
{
    if (plan->is_map || !plan->device)
        return false;
    return draft->roles.device < 0 || (draft->roles.is_guess && !draft->group->family) ||
           (*plan->each && plan_is_below(plan, plan->device) && member_varies(plan->device));
}

static void put_device(struct sheet *sheet, struct draft *draft, const struct plan *plan)
{
    struct sheet_line *line;

    if (plan->is_map) {
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"device\": \"{key}\"");
    } else if (is_device_in_payload(draft, plan)) {
        struct buffer text = {0};

        buffer_put_text(&text, "{");
        plan_put_pointer(&text, plan, plan->device);
        buffer_put_text(&text, "}");
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"device\": ");
        json_write_string(&line->text, buffer_text(&text));
        put_example(&line->note, plan->device);
        buffer_release(&text);
    } else {
        roles_accept(&draft->roles, draft->group);
        if (plan->is_of_keys && draft->roles.device >= 0 &&
            draft->group->levels[draft->roles.device].varies) {
            line = sheet_add(sheet, false);
            buffer_put_text(&line->text, "\"device\": \"{device}/{key}\"");
        } else {
            draft_put_device(sheet, draft);
        }
    }
}

/* ---- features ------------------------------------------------------------------------------- */

/* 1795691046, whatever it is called; and any other moment under a name of one. */
static bool is_moment(const struct member *member)
{
    const struct member_value *value = &member->values[0];
    struct json_token token = {.text = value->text, .bytes = value->bytes, .kind = value->kind};
    char format[LOOK_FORMAT_SIZE];
    int64_t us;

    return member->value_count > 0 && look_time(&token, value->at_us, format, &us) == LOOK_EPOCH &&
           (word_rank_time(member->name, member->name_bytes) >= 0 ||
            llabs(us - value->at_us) < TIMESTAMP_US_PER_DAY);
}

static const char *why_no_feature(const struct plan *plan, const struct member *member)
{
    if (!plan_is_below(plan, member))
        return "beside the list";
    if (strstr(member->pointer + strlen(plan->each), "/*") && *plan->each)
        return "a list within the list";
    if (member == plan->device)
        return "says who it is, as the topic does";
    if (!member_is_number(member))
        return plan_is_status(member) ? "on or off" : "no number";
    if (is_moment(member))
        return "another time";
    if (word_rank_seq(member->name, member->name_bytes) >= 0)
        return "a count of messages";
    if (word_is_identifier(member->name, member->name_bytes))
        return "a number that says which, and not how much?";
    return NULL;
}

static void put_feature(struct sheet *features, const struct plan *plan,
                        const struct member *member, const char *why, struct feature_names *names)
{
    char name[FEATURE_NAME_MAX + 1] = "";
    bool is_kept = !why && feature_names_take(names, member->pointer, name);
    struct sheet_line *line = sheet_add(features, !is_kept);

    if (is_kept) {
        buffer_printf(&line->text, "\"%s\": ", name);
        put_pointer(&line->text, plan, member);
    } else {
        sheet_put_shown(&line->text, member->pointer, strlen(member->pointer));
    }
    put_example(&line->note, member);
    if (!is_kept)
        buffer_printf(&line->note, ": %s", why ? why : "one feature too many");
}

static void put_members(struct sheet *features, const struct draft *draft, const struct plan *plan,
                        const struct members *members, struct feature_names *names)
{
    enum { COMMENTS_MOST = 60 };
    bool is_cut = members->left_out + members->unusable > 0;
    struct sheet_line *line;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        const char *why = why_no_feature(plan, member);

        if (member == plan->time || member == plan->seq || member == plan->status ||
            member == plan->step || (member == plan->device && is_device_in_payload(draft, plan)))
            continue;
        if (why && features->count - features->keys >= COMMENTS_MOST)
            is_cut = true;
        else
            put_feature(features, plan, member, why, names);
    }
    if (!is_cut)
        return;
    line = sheet_add(features, true);
    buffer_put_text(&line->text, "and more that is not used");
}

/* {"temperature": "", "pressure": "^/pressure/{index}"} */
static void put_columns(struct sheet *features, const struct plan *plan,
                        const struct members *members, struct feature_names *names)
{
    for (size_t i = 0; i < members->count; i++) {
        const char *pointer = members->items[i].pointer;
        size_t length = strlen(pointer);
        size_t bytes = length - 2;
        char name[FEATURE_NAME_MAX + 1];
        char column[MEMBER_POINTER_MOST + 1];
        struct buffer at = {0};
        struct sheet_line *line;

        if (length < 4 || strcmp(pointer + bytes, "/0") != 0 ||
            strchr(pointer + 1, '/') != pointer + bytes || !member_is_number(&members->items[i]))
            continue;
        memcpy(column, pointer, bytes);
        column[bytes] = '\0';
        if (!feature_names_take(names, column, name))
            continue;
        if (strncmp(plan->each, column, bytes) != 0 || plan->each[bytes] != '/')
            buffer_printf(&at, "^%s/{index}", column);
        line = sheet_add(features, false);
        buffer_printf(&line->text, "\"%s\": ", name);
        json_write_string(&line->text, buffer_text(&at));
        buffer_release(&at);
    }
}

/* "feature": {"name": "{/name}", "value": "/value", "rename": {...}} */
static bool put_named(struct sheet *sheet, const struct plan *plan, struct feature_names *names)
{
    struct sheet renames = {0};
    struct sheet_line *line;
    bool is_used;

    for (size_t i = 0; i < plan->name->value_count; i++) {
        const struct member_value *value = &plan->name->values[i];
        char name[FEATURE_NAME_MAX + 1] = "";

        if (value->bytes == 0 || value->kind != JSON_STRING)
            continue;
        line = sheet_add(&renames, !feature_names_take(names, value->text, name));
        json_write_string(&line->text, value->text);
        buffer_printf(&line->text, ": \"%s\"", name);
    }
    is_used = renames.keys > 0;
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"feature\": {\"name\": \"{");
    plan_put_pointer(&line->text, plan, plan->name);
    buffer_put_text(&line->text, "}\", \"value\": ");
    put_pointer(&line->text, plan, plan->value);
    buffer_put_text(&line->text, ", \"rename\": {\n");
    sheet_write(&line->text, &renames, "         ", "");
    buffer_put_text(&line->text, "     }}");
    sheet_release(&renames);
    return is_used;
}

static bool put_values(struct sheet *sheet, const struct draft *draft, const struct plan *plan,
                       const struct members *members, struct feature_names *names)
{
    struct sheet features = {0};
    struct sheet_line *line;
    bool is_used;

    if (plan->name)
        return put_named(sheet, plan, names);
    if (plan->is_columns)
        put_columns(&features, plan, members, names);
    else
        put_members(&features, draft, plan, members, names);
    is_used = features.keys > 0;
    if (is_used) {
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"features\": {\n");
        sheet_write(&line->text, &features, "         ", "");
        buffer_put_text(&line->text, "     }");
    }
    for (size_t i = 0; i < features.count && !is_used; i++) {
        line = sheet_add(sheet, true);
        buffer_put(&line->text, features.lines[i].text.data, features.lines[i].text.bytes);
        buffer_put(&line->note, features.lines[i].note.data, features.lines[i].note.bytes);
    }
    sheet_release(&features);
    return is_used || plan->status;
}

/* ---- the rule ------------------------------------------------------------------------------- */

static void look_through(struct members *members, const struct group *group)
{
    for (size_t i = 0; i < group->topic_count; i++) {
        const struct heard_topic *topic = group->topics[i];

        for (size_t j = 0; j < topic->count; j++) {
            const struct heard_payload *payload = &topic->payloads[j];
            struct json_token root;

            if (json_walk_open(&root, payload->text, payload->bytes) == JSON_OK &&
                (root.kind == JSON_OBJECT || root.kind == JSON_ARRAY))
                members_add(members, &root, payload->is_retained ? 0 : payload->at_us);
        }
    }
}

bool draft_json(struct sheet *sheet, struct draft *draft, struct feature_names *names)
{
    struct members members = {0};
    struct plan plan;
    struct sheet_line *line;
    bool is_used;

    look_through(&members, draft->group);
    plan_make(&plan, &members);
    if (*plan.each) {
        line = sheet_add(sheet, false);
        buffer_put_text(&line->text, "\"each\": ");
        json_write_string(&line->text, plan.each);
    }
    put_device(sheet, draft, &plan);
    put_time(sheet, &plan);
    put_key(sheet, "seq", &plan, plan.seq);
    put_status(sheet, &plan);
    is_used = put_values(sheet, draft, &plan, &members, names);
    members_release(&members);
    return is_used;
}
