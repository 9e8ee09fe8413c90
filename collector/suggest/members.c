#include "collector/suggest/members.h"

#include "collector/suggest/look.h"
#include "collector/suggest/words.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The way to what is looked at just now. */
struct way {
    char pointer[MEMBER_POINTER_MOST + 1];
    size_t bytes;
    bool is_of_keys;
};

struct level {
    struct json_walk walk;
    size_t bytes; /* of the way to it */
    size_t position;
    bool is_map; /* its names are no names of members */
    bool is_of_keys;
};

/* ---- the way -------------------------------------------------------------------------------- */

static bool put(struct way *way, const char *text, size_t bytes)
{
    if (way->bytes + bytes > MEMBER_POINTER_MOST)
        return false;
    memcpy(way->pointer + way->bytes, text, bytes);
    way->bytes += bytes;
    way->pointer[way->bytes] = '\0';
    return true;
}

/* RFC 6901, 3; braces and a * alone mean something else in a mapping. */
static bool put_name(struct way *way, const char *text, size_t bytes)
{
    if (!put(way, "/", 1) || !utf8_is_visible(text, bytes) || memchr(text, '{', bytes) ||
        memchr(text, '}', bytes) || (bytes == 1 && *text == '*'))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        bool is_put = text[i] == '~'   ? put(way, "~0", 2)
                      : text[i] == '/' ? put(way, "~1", 2)
                                       : put(way, text + i, 1);

        if (!is_put)
            return false;
    }
    return true;
}

static bool put_token(struct way *way, const struct json_token *name)
{
    struct json_text text;
    bool is_put;

    json_text_init(&text, name);
    is_put = put_name(way, text.chars, strlen(text.chars));
    json_text_release(&text);
    return is_put;
}

static bool is_container(const struct json_token *value)
{
    return value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
}

/* The step to a part of the level's container. */
static bool put_step(struct way *way, struct level *level, const struct json_token *name,
                     const struct json_token *value)
{
    char position[24];

    bool is_key =
        level->walk.is_object && value->kind == JSON_OBJECT && memchr(name->text, ':', name->bytes);

    way->bytes = level->bytes;
    way->is_of_keys = level->is_of_keys;
    if (level->walk.is_object && !level->is_map && !is_key)
        return put_token(way, name);
    if (level->walk.is_object || is_container(value)) {
        way->is_of_keys = is_key;
        return put(way, "/*", 2);
    }
    if (level->position == MEMBER_POSITIONS_MOST)
        return false;
    snprintf(position, sizeof(position), "/%zu", level->position++);
    return put(way, position, strlen(position));
}

/* ---- members -------------------------------------------------------------------------------- */

static void set_name(struct member *member)
{
    const char *end = member->pointer + strlen(member->pointer);
    const char *from = end;

    do {
        end = from;
        while (from > member->pointer && from[-1] != '/')
            from--;
        member->name = from;
        member->name_bytes = (size_t)(end - from);
        if (from > member->pointer)
            from--;
    } while (from > member->pointer &&
             (strspn(member->name, "0123456789") >= member->name_bytes || *member->name == '*'));
}

static struct member *member_at(struct members *members, const struct way *way)
{
    struct member *out;

    for (size_t i = 0; i < members->count; i++) {
        if (strcmp(members->items[i].pointer, way->pointer) == 0)
            return &members->items[i];
    }
    if (members->count == MEMBERS_MOST)
        return NULL;
    members->items = mem_grow_zeroed(members->items, &members->capacity, members->count + 1,
                                     sizeof(members->items[0]));
    out = &members->items[members->count++];
    out->pointer = arena_text(&members->arena, way->pointer, way->bytes);
    out->is_of_keys = way->is_of_keys;
    set_name(out);
    return out;
}

static void note_value(struct members *members, struct member *member, enum json_kind kind,
                       const char *text, int64_t at_us)
{
    size_t most =
        word_is_name(member->name, member->name_bytes) ? MEMBER_NAMES_MOST : MEMBER_VALUES_MOST;
    size_t bytes = strlen(text);

    if (bytes > MEMBER_TEXT_MOST)
        bytes = 0; /* nothing that is looked at is so long */
    for (size_t i = 0; i < member->value_count; i++) {
        const struct member_value *there = &member->values[i];

        if (there->kind == kind && there->bytes == bytes && memcmp(there->text, text, bytes) == 0)
            return;
    }
    if (member->value_count == most)
        return;
    member->values = mem_grow_zeroed(member->values, &member->value_capacity,
                                     member->value_count + 1, sizeof(member->values[0]));
    member->values[member->value_count++] =
        (struct member_value){.text = arena_text(&members->arena, text, bytes),
                              .bytes = bytes,
                              .kind = kind,
                              .at_us = at_us};
}

static void note(struct members *members, const struct way *way, const struct json_token *value,
                 int64_t at_us)
{
    struct member *member = member_at(members, way);
    struct json_text text;
    char plain[JSON_NUMBER_MAX_BYTES + 1];

    if (!member) {
        members->left_out++;
        return;
    }
    if (value->kind == JSON_STRING) {
        json_text_init(&text, value);
        note_value(members, member, value->kind, text.chars, at_us);
        json_text_release(&text);
        return;
    }
    snprintf(plain, sizeof(plain), "%.*s", value->kind == JSON_NULL ? 0 : (int)value->bytes,
             value->text);
    note_value(members, member, value->kind, plain, at_us);
}

/* ---- a payload ------------------------------------------------------------------------------ */

/* {"Press 1": [{...}, ...], "Press 2": [...]}: names of devices, not of members. */
static bool is_map_of_lists(const struct json_token *root)
{
    struct json_walk walk;
    struct json_walk inner;
    struct json_token name;
    struct json_token value;
    bool is_empty = true;

    if (root->kind != JSON_OBJECT)
        return false;
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &name, &value)) {
        if (value.kind != JSON_ARRAY)
            return false;
        json_walk_init(&inner, &value);
        if (!json_walk_next(&inner, &name, &value) || value.kind != JSON_OBJECT)
            return false;
        is_empty = false;
    }
    return !is_empty;
}

void members_add(struct members *members, const struct json_token *root, int64_t at_us)
{
    struct level levels[JSON_MAX_DEPTH + 1] = {{.is_map = is_map_of_lists(root)}};
    struct json_token name;
    struct json_token value;
    struct way way = {.bytes = 0};
    size_t depth = 0;

    members->is_map = levels[0].is_map;
    json_walk_init(&levels[0].walk, root);
    for (;;) {
        struct level *level = &levels[depth];

        if (!json_walk_next(&level->walk, &name, &value)) {
            if (depth-- == 0)
                return;
        } else if (!put_step(&way, level, &name, &value)) {
            members->unusable++;
        } else if (!is_container(&value)) {
            note(members, &way, &value, at_us);
        } else if (depth < JSON_MAX_DEPTH) {
            levels[++depth] = (struct level){.bytes = way.bytes, .is_of_keys = way.is_of_keys};
            json_walk_init(&levels[depth].walk, &value);
        }
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

bool member_is_number(const struct member *member)
{
    bool is_number = false;

    for (size_t i = 0; i < member->value_count; i++) {
        const struct member_value *value = &member->values[i];

        if (value->kind == JSON_NULL)
            continue;
        if (value->kind != JSON_NUMBER &&
            (value->kind != JSON_STRING || !look_is_number(value->text, value->bytes)))
            return false;
        is_number = true;
    }
    return is_number;
}

bool member_is_count(const struct member *member)
{
    if (!member_is_number(member))
        return false;
    for (size_t i = 0; i < member->value_count; i++) {
        const struct member_value *value = &member->values[i];

        if (strspn(value->text, "0123456789") != value->bytes)
            return false;
    }
    return true;
}

bool member_varies(const struct member *member)
{
    return member->value_count > 1;
}

void members_release(struct members *members)
{
    for (size_t i = 0; i < members->count; i++)
        free(members->items[i].values);
    free(members->items);
    arena_release(&members->arena);
    *members = (struct members){0};
}
