/* Names come with births, so what is suggested is made of those; data that no birth explains says nothing. */
#include "collector/suggest/draft_inner.h"

#include "collector/decoders/sparkplug.h"
#include "collector/suggest/members.h"
#include "shared/base/json_write.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <string.h>

struct metric_list {
    struct sheet renames;
    struct feature_names *names;
    char status[MEMBER_TEXT_MOST + 1]; /* the first that is true or false */
};

static bool find(const struct json_token *object, const char *name, struct json_token *out)
{
    struct json_walk walk;
    struct json_token key;

    json_walk_init(&walk, object);
    while (json_walk_next(&walk, &key, out)) {
        if (json_token_is(&key, name, strlen(name)))
            return true;
    }
    return false;
}

/* What every node has, and no sensor of it. */
static bool is_of_protocol(const char *name)
{
    static const char *const starts[] = {"bdSeq", "Node Control/", "Device Control/",
                                         "Properties/"};

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    }
    return false;
}

static bool is_known(const struct metric_list *metrics, const char *start)
{
    for (size_t i = 0; i < metrics->renames.count; i++) {
        if (strncmp(buffer_text(&metrics->renames.lines[i].text), start, strlen(start)) == 0)
            return true;
    }
    return false;
}

static void note_number(struct metric_list *metrics, const char *name,
                        const struct json_token *value)
{
    struct buffer start = {0};

    json_write_string(&start, name);
    buffer_put_text(&start, ": ");
    if (metrics->renames.count < MEMBER_NAMES_MOST && !is_known(metrics, buffer_text(&start))) {
        char feature[FEATURE_NAME_MAX + 1] = "";
        struct sheet_line *line =
            sheet_add(&metrics->renames, !feature_names_take(metrics->names, name, feature));

        buffer_printf(&line->text, "%s\"%s\"", buffer_text(&start), feature);
        sheet_put_shown(&line->note, value->text, value->bytes);
    }
    buffer_release(&start);
}

static void note_metric(struct metric_list *metrics, const struct json_token *metric)
{
    struct json_token name;
    struct json_token value;
    struct json_text text;

    if (!find(metric, "name", &name) || name.kind != JSON_STRING || !find(metric, "value", &value))
        return;
    json_text_init(&text, &name);
    if (*text.chars && strlen(text.chars) <= MEMBER_TEXT_MOST && !is_of_protocol(text.chars)) {
        if (value.kind == JSON_NUMBER)
            note_number(metrics, text.chars, &value);
        else if (value.kind == JSON_BOOLEAN && !*metrics->status)
            memcpy(metrics->status, text.chars, strlen(text.chars) + 1);
    }
    json_text_release(&text);
}

static void note_message(struct metric_list *metrics, const struct buffer *json)
{
    struct json_token root;
    struct json_token list;
    struct json_token name;
    struct json_token metric;
    struct json_walk walk;

    if (json_walk_open(&root, (const char *)json->data, json->bytes) != JSON_OK ||
        root.kind != JSON_OBJECT || !find(&root, "metrics", &list) || list.kind != JSON_ARRAY)
        return;
    json_walk_init(&walk, &list);
    while (json_walk_next(&walk, &name, &metric)) {
        if (metric.kind == JSON_OBJECT)
            note_metric(metrics, &metric);
    }
}

/* Topics are in order, so each birth comes before the data that it explains. */
static void look_through(struct metric_list *metrics, const struct group *group)
{
    struct sparkplug state = {0};
    struct sparkplug_result result;
    struct buffer json = {0};

    for (size_t i = 0; i < group->topic_count; i++) {
        const struct heard_topic *topic = group->topics[i];

        for (size_t j = 0; j < topic->count; j++) {
            const struct sparkplug_message message = {.topic = topic->name,
                                                      .payload = topic->payloads[j].text,
                                                      .bytes = topic->payloads[j].bytes,
                                                      .epoch = 1,
                                                      .now_us = topic->payloads[j].at_us};

            buffer_clear(&json);
            if (sparkplug_take(&state, &message, &json, &result) == SPARKPLUG_READ)
                note_message(metrics, &json);
        }
    }
    buffer_release(&json);
    sparkplug_release(&state);
}

static void put_rules(struct buffer *out, const struct metric_list *metrics)
{
    bool has_numbers = metrics->renames.keys > 0;

    buffer_put_text(out, "\"rules\": [");
    if (has_numbers) {
        buffer_put_text(out, "\n         {\"feature\": {\"name\": \"{/name}\", \"value\": "
                             "\"/value\", \"rename\": {\n");
        sheet_write(out, &metrics->renames, "             ", "");
        buffer_put_text(out, "         }}}");
    }
    if (*metrics->status) {
        buffer_put_text(out, has_numbers ? ",\n         {\"when\": {\"/name\": "
                                         : "\n         {\"when\": {\"/name\": ");
        json_write_string(out, metrics->status);
        buffer_put_text(out, "}, \"status\": {\"at\": \"/value\", \"map\": {\"true\": \"ON\", "
                             "\"false\": \"OFF\"}}}");
    }
    buffer_put_text(out, "]");
}

static void put_line(struct sheet *sheet, const char *text)
{
    buffer_put_text(&sheet_add(sheet, false)->text, text);
}

bool draft_sparkplug(struct sheet *sheet, struct draft *draft, struct feature_names *names)
{
    bool is_of_device = draft->group->level_count == 5;
    struct metric_list metrics = {.names = names};
    bool is_used;

    look_through(&metrics, draft->group);
    is_used = metrics.renames.keys > 0 || *metrics.status;
    put_line(sheet, "\"payload\": \"sparkplug\"");
    put_line(sheet, is_of_device ? "\"only\": {\"type\": [\"DBIRTH\", \"DDATA\"]}"
                                 : "\"only\": {\"type\": [\"NBIRTH\", \"NDATA\"]}");
    put_line(sheet, is_of_device ? "\"device\": \"{group}/{edge}/{device}\""
                                 : "\"device\": \"{group}/{device}\"");
    put_line(sheet, "\"each\": \"/metrics/*\"");
    put_line(sheet, "\"time\": [\"/timestamp\", \"^/timestamp\"]");
    put_rules(&sheet_add(sheet, false)->text, &metrics);
    if (!is_used)
        draft->why =
            "Sparkplug B, of which no birth with a number was heard: listen for longer, or ask "
            "for a rebirth";
    sheet_release(&metrics.renames);
    return is_used;
}
