#include "collector/decoders/topic_pattern.h"

#include "shared/base/utf8.h"
#include "shared/model/topic.h"

#include <string.h>

enum { PARTS_MAX = 2 * NAMES_MAX + 1 };

/* What a shared subscription has before the filter that topics are matched with. */
static const char *add_name(struct pattern_part *part, struct arena *arena, struct names *names,
                            const char *text, size_t bytes)
{
    part->is_rest = bytes > 0 && text[bytes - 1] == '*';
    bytes -= part->is_rest;
    if (!name_is_legal(text, bytes))
        return "has braces without a name of letters, digits and _ between them";
    if (names_find(names, text, bytes) != NAME_NONE)
        return "has a name that is there already (key and index always are)";
    if (names->count == NAMES_MAX)
        return "has too many names";
    part->name = (int)names->count;
    names->items[names->count++] = arena_text(arena, text, bytes);
    return NULL;
}

static const char *parse_parts(struct topic_pattern *out, struct arena *arena, struct names *names,
                               const char *text)
{
    struct pattern_part parts[PARTS_MAX] = {{0}};

    while (*text) {
        struct pattern_part *part = &parts[out->count];
        size_t bytes = strcspn(text, "{}");
        const char *fault;

        if (out->count == PARTS_MAX)
            return "has too many names";
        *part = (struct pattern_part){.name = NAME_NONE};
        if (bytes > 0) {
            part->literal = arena_text(arena, text, bytes);
            part->bytes = bytes;
            part->in_level = strcspn(part->literal, "/");
        } else {
            bytes = strcspn(text, "}");
            if (*text != '{' || !text[bytes])
                return "has a brace without the other one";
            if (out->count > 0 && part[-1].name != NAME_NONE)
                return "has two names with nothing between them";
            fault = add_name(part, arena, names, text + 1, bytes - 1);
            if (fault)
                return fault;
            bytes++;
        }
        text += bytes;
        out->count++;
    }
    out->parts = arena_alloc(arena, out->count, sizeof(parts[0]));
    memcpy(out->parts, parts, out->count * sizeof(parts[0]));
    return NULL;
}

/* ---- topics --------------------------------------------------------------------------------- */

static const char *check_levels(const struct topic_pattern *pattern)
{
    bool has_name = false;

    for (size_t i = 0; i < pattern->count; i++) {
        const struct pattern_part *part = &pattern->parts[i];

        if (part->name == NAME_NONE) {
            if (part->in_level < part->bytes)
                has_name = false;
            continue;
        }
        if (has_name)
            return "has two names in one level";
        has_name = true;
        if (part->is_rest &&
            (i + 1 < pattern->count || (i > 0 && part[-1].literal[part[-1].bytes - 1] != '/')))
            return "has a {name*} that is not all of its last levels";
    }
    return NULL;
}

const char *topic_pattern_parse(struct topic_pattern *out, struct arena *arena, struct names *names,
                                const char *text)
{
    const char *fault;

    *out = (struct topic_pattern){.text = arena_text(arena, text, strlen(text)), .is_topic = true};
    if (!*text)
        return "is empty";
    if (strlen(text) > 65535 || !utf8_is_visible(text, strlen(text)))
        return "has characters that nobody can see, or too many";
    if (strpbrk(text, "+#"))
        return "has + or #: a level that varies is written {name}, the rest {name*}";
    if (strncmp(text, "$share", 6) == 0 && topic_share_bytes(text) == 0)
        return "is no $share/group/...";
    if (memchr(text, '{', topic_share_bytes(text)))
        return "has a name in the group of its subscription";
    fault = parse_parts(out, arena, names, text + topic_share_bytes(text));
    return fault ? fault : out->count == 0 ? "is empty" : check_levels(out);
}

const char *topic_pattern_subscription(const struct topic_pattern *pattern, struct arena *arena)
{
    const char *from = pattern->text;
    char *text = arena_text(arena, from, strlen(from));
    char *out = text;

    while (*from) {
        size_t bytes = strcspn(from, "/");

        if (memchr(from, '{', bytes)) {
            *out++ = bytes >= 2 && from[bytes - 2] == '*' ? '#' : '+';
        } else {
            memmove(out, from, bytes);
            out += bytes;
        }
        from += bytes;
        if (*from)
            *out++ = *from++;
    }
    *out = '\0';
    return text;
}

/* ---- other texts ---------------------------------------------------------------------------- */

static bool add_stop(struct topic_pattern *pattern, char c)
{
    size_t count = strlen(pattern->stops);

    if (strchr(pattern->stops, c))
        return true;
    if (count + 1 == sizeof(pattern->stops))
        return false;
    pattern->stops[count] = c;
    return true;
}

const char *text_pattern_parse(struct topic_pattern *out, struct arena *arena, struct names *names,
                               const char *text)
{
    const char *fault;
    size_t rests = 0;

    *out = (struct topic_pattern){.text = arena_text(arena, text, strlen(text))};
    if (!*text)
        return "is empty";
    fault = parse_parts(out, arena, names, text);
    if (fault)
        return fault;
    for (size_t i = 0; i < out->count; i++) {
        const struct pattern_part *part = &out->parts[i];

        rests += part->is_rest;
        if (part->name == NAME_NONE &&
            (!add_stop(out, part->literal[0]) || !add_stop(out, part->literal[part->bytes - 1])))
            return "has too many different characters beside its names";
    }
    return rests > 1 ? "has more than one {name*}" : NULL;
}

/* ---- matching ------------------------------------------------------------------------------- */

/* The end of what a name stands for: there is only one that can fit. */
static const char *end_of_name(const struct topic_pattern *pattern, size_t number, const char *at,
                               const char *end)
{
    const struct pattern_part *next =
        number + 1 < pattern->count ? &pattern->parts[number + 1] : NULL;
    const char *stop = at;

    if (!pattern->is_topic) {
        while (stop < end && !strchr(pattern->stops, *stop))
            stop++;
        return stop;
    }
    stop = memchr(at, '/', (size_t)(end - at));
    if (!stop)
        stop = end;
    if (next && (size_t)(stop - at) < next->in_level)
        return at;
    return next ? stop - next->in_level : stop;
}

static bool match_from(const struct topic_pattern *pattern, size_t number, const char *at,
                       const char *end, struct text_span *captures);

/* The longest rest first. Behind it there is no other, so this is not done within itself. */
static bool match_rest(const struct topic_pattern *pattern, size_t number, const char *at,
                       const char *end, struct text_span *captures)
{
    const char *stop = end;

    while (stop > at && !match_from(pattern, number + 1, stop, end, captures))
        stop--;
    captures[pattern->parts[number].name] = (struct text_span){at, (size_t)(stop - at)};
    return stop > at;
}

static bool match_from(const struct topic_pattern *pattern, size_t number, const char *at,
                       const char *end, struct text_span *captures)
{
    for (; number < pattern->count; number++) {
        const struct pattern_part *part = &pattern->parts[number];
        const char *stop;

        if (part->name == NAME_NONE) {
            if ((size_t)(end - at) < part->bytes || memcmp(at, part->literal, part->bytes) != 0)
                return false;
            at += part->bytes;
            continue;
        }
        if (part->is_rest)
            return match_rest(pattern, number, at, end, captures);
        stop = end_of_name(pattern, number, at, end);
        if (stop == at)
            return false;
        captures[part->name] = (struct text_span){at, (size_t)(stop - at)};
        at = stop;
    }
    return at == end;
}

bool topic_pattern_match(const struct topic_pattern *pattern, const char *text, size_t bytes,
                         struct text_span *captures)
{
    return match_from(pattern, 0, text, text + bytes, captures);
}
