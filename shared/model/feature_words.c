/* Brackets, since none of them can stand in a name, and since people write units so. Rejected: a setting
 * of its own for units, which would be one more list to keep in step with FEATURES. */
#include "shared/model/feature_words.h"

#include "shared/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define HOW "write name[unit], name[unit|label] or name[|label]"

enum { SHOWN = 100 /* bytes of what is wrong */ };

static bool is_legal(const char *text, size_t bytes, size_t most)
{
    if (bytes == 0 || bytes > most || text[0] == ' ' || text[bytes - 1] == ' ')
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '[' || text[i] == ']' || text[i] == '|')
            return false;
    }
    return utf8_is_visible(text, bytes);
}

bool feature_unit_is_legal(const char *text, size_t bytes)
{
    return is_legal(text, bytes, FEATURE_UNIT_MAX);
}

bool feature_label_is_legal(const char *text, size_t bytes)
{
    return is_legal(text, bytes, FEATURE_LABEL_MAX);
}

size_t feature_item_bytes(const char *list)
{
    size_t bytes = strcspn(list, ",[");

    if (list[bytes] == '[')
        bytes += strcspn(list + bytes, "]");
    return bytes + strcspn(list + bytes, ",");
}

static void cut_blanks(const char **text, size_t *bytes)
{
    while (*bytes > 0 && **text == ' ') {
        ++*text;
        --*bytes;
    }
    while (*bytes > 0 && (*text)[*bytes - 1] == ' ')
        --*bytes;
}

static int shown(size_t bytes)
{
    return bytes < SHOWN ? (int)bytes : SHOWN;
}

static bool fail_word(const char *what, const char *legal, const char *name, const char *text,
                      size_t bytes, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "the %s \"%.*s\" of feature \"%s\" is not %s", what, shown(bytes),
             text, name, legal);
    return false;
}

bool feature_words_parse(struct features *out, size_t feature, const char *text, size_t bytes,
                         char *error, size_t error_bytes)
{
    const char *name = out->names[feature];
    const char *unit = text + 1;
    const char *bar;
    const char *label;
    size_t unit_bytes;
    size_t label_bytes;

    if (bytes == 0)
        return true;
    if (bytes < 2 || text[0] != '[' || text[bytes - 1] != ']') {
        snprintf(error, error_bytes,
                 "\"%.*s\" behind feature \"%s\" is not a pair of brackets: " HOW, shown(bytes),
                 text, name);
        return false;
    }
    bar = memchr(unit, '|', bytes - 2);
    label = bar ? bar + 1 : text + bytes - 1;
    unit_bytes = (size_t)((bar ? bar : label) - unit);
    label_bytes = (size_t)(text + bytes - 1 - label);
    cut_blanks(&unit, &unit_bytes);
    cut_blanks(&label, &label_bytes);
    if (unit_bytes == 0 && label_bytes == 0) {
        snprintf(error, error_bytes,
                 "the brackets of feature \"%s\" have neither a unit nor a label: " HOW, name);
        return false;
    }
    if (unit_bytes > 0 && !feature_unit_is_legal(unit, unit_bytes))
        return fail_word("unit", FEATURE_UNIT_LEGAL, name, unit, unit_bytes, error, error_bytes);
    if (label_bytes > 0 && !feature_label_is_legal(label, label_bytes))
        return fail_word("label", FEATURE_LABEL_LEGAL, name, label, label_bytes, error,
                         error_bytes);
    memcpy(out->units[feature], unit, unit_bytes);
    memcpy(out->labels[feature], label, label_bytes);
    return true;
}

void feature_words_add(struct features *out, size_t feature, const char *unit, const char *label)
{
    char *our_unit = out->units[feature];
    char *our_label = out->labels[feature];

    if (unit && !*our_unit && feature_unit_is_legal(unit, strlen(unit)))
        strcpy(our_unit, unit);
    if (label && !*our_label && feature_label_is_legal(label, strlen(label)))
        strcpy(our_label, label);
}
