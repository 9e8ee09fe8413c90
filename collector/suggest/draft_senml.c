#include "collector/suggest/draft_inner.h"

#include "collector/decoders/senml.h"
#include "collector/suggest/members.h"
#include "shared/base/json_write.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <string.h>

/* ---- SenML ---------------------------------------------------------------------------------- */

struct labels {
    struct sheet renames;
    struct feature_names *names;
    char status[MEMBER_TEXT_MOST + 1]; /* of the first record that is true or false */
};

static bool find(const struct json_token *record, const char *name, struct json_token *out)
{
    struct json_walk walk;
    struct json_token key;

    json_walk_init(&walk, record);
    while (json_walk_next(&walk, &key, out)) {
        if (json_token_is(&key, name, strlen(name)))
            return true;
    }
    return false;
}

static bool has_line(const struct sheet *sheet, const char *start)
{
    for (size_t i = 0; i < sheet->count; i++) {
        if (strncmp(buffer_text(&sheet->lines[i].text), start, strlen(start)) == 0)
            return true;
    }
    return false;
}

static void note_label(struct labels *labels, const char *label)
{
    char name[FEATURE_NAME_MAX + 1] = "";
    struct buffer start = {0};
    struct sheet_line *line;

    json_write_string(&start, label);
    buffer_put_text(&start, ": ");
    if (labels->renames.count < MEMBER_NAMES_MOST &&
        !has_line(&labels->renames, buffer_text(&start))) {
        line = sheet_add(&labels->renames, !feature_names_take(labels->names, label, name));
        buffer_printf(&line->text, "%s\"%s\"", buffer_text(&start), name);
    }
    buffer_release(&start);
}

static void note_record(struct labels *labels, const struct json_token *record)
{
    struct json_token label;
    struct json_token value;
    struct json_text text;

    if (!find(record, "label", &label) || label.kind != JSON_STRING)
        return;
    json_text_init(&text, &label);
    if (*text.chars && strlen(text.chars) <= MEMBER_TEXT_MOST) {
        if (find(record, "v", &value))
            note_label(labels, text.chars);
        else if (find(record, "vb", &value) && !*labels->status)
            memcpy(labels->status, text.chars, strlen(text.chars) + 1);
    }
    json_text_release(&text);
}

static void look_through(struct labels *labels, const struct heard_payload *payload)
{
    struct buffer json = {0};
    struct json_token root;
    struct json_token name;
    struct json_token record;
    struct json_walk walk;
    char error[SENML_ERROR_SIZE];

    if (json_walk_open(&root, payload->text, payload->bytes) == JSON_OK &&
        senml_resolve(&json, &root, payload->at_us, error) &&
        json_walk_open(&root, (const char *)json.data, json.bytes) == JSON_OK) {
        json_walk_init(&walk, &root);
        while (json_walk_next(&walk, &name, &record))
            note_record(labels, &record);
    }
    buffer_release(&json);
}

/* One rule for the numbers, one for what is on or off. */
static void put_rules(struct buffer *out, const struct labels *labels)
{
    buffer_put_text(out, "\"rules\": [");
    if (labels->renames.keys > 0) {
        buffer_put_text(
            out,
            "\n         {\"feature\": {\"name\": \"{/label}\", \"value\": \"/v\", \"rename\": {\n");
        sheet_write(out, &labels->renames, "             ", "");
        buffer_put_text(out, "         }}}");
    }
    if (*labels->status) {
        buffer_put_text(out, labels->renames.keys > 0 ? ",\n         {\"when\": {\"/label\": "
                                                      : "\n         {\"when\": {\"/label\": ");
        json_write_string(out, labels->status);
        buffer_put_text(out, "}, \"status\": {\"at\": \"/vb\", \"map\": {\"true\": \"ON\", "
                             "\"false\": \"OFF\"}}}");
    }
    buffer_put_text(out, "]");
}

bool draft_senml(struct sheet *sheet, struct draft *draft, struct feature_names *names)
{
    struct labels labels = {.names = names};
    struct sheet_line *line;
    bool is_used;

    for (size_t i = 0; i < draft->group->topic_count; i++) {
        for (size_t j = 0; j < draft->group->topics[i]->count; j++)
            look_through(&labels, &draft->group->topics[i]->payloads[j]);
    }
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"payload\": \"senml\"");
    roles_accept(&draft->roles, draft->group);
    draft_put_device(sheet, draft);
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"each\": \"/*\"");
    line = sheet_add(sheet, false);
    buffer_put_text(&line->text, "\"time\": \"/t\"");
    line = sheet_add(sheet, false);
    put_rules(&line->text, &labels);
    is_used = labels.renames.keys > 0 || *labels.status;
    sheet_release(&labels.renames);
    return is_used;
}
