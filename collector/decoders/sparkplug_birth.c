#include "collector/decoders/sparkplug_birth.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ---------------------------------------------------------------------------------- */

static void put_character(struct buffer *out, const char *at, size_t length)
{
    unsigned char c = (unsigned char)*at;

    if (c == '"' || c == '\\')
        buffer_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        buffer_printf(out, "\\u%04x", c);
    else
        buffer_put(out, at, length);
}

bool sparkplug_put_text(struct buffer *out, const struct sparkplug_text *text,
                        enum reading_error *error)
{
    buffer_put(out, "\"", 1);
    for (size_t at = 0; at < text->bytes;) {
        size_t length = utf8_length((const unsigned char *)text->text + at, text->bytes - at);

        if (length == 0 || text->text[at] == '\0') {
            *error = length == 0 ? READING_INVALID_UTF8 : READING_NUL_CHARACTER;
            return false;
        }
        put_character(out, text->text + at, length);
        at += length;
    }
    buffer_put(out, "\"", 1);
    return true;
}

/* ---- a table of names ----------------------------------------------------------------------- */

/* Those without an alias last. */
static int compare_aliases(const void *a, const void *b)
{
    const struct sparkplug_name *left = a;
    const struct sparkplug_name *right = b;

    return (left->alias > right->alias) - (left->alias < right->alias);
}

static int compare_json(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

struct by_json {
    const struct sparkplug_name *name;
    uint32_t position;
};

static int compare_by_json(const void *a, const void *b)
{
    const struct sparkplug_name *left = ((const struct by_json *)a)->name;
    const struct sparkplug_name *right = ((const struct by_json *)b)->name;

    return compare_json(left->json, left->json_bytes, right->json, right->json_bytes);
}

static void order_by_name(struct sparkplug_names *names)
{
    struct by_json *order = mem_calloc(names->count + 1, sizeof(*order));

    for (size_t i = 0; i < names->count; i++)
        order[i] = (struct by_json){&names->items[i], (uint32_t)i};
    qsort(order, names->count, sizeof(*order), compare_by_json);
    names->by_name = mem_calloc(names->count + 1, sizeof(*names->by_name));
    for (size_t i = 0; i < names->count; i++)
        names->by_name[i] = order[i].position;
    free(order);
}

static bool is_twice(const struct sparkplug_names *names, char *detail)
{
    for (size_t i = 1; i < names->aliased; i++) {
        const struct sparkplug_name *a = &names->items[i - 1];
        const struct sparkplug_name *b = &names->items[i];
        char shown[2][60];

        if (a->alias != b->alias ||
            compare_json(a->json, a->json_bytes, b->json, b->json_bytes) == 0)
            continue;
        snprintf(detail, READING_DETAIL_SIZE, "the birth gives the alias %" PRIu64 " to %s and %s",
                 a->alias, log_escaped(shown[0], sizeof(shown[0]), a->json, a->json_bytes),
                 log_escaped(shown[1], sizeof(shown[1]), b->json, b->json_bytes));
        return true;
    }
    return false;
}

/* Texts move while they gather, so positions come first. */
static void set_texts(struct sparkplug_names *names, struct buffer *texts, size_t name_count)
{
    const char *at;

    names->text = mem_alloc(texts->bytes + 1);
    if (texts->bytes > 0)
        memcpy(names->text, texts->data, texts->bytes);
    at = names->text;
    for (size_t i = 0; i < name_count; i++) {
        names->items[i].json = at;
        at += names->items[i].json_bytes;
    }
}

static bool add_name(struct sparkplug_names *names, const struct sparkplug_metric *metric,
                     struct buffer *texts, enum reading_error *error, char *detail)
{
    size_t from = texts->bytes;

    if (metric->name.bytes > SPARKPLUG_NAME_MOST) {
        *error = READING_TOO_MANY_MEMBERS;
        snprintf(detail, READING_DETAIL_SIZE, "a metric's name has %zu bytes; at most %d",
                 metric->name.bytes, SPARKPLUG_NAME_MOST);
        return false;
    }
    if (!sparkplug_put_text(texts, &metric->name, error)) {
        snprintf(detail, READING_DETAIL_SIZE, "in a metric's name");
        return false;
    }
    names->items[names->count++] =
        (struct sparkplug_name){.alias = metric->alias,
                                .json_bytes = (uint32_t)(texts->bytes - from),
                                .type = metric->type};
    return true;
}

/* All with an alias, or all without one. */
static bool add_names(struct sparkplug_names *names, const struct sparkplug_reader *reader,
                      size_t metric_count, bool with_alias, struct buffer *texts,
                      enum reading_error *error, char *detail)
{
    for (size_t i = 0; i < metric_count; i++) {
        struct sparkplug_metric metric = sparkplug_metric_at(reader, i);

        if (metric.name.text && metric.has_alias == with_alias &&
            !add_name(names, &metric, texts, error, detail))
            return false;
    }
    return true;
}

bool sparkplug_names_make(struct sparkplug_names *names, const struct sparkplug_reader *reader,
                          size_t metric_count, enum reading_error *error,
                          char detail[READING_DETAIL_SIZE])
{
    struct buffer texts = {0};
    bool is_legal;

    *names = (struct sparkplug_names){
        .items = mem_calloc(metric_count + 1, sizeof(struct sparkplug_name))};
    is_legal = add_names(names, reader, metric_count, true, &texts, error, detail);
    names->aliased = names->count;
    is_legal = is_legal && add_names(names, reader, metric_count, false, &texts, error, detail);
    set_texts(names, &texts, names->count);
    buffer_release(&texts);
    if (is_legal) {
        qsort(names->items, names->aliased, sizeof(*names->items), compare_aliases);
        order_by_name(names);
        *error = READING_DUPLICATE_MEMBER;
        is_legal = !is_twice(names, detail);
    }
    if (!is_legal)
        sparkplug_names_release(names);
    return is_legal;
}

/* Nearly always aliases are numbered one after the other. */
const struct sparkplug_name *sparkplug_names_by_alias(const struct sparkplug_names *names,
                                                      uint64_t alias)
{
    const struct sparkplug_name key = {.alias = alias};
    uint64_t guess;

    if (names->aliased == 0 || alias < names->items[0].alias)
        return NULL;
    guess = alias - names->items[0].alias;
    if (guess < names->aliased && names->items[guess].alias == alias)
        return &names->items[guess];
    return bsearch(&key, names->items, names->aliased, sizeof(key), compare_aliases);
}

const struct sparkplug_name *sparkplug_names_by_json(const struct sparkplug_names *names,
                                                     const char *json, size_t bytes)
{
    size_t from = 0;
    size_t until = names->count;

    while (from < until) {
        size_t middle = from + (until - from) / 2;
        const struct sparkplug_name *name = &names->items[names->by_name[middle]];
        int order = compare_json(name->json, name->json_bytes, json, bytes);

        if (order == 0)
            return name;
        if (order < 0)
            from = middle + 1;
        else
            until = middle;
    }
    return NULL;
}

void sparkplug_names_release(struct sparkplug_names *names)
{
    free(names->items);
    free(names->by_name);
    free(names->text);
    *names = (struct sparkplug_names){0};
}
