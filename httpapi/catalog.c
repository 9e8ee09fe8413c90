/* Collectors come and go, and after a reconnect nothing has been heard of any for a while. So what
 * they said stays until they say something else; and since any client of the broker may speak as
 * one, a feature counts only when the table has a column for it. */
#include "httpapi/catalog.h"

#include "shared/base/mem.h"
#include "shared/model/feature_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_BYTES = 300 };

struct catalog *catalog_new(const struct features *features, const struct intervals *intervals)
{
    struct catalog *catalog = mem_calloc(1, sizeof(*catalog));

    catalog->holds = 1;
    catalog->features = *features;
    catalog->intervals = *intervals;
    return catalog;
}

struct catalog *catalog_hold(struct catalog *catalog)
{
    catalog->holds++;
    return catalog;
}

void catalog_release(struct catalog *catalog)
{
    if (catalog && --catalog->holds == 0)
        free(catalog);
}

/* ---- names ---------------------------------------------------------------------------------- */

void catalog_add_feature(struct features *out, const char *name, const char *unit,
                         const char *label)
{
    size_t i = features_find(out, name);

    if (i == out->count) {
        if (i == FEATURES_MAX || !feature_name_is_legal(name, strlen(name)) ||
            feature_name_taken(name))
            return;
        strcpy(out->names[i], name);
        out->units[i][0] = out->labels[i][0] = '\0';
        out->count++;
    }
    feature_words_add(out, i, unit, label);
}

/* Appends a feature of another list, with what that says of it. */
static void add_feature_of(struct features *out, const struct features *of, size_t feature)
{
    catalog_add_feature(out, of->names[feature], of->units[feature], of->labels[feature]);
}

void catalog_add_features(struct features *out, const struct features *of)
{
    for (size_t i = 0; i < of->count; i++)
        add_feature_of(out, of, i);
}

void catalog_add_interval(struct intervals *out, const char *name, int64_t length_us)
{
    struct intervals one;
    char text[INTERVAL_NAME_MAX + 32];
    char error[ERROR_BYTES];

    if (out->count == INTERVALS_MAX || strlen(name) > INTERVAL_NAME_MAX ||
        name[strcspn(name, ",=")])
        return;
    if (length_us == INTERVAL_ALL_TIME)
        snprintf(text, sizeof(text), "%s", name);
    else
        snprintf(text, sizeof(text), "%s=%" PRId64 "us", name, length_us);
    if (intervals_parse(&one, text, error, sizeof(error)) &&
        intervals_find(out, name) == out->count)
        out->items[out->count++] = one.items[0];
}

void catalog_parse_columns(struct features *out, const char *columns)
{
    *out = (struct features){0};
    while (*columns) {
        struct features one;
        char item[FEATURE_NAME_MAX + FEATURE_UNIT_MAX + FEATURE_LABEL_MAX + sizeof("[|]")];
        char error[ERROR_BYTES];
        size_t bytes = feature_item_bytes(columns);

        snprintf(item, sizeof(item), "%.*s", (int)bytes, columns);
        if (bytes >= sizeof(item) || !features_parse(&one, item, error, sizeof(error)))
            item[strcspn(item, "[")] = '\0'; /* the comment is somebody else's */
        if (features_parse(&one, item, error, sizeof(error)))
            add_feature_of(out, &one, 0);
        columns += bytes + (columns[bytes] == ',');
    }
}

/* ---- the choice ----------------------------------------------------------------------------- */

void catalog_chooser_init(struct catalog_chooser *chooser, bool has_features, bool has_intervals)
{
    *chooser = (struct catalog_chooser){.has_features = has_features,
                                        .has_intervals = has_intervals,
                                        .is_settled = has_features && has_intervals};
}

static bool is_same(const struct catalog_offer *a, const struct features *features,
                    const struct intervals *intervals)
{
    if (a->features.count != features->count || a->intervals.count != intervals->count)
        return false;
    for (size_t i = 0; i < features->count; i++) {
        if (strcmp(a->features.names[i], features->names[i]) != 0 ||
            strcmp(a->features.units[i], features->units[i]) != 0 ||
            strcmp(a->features.labels[i], features->labels[i]) != 0)
            return false;
    }
    for (size_t i = 0; i < intervals->count; i++) {
        if (strcmp(a->intervals.items[i].name, intervals->items[i].name) != 0 ||
            a->intervals.items[i].length_us != intervals->items[i].length_us)
            return false;
    }
    return true;
}

/* What the catalog should be by what is known now. True when collectors say so. */
static bool find_candidate(const struct catalog_chooser *chooser, const struct catalog *current,
                           const struct catalog_offer *offer, const struct features *columns,
                           struct catalog_offer *out)
{
    struct features features = {0};

    *out = (struct catalog_offer){.features = current->features, .intervals = current->intervals};
    for (size_t i = 0; i < offer->features.count; i++) {
        size_t column = features_find(columns, offer->features.names[i]);

        if (column == columns->count)
            continue;
        add_feature_of(&features, &offer->features, i);
        add_feature_of(&features, columns, column);
    }
    if (features.count == 0 && !chooser->is_offered && !chooser->has_features && columns->count > 0)
        out->features = *columns;
    if (features.count == 0)
        return false;
    if (!chooser->has_features)
        out->features = features;
    if (!chooser->has_intervals && offer->intervals.count > 0)
        out->intervals = offer->intervals;
    return true;
}

/* Has it stood for long enough? The first of all need not. */
static bool is_stable(struct catalog_chooser *chooser, const struct catalog_offer *candidate,
                      uint64_t now_ms)
{
    if (!chooser->is_settled)
        return true;
    if (!chooser->is_waiting ||
        !is_same(&chooser->candidate, &candidate->features, &candidate->intervals)) {
        chooser->is_waiting = true;
        chooser->candidate = *candidate;
        chooser->since_ms = now_ms;
    }
    return now_ms - chooser->since_ms >= CATALOG_STABLE_MS;
}

struct catalog *catalog_choose(struct catalog_chooser *chooser, const struct catalog *current,
                               const struct catalog_offer *offer, const struct features *columns,
                               uint64_t now_ms)
{
    struct catalog_offer candidate;
    struct catalog *chosen = NULL;
    bool is_offered;

    if (chooser->has_features && chooser->has_intervals)
        return NULL;
    if (chooser->first_ms == 0)
        chooser->first_ms = now_ms;
    is_offered = find_candidate(chooser, current, offer, columns, &candidate);
    if (is_same(&candidate, &current->features, &current->intervals)) {
        chooser->is_waiting = false;
    } else if (is_stable(chooser, &candidate, now_ms)) {
        chosen = catalog_new(&candidate.features, &candidate.intervals);
        chooser->is_waiting = false;
    } else {
        return NULL;
    }
    chooser->is_offered |= is_offered;
    chooser->is_settled |= offer->is_complete || now_ms - chooser->first_ms >= CATALOG_GUESS_MS;
    return chosen;
}
