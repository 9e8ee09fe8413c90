/* What a mapping says of what devices are called. Rare, so it is read plainly. */
#include "collector/decoders/about.h"
#include "collector/decoders/mapping_inner.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { ABOUTS_MAX = 10000 };

typedef enum reading_error (*put_fn)(struct about *out, const char *text, char *detail);

/* ---- one member ----------------------------------------------------------------------------- */

/* In place; as with numbers, white space around it is no part of it. */
static const char *trimmed(char *text)
{
    struct text_span span = {text, strlen(text)};

    span_trim(&span);
    text[span.text - text + (ptrdiff_t)span.bytes] = '\0';
    return span.text;
}

/* True unless it is wrong. */
static bool put_text(struct mapping_run *run, const struct text_rule *rule, struct about *about,
                     put_fn put)
{
    for (size_t i = 0; i < rule->count; i++) {
        const struct template *item = &rule->items[i];
        char space[MAPPING_NAME_SIZE];
        char detail[READING_DETAIL_SIZE];
        const char *text;

        if (!template_write(item, &run->found, &run->scope, space, sizeof(space))) {
            if (template_is_there(item, &run->found, &run->scope)) {
                mapping_fault(run, READING_BAD_ABOUT, "\"%s\" comes to more than %zu bytes",
                              item->text, sizeof(space) - 1);
                return false;
            }
            run->says_none |= template_is_null(item, &run->found);
            continue;
        }
        text = trimmed(space);
        if (!*text) {
            run->says_none = true;
        } else if (put(about, text, detail) != READING_OK) {
            mapping_fault(run, READING_BAD_ABOUT, "%s; tried \"%s\"", detail, item->text);
            return false;
        } else {
            return true;
        }
    }
    return true;
}

/* The same. */
static bool put_degrees(struct mapping_run *run, const struct about_rule *rule, struct about *about)
{
    char detail[READING_DETAIL_SIZE];
    double latitude;
    double longitude;
    enum mapping_reading_of outcome;

    if (rule->latitude.at.count == 0)
        return true;
    outcome = mapping_number(run, &rule->latitude, &latitude);
    if (outcome != mapping_number(run, &rule->longitude, &longitude)) {
        mapping_fault(run, READING_BAD_ABOUT,
                      "a location has both, latitude and longitude; tried \"%s\" and \"%s\"",
                      rule->latitude.at.items[0].text, rule->longitude.at.items[0].text);
        return false;
    }
    run->says_none |= outcome == VALUE_NONE;
    if (outcome != VALUE_THERE ||
        about_put_degrees(about, latitude, longitude, detail) == READING_OK)
        return true;
    mapping_fault(run, READING_BAD_ABOUT, "%s; tried \"%s\" and \"%s\"", detail,
                  rule->latitude.at.items[0].text, rule->longitude.at.items[0].text);
    return false;
}

static bool put_parts(struct mapping_run *run, const struct about_rule *rule, struct about *about)
{
    return put_text(run, &rule->label, about, about_put_label) &&
           put_text(run, &rule->group, about, about_put_group) &&
           put_text(run, &rule->location, about, about_put_location) &&
           put_degrees(run, rule, about) && (about->label || about->group || about->location);
}

static bool has_room(struct mapping_run *run)
{
    if (run->abouts.count < ABOUTS_MAX)
        return true;
    mapping_fault(run, READING_TOO_MANY_MEMBERS, "it says of more than %d devices what they are",
                  ABOUTS_MAX);
    return false;
}

void mapping_about_read(struct mapping_run *run, const struct mapping_rule *rule)
{
    struct about about = {0};
    char id[MAPPING_NAME_SIZE];

    if (put_parts(run, rule->about, &about) && mapping_read_device(run, rule, id) &&
        has_room(run)) {
        about.device = mem_strdup(id);
        abouts_add(&run->abouts, &about);
    } else {
        about_release(&about);
    }
}

/* ---- a message ------------------------------------------------------------------------------ */

/* By device, and then in the order of the message. */
static int compare(const void *a, const void *b)
{
    const struct about *one = *(const struct about *const *)a;
    const struct about *other = *(const struct about *const *)b;
    int order = strcmp(one->device, other->device);

    return order ? order : (one > other) - (one < other);
}

static void take_part(char **into, char *from)
{
    if (!from)
        return;
    free(*into);
    *into = from;
}

/* What a later member says takes the place of what an earlier one did. */
static void take_parts(struct about *into, const struct about *from)
{
    take_part(&into->label, from->label);
    take_part(&into->group, from->group);
    take_part(&into->location, from->location);
    free(from->device);
}

void mapping_about_close(struct mapping_run *run)
{
    size_t count = run->abouts.count;
    const struct about **sorted = mem_alloc(count * sizeof(struct about *));
    struct abouts merged = {0};

    for (size_t i = 0; i < count; i++)
        sorted[i] = &run->abouts.items[i];
    qsort(sorted, count, sizeof(sorted[0]), compare);
    for (size_t i = 0; i < count; i++) {
        struct about *last = i > 0 ? &merged.items[merged.count - 1] : NULL;

        if (last && strcmp(last->device, sorted[i]->device) == 0)
            take_parts(last, sorted[i]);
        else
            abouts_add(&merged, sorted[i]);
    }
    free(sorted);
    free(run->abouts.items);
    run->abouts = merged;
}

enum decoder_outcome mapping_about_take_back(struct mapping_run *run)
{
    for (size_t i = 0; i < run->mapping->rule_count; i++) {
        const struct mapping_rule *rule = &run->mapping->rules[i];
        char id[MAPPING_NAME_SIZE];

        if (rule->match_count == 0 && mapping_device_is_of_topic(&rule->device) &&
            mapping_read_device(run, rule, id))
            abouts_add(&run->abouts, &(struct about){.device = mem_strdup(id)});
    }
    return run->abouts.count > 0 || run->fault.count > 0 ? DECODER_READ : DECODER_SAYS_NONE;
}
