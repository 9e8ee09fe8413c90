#include "collector/suggest/suggest.h"
#include "collector/subscriptions.h"

#include "collector/suggest/draft.h"
#include "collector/suggest/sheet.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXCEPTIONS_MOST = 100, COMMENTS_MOST = 200 };

struct suggestion {
    struct buffer *out;
    struct groups groups;
    struct draft *drafts; /* the most specific first */
    struct feature_names names;
    size_t used;
    size_t put;
};

static size_t literals(const struct group *group)
{
    size_t count = 0;

    for (size_t i = 0; i < group->level_count; i++)
        count += !group->levels[i].varies;
    return count;
}

/* A guess has made some patterns wider than they were. */
static int compare_drafts(const void *a, const void *b)
{
    const struct group *one = ((const struct draft *)a)->group;
    const struct group *other = ((const struct draft *)b)->group;

    if (literals(one) != literals(other))
        return literals(one) > literals(other) ? -1 : 1;
    return strcmp(one->topics[0]->name, other->topics[0]->name);
}

static void make_drafts(struct suggestion *s)
{
    s->drafts = mem_calloc(s->groups.count + 1, sizeof(s->drafts[0]));
    for (size_t i = 0; i < s->groups.count; i++) {
        feature_names_begin(&s->names, s->groups.count - i - 1);
        draft_make(&s->drafts[i], &s->groups, &s->groups.items[i], &s->names);
        s->used += s->drafts[i].is_used;
    }
    if (s->groups.count > 0)
        qsort(s->drafts, s->groups.count, sizeof(s->drafts[0]), compare_drafts);
}

/* ---- what must not go to another's mapping --------------------------------------------------- */

static const struct draft *first_that_fits(const struct suggestion *s, const char *topic)
{
    for (size_t i = 0; i < s->groups.count; i++) {
        if (s->drafts[i].is_used && group_fits(s->drafts[i].group, topic))
            return &s->drafts[i];
    }
    return NULL;
}

static void put_mapping(struct suggestion *s, const void *text, size_t bytes)
{
    buffer_put_text(s->out, s->put++ > 0 ? ",\n" : "");
    buffer_put(s->out, text, bytes);
}

/* Topics that have nothing to store, and yet fit a pattern: their messages would be rejected. */
static void put_exceptions(struct suggestion *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->groups.count; i++) {
        const struct group *group = s->drafts[i].group;

        for (size_t j = 0; j < group->topic_count && !s->drafts[i].is_used; j++) {
            struct buffer text = {0};

            if (!first_that_fits(s, group->topics[j]->name) || count++ >= EXCEPTIONS_MOST)
                continue;
            buffer_put_text(&text, "    // ");
            buffer_put_text(&text, s->drafts[i].why);
            buffer_put_text(&text, "\n    {\"topic\": ");
            json_write_string(&text, group->topics[j]->name);
            buffer_put_text(&text, ", \"ignore\": true}");
            put_mapping(s, text.data, text.bytes);
            buffer_release(&text);
        }
    }
}

/* ---- comments ------------------------------------------------------------------------------- */

static void put_head(const struct suggestion *s, const struct heard_messages *heard)
{
    buffer_printf(s->out,
                  "// A first mapping, made of %" PRIu64
                  " messages on %zu topics: a guess, to be corrected.\n"
                  "// Behind each member stands a value that it had. Try it with a message:\n"
                  "//     collector --try-mapping FILE --topic TOPIC < PAYLOAD\n"
                  "// docs/MAPPINGS.md has all keys; then set MAPPINGS=FILE.\n",
                  heard->messages - heard->not_of_devices, heard->count);
    if (heard->not_of_devices > 0)
        buffer_printf(s->out, "// Left out: %" PRIu64 " messages of $SYS and collectors/.\n",
                      heard->not_of_devices);
    if (heard->left_out > 0)
        buffer_printf(
            s->out,
            "// Left out: %" PRIu64
            " messages, on more topics than %d or beyond %d MB (name a narrower filter), or on "
            "topics of more than %d bytes.\n",
            heard->left_out, HEARD_TOPICS_MOST, HEARD_BYTES_MOST / 1024 / 1024,
            SUBSCRIPTION_BYTES_MAX);
    if (s->groups.left_out > 0)
        buffer_printf(s->out, "// Left out: %zu topics of more kinds than %d.\n",
                      s->groups.left_out, GROUPS_MOST);
    if (s->groups.unusable > 0)
        buffer_printf(
            s->out,
            "// Left out: %zu topics that no pattern can say: with braces, too many levels, or "
            "characters that nobody can see.\n",
            s->groups.unusable);
    if (s->names.left_out > 0)
        buffer_printf(s->out, "// Left out: %zu features, for there may be %d.\n",
                      s->names.left_out, FEATURES_MAX);
}

static void put_unused(const struct suggestion *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->groups.count; i++) {
        const struct draft *draft = &s->drafts[i];
        const char *topic = draft->group->topics[0]->name;

        if (draft->is_used || ++count > COMMENTS_MOST)
            continue;
        if (count == 1)
            buffer_put_text(s->out, "    //\n    // Not used:\n");
        buffer_put_text(s->out, "    //   ");
        sheet_put_shown(s->out, topic, strlen(topic));
        if (draft->group->topic_count > 1)
            buffer_printf(s->out, " and %zu more", draft->group->topic_count - 1);
        buffer_printf(s->out, ": %s\n", draft->why);
    }
    if (count > COMMENTS_MOST)
        buffer_printf(s->out, "    //   and %zu more\n", count - COMMENTS_MOST);
}

bool suggest_write(struct buffer *out, struct heard_messages *heard)
{
    struct suggestion s = {.out = out};

    heard_sort(heard);
    groups_make(&s.groups, heard);
    make_drafts(&s);
    put_head(&s, heard);
    buffer_put_text(out, "[\n");
    if (s.used > 0)
        put_exceptions(&s);
    for (size_t i = 0; i < s.groups.count; i++) {
        if (s.drafts[i].is_used)
            put_mapping(&s, s.drafts[i].text.data, s.drafts[i].text.bytes);
    }
    buffer_put_text(out, s.put > 0 ? "\n" : "");
    put_unused(&s);
    buffer_put_text(out, "]\n");
    for (size_t i = 0; i < s.groups.count; i++)
        draft_release(&s.drafts[i]);
    free(s.drafts);
    groups_release(&s.groups);
    return s.used > 0;
}
