#include "collector/threshold_list.h"

#include "shared/base/trim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOW "write feature>limit or feature<limit, such as temperature>90 or temperature>90~2"

enum { ITEM_SIZE = 100 };

static bool fail(char *error, size_t error_bytes, const char *item, const char *words)
{
    snprintf(error, error_bytes, "threshold \"%.*s\" %s: " HOW, ITEM_SIZE, item, words);
    return false;
}

/* A decimal, as JSON has it or with a +: strtod() alone would take nan, inf and hexadecimal, too. */
static bool parse_number(double *out, const char *text)
{
    char *end;

    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* `name` is the item, taken apart in place; `item` shows it. */
static bool parse_item(struct threshold_list *list, char *name, const char *item,
                       const struct features *features, char *error, size_t error_bytes)
{
    struct threshold *threshold = &list->items[list->count];
    size_t name_bytes = strcspn(name, "<>");
    char *limit = name[name_bytes] ? name + name_bytes + 1 : NULL;
    char *tilde = limit ? strchr(limit, '~') : NULL;
    double hysteresis = 0;

    if (!limit)
        return fail(error, error_bytes, item, "has neither > nor <");
    *threshold = (struct threshold){.is_below = name[name_bytes] == '<'};
    name[name_bytes] = '\0';
    if (tilde)
        *tilde = '\0';
    threshold->feature = features_find(features, trim(name, " "));
    if (threshold->feature == features->count)
        return fail(error, error_bytes, item, "begins with no feature of FEATURES or MAPPINGS");
    if (!parse_number(&threshold->limit, trim(limit, " ")))
        return fail(error, error_bytes, item, "has a limit that is no finite number");
    if (tilde && (!parse_number(&hysteresis, trim(tilde + 1, " ")) || hysteresis < 0))
        return fail(error, error_bytes, item, "has behind ~ no number of 0 or more");
    threshold->back = threshold->limit + (threshold->is_below ? hysteresis : -hysteresis);
    if (!isfinite(threshold->back))
        return fail(error, error_bytes, item, "would never be left");
    if (threshold_list_find(list, threshold->feature, threshold->is_below) < list->count)
        return fail(error, error_bytes, item, "is the second on this side of its feature");
    snprintf(threshold->text, sizeof(threshold->text), "%s%c%s%s%s", trim(name, " "),
             threshold->is_below ? '<' : '>', trim(limit, " "), hysteresis > 0 ? "~" : "",
             hysteresis > 0 ? trim(tilde + 1, " ") : "");
    list->count++;
    return true;
}

bool threshold_list_parse(struct threshold_list *out, const char *text,
                          const struct features *features, char *error, size_t error_bytes)
{
    struct threshold_list parsed = {0};

    while (*text) {
        size_t bytes = strcspn(text, ",");
        char item[ITEM_SIZE];
        char parts[ITEM_SIZE];

        snprintf(item, sizeof(item), "%.*s", bytes < ITEM_SIZE ? (int)bytes : ITEM_SIZE, text);
        if (bytes >= sizeof(item))
            return fail(error, error_bytes, item, "is too long");
        if (parsed.count == THRESHOLDS_MAX) {
            snprintf(error, error_bytes, "more than %d thresholds", THRESHOLDS_MAX);
            return false;
        }
        strcpy(parts, item);
        if (!parse_item(&parsed, parts, item, features, error, error_bytes))
            return false;
        text += bytes;
        if (*text == ',') {
            text++;
            if (!*text)
                return fail(error, error_bytes, "", "is empty");
        }
    }
    *out = parsed;
    return true;
}

size_t threshold_list_find(const struct threshold_list *list, size_t feature, bool is_below)
{
    size_t i = 0;

    while (i < list->count &&
           (list->items[i].feature != feature || list->items[i].is_below != is_below))
        i++;
    return i;
}
