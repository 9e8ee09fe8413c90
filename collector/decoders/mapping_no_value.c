/* What is said of a message that has no value: what it has, and where was looked. */
#include "collector/decoders/mapping_inner.h"
#include "shared/base/log.h"
#include "shared/model/json_walk.h"

#include <string.h>

static void put_pointers(struct buffer *out, const char **before, const struct place_list *at)
{
    for (size_t i = 0; i < at->count; i++) {
        buffer_printf(out, "%s\"%s\"", i > 0 ? " or " : *before, at->items[i].text);
        *before = ", ";
    }
}

static void put_texts(struct buffer *out, const char **before, const struct text_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++) {
        buffer_printf(out, "%s\"%s\"", i > 0 ? " or " : *before, rule->items[i].text);
        *before = ", ";
    }
}

static void put_about(struct buffer *out, const char **before, const struct about_rule *about)
{
    put_texts(out, before, &about->label);
    put_texts(out, before, &about->group);
    put_texts(out, before, &about->location);
    put_pointers(out, before, &about->latitude.at);
    put_pointers(out, before, &about->longitude.at);
}

static void put_tried(struct buffer *out, const struct mapping_rule *rule)
{
    const char *before = "";

    if (rule->each.count > 0)
        buffer_printf(out, "of each \"%s\": ", rule->each.text);
    for (size_t i = 0; i < rule->feature_count; i++)
        put_pointers(out, &before, &rule->features[i].value.at);
    put_pointers(out, &before, &rule->named.value.at);
    put_pointers(out, &before, &rule->status.at);
    if (rule->about)
        put_about(out, &before, rule->about);
}

static void put_members(struct buffer *out, const struct json_token *object)
{
    enum { MEMBERS_SHOWN = 6 };
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    const char *before = "";
    char text[36];

    json_walk_init(&walk, object);
    for (int i = 0; i <= MEMBERS_SHOWN && json_walk_next(&walk, &name, &value); i++) {
        buffer_printf(out, "%s%s", before,
                      i == MEMBERS_SHOWN ? "..."
                                         : log_escaped(text, sizeof(text), name.text, name.bytes));
        before = ", ";
    }
}

/* What there is: the first members of an object, or of the first in an array; or the text. It comes
 * first in the sentence, for pointers may fill the rest. */
static void put_seen(struct buffer *out, const struct json_token *root)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token first;
    char text[72];

    if (root->kind == JSON_STRING || root->kind == JSON_NUMBER || root->kind == JSON_BOOLEAN) {
        buffer_printf(out, "it is \"%s\"; ",
                      log_escaped(text, sizeof(text), root->text, root->bytes));
    } else if (root->kind == JSON_OBJECT) {
        buffer_put_text(out, root->bytes > 2 ? "it has " : "it is empty");
        put_members(out, root);
        buffer_put_text(out, "; ");
    } else if (root->kind == JSON_ARRAY) {
        json_walk_init(&walk, root);
        if (json_walk_next(&walk, &name, &first) && first.kind == JSON_OBJECT) {
            buffer_put_text(out, "its first element has ");
            put_members(out, &first);
            buffer_put_text(out, "; ");
        }
    }
}

void mapping_fault_no_value(struct mapping_run *run, const struct json_token *root)
{
    struct buffer text = {0};
    char name[64];

    if (run->lacks_device) {
        mapping_fault(run, READING_BAD_DEVICE_ID, "there are values, but no device: \"%s\"",
                      run->mapping->rules[0].device.text);
        return;
    }
    put_seen(&text, root);
    if (run->unknown_members > 0)
        buffer_printf(
            &text,
            "%u values, of which \"%s\" is no feature: neither \"rename\" nor "
            "FEATURES has it; tried ",
            run->unknown_members,
            log_escaped(name, sizeof(name), run->unknown_name, strlen(run->unknown_name)));
    else
        buffer_put_text(&text, run->mapping->is_about ? "nothing of what a device is called; tried "
                                                      : "no number and no status; tried ");
    for (size_t i = 0; i < run->mapping->rule_count; i++) {
        buffer_put_text(&text, i > 0 ? "; " : "");
        put_tried(&text, &run->mapping->rules[i]);
    }
    mapping_fault(run, READING_NO_VALUE, "%s", buffer_text(&text));
    buffer_release(&text);
}
