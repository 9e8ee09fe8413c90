#include "collector/subscriptions.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* It is shown to people, and in the status, which has a bound. */
enum { TEXT_MOST = 2000 };

static void refresh_text(struct subscriptions *subscriptions)
{
    struct buffer text = {0};

    for (size_t i = 0; i < subscriptions->count; i++) {
        if (text.bytes > TEXT_MOST) {
            buffer_printf(&text, " and %zu more", subscriptions->count - i);
            break;
        }
        buffer_printf(&text, "%s%s", i > 0 ? "," : "", subscriptions->texts[i]);
    }
    free(subscriptions->text);
    subscriptions->text = mem_strdup(buffer_text(&text));
    buffer_release(&text);
}

/* What is wanted as retained, too, is covered by what is, and covers nothing else: a broker sends it once more. */
static bool covers(const struct subscriptions *subscriptions, size_t by, const char *filter,
                   bool is_retained)
{
    return subscriptions->is_retained[by] == is_retained &&
           topic_filter_covers(subscriptions->texts[by], filter);
}

static void drop_covered(struct subscriptions *subscriptions, const char *by, bool is_retained)
{
    size_t kept = 0;

    for (size_t i = 0; i < subscriptions->count; i++) {
        if (subscriptions->is_retained[i] == is_retained &&
            topic_filter_covers(by, subscriptions->texts[i])) {
            free(subscriptions->texts[i]);
            continue;
        }
        subscriptions->is_retained[kept] = subscriptions->is_retained[i];
        subscriptions->texts[kept++] = subscriptions->texts[i];
    }
    subscriptions->count = kept;
}

static const char *add(struct subscriptions *subscriptions, const char *filter, bool is_retained)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        if (covers(subscriptions, i, filter, is_retained))
            return NULL;
    }
    if (strlen(filter) > SUBSCRIPTION_BYTES_MAX)
        return "a topic filter of more than 255 bytes";
    drop_covered(subscriptions, filter, is_retained);
    if (subscriptions->count == SUBSCRIPTIONS_MAX)
        return "more than 256 topic filters";
    subscriptions->is_retained[subscriptions->count] = is_retained;
    subscriptions->texts[subscriptions->count++] = mem_strdup(filter);
    refresh_text(subscriptions);
    return NULL;
}

/* Of one filter the broker knows one subscription, so it is of one kind. */
static size_t find(const struct subscriptions *subscriptions, const char *filter)
{
    size_t i = 0;

    while (i < subscriptions->count && strcmp(subscriptions->texts[i], filter) != 0)
        i++;
    return i;
}

const char *subscriptions_add(struct subscriptions *subscriptions, const char *filter)
{
    return find(subscriptions, filter) < subscriptions->count ? NULL
                                                              : add(subscriptions, filter, false);
}

const char *subscriptions_add_retained(struct subscriptions *subscriptions, const char *filter)
{
    size_t at = find(subscriptions, filter);

    if (at == subscriptions->count)
        return add(subscriptions, filter, true);
    subscriptions->is_retained[at] = true;
    return NULL;
}

/* Cuts the next item off, without spaces around it; NULL at the end. */
static char *next_item(char **list)
{
    char *item = *list;
    size_t bytes;

    if (!item)
        return NULL;
    item += strspn(item, " ");
    bytes = strcspn(item, ",");
    *list = item[bytes] ? item + bytes + 1 : NULL;
    while (bytes > 0 && item[bytes - 1] == ' ')
        bytes--;
    item[bytes] = '\0';
    return item;
}

const char *subscriptions_add_contract(struct subscriptions *subscriptions, const char *list)
{
    char *left;
    char *item;
    const char *fault = NULL;

    free(subscriptions->contract_text);
    subscriptions->contract_text = left = mem_strdup(list);
    subscriptions->contract_count = 0;
    while (*list && !fault && (item = next_item(&left))) {
        struct topic_filter *filter = &subscriptions->contract[subscriptions->contract_count];

        if (subscriptions->contract_count == SUBSCRIPTIONS_MAX)
            return "more than 256 topic filters";
        if (!topic_filter_parse(filter, item))
            return SUBSCRIPTIONS_LEGAL;
        subscriptions->contract_count++;
        fault = subscriptions_add(subscriptions, item);
    }
    return fault;
}

char *subscriptions_about_of(const char *filter)
{
    static const char readings[] = "/readings";
    const char *plain = filter + topic_share_bytes(filter);
    size_t bytes = strlen(plain);
    struct buffer text = {0};
    char *about;

    if (bytes < sizeof(readings) || strcmp(plain + bytes - (sizeof(readings) - 1), readings) != 0)
        return NULL;
    buffer_put(&text, plain, bytes - (sizeof(readings) - 1));
    buffer_put_text(&text, "/about");
    about = mem_strdup(buffer_text(&text));
    buffer_release(&text);
    return about;
}

bool subscriptions_has_about(const struct subscriptions *subscriptions, const char *filter)
{
    for (size_t i = 0; i < subscriptions->about_count; i++) {
        if (strcmp(subscriptions->about_texts[i], filter) == 0)
            return true;
    }
    return false;
}

void subscriptions_add_abouts(struct subscriptions *subscriptions)
{
    for (size_t i = 0; i < subscriptions->contract_count; i++) {
        char *filter = subscriptions_about_of(subscriptions->contract[i].text);
        size_t at = subscriptions->about_count;

        if (!filter)
            continue;
        if (subscriptions_has_about(subscriptions, filter) ||
            !topic_filter_parse(&subscriptions->about[at], filter)) {
            free(filter);
            continue;
        }
        subscriptions->about_texts[at] = filter;
        subscriptions->about_count++;
    }
}

bool subscriptions_has(const struct subscriptions *subscriptions, const char *filter)
{
    return find(subscriptions, filter) < subscriptions->count;
}

bool subscriptions_cover(const struct subscriptions *subscriptions, const char *topic)
{
    size_t i = 0;

    while (i < subscriptions->count &&
           !topic_filter_covers(
               subscriptions->texts[i] + topic_share_bytes(subscriptions->texts[i]), topic))
        i++;
    return i < subscriptions->count;
}

void subscriptions_join(const struct subscriptions *subscriptions, const char *between,
                        struct buffer *out)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        if (i > 0)
            buffer_put_text(out, between);
        buffer_put_text(out, subscriptions->texts[i]);
    }
}

void subscriptions_release(struct subscriptions *subscriptions)
{
    for (size_t i = 0; i < subscriptions->count; i++)
        free(subscriptions->texts[i]);
    for (size_t i = 0; i < subscriptions->about_count; i++)
        free(subscriptions->about_texts[i]);
    free(subscriptions->contract_text);
    free(subscriptions->text);
    *subscriptions = (struct subscriptions){0};
}
