/* "about": {"label": .., "group": .., "location": ..}: what devices are called, and where that stands. */
#include "collector/decoders/mapping_rule_inner.h"

#include <string.h>

/* A pointer is a template of that alone. */
static bool read_pointer(struct rule *rule, const struct json_token *token, struct template *out)
{
    struct template_part *part = arena_alloc(rule->arena, 1, sizeof(*part));

    part->name = NAME_NONE;
    if (!mapping_rule_place(rule, token, &part->place))
        return false;
    *out = (struct template){.text = part->place.text, .parts = part, .count = 1};
    return true;
}

static bool read_text(struct rule *rule, const struct json_token *token, struct template *out)
{
    const char *text;

    if (!mapping_text_string(rule->text, token, &text))
        return false;
    return *text == '\0' || *text == '/' || *text == '^' ? read_pointer(rule, token, out)
                                                         : mapping_rule_template(rule, token, out);
}

static bool read_texts(struct rule *rule, const struct json_token *token, struct text_rule *out)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count = 1;

    if (token->kind == JSON_ARRAY && !mapping_text_count(rule->text, token, JSON_ARRAY, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(rule->text, token, "is an empty list of pointers and templates");
    out->items = arena_alloc(rule->arena, count, sizeof(out->items[0]));
    if (token->kind != JSON_ARRAY)
        return read_text(rule, token, &out->items[out->count++]);
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        if (!read_text(rule, &value, &out->items[out->count++]))
            return false;
    }
    return true;
}

static bool read_label(struct rule *rule, const struct json_token *token)
{
    return read_texts(rule, token, &rule->out->about->label);
}

static bool read_group(struct rule *rule, const struct json_token *token)
{
    return read_texts(rule, token, &rule->out->about->group);
}

static bool read_location(struct rule *rule, const struct json_token *token)
{
    enum { LATITUDE, LONGITUDE };
    struct mapping_key keys[] = {{"latitude", {0}}, {"longitude", {0}}, {NULL, {0}}};
    struct about_rule *out = rule->out->about;

    if (token->kind != JSON_OBJECT)
        return read_texts(rule, token, &out->location);
    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[LATITUDE].value.text || !keys[LONGITUDE].value.text)
        return mapping_text_fail(rule->text, token, "needs \"latitude\" and \"longitude\"");
    return mapping_rule_number(rule, &keys[LATITUDE].value, &out->latitude) &&
           mapping_rule_number(rule, &keys[LONGITUDE].value, &out->longitude);
}

static bool read_part(struct rule *rule, const struct mapping_key *key,
                      bool (*read)(struct rule *, const struct json_token *))
{
    struct json_token name = {.text = key->name, .bytes = strlen(key->name)};

    if (!key->value.text)
        return true;
    mapping_text_enter(rule->text, &name);
    if (!read(rule, &key->value))
        return false;
    mapping_text_leave(rule->text);
    return true;
}

bool mapping_rule_about(struct rule *rule, const struct json_token *token)
{
    enum { LABEL, GROUP, LOCATION };
    struct mapping_key keys[] = {{"label", {0}}, {"group", {0}}, {"location", {0}}, {NULL, {0}}};

    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[LABEL].value.text && !keys[GROUP].value.text && !keys[LOCATION].value.text)
        return mapping_text_fail(rule->text, token,
                                 "says nothing: it needs \"label\", \"group\" or \"location\"");
    rule->out->about = arena_alloc(rule->arena, 1, sizeof(*rule->out->about));
    return read_part(rule, &keys[LABEL], read_label) && read_part(rule, &keys[GROUP], read_group) &&
           read_part(rule, &keys[LOCATION], read_location);
}
