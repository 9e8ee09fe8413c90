#include "collector/decoders/mapping_file.h"

#include "collector/decoders/mapping_rule.h"
#include "collector/decoders/mapping_sparkplug.h"
#include "shared/base/mem.h"
#include "shared/model/feature_words.h"
#include "shared/model/json_token.h"
#include "shared/model/reading_json_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_TOPIC = RULE_KEYS, KEY_PAYLOAD, KEY_IGNORE, KEY_ONLY, KEY_UNPACK, KEY_RULES, KEY_COUNT };

/* What a message is copied by when it is unpacked has a bit for each. */
enum { UNPACK_MOST = 16 };

static const char *const payloads[] = {[MAPPING_JSON] = "json",
                                       [MAPPING_TEXT] = "text",
                                       [MAPPING_SENML] = "senml",
                                       [MAPPING_SPARKPLUG] = "sparkplug"};

static bool is_there(const struct mapping_key *key)
{
    return key->value.text != NULL;
}

static bool fail_in(struct mapping_text *text, const char *key, const struct json_token *at,
                    const char *value, const char *fault)
{
    struct json_token name = {.text = key, .bytes = strlen(key)};

    mapping_text_enter(text, &name);
    return mapping_text_fail(text, at, "\"%.80s\" %s", value, fault);
}

/* ---- the keys beside the rules -------------------------------------------------------------- */

static bool read_topic(struct mapping_text *text, const struct json_token *token,
                       struct mapping *out)
{
    struct arena *arena = &text->out->arena;
    const char *topic;
    const char *fault;

    if (!mapping_text_string(text, token, &topic))
        return false;
    fault = topic_pattern_parse(&out->topic, arena, &out->names, topic);
    if (fault)
        return fail_in(text, "topic", token, topic, fault);
    out->subscription = topic_pattern_subscription(&out->topic, arena);
    if (strlen(out->subscription) > SUBSCRIPTION_BYTES_MAX)
        return fail_in(text, "topic", token, topic, "is longer than 255 bytes");
    return true;
}

static bool read_payload(struct mapping_text *text, const struct json_token *token,
                         struct mapping *out)
{
    const char *name;

    if (!mapping_text_string(text, token, &name))
        return false;
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        if (strcmp(payloads[i], name) == 0) {
            out->payload = (enum mapping_payload)i;
            return true;
        }
    }
    return fail_in(text, "payload", token, name, "is not json, text, senml or sparkplug");
}

static bool read_ignore(struct mapping_text *text, const struct json_token *token,
                        struct mapping *out)
{
    if (token->kind != JSON_BOOLEAN)
        return mapping_text_fail(text, token, "ignore is neither true nor false");
    out->is_ignored = *token->text == 't';
    return true;
}

static bool read_only(struct mapping_text *text, const struct json_token *token,
                      struct mapping *out)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(text, token, JSON_OBJECT, &count))
        return false;
    out->only = arena_alloc(&text->out->arena, count, sizeof(out->only[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        struct only_rule *only = &out->only[out->only_count++];

        only->name = names_find(&out->names, name.text, name.bytes);
        if (only->name < 0)
            return mapping_text_fail(text, &name, "only: the topic has no {%.*s}",
                                     (int)(name.bytes < 40 ? name.bytes : 40), name.text);
        if (!mapping_text_list(text, &value, &only->texts))
            return false;
    }
    return true;
}

static bool read_unpack(struct mapping_text *text, const struct json_token *token,
                        struct mapping *out)
{
    struct arena *arena = &text->out->arena;
    struct text_list list = {0};

    if (out->payload != MAPPING_JSON)
        return mapping_text_fail(text, token, "unpack is for JSON only");
    if (!mapping_text_list(text, token, &list))
        return false;
    if (list.count > UNPACK_MOST)
        return mapping_text_fail(text, token, "unpack has more than %d pointers", UNPACK_MOST);
    out->unpack = arena_alloc(arena, list.count, sizeof(out->unpack[0]));
    for (size_t i = 0; i < list.count; i++) {
        const char *fault = json_pointer_parse(&out->unpack[i], arena, &(struct names){0},
                                               list.items[i], strlen(list.items[i]));

        if (fault)
            return fail_in(text, "unpack", token, list.items[i], fault);
        for (size_t k = 0; k < out->unpack[i].count; k++) {
            if (out->unpack[i].steps[k].variable != NAME_NONE)
                return fail_in(text, "unpack", token, list.items[i], "has a name in braces");
        }
        out->unpack_count++;
    }
    return true;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* Such a rule has no reading, so what belongs to one stands there by mistake. */
static bool check_about(struct mapping_text *text, const struct mapping_key *keys)
{
    for (int i = RULE_TIME; i < RULE_ABOUT; i++) {
        if (is_there(&keys[RULE_ABOUT]) && is_there(&keys[i]))
            return mapping_text_fail(text, &keys[i].value,
                                     "\"%s\" stands beside \"about\", which gives no reading; it "
                                     "belongs into another rule",
                                     keys[i].name);
    }
    return true;
}

static bool add_rule(struct mapping_text *text, const struct json_token *object,
                     const struct mapping_key *keys, struct mapping *out)
{
    return mapping_rule_compile(text, &out->names, object, keys, &out->rules[out->rule_count++]);
}

/* What a rule does not say itself holds for it as it stands beside the rules. */
static bool add_rule_of_list(struct mapping_text *text, const struct json_token *object,
                             const struct mapping_key *outer, struct mapping *out)
{
    struct mapping_key keys[] = {MAPPING_RULE_KEYS, {NULL, {0}}};

    if (!mapping_text_keys(text, object, keys) || !check_about(text, keys))
        return false;
    for (int i = 0; i < RULE_STATUS; i++) {
        if (!is_there(&keys[i]))
            keys[i].value = outer[i].value;
    }
    return add_rule(text, object, keys, out);
}

static bool read_rules(struct mapping_text *text, const struct json_token *list,
                       const struct mapping_key *outer, struct mapping *out)
{
    static const struct json_token key = {.text = "rules", .bytes = 5};
    struct json_walk walk;
    struct json_token name;
    struct json_token object;
    size_t count;

    mapping_text_enter(text, &key);
    if (!mapping_text_count(text, list, JSON_ARRAY, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(text, list, "is an empty list");
    for (int i = RULE_STATUS; i < RULE_KEYS; i++) {
        if (is_there(&outer[i]))
            return mapping_text_fail(text, &outer[i].value,
                                     "\"%s\" stands beside \"rules\"; it belongs into one of them",
                                     outer[i].name);
    }
    out->rules = arena_alloc(&text->out->arena, count, sizeof(out->rules[0]));
    json_walk_init(&walk, list);
    while (json_walk_next(&walk, &name, &object)) {
        if (!add_rule_of_list(text, &object, outer, out))
            return false;
    }
    mapping_text_leave(text);
    return true;
}

static bool check_ignored(struct mapping_text *text, const struct json_token *object,
                          const struct mapping_key *keys)
{
    for (int i = 0; i < KEY_COUNT; i++) {
        if (is_there(&keys[i]) && i != KEY_TOPIC && i != KEY_IGNORE && i != KEY_ONLY)
            return mapping_text_fail(text, object, "it is to be ignored, so \"%s\" has no use here",
                                     keys[i].name);
    }
    return true;
}

static bool read_mapping(struct mapping_text *text, const struct json_token *object,
                         struct mapping *out)
{
    struct mapping_key keys[] = {MAPPING_RULE_KEYS, {"topic", {0}}, {"payload", {0}},
                                 {"ignore", {0}},   {"only", {0}},  {"unpack", {0}},
                                 {"rules", {0}},    {NULL, {0}}};

    out->line = mapping_text_line(text, object->text);
    if (!mapping_text_keys(text, object, keys))
        return false;
    if (!is_there(&keys[KEY_TOPIC]))
        return mapping_text_fail(text, object, "has no \"topic\"");
    if (!read_topic(text, &keys[KEY_TOPIC].value, out) ||
        (is_there(&keys[KEY_PAYLOAD]) && !read_payload(text, &keys[KEY_PAYLOAD].value, out)) ||
        (is_there(&keys[KEY_IGNORE]) && !read_ignore(text, &keys[KEY_IGNORE].value, out)) ||
        (is_there(&keys[KEY_ONLY]) && !read_only(text, &keys[KEY_ONLY].value, out)) ||
        (is_there(&keys[KEY_UNPACK]) && !read_unpack(text, &keys[KEY_UNPACK].value, out)))
        return false;
    if (out->payload == MAPPING_SPARKPLUG && mapping_sparkplug_fault(out->topic.text))
        return fail_in(text, "topic", &keys[KEY_TOPIC].value, out->topic.text,
                       mapping_sparkplug_fault(out->topic.text));
    if (out->is_ignored)
        return check_ignored(text, object, keys);
    if (is_there(&keys[KEY_RULES]))
        return read_rules(text, &keys[KEY_RULES].value, keys, out);
    out->rules = arena_alloc(&text->out->arena, 1, sizeof(out->rules[0]));
    return check_about(text, keys) && add_rule(text, object, keys, out);
}

static bool is_about(const struct mapping *mapping)
{
    size_t i = 0;

    while (i < mapping->rule_count && mapping->rules[i].about)
        i++;
    return i > 0 && i == mapping->rule_count;
}

/* ---- the file ------------------------------------------------------------------------------- */

/* What the nodes themselves say is needed to read what their devices do. */
static void add_node(struct mappings *out, const struct mapping *of)
{
    const char *topic = of->payload == MAPPING_SPARKPLUG
                            ? mapping_sparkplug_node(of->topic.text, &out->arena)
                            : NULL;
    struct mapping *node = &out->items[out->count];

    if (!topic || topic_pattern_parse(&node->topic, &out->arena, &node->names, topic))
        return;
    node->subscription = topic_pattern_subscription(&node->topic, &out->arena);
    node->payload = MAPPING_SPARKPLUG;
    node->line = of->line;
    out->count++;
}

static bool read_mappings(struct mapping_text *text, const struct json_token *root)
{
    struct mappings *out = text->out;
    struct json_walk walk;
    struct json_token name;
    struct json_token object;
    size_t count;

    if (!mapping_text_count(text, root, JSON_ARRAY, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(text, root, "there is no mapping");
    out->items = arena_alloc(&out->arena, 2 * count, sizeof(out->items[0]));
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &name, &object)) {
        struct mapping *mapping = &out->items[out->count++];

        if (!read_mapping(text, &object, mapping))
            return false;
        mapping->is_about = is_about(mapping);
    }
    for (size_t i = 0; i < count; i++)
        add_node(out, &out->items[i]);
    return true;
}

static bool compile(struct mapping_text *text, char *copy, size_t bytes)
{
    struct json_value value;
    struct json_token root;
    char detail[READING_DETAIL_SIZE];
    enum reading_error error;
    size_t at;

    if (!mapping_text_strip(copy, bytes, &at))
        return mapping_text_fail(text, &(struct json_token){.text = copy + at},
                                 "the comment has no end");
    error = reading_error_of(json_scan_document(copy, bytes, &at, &value));
    if (!error && json_walk_open(&root, copy, bytes) == JSON_OK)
        return read_mappings(text, &root);
    reading_describe(detail, error, copy, bytes, at);
    return mapping_text_fail(text, &(struct json_token){.text = copy + at}, "%s: %s",
                             reading_error_text(error), detail);
}

/* Texts are copied out of it, so the text goes when they have been. */
bool mapping_compile(struct mappings *out, const char *file, size_t bytes,
                     mapping_zone_fn load_zone, char error[MAPPING_ERROR_SIZE])
{
    char *copy = mem_alloc(bytes + 1);
    struct mappings mappings = {0};
    struct mapping_text text = {
        .out = &mappings, .text = copy, .error = error, .load_zone = load_zone};
    bool is_good;

    memcpy(copy, file, bytes);
    copy[bytes] = '\0';
    is_good = compile(&text, copy, bytes);
    free(copy);
    if (is_good)
        *out = mappings;
    else
        mappings_release(&mappings);
    return is_good;
}

/* Returns how many bytes there are; -1, with errno, when it cannot be read. */
static ssize_t read_file(const char *path, char *bytes, size_t most)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t count = 0;
    ssize_t got = 1;

    if (file < 0)
        return -1;
    while (count < most && got > 0) {
        got = read(file, bytes + count, most - count);
        count += got > 0 ? (size_t)got : 0;
    }
    close(file);
    return got < 0 ? -1 : (ssize_t)count;
}

bool mapping_load(struct mappings *out, const char *path, char error[MAPPING_ERROR_SIZE])
{
    char *bytes = mem_alloc(MAPPING_FILE_MOST);
    ssize_t count = read_file(path, bytes, MAPPING_FILE_MOST);
    bool is_good = false;

    if (count < 0)
        snprintf(error, MAPPING_ERROR_SIZE, "it cannot be read: %s", strerror(errno));
    else if (count == MAPPING_FILE_MOST)
        snprintf(error, MAPPING_ERROR_SIZE, "it has %d bytes or more", MAPPING_FILE_MOST);
    else
        is_good = mapping_compile(out, bytes, (size_t)count, zone_load, error);
    free(bytes);
    return is_good;
}

static bool add_feature(struct features *features, const char *name, const char *unit,
                        const char *label)
{
    size_t i = features_find(features, name);

    if (i == FEATURES_MAX)
        return false;
    if (i == features->count)
        snprintf(features->names[features->count++], sizeof(features->names[0]), "%s", name);
    feature_words_add(features, i, unit, label);
    return true;
}

bool mappings_features(const struct mappings *mappings, const struct features *more,
                       struct features *out, char error[MAPPING_ERROR_SIZE])
{
    bool has_room = true;
    struct features said = {0};

    for (size_t i = 0; i < mappings->feature_count && has_room; i++)
        has_room = add_feature(&said, mappings->features[i].name, "", "");
    for (size_t i = 0; i < more->count && has_room; i++)
        has_room = add_feature(&said, more->names[i], more->units[i], more->labels[i]);
    for (size_t i = 0; i < mappings->feature_count && has_room; i++)
        has_room = add_feature(&said, mappings->features[i].name, mappings->features[i].unit,
                               mappings->features[i].label);
    *out = said;
    if (!has_room)
        snprintf(error, MAPPING_ERROR_SIZE,
                 "the %zu features that MAPPINGS names and these are more than %d",
                 mappings->feature_count, FEATURES_MAX);
    return has_room;
}
