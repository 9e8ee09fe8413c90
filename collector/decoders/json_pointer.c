#include "collector/decoders/json_pointer.h"

#include "shared/base/mem.h"
#include "shared/model/json_token.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- compiled ------------------------------------------------------------------------------- */

/* RFC 6901: digits without a zero before them. */
static int64_t position_of(const char *text, size_t bytes)
{
    int64_t position = 0;

    if (bytes == 0 || bytes > 9 || (bytes > 1 && text[0] == '0'))
        return -1;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        position = position * 10 + (text[i] - '0');
    }
    return position;
}

static bool is_braced(const char *text, size_t bytes)
{
    return bytes > 2 && text[0] == '{' && text[bytes - 1] == '}';
}

static const char *parse_step(struct json_step *step, struct arena *arena,
                              const struct names *names, const char *text, size_t bytes)
{
    char *name;

    *step = (struct json_step){.position = -1, .variable = NAME_NONE};
    if (is_braced(text, bytes)) {
        step->variable = names_find(names, text + 1, bytes - 2);
        return step->variable == NAME_NONE ? "has a name in braces that is not known here" : NULL;
    }
    name = arena_text(arena, text, bytes);
    step->name = name;
    for (const char *from = text; from < text + bytes; from++) {
        if (*from != '~') {
            name[step->bytes++] = *from;
            continue;
        }
        from++;
        if (from == text + bytes || (*from != '0' && *from != '1'))
            return "has a ~ that is neither ~0 (for ~) nor ~1 (for /)";
        name[step->bytes++] = *from == '0' ? '~' : '/';
    }
    name[step->bytes] = '\0';
    step->is_every = bytes == 1 && *text == '*';
    step->position = position_of(text, bytes);
    return NULL;
}

const char *json_pointer_parse(struct json_pointer *out, struct arena *arena,
                               const struct names *names, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    size_t count = 0;

    *out = (struct json_pointer){.text = arena_text(arena, text, bytes)};
    if (text < end && *text == '^') {
        out->of_root = true;
        text++;
    }
    if (text < end && *text != '/')
        return "is no pointer: it begins with / or ^/, or is \"\" for the value itself";
    for (const char *c = text; c < end; c++)
        count += *c == '/';
    if (count > JSON_POINTER_STEPS_MAX)
        return "has more than 16 steps";
    out->steps = arena_alloc(arena, count, sizeof(out->steps[0]));
    while (text < end) {
        const char *from = text + 1;
        const char *fault;

        text = memchr(from, '/', (size_t)(end - from));
        if (!text)
            text = end;
        fault = parse_step(&out->steps[out->count++], arena, names, from, (size_t)(text - from));
        if (fault)
            return fault;
    }
    return NULL;
}

/* ---- one after the other -------------------------------------------------------------------- */

static bool is_container(const struct json_token *token)
{
    return token->kind == JSON_OBJECT || token->kind == JSON_ARRAY;
}

static bool take_member(const struct json_token *from, const char *name, size_t bytes,
                        struct json_token *out)
{
    struct json_walk walk;
    struct json_token found;

    json_walk_init(&walk, from);
    while (json_walk_next(&walk, &found, out)) {
        if (json_token_is(&found, name, bytes))
            return true;
    }
    return false;
}

static bool take_element(const struct json_token *from, int64_t position,
                         struct json_cursor *cursor, struct json_token *out)
{
    struct json_cursor fresh = {0};
    struct json_token name;

    if (!cursor)
        cursor = &fresh;
    if (cursor->container != from->text || cursor->position > position) {
        json_walk_init(&cursor->walk, from);
        cursor->container = from->text;
        cursor->position = 0;
        cursor->walked += from->bytes;
    }
    while (json_walk_next(&cursor->walk, &name, out)) {
        if (cursor->position++ == position)
            return true;
    }
    return false;
}

bool json_step_take(const struct json_step *step, const struct json_token *from,
                    struct json_token *out)
{
    if (from->kind == JSON_OBJECT)
        return take_member(from, step->name, step->bytes, out);
    return from->kind == JSON_ARRAY && step->position >= 0 &&
           take_element(from, step->position, NULL, out);
}

static bool take_named(const struct json_token *from, const struct text_span *name,
                       struct json_token *out)
{
    if (!name->text)
        return false;
    if (from->kind == JSON_OBJECT)
        return take_member(from, name->text, name->bytes, out);
    return take_element(from, position_of(name->text, name->bytes), NULL, out);
}

static bool take_variable(int variable, const struct scope *scope, struct json_cursor *cursor,
                          const struct json_token *from, struct json_token *out)
{
    struct json_text key;
    bool is_there;

    if (!is_container(from))
        return false;
    if (variable == NAME_INDEX)
        return from->kind == JSON_ARRAY && scope->index >= 0 &&
               take_element(from, scope->index, cursor, out);
    if (variable != NAME_KEY)
        return take_named(from, &scope->captures[variable], out);
    if (!scope->key.text)
        return false;
    json_text_init(&key, &scope->key);
    is_there = take_named(from, &(struct text_span){key.chars, strlen(key.chars)}, out);
    json_text_release(&key);
    return is_there;
}

bool json_steps_follow(const struct json_step *steps, size_t count, const struct scope *scope,
                       struct json_cursor *cursor, const struct json_token *from,
                       struct json_token *out)
{
    struct json_token at = *from;

    for (size_t i = 0; i < count; i++) {
        struct json_token next;
        bool is_there = steps[i].variable == NAME_NONE
                            ? json_step_take(&steps[i], &at, &next)
                            : take_variable(steps[i].variable, scope, cursor, &at, &next);

        if (cursor && steps[i].variable != NAME_INDEX)
            cursor->walked += is_there ? (size_t)(next.text - at.text) : at.bytes;
        if (!is_there)
            return false;
        at = next;
    }
    *out = at;
    return at.kind != JSON_NULL;
}

/* ---- all at once ---------------------------------------------------------------------------- */

static int add_node(struct pointer_set *set, const struct json_step *step)
{
    set->nodes = mem_grow_zeroed(set->nodes, &set->capacity, set->count + 1, sizeof(set->nodes[0]));
    set->nodes[set->count] =
        (struct pointer_node){.step = step, .first_child = -1, .next = -1, .slot = -1};
    return (int)set->count++;
}

static int find_child(const struct pointer_set *set, int node, const struct json_step *step)
{
    int child = set->nodes[node].first_child;

    while (child >= 0) {
        const struct json_step *other = set->nodes[child].step;

        if (other->bytes == step->bytes && memcmp(other->name, step->name, step->bytes) == 0)
            break;
        child = set->nodes[child].next;
    }
    return child;
}

static int add_child(struct pointer_set *set, int node, const struct json_step *step)
{
    int child = add_node(set, step);
    int last = set->nodes[node].first_child;

    set->nodes[node].child_count++;
    if (last < 0) {
        set->nodes[node].first_child = child;
        return child;
    }
    while (set->nodes[last].next >= 0)
        last = set->nodes[last].next;
    set->nodes[last].next = child;
    return child;
}

size_t pointer_set_add(struct pointer_set *set, const struct json_step *steps, size_t count)
{
    int node = 0;

    if (set->count == 0)
        add_node(set, NULL);
    for (size_t i = 0; i < count; i++) {
        int child = find_child(set, node, &steps[i]);

        assert(steps[i].variable == NAME_NONE);
        node = child >= 0 ? child : add_child(set, node, &steps[i]);
    }
    if (set->nodes[node].slot < 0)
        set->nodes[node].slot = (int)set->slots++;
    return (size_t)set->nodes[node].slot;
}

static bool leads_to(const struct json_step *step, bool is_object, const struct json_token *name,
                     int64_t position)
{
    return is_object ? json_token_is(name, step->name, step->bytes) : step->position == position;
}

/* Devices send their members in the order in which they always do, and whoever writes a mapping
 * has that before him: so what comes next is looked for behind what came last. */
static int find_node(const struct pointer_set *set, int first, int hint, bool is_object,
                     const struct json_token *name, int64_t position)
{
    int node;

    for (node = hint; node >= 0; node = set->nodes[node].next) {
        if (leads_to(set->nodes[node].step, is_object, name, position))
            return node;
    }
    for (node = first; node != hint; node = set->nodes[node].next) {
        if (leads_to(set->nodes[node].step, is_object, name, position))
            return node;
    }
    return -1;
}

/* Of a null there is only that it is one. */
static void put_found(struct json_token *found, const struct json_token *value)
{
    if (value->kind == JSON_NULL)
        found->kind = JSON_NULL;
    else
        *found = *value;
}

static void find_below(const struct pointer_set *set, int parent, const struct json_token *value,
                       struct json_token *found)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token part;
    int first = set->nodes[parent].first_child;
    int hint = first;
    int left = set->nodes[parent].child_count;
    int64_t position = 0;

    json_walk_init(&walk, value);
    while (left > 0 && json_walk_next(&walk, &name, &part)) {
        int node = find_node(set, first, hint, walk.is_object, &name, position++);
        int slot;

        if (node < 0)
            continue;
        left--; /* a twin only ends it early: the first one counts */
        hint = set->nodes[node].next >= 0 ? set->nodes[node].next : first;
        slot = set->nodes[node].slot;
        if (slot >= 0 && !found[slot].text)
            put_found(&found[slot], &part);
        if (set->nodes[node].first_child >= 0 && is_container(&part))
            find_below(set, node, &part, found);
    }
}

void pointer_set_find(const struct pointer_set *set, const struct json_token *value,
                      struct json_token *found)
{
    for (size_t i = 0; i < set->slots; i++)
        found[i] = (struct json_token){0};
    if (set->count == 0)
        return;
    if (set->nodes[0].slot >= 0)
        put_found(&found[set->nodes[0].slot], value);
    if (set->nodes[0].first_child >= 0 && is_container(value))
        find_below(set, 0, value, found);
}

void pointer_set_release(struct pointer_set *set)
{
    free(set->nodes);
    *set = (struct pointer_set){0};
}
