#include "collector/decoders/unpack.h"

#include "shared/model/json_token.h"

#include <string.h>

/* Copies a value, unpacked where pointers lead that have been followed `depth` steps; bit i of
 * `alive` says whether the ith one has led here. */
struct copy {
    struct buffer *out;
    const struct json_pointer *pointers;
    size_t count;
};

static void put_unpacked(struct buffer *out, const struct json_token *token)
{
    struct json_text text;
    struct json_token inner;

    json_text_init(&text, token);
    if (json_walk_open(&inner, text.chars, strlen(text.chars)) == JSON_OK)
        buffer_put_text(out, text.chars);
    else
        buffer_put(out, token->text - 1, token->bytes + 2);
    json_text_release(&text);
}

static bool leads(const struct json_step *step, bool is_object, const struct json_token *name,
                  int64_t position)
{
    if (step->is_every)
        return true;
    return is_object ? json_token_is(name, step->name, step->bytes) : step->position == position;
}

static void copy_value(const struct copy *copy, const struct json_token *value, size_t depth,
                       unsigned alive);

static void copy_parts(const struct copy *copy, const struct json_token *value, size_t depth,
                       unsigned alive)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token part;
    int64_t position = 0;

    buffer_put_text(copy->out, value->kind == JSON_OBJECT ? "{" : "[");
    json_walk_init(&walk, value);
    while (json_walk_next(&walk, &name, &part)) {
        unsigned still = 0;

        for (size_t i = 0; i < copy->count; i++) {
            const struct json_pointer *pointer = &copy->pointers[i];

            if ((alive >> i & 1) && pointer->count > depth &&
                leads(&pointer->steps[depth], walk.is_object, &name, position))
                still |= 1U << i;
        }
        if (position++ > 0)
            buffer_put_text(copy->out, ",");
        if (walk.is_object) {
            buffer_put(copy->out, name.text - 1, name.bytes + 2);
            buffer_put_text(copy->out, ":");
        }
        copy_value(copy, &part, depth + 1, still);
    }
    buffer_put_text(copy->out, value->kind == JSON_OBJECT ? "}" : "]");
}

static void copy_value(const struct copy *copy, const struct json_token *value, size_t depth,
                       unsigned alive)
{
    bool is_string = value->kind == JSON_STRING;

    for (size_t i = 0; i < copy->count && is_string; i++) {
        if ((alive >> i & 1) && copy->pointers[i].count == depth) {
            put_unpacked(copy->out, value);
            return;
        }
    }
    if (alive && (value->kind == JSON_OBJECT || value->kind == JSON_ARRAY))
        copy_parts(copy, value, depth, alive);
    else
        buffer_put(copy->out, value->text - is_string, value->bytes + 2 * (size_t)is_string);
}

void unpack_write(struct buffer *out, const struct json_pointer *pointers, size_t count,
                  const struct json_token *root)
{
    const struct copy copy = {.out = out, .pointers = pointers, .count = count};

    copy_value(&copy, root, 0, (1U << count) - 1);
}
