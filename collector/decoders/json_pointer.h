/* json_pointer.h: where in a JSON text something stands.
 *
 * Shape    a pointer is a list of steps: a member's name, an element's position, `*` for every one
 *          (in `each` only), or a name in braces that is known when a message comes. "" is the value
 *          itself; ^ before it means the root of the message, not the member that `each` is at.
 *          Many pointers into one value are a pointer_set, a tree of their steps: one walk over the
 *          value finds what all of them point to. Rejected: a walk for each, which for a rule of
 *          ten features reads a message ten times.
 * Errors   a sentence, when a pointer is compiled. What is not there is a token whose text is NULL.
 * Owner    steps and nodes are in the arena; tokens point into the text.
 * Source   RFC 6901; an array's "-" is never there.
 */
#ifndef HIGHWATER_JSON_POINTER_H
#define HIGHWATER_JSON_POINTER_H

#include "collector/decoders/arena.h"
#include "collector/decoders/scope.h"
#include "shared/model/json_walk.h"

enum { JSON_POINTER_STEPS_MAX = 16, POINTER_SET_MAX = 1024 };

struct json_step {
    const char *name;
    size_t bytes;
    int64_t position; /* as which the name can be read, or -1 */
    bool is_every;
    int variable; /* of scope.h, NAME_NONE for what stands in the file */
};

struct json_pointer {
    const char *text;
    struct json_step *steps;
    size_t count;
    bool of_root;
};

/* NULL, or what is wrong with the text. */
const char *json_pointer_parse(struct json_pointer *out, struct arena *arena,
                               const struct names *names, const char *text, size_t bytes);

/* The member or element a step leads to. */
bool json_step_take(const struct json_step *step, const struct json_token *from,
                    struct json_token *out);

/* Where the step before last led to, so that the next element is not counted from the first. */
struct json_cursor {
    const char *container; /* NULL: nowhere */
    struct json_walk walk;
    int64_t position; /* of what comes next */
    size_t walked;    /* bytes at most, for all that was looked for with it */
};

/* The steps from `from` on, in `scope`; null counts as not there. */
bool json_steps_follow(const struct json_step *steps, size_t count, const struct scope *scope,
                       struct json_cursor *cursor, const struct json_token *from,
                       struct json_token *out);

struct pointer_node {
    const struct json_step *step;
    int first_child; /* -1: none */
    int next;        /* -1: the last of its parent's */
    int child_count;
    int slot; /* -1: only on the way to others */
};

struct pointer_set {
    struct pointer_node *nodes; /* the first is the value itself */
    size_t count;
    size_t capacity;
    size_t slots;
};

/* The number under which pointer_set_find() says where these steps lead; the same for the same. Steps
 * are of the file, none of them a variable. */
size_t pointer_set_add(struct pointer_set *set, const struct json_step *steps, size_t count);

/* Fills `found[0..slots-1]`; null counts as not there, without a text, but has its kind. */
void pointer_set_find(const struct pointer_set *set, const struct json_token *value,
                      struct json_token *found);

void pointer_set_release(struct pointer_set *set);

#endif
