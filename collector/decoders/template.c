#include "collector/decoders/template.h"

#include "shared/model/json_token.h"

#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 32 };

static const char *parse_braced(struct template_part *part, struct arena *arena,
                                const struct names *names, struct places *places, const char *text,
                                size_t bytes)
{
    struct json_pointer pointer;
    const char *fault;

    if (bytes > 0 && (*text == '/' || *text == '^')) {
        fault = json_pointer_parse(&pointer, arena, names, text, bytes);
        if (!fault)
            part->place = places_add(places, &pointer);
        return fault;
    }
    part->name = names_find(names, text, bytes);
    return part->name == NAME_NONE
               ? "has a name in braces that is not known here: of the topic, of "
                 "match, key or index; a pointer begins with /"
               : NULL;
}

const char *template_parse(struct template *out, struct arena *arena, const struct names *names,
                           struct places *places, const char *text)
{
    struct template_part parts[PARTS_MAX] = {{0}};

    *out = (struct template){.text = arena_text(arena, text, strlen(text))};
    if (!*text)
        return "is empty";
    while (*text) {
        struct template_part *part = &parts[out->count];
        size_t bytes = strcspn(text, "{}");

        if (out->count++ == PARTS_MAX)
            return "has too many parts";
        *part = (struct template_part){.name = NAME_NONE};
        if (bytes > 0) {
            part->literal = arena_text(arena, text, bytes);
            part->bytes = bytes;
        } else {
            const char *fault;

            bytes = strcspn(text, "}");
            if (*text != '{' || !text[bytes])
                return "has a brace without the other one";
            fault = parse_braced(part, arena, names, places, text + 1, bytes - 1);
            if (fault)
                return fault;
            bytes++;
        }
        text += bytes;
    }
    out->parts = arena_alloc(arena, out->count, sizeof(parts[0]));
    memcpy(out->parts, parts, out->count * sizeof(parts[0]));
    return NULL;
}

static bool is_scalar(const struct json_token *token)
{
    return token->kind != JSON_OBJECT && token->kind != JSON_ARRAY && token->kind != JSON_NULL;
}

bool scalar_text(struct json_text *out, const struct json_token *token)
{
    if (!is_scalar(token))
        return false;
    json_text_init(out, token);
    return true;
}

/* ---- written -------------------------------------------------------------------------------- */

struct room {
    char *at;
    size_t left;
};

static bool put(struct room *room, const char *text, size_t bytes)
{
    if (bytes >= room->left)
        return false;
    memcpy(room->at, text, bytes);
    room->at += bytes;
    room->left -= bytes;
    return true;
}

static bool put_token(struct room *room, const struct json_token *token)
{
    struct json_text text;
    bool has_room;

    if (!scalar_text(&text, token))
        return false;
    has_room = put(room, text.chars, strlen(text.chars));
    json_text_release(&text);
    return has_room;
}

static bool put_part(struct room *room, const struct template_part *part, struct found *found,
                     const struct scope *scope)
{
    struct json_token token;
    char number[24];

    if (part->literal)
        return put(room, part->literal, part->bytes);
    if (part->name == NAME_NONE)
        return place_find(&part->place, found, scope, &token) && put_token(room, &token);
    if (part->name == NAME_KEY)
        return scope->key.text && put_token(room, &scope->key);
    if (part->name == NAME_INDEX) {
        snprintf(number, sizeof(number), "%lld", (long long)scope->index);
        return scope->index >= 0 && put(room, number, strlen(number));
    }
    return scope->captures[part->name].text &&
           put(room, scope->captures[part->name].text, scope->captures[part->name].bytes);
}

bool template_write(const struct template *template, struct found *found, const struct scope *scope,
                    char *out, size_t size)
{
    struct room room = {.at = out, .left = size};

    for (size_t i = 0; i < template->count; i++) {
        if (!put_part(&room, &template->parts[i], found, scope))
            return false;
    }
    *room.at = '\0';
    return true;
}

/* ---- there, or not -------------------------------------------------------------------------- */

static bool part_is_there(const struct template_part *part, struct found *found,
                          const struct scope *scope)
{
    struct json_token token;

    if (part->literal)
        return true;
    if (part->name == NAME_NONE)
        return place_find(&part->place, found, scope, &token) && is_scalar(&token);
    if (part->name == NAME_KEY)
        return scope->key.text;
    return part->name == NAME_INDEX ? scope->index >= 0 : scope->captures[part->name].text != NULL;
}

bool template_is_there(const struct template *template, struct found *found,
                       const struct scope *scope)
{
    size_t i = 0;

    while (i < template->count && part_is_there(&template->parts[i], found, scope))
        i++;
    return i == template->count;
}

bool template_is_null(const struct template *template, const struct found *found)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];

        if (!part->literal && part->name == NAME_NONE && place_is_null(&part->place, found))
            return true;
    }
    return false;
}
