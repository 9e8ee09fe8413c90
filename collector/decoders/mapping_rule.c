#include "collector/decoders/mapping_rule.h"

#include "collector/decoders/mapping_rule_inner.h"
#include "collector/decoders/mapping_time.h"
#include "shared/base/mem.h"
#include "shared/model/json_token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_FEATURE SIZE_MAX

/* ---- pointers ------------------------------------------------------------------------------- */

static bool read_pointer(struct rule *rule, const struct json_token *token,
                         struct json_pointer *out)
{
    const char *text;
    const char *fault;

    if (!mapping_text_string(rule->text, token, &text))
        return false;
    fault = json_pointer_parse(out, rule->arena, &rule->names, text, strlen(text));
    return !fault || mapping_text_fail(rule->text, token, "\"%.80s\" %s", text, fault);
}

bool mapping_rule_place(struct rule *rule, const struct json_token *token, struct place *out)
{
    struct json_pointer pointer;

    if (!read_pointer(rule, token, &pointer))
        return false;
    for (size_t i = 0; i < pointer.count; i++) {
        if (pointer.steps[i].is_every)
            return mapping_text_fail(rule->text, token,
                                     "\"%.80s\" has a *, which only \"each\" and \"unpack\" have",
                                     pointer.text);
    }
    *out = places_add(&rule->out->places, &pointer);
    return true;
}

static bool read_places(struct rule *rule, const struct json_token *token, struct place_list *out)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count = 1;

    if (token->kind != JSON_ARRAY) {
        out->items = arena_alloc(rule->arena, 1, sizeof(out->items[0]));
        out->count = 1;
        return mapping_rule_place(rule, token, &out->items[0]);
    }
    if (!mapping_text_count(rule->text, token, JSON_ARRAY, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(rule->text, token, "is an empty list of pointers");
    out->items = arena_alloc(rule->arena, count, sizeof(out->items[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        if (!mapping_rule_place(rule, &value, &out->items[out->count++]))
            return false;
    }
    return true;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* 0.1 is no double, so 483 * 0.1 is 48.300000000000004. A power of ten moves the decimal point of what
 * stands there; by what else is one over a whole number, that number divides. */
static void set_scale(struct number_rule *out, double scale)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double inverse = round(1 / scale);

    for (int i = 1; i < (int)(sizeof(powers) / sizeof(powers[0])); i++) {
        if (scale == powers[i] || scale == 1 / powers[i])
            out->power = scale > 1 ? i : -i;
    }
    out->factor = scale;
    out->divides = fabs(scale) < 1 && isfinite(inverse) && 1 / inverse == scale;
    if (out->divides)
        out->factor = inverse;
}

static bool read_bad(struct rule *rule, const struct json_token *token, struct number_rule *out)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (token->kind != JSON_ARRAY) {
        out->bad = arena_alloc(rule->arena, 1, sizeof(out->bad[0]));
        out->bad_count = 1;
        return mapping_text_number(rule->text, token, out->bad);
    }
    if (!mapping_text_count(rule->text, token, JSON_ARRAY, &count))
        return false;
    out->bad = arena_alloc(rule->arena, count, sizeof(out->bad[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        if (!mapping_text_number(rule->text, &value, &out->bad[out->bad_count++]))
            return false;
    }
    return true;
}

/* `feature` is of mappings->features; NO_FEATURE where the number is of none, or of one of many. */
static bool read_number_object(struct rule *rule, const struct json_token *token, size_t feature,
                               struct number_rule *out)
{
    enum { AT, SCALE, OFFSET, BAD, UNIT, LABEL };
    struct mapping_key keys[] = {{"at", {0}},   {"scale", {0}}, {"offset", {0}}, {"bad", {0}},
                                 {"unit", {0}}, {"label", {0}}, {NULL, {0}}};
    struct mapped_feature *said =
        feature == NO_FEATURE ? NULL : &rule->text->out->features[feature];
    double scale = 1;

    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[AT].value.text)
        return mapping_text_fail(rule->text, token, "has no \"at\", which says where it stands");
    if (!read_places(rule, &keys[AT].value, &out->at))
        return false;
    if (keys[SCALE].value.text && !mapping_text_number(rule->text, &keys[SCALE].value, &scale))
        return false;
    if (scale == 0)
        return mapping_text_fail(rule->text, &keys[SCALE].value, "a scale of 0 leaves nothing");
    set_scale(out, scale);
    if (keys[OFFSET].value.text &&
        !mapping_text_number(rule->text, &keys[OFFSET].value, &out->offset))
        return false;
    if (keys[BAD].value.text && !read_bad(rule, &keys[BAD].value, out))
        return false;
    return mapping_text_words(rule->text, &keys[UNIT], &keys[LABEL], said);
}

static bool read_number_of(struct rule *rule, const struct json_token *token, size_t feature,
                           struct number_rule *out)
{
    *out = (struct number_rule){.factor = 1};
    return token->kind == JSON_OBJECT ? read_number_object(rule, token, feature, out)
                                      : read_places(rule, token, &out->at);
}

bool mapping_rule_number(struct rule *rule, const struct json_token *token, struct number_rule *out)
{
    return read_number_of(rule, token, NO_FEATURE, out);
}

/* ---- features ------------------------------------------------------------------------------- */

/* Its number among those that the file names. */
static bool add_feature(struct rule *rule, const struct json_token *token, size_t *out)
{
    struct mappings *mappings = rule->text->out;
    const char *name;

    if (!mapping_text_string(rule->text, token, &name))
        return false;
    if (!feature_name_is_legal(name, strlen(name)))
        return mapping_text_fail(rule->text, token,
                                 "\"%.60s\" is no name of a feature: " FEATURE_NAME_LEGAL, name);
    if (feature_name_taken(name))
        return mapping_text_fail(rule->text, token,
                                 "\"%s\" is %s, so no feature can have that name", name,
                                 feature_name_taken(name));
    for (*out = 0; *out < mappings->feature_count; ++*out) {
        if (strcmp(mappings->features[*out].name, name) == 0)
            return true;
    }
    mappings->features =
        mem_grow_zeroed(mappings->features, &mappings->feature_capacity,
                        mappings->feature_count + 1, sizeof(mappings->features[0]));
    memcpy(mappings->features[mappings->feature_count++].name, name, strlen(name) + 1);
    return true;
}

static struct json_token as_string(struct json_token name)
{
    name.kind = JSON_STRING;
    return name;
}

static bool read_features(struct rule *rule, const struct json_token *token)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(rule->text, token, JSON_OBJECT, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(rule->text, token, "names no feature");
    rule->out->features = arena_alloc(rule->arena, count, sizeof(rule->out->features[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct feature_rule *feature = &rule->out->features[rule->out->feature_count++];

        name = as_string(name);
        mapping_text_enter(rule->text, &name);
        if (!add_feature(rule, &name, &feature->feature) ||
            !read_number_of(rule, &value, feature->feature, &feature->value))
            return false;
        mapping_text_leave(rule->text);
    }
    return true;
}

static int compare_renames(const void *a, const void *b)
{
    return strcmp(((const struct rename_rule *)a)->from, ((const struct rename_rule *)b)->from);
}

static bool read_renames(struct rule *rule, const struct json_token *token)
{
    struct named_rule *named = &rule->out->named;
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(rule->text, token, JSON_OBJECT, &count))
        return false;
    named->renames = arena_alloc(rule->arena, count, sizeof(named->renames[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct rename_rule *rename = &named->renames[named->rename_count++];

        name = as_string(name);
        if (!mapping_text_string(rule->text, &name, &rename->from) ||
            !add_feature(rule, &value, &rename->feature))
            return false;
    }
    qsort(named->renames, named->rename_count, sizeof(named->renames[0]), compare_renames);
    return true;
}

bool mapping_rule_template(struct rule *rule, const struct json_token *token, struct template *out)
{
    const char *text;
    const char *fault;

    if (!mapping_text_string(rule->text, token, &text))
        return false;
    fault = template_parse(out, rule->arena, &rule->names, &rule->out->places, text);
    return !fault || mapping_text_fail(rule->text, token, "\"%.80s\" %s", text, fault);
}

static bool read_named(struct rule *rule, const struct json_token *token)
{
    enum { NAME, VALUE, RENAME };
    struct mapping_key keys[] = {{"name", {0}}, {"value", {0}}, {"rename", {0}}, {NULL, {0}}};

    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[NAME].value.text || !keys[VALUE].value.text)
        return mapping_text_fail(rule->text, token, "needs \"name\" and \"value\"");
    return mapping_rule_template(rule, &keys[NAME].value, &rule->out->named.name) &&
           mapping_rule_number(rule, &keys[VALUE].value, &rule->out->named.value) &&
           (!keys[RENAME].value.text || read_renames(rule, &keys[RENAME].value));
}

/* ---- status, time, seq ---------------------------------------------------------------------- */

static bool read_words(struct rule *rule, const struct json_token *token)
{
    struct status_rule *status = &rule->out->status;
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(rule->text, token, JSON_OBJECT, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(rule->text, token, "is empty, so no text means a status");
    status->words = arena_alloc(rule->arena, count, sizeof(status->words[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct status_word *word = &status->words[status->word_count++];
        const char *meaning;

        name = as_string(name);
        if (!mapping_text_string(rule->text, &name, &word->text) ||
            !mapping_text_string(rule->text, &value, &meaning))
            return false;
        word->status = reading_status_parse(meaning);
        if (word->status == STATUS_COUNT)
            return mapping_text_fail(rule->text, &value,
                                     "\"%.40s\" is not one of ON, OFF, ACTIVE, INACTIVE", meaning);
    }
    return true;
}

static bool read_status(struct rule *rule, const struct json_token *token)
{
    enum { AT, MAP };
    struct mapping_key keys[] = {{"at", {0}}, {"map", {0}}, {NULL, {0}}};

    if (token->kind != JSON_OBJECT)
        return read_places(rule, token, &rule->out->status.at);
    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[AT].value.text)
        return mapping_text_fail(rule->text, token, "has no \"at\", which says where it stands");
    return read_places(rule, &keys[AT].value, &rule->out->status.at) &&
           (!keys[MAP].value.text || read_words(rule, &keys[MAP].value));
}

static bool read_zone(struct rule *rule, const struct json_token *token)
{
    struct mappings *mappings = rule->text->out;
    const char *name;
    struct zone *zone;

    if (!mapping_text_string(rule->text, token, &name))
        return false;
    zone = rule->text->load_zone(name);
    if (!zone)
        return mapping_text_fail(rule->text, token,
                                 "\"%.60s\" is no zone that this machine knows (package tzdata), "
                                 "nor an offset such as +01:00",
                                 name);
    mappings->zones = mem_grow_zeroed(mappings->zones, &mappings->zone_capacity,
                                      mappings->zone_count + 1, sizeof(mappings->zones[0]));
    mappings->zones[mappings->zone_count++] = zone;
    rule->out->time.zone = zone;
    return true;
}

static bool read_format(struct rule *rule, const struct json_token *token)
{
    const char *fault;

    if (!mapping_text_string(rule->text, token, &rule->out->time.format))
        return false;
    fault = time_format_check(rule->out->time.format);
    return !fault ||
           mapping_text_fail(rule->text, token, "\"%.60s\" %s", rule->out->time.format, fault);
}

static bool read_step(struct rule *rule, const struct json_token *token)
{
    struct time_rule *time = &rule->out->time;

    time->has_step = true;
    time->step = (struct number_rule){.factor = 1};
    if (token->kind == JSON_NUMBER)
        return mapping_text_number(rule->text, token, &time->step.offset);
    return mapping_rule_number(rule, token, &time->step);
}

static bool read_time(struct rule *rule, const struct json_token *token)
{
    enum { AT, ZONE, FORMAT, STEP };
    struct mapping_key keys[] = {
        {"at", {0}}, {"zone", {0}}, {"format", {0}}, {"step", {0}}, {NULL, {0}}};

    if (token->kind != JSON_OBJECT)
        return read_places(rule, token, &rule->out->time.at);
    if (!mapping_text_keys(rule->text, token, keys))
        return false;
    if (!keys[AT].value.text)
        return mapping_text_fail(rule->text, token, "has no \"at\", which says where it stands");
    return read_places(rule, &keys[AT].value, &rule->out->time.at) &&
           (!keys[ZONE].value.text || read_zone(rule, &keys[ZONE].value)) &&
           (!keys[FORMAT].value.text || read_format(rule, &keys[FORMAT].value)) &&
           (!keys[STEP].value.text || read_step(rule, &keys[STEP].value));
}

static bool read_seq(struct rule *rule, const struct json_token *token)
{
    return read_places(rule, token, &rule->out->seq);
}

/* ---- which members -------------------------------------------------------------------------- */

static bool read_each(struct rule *rule, const struct json_token *token)
{
    struct json_pointer *each = &rule->out->each;

    if (!read_pointer(rule, token, each))
        return false;
    for (size_t i = 0; i < each->count; i++) {
        if (each->steps[i].variable != NAME_NONE)
            return mapping_text_fail(rule->text, token, "\"%.80s\" has a name in braces",
                                     each->text);
    }
    return true;
}

static bool read_match(struct rule *rule, const struct json_token *token)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(rule->text, token, JSON_OBJECT, &count))
        return false;
    rule->out->matches = arena_alloc(rule->arena, count, sizeof(rule->out->matches[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct match_rule *match = &rule->out->matches[rule->out->match_count++];
        const char *pattern;
        const char *fault;

        name = as_string(name);
        if (!mapping_rule_template(rule, &name, &match->text) ||
            !mapping_text_string(rule->text, &value, &pattern))
            return false;
        fault = text_pattern_parse(&match->pattern, rule->arena, &rule->names, pattern);
        if (fault)
            return mapping_text_fail(rule->text, &value, "\"%.80s\" %s", pattern, fault);
    }
    return true;
}

static bool read_when(struct rule *rule, const struct json_token *token)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(rule->text, token, JSON_OBJECT, &count))
        return false;
    rule->out->whens = arena_alloc(rule->arena, count, sizeof(rule->out->whens[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct when_rule *when = &rule->out->whens[rule->out->when_count++];

        name = as_string(name);
        if (!mapping_rule_place(rule, &name, &when->at) ||
            !mapping_text_list(rule->text, &value, &when->texts))
            return false;
    }
    return true;
}

static bool read_device(struct rule *rule, const struct json_token *token)
{
    return mapping_rule_template(rule, token, &rule->out->device);
}

/* ---- all of a rule -------------------------------------------------------------------------- */

/* In the order of the keys: match gives names to all that come after it. */
static bool (*const readers[RULE_KEYS])(struct rule *, const struct json_token *) = {
    [RULE_EACH] = read_each,           [RULE_MATCH] = read_match,       [RULE_WHEN] = read_when,
    [RULE_DEVICE] = read_device,       [RULE_TIME] = read_time,         [RULE_SEQ] = read_seq,
    [RULE_STATUS] = read_status,       [RULE_FEATURES] = read_features, [RULE_FEATURE] = read_named,
    [RULE_ABOUT] = mapping_rule_about,
};

static bool set_default_device(struct rule *rule, const struct json_token *object)
{
    const char *fault = template_parse(&rule->out->device, rule->arena, &rule->names,
                                       &rule->out->places, "{device}");

    return !fault || mapping_text_fail(rule->text, object,
                                       "neither \"topic\" nor \"match\" has a {device}, so "
                                       "\"device\" must say which one it is");
}

bool mapping_rule_compile(struct mapping_text *text, const struct names *names,
                          const struct json_token *object, const struct mapping_key *keys,
                          struct mapping_rule *out)
{
    struct rule rule = {.text = text, .arena = &text->out->arena, .names = *names, .out = out};

    for (int i = 0; i < RULE_KEYS; i++) {
        struct json_token key = {.text = keys[i].name, .bytes = strlen(keys[i].name)};

        if (!keys[i].value.text)
            continue;
        mapping_text_enter(text, &key);
        if (!readers[i](&rule, &keys[i].value))
            return false;
        mapping_text_leave(text);
    }
    if (!keys[RULE_STATUS].value.text && !keys[RULE_FEATURES].value.text &&
        !keys[RULE_FEATURE].value.text && !out->about)
        return mapping_text_fail(text, object,
                                 "says nothing of a device: it needs \"status\", \"features\", "
                                 "\"feature\" or \"about\"");
    return keys[RULE_DEVICE].value.text || set_default_device(&rule, object);
}
