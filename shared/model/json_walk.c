/* Whether two members have one name is asked of their hashes, in a table: thousands of members, which
 * anyone may send, would be millions of comparisons. Two names with one hash count as one: a sender who
 * makes up such names only has his own message refused. */
#include "shared/model/json_walk.h"

#include "shared/base/mem.h"
#include "shared/model/json_token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { HASHES_LEAST = 16 };

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct json_walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at))
        walk->at++;
}

/* Moves after the quote that ends the string. */
static void pass_string(struct json_walk *walk, struct json_token *token)
{
    token->kind = JSON_STRING;
    token->has_escapes = false;
    token->text = ++walk->at;
    while (walk->at < walk->end && *walk->at != '"') {
        if (*walk->at == '\\') {
            token->has_escapes = true;
            walk->at++;
        }
        walk->at++;
    }
    token->bytes = (size_t)(walk->at - token->text);
    walk->at++;
}

static void pass_container(struct json_walk *walk, struct json_token *token)
{
    struct json_token inner;
    size_t depth = 0;

    token->kind = *walk->at == '{' ? JSON_OBJECT : JSON_ARRAY;
    token->text = walk->at;
    do {
        if (*walk->at == '"') {
            pass_string(walk, &inner);
            continue;
        }
        if (*walk->at == '{' || *walk->at == '[')
            depth++;
        else if (*walk->at == '}' || *walk->at == ']')
            depth--;
        walk->at++;
    } while (depth > 0 && walk->at < walk->end);
    token->bytes = (size_t)(walk->at - token->text);
}

static void pass_word(struct json_walk *walk, struct json_token *token)
{
    char c = *walk->at;

    token->kind = c == 'n' ? JSON_NULL : c == 't' || c == 'f' ? JSON_BOOLEAN : JSON_NUMBER;
    token->text = walk->at;
    while (walk->at < walk->end && *walk->at != ',' && *walk->at != '}' && *walk->at != ']' &&
           !is_space(*walk->at))
        walk->at++;
    token->bytes = (size_t)(walk->at - token->text);
}

static void pass_value(struct json_walk *walk, struct json_token *token)
{
    *token = (struct json_token){0};
    if (*walk->at == '"')
        pass_string(walk, token);
    else if (*walk->at == '{' || *walk->at == '[')
        pass_container(walk, token);
    else
        pass_word(walk, token);
}

enum json_error json_walk_open(struct json_token *root, const char *text, size_t bytes)
{
    struct json_walk walk = {.at = text, .end = text + bytes};
    struct json_value value;
    size_t at;
    enum json_error error = json_scan_document(text, bytes, &at, &value);

    if (error)
        return error;
    skip_space(&walk);
    while (is_space(walk.end[-1]))
        walk.end--;
    if (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY)
        *root = (struct json_token){.text = walk.at,
                                    .bytes = (size_t)(walk.end - walk.at),
                                    .kind = value.kind}; /* there is nothing else */
    else
        pass_value(&walk, root);
    return JSON_OK;
}

void json_walk_init(struct json_walk *walk, const struct json_token *container)
{
    *walk = (struct json_walk){.at = container->text + 1,
                               .end = container->text + container->bytes,
                               .is_object = container->kind == JSON_OBJECT};
}

bool json_walk_next(struct json_walk *walk, struct json_token *name, struct json_token *value)
{
    skip_space(walk);
    if (*walk->at == ',') {
        walk->at++;
        skip_space(walk);
    }
    if (*walk->at == '}' || *walk->at == ']')
        return false;
    *name = (struct json_token){.text = ""};
    if (walk->is_object) {
        pass_string(walk, name);
        skip_space(walk);
        walk->at++; /* the colon */
        skip_space(walk);
    }
    pass_value(walk, value);
    return true;
}

static uint64_t name_hash(const struct json_token *name)
{
    struct json_text text;
    uint64_t hash;

    if (!name->has_escapes)
        return XXH3_64bits(name->text, name->bytes);
    json_text_init(&text, name);
    hash = XXH3_64bits(text.chars, strlen(text.chars));
    json_text_release(&text);
    return hash;
}

/* Puts them into a table that is at most half full. */
static bool are_unique(const uint64_t *hashes, size_t count)
{
    size_t slot_count = 4;
    uint64_t *slots;
    bool are = true;

    while (slot_count < 2 * count)
        slot_count *= 2;
    slots = mem_calloc(slot_count, sizeof(slots[0]));
    for (size_t i = 0; i < count && are; i++) {
        uint64_t hash = hashes[i] | 1; /* 0 is an empty slot */
        size_t at = (size_t)(hash >> 1) & (slot_count - 1);

        while (slots[at] && slots[at] != hash)
            at = (at + 1) & (slot_count - 1);
        are = slots[at] == 0;
        slots[at] = hash;
    }
    free(slots);
    return are;
}

bool json_walk_is_sound(const struct json_token *container, size_t most, size_t *count)
{
    size_t capacity = HASHES_LEAST;
    uint64_t *hashes = mem_alloc(capacity * sizeof(hashes[0]));
    size_t seen = 0;
    struct json_walk walk;
    struct json_token name;
    struct json_token value;
    bool is_sound = true;

    json_walk_init(&walk, container);
    while (is_sound && json_walk_next(&walk, &name, &value)) {
        is_sound = seen < most;
        if (is_sound && walk.is_object) {
            if (seen == capacity) {
                capacity = mem_grown(capacity, seen + 1);
                hashes = mem_realloc(hashes, capacity * sizeof(hashes[0]));
            }
            hashes[seen] = name_hash(&name);
        }
        seen++;
    }
    is_sound = is_sound && (!walk.is_object || seen < 2 || are_unique(hashes, seen));
    free(hashes);
    if (count)
        *count = seen;
    return is_sound;
}
