#include "httpapi/board_changes.h"

#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct element {
    const char *text;
    size_t bytes;
    uint64_t hash; /* most that differ begin alike, and are as long */
};

struct elements {
    struct element *items;
    size_t count;
};

/* The end of the element at `at`: the comma or the bracket behind it. The JSON is our own. */
static const char *skip(const char *at, const char *end)
{
    int depth = 0;
    bool is_in_text = false;

    for (; at < end; at++) {
        if (is_in_text) {
            is_in_text = *at != '"';
            at += *at == '\\'; /* the one behind it says nothing */
        } else if (*at == '"') {
            is_in_text = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth == 0 && (*at == ',' || *at == ']')) {
            break;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
    }
    return at;
}

static struct elements split(const struct buffer *array)
{
    struct elements found = {0};
    const char *at = (const char *)array->data + 1;
    const char *end = (const char *)array->data + array->bytes - 1;
    size_t room = 0;

    while (at < end) {
        const char *behind = skip(at, end);

        if (found.count == room) {
            room = room ? 2 * room : 16;
            found.items = mem_realloc(found.items, room * sizeof(found.items[0]));
        }
        found.items[found.count++] =
            (struct element){.text = at,
                             .bytes = (size_t)(behind - at),
                             .hash = XXH3_64bits(at, (size_t)(behind - at))};
        at = behind + 1;
    }
    return found;
}

static bool is_same(const struct element *a, const struct element *b)
{
    return a->hash == b->hash && a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

static void put_place(struct buffer *out, size_t place)
{
    if (out->data[out->bytes - 1] != '[')
        buffer_put_text(out, ",");
    buffer_printf(out, "%zu", place);
}

static void put_added(struct buffer *out, size_t place, const struct element *reading)
{
    buffer_printf(out, "%s{\"place\":%zu,\"reading\":", out->bytes > 0 ? "," : "", place);
    buffer_put(out, reading->text, reading->bytes);
    buffer_put_text(out, "}");
}

/* Each element of `after` stays if it is among those of `before` behind the last that stayed. */
static void compare(struct buffer *removed, struct buffer *added, const struct elements *before,
                    const struct elements *after)
{
    size_t next = 0;

    for (size_t place = 0; place < after->count; place++) {
        size_t found = next;

        while (found < before->count && !is_same(&before->items[found], &after->items[place]))
            found++;
        if (found == before->count) {
            put_added(added, place, &after->items[place]);
            continue;
        }
        for (; next < found; next++)
            put_place(removed, next);
        next = found + 1;
    }
    for (; next < before->count; next++)
        put_place(removed, next);
}

bool board_changes_write(struct buffer *out, const struct buffer *before,
                         const struct buffer *after)
{
    struct elements old = split(before);
    struct elements new = split(after);
    struct buffer removed = {0};
    struct buffer added = {0};
    bool is_shorter;

    buffer_put_text(&removed, "\"removed\":[");
    compare(&removed, &added, &old, &new);
    buffer_put_text(&removed, "],\"added\":[");
    is_shorter = removed.bytes + added.bytes + 1 < after->bytes;
    if (is_shorter) {
        buffer_put(out, removed.data, removed.bytes);
        buffer_put(out, added.data, added.bytes);
        buffer_put_text(out, "]");
    }
    buffer_release(&removed);
    buffer_release(&added);
    free(old.items);
    free(new.items);
    return is_shorter;
}
