#include "collector/decoders/mapping_text.h"

#include "shared/base/log.h"
#include "shared/model/feature_words.h"
#include "shared/model/json_token.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- comments ------------------------------------------------------------------------------- */

/* Line ends stay, so that lines keep their numbers. */
static void blank(char *text, size_t from, size_t to)
{
    for (; from < to; from++) {
        if (text[from] != '\n')
            text[from] = ' ';
    }
}

static size_t end_of_string(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"' && text[at] != '\n'; at++)
        at += text[at] == '\\';
    return at + 1;
}

static size_t end_of_comment(const char *text, size_t bytes, size_t at)
{
    for (at += 2; at + 1 < bytes; at++) {
        if (text[at] == '*' && text[at + 1] == '/')
            return at + 2;
    }
    return 0;
}

bool mapping_text_strip(char *text, size_t bytes, size_t *at)
{
    for (*at = 0; *at < bytes;) {
        char next = *at + 1 < bytes ? text[*at + 1] : '\0';
        size_t end = *at + 1;

        if (text[*at] == '"') {
            *at = end_of_string(text, bytes, *at);
            continue;
        }
        if (text[*at] == '/' && next == '/') {
            while (end < bytes && text[end] != '\n')
                end++;
            blank(text, *at, end);
        } else if (text[*at] == '/' && next == '*') {
            end = end_of_comment(text, bytes, *at);
            if (end == 0)
                return false;
            blank(text, *at, end);
        }
        *at = end;
    }
    return true;
}

/* ---- where, and what is wrong --------------------------------------------------------------- */

size_t mapping_text_line(const struct mapping_text *text, const char *at)
{
    size_t line = 1;

    for (const char *c = text->text; c < at; c++)
        line += *c == '\n';
    return line;
}

void mapping_text_enter(struct mapping_text *text, const struct json_token *key)
{
    assert(text->depth < MAPPING_PATH_MAX);
    text->path[text->depth++] = *key;
}

void mapping_text_leave(struct mapping_text *text)
{
    text->depth--;
}

static void put(char **at, size_t *left, int bytes)
{
    size_t written = bytes < 0 ? 0 : (size_t)bytes < *left ? (size_t)bytes : *left - 1;

    *at += written;
    *left -= written;
}

bool mapping_text_fail(struct mapping_text *text, const struct json_token *at, const char *format,
                       ...)
{
    char *out = text->error;
    size_t left = MAPPING_ERROR_SIZE;
    va_list args;

    put(&out, &left, snprintf(out, left, "line %zu", mapping_text_line(text, at->text)));
    for (size_t i = 0; i < text->depth; i++) {
        char key[48];

        log_escaped(key, sizeof(key), text->path[i].text, text->path[i].bytes);
        put(&out, &left, snprintf(out, left, "%s%s", i == 0 ? ", " : ".", key));
    }
    put(&out, &left, snprintf(out, left, ": "));
    va_start(args, format);
    vsnprintf(out, left, format, args);
    va_end(args);
    return false;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static const char *kind_text(enum json_kind kind)
{
    static const char *const texts[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",        [JSON_STRING] = "a string",
        [JSON_NUMBER] = "a number",  [JSON_BOOLEAN] = "true or false", [JSON_NULL] = "null",
    };

    return texts[kind];
}

static bool fail_kind(struct mapping_text *text, const struct json_token *token, const char *wanted)
{
    return mapping_text_fail(text, token, "is %s, not %s", kind_text(token->kind), wanted);
}

/* Names the first that stands there twice. */
static bool fail_twin(struct mapping_text *text, const struct json_token *object)
{
    struct json_walk outer;
    struct json_token name;
    struct json_token value;

    json_walk_init(&outer, object);
    while (json_walk_next(&outer, &name, &value)) {
        struct json_walk inner = outer;
        struct json_token other;

        while (json_walk_next(&inner, &other, &value)) {
            if (other.bytes == name.bytes && memcmp(other.text, name.text, name.bytes) == 0)
                return mapping_text_fail(text, &other, "\"%.*s\" stands there twice",
                                         (int)(name.bytes < 40 ? name.bytes : 40), name.text);
        }
    }
    return mapping_text_fail(text, object, "a name stands there twice");
}

bool mapping_text_count(struct mapping_text *text, const struct json_token *container,
                        enum json_kind kind, size_t *count)
{
    if (container->kind != kind)
        return fail_kind(text, container, kind_text(kind));
    return json_walk_is_sound(container, SIZE_MAX, count) || fail_twin(text, container);
}

static bool fail_unknown(struct mapping_text *text, const struct json_token *name,
                         const struct mapping_key *keys)
{
    char legal[240] = "";
    size_t used = 0;
    char key[48];

    for (; keys->name; keys++)
        used += (size_t)snprintf(legal + used, sizeof(legal) - used, "%s%s", used > 0 ? ", " : "",
                                 keys->name);
    log_escaped(key, sizeof(key), name->text, name->bytes);
    return mapping_text_fail(text, name, "there is no key \"%s\" here; there are %s", key, legal);
}

bool mapping_text_keys(struct mapping_text *text, const struct json_token *object,
                       struct mapping_key *keys)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (!mapping_text_count(text, object, JSON_OBJECT, &count))
        return false;
    json_walk_init(&walk, object);
    while (json_walk_next(&walk, &name, &value)) {
        struct mapping_key *key = keys;

        while (key->name && !json_token_is(&name, key->name, strlen(key->name)))
            key++;
        if (!key->name)
            return fail_unknown(text, &name, keys);
        key->value = value;
    }
    return true;
}

/* ---- scalars -------------------------------------------------------------------------------- */

bool mapping_text_scalar(struct mapping_text *text, const struct json_token *token,
                         const char **out)
{
    struct json_text decoded;

    if (!scalar_text(&decoded, token))
        return fail_kind(text, token, "a text");
    *out = arena_text(&text->out->arena, decoded.chars, strlen(decoded.chars));
    json_text_release(&decoded);
    return true;
}

bool mapping_text_string(struct mapping_text *text, const struct json_token *token,
                         const char **out)
{
    if (token->kind != JSON_STRING)
        return fail_kind(text, token, "a string");
    return mapping_text_scalar(text, token, out);
}

bool mapping_text_number(struct mapping_text *text, const struct json_token *token, double *out)
{
    if (token->kind != JSON_NUMBER)
        return fail_kind(text, token, "a number");
    *out = json_token_number(token);
    return isfinite(*out) || mapping_text_fail(text, token, "is not finite");
}

bool mapping_text_list(struct mapping_text *text, const struct json_token *token,
                       struct text_list *out)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    size_t count;

    if (token->kind != JSON_ARRAY) {
        out->items = arena_alloc(&text->out->arena, 1, sizeof(out->items[0]));
        out->count = 1;
        return mapping_text_scalar(text, token, &out->items[0]);
    }
    if (!mapping_text_count(text, token, JSON_ARRAY, &count))
        return false;
    if (count == 0)
        return mapping_text_fail(text, token, "is an empty list");
    out->items = arena_alloc(&text->out->arena, count, sizeof(out->items[0]));
    json_walk_init(&walk, token);
    while (json_walk_next(&walk, &name, &value)) {
        if (!mapping_text_scalar(text, &value, &out->items[out->count++]))
            return false;
    }
    return true;
}

/* ---- what people read of a feature ---------------------------------------------------------- */

static bool read_word(struct mapping_text *text, const struct mapping_key *key, char *out,
                      bool (*is_legal)(const char *word, size_t bytes), const char *legal)
{
    const char *word = "";

    if (!key->value.text)
        return true;
    if (!mapping_text_string(text, &key->value, &word))
        return false;
    if (!is_legal(word, strlen(word)))
        return mapping_text_fail(text, &key->value, "the %s \"%.100s\" is not %s", key->name, word,
                                 legal);
    if (*out && strcmp(out, word) != 0)
        return mapping_text_fail(text, &key->value, "the %s \"%s\" is \"%s\" elsewhere in the file",
                                 key->name, word, out);
    strcpy(out, word);
    return true;
}

bool mapping_text_words(struct mapping_text *text, const struct mapping_key *unit,
                        const struct mapping_key *label, struct mapped_feature *said)
{
    const struct mapping_key *first = unit->value.text ? unit : label;

    if (!said)
        return !first->value.text ||
               mapping_text_fail(
                   text, &first->value,
                   "%s stands below a name in \"features\", or in the setting FEATURES",
                   first->name);
    return read_word(text, unit, said->unit, feature_unit_is_legal, FEATURE_UNIT_LEGAL) &&
           read_word(text, label, said->label, feature_label_is_legal, FEATURE_LABEL_LEGAL);
}
