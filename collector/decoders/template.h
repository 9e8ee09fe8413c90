/* template.h: a name put together from parts: "{gateway}/{/node}".
 *
 * Shape    {name} is a name of the topic or of a `match`, {key} and {index} where `each` is,
 *          {/pointer} and {^/pointer} a value of the message: a string, a number or a boolean, as it
 *          stands there. What stands outside of braces means itself.
 * Errors   a sentence, when it is compiled. A template has no outcome when one of its parts is not
 *          there, or when it is longer than there is room for.
 * Owner    parts are in the arena.
 */
#ifndef HIGHWATER_TEMPLATE_H
#define HIGHWATER_TEMPLATE_H

#include "collector/decoders/places.h"

struct template_part {
    const char *literal; /* NULL: a name or a place */
    size_t bytes;
    int name; /* NAME_NONE: the place */
    struct place place;
};

struct template
{
    const char *text;
    struct template_part *parts;
    size_t count;
};

/* NULL, or what is wrong with the text. */
const char *template_parse(struct template *out, struct arena *arena, const struct names *names,
                           struct places *places, const char *text);

/* Writes the outcome as a C string of at most `size` bytes. */
bool template_write(const struct template *template, struct found *found, const struct scope *scope,
                    char *out, size_t size);

/* All parts are there, so it has an outcome, if one that may be too long; or one of them is null. */
bool template_is_there(const struct template *template, struct found *found,
                       const struct scope *scope);
bool template_is_null(const struct template *template, const struct found *found);

/* What a scalar says as text, decoded; false for objects and arrays. It is released like any other. */
struct json_text;
bool scalar_text(struct json_text *out, const struct json_token *token);

#endif
