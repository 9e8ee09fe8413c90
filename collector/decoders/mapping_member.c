/* Values first: where there are none, nobody needs a device or a time, and what is wrong with them is
 * no fault. */
#include "collector/decoders/mapping_inner.h"

#include "collector/decoders/mapping_time.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/model/json_token.h"
#include "shared/model/reading_json_inner.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = MAPPING_NAME_SIZE };

/* ---- whether it is meant -------------------------------------------------------------------- */

static bool passes_when(struct mapping_run *run, const struct mapping_rule *rule)
{
    bool passes = true;

    for (size_t i = 0; i < rule->when_count && passes; i++) {
        const struct when_rule *when = &rule->whens[i];
        struct json_token token;
        struct json_text text;

        passes =
            place_find(&when->at, &run->found, &run->scope, &token) && scalar_text(&text, &token);
        if (passes) {
            passes = mapping_is_one_of(&when->texts, text.chars, strlen(text.chars));
            json_text_release(&text);
        }
    }
    return passes;
}

/* What the names stand for is part of the texts, which `space` holds. */
static bool passes_match(struct mapping_run *run, const struct mapping_rule *rule,
                         char space[NAME_SIZE])
{
    size_t used = 0;

    for (size_t i = 0; i < rule->match_count; i++) {
        const struct match_rule *match = &rule->matches[i];
        char *text = space + used;

        if (!template_write(&match->text, &run->found, &run->scope, text, NAME_SIZE - used) ||
            !topic_pattern_match(&match->pattern, text, strlen(text), run->scope.captures))
            return false;
        used += strlen(text) + 1;
    }
    return true;
}

/* ---- values --------------------------------------------------------------------------------- */

static void put_value(struct mapping_run *run, struct mapping_words *words, size_t feature,
                      double number)
{
    struct mapping_value *values = run->values;

    for (size_t i = 0; i < words->value_count; i++) {
        if (values[i].feature == feature)
            return;
    }
    values[words->value_count++] =
        (struct mapping_value){.number = number, .feature = (uint32_t)feature};
}

static void read_features(struct mapping_run *run, const struct mapping_rule *rule,
                          struct mapping_words *words)
{
    for (size_t i = 0; i < rule->feature_count; i++) {
        const struct feature_rule *feature = &rule->features[i];
        size_t position = run->mappings->positions[feature->feature];
        double number;

        switch (mapping_number(run, &feature->value, &number)) {
        case VALUE_THERE:
            if (position != SIZE_MAX)
                put_value(run, words, position, number);
            break;
        case VALUE_NONE:
            run->says_none = true;
            break;
        case VALUE_ABSENT:
            break;
        }
    }
}

static size_t find_name(const struct mapping_run *run, const char *name)
{
    const struct features *features = run->mappings->bound;
    size_t low = 0;
    size_t high = features->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(features->names[run->mappings->sorted[middle]], name);

        if (order == 0)
            return run->mappings->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

static int compare_rename(const void *key, const void *item)
{
    return strcmp(key, ((const struct rename_rule *)item)->from);
}

static void replace_slashes(char *text)
{
    for (; *text; text++) {
        if (*text == '/')
            *text = '.';
    }
}

static const struct rename_rule *find_rename(const struct named_rule *named, const char *name)
{
    return named->rename_count == 0 ? NULL
                                    : bsearch(name, named->renames, named->rename_count,
                                              sizeof(named->renames[0]), compare_rename);
}

/* The position of the feature that a name means; renames know it as it came, and with dots. */
static size_t feature_of(const struct mapping_run *run, const struct named_rule *named, char *name)
{
    const struct rename_rule *rename = find_rename(named, name);

    if (!rename && strchr(name, '/')) {
        replace_slashes(name);
        rename = find_rename(named, name);
    }
    return rename ? run->mappings->positions[rename->feature] : find_name(run, name);
}

static void note_unknown(struct mapping_run *run, const char *name)
{
    size_t bytes = strnlen(name, sizeof(run->unknown_name) - 1);

    memcpy(run->unknown_name, name, bytes);
    run->unknown_name[bytes] = '\0';
}

static void read_named(struct mapping_run *run, const struct mapping_rule *rule,
                       struct mapping_words *words)
{
    char name[NAME_SIZE];
    double number;
    size_t position;
    enum mapping_reading_of outcome;

    if (!rule->named.name.count)
        return;
    outcome = mapping_number(run, &rule->named.value, &number);
    if (outcome == VALUE_ABSENT ||
        !template_write(&rule->named.name, &run->found, &run->scope, name, sizeof(name)))
        return;
    if (outcome == VALUE_NONE) {
        run->says_none = true;
        return;
    }
    mapping_note(run, name, strlen(name));
    position = feature_of(run, &rule->named, name);
    if (position == SIZE_MAX) {
        if (run->unknown_members++ == 0)
            note_unknown(run, name);
        position = MAPPING_NO_FEATURE | (uint32_t)hash_bytes(name, strlen(name));
    }
    put_value(run, words, position, number);
}

static void read_status(struct mapping_run *run, const struct mapping_rule *rule,
                        struct mapping_words *words)
{
    if (rule->status.at.count > 0 &&
        mapping_status(run, &rule->status, &words->status) == VALUE_NONE)
        run->says_none = true;
}

/* ---- device and time ------------------------------------------------------------------------ */

static const char *shown(char out[72], const char *text)
{
    return log_escaped(out, 72, text, strlen(text));
}

/* Nearly all are of ASCII and short, and need no look at each character's kind. */
static bool is_plainly_legal(const char *id, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (id[i] <= ' ' || id[i] > '~' || id[i] == '/' || id[i] == '+' || id[i] == '#')
            return false;
    }
    return bytes > 2 && bytes <= DEVICE_ID_MAX_CHARACTERS;
}

bool mapping_put_device(struct mapping_run *run, const struct template *device, char *id,
                        size_t size)
{
    if (!template_write(device, &run->found, &run->scope, id, size))
        return false;
    replace_slashes(id);
    return true;
}

bool mapping_read_device(struct mapping_run *run, const struct mapping_rule *rule,
                         char id[MAPPING_NAME_SIZE])
{
    char text[72];
    size_t bytes;

    if (!mapping_put_device(run, &rule->device, id, NAME_SIZE)) {
        run->lacks_device = true;
        return false;
    }
    bytes = strlen(id);
    if (is_plainly_legal(id, bytes) || device_id_is_legal(id, bytes))
        return true;
    mapping_fault(run, READING_BAD_DEVICE_ID, "device \"%s\" is not " DEVICE_ID_LEGAL,
                  shown(text, id));
    return false;
}

static bool is_empty_text(const struct json_token *token)
{
    return token->kind == JSON_STRING && token->bytes == 0;
}

/* How much later than the first element this one is. */
static bool read_step(struct mapping_run *run, const struct time_rule *rule, int64_t *out_us)
{
    static const double most_s = 1e9;
    double step_s = rule->step.offset;
    double later_s;

    *out_us = 0;
    if (!rule->has_step || run->scope.index < 0)
        return true;
    if (rule->step.at.count > 0 && mapping_number(run, &rule->step, &step_s) != VALUE_THERE)
        return false;
    later_s = step_s * (double)run->scope.index;
    if (later_s > most_s || later_s < -most_s)
        return false;
    *out_us = (int64_t)(later_s * 1e6 + (later_s < 0 ? -0.5 : 0.5));
    return true;
}

static bool check_time(struct mapping_run *run, int64_t us)
{
    enum reading_error error = reading_judge_time(run->rules, run->source.received_at_us,
                                                  run->source.first_received_at_us, us);
    char detail[READING_DETAIL_SIZE];

    if (!error)
        return true;
    reading_describe_time(detail, run->rules, &run->source, us);
    mapping_fault(run, error, "%s", detail);
    return false;
}

static bool read_moment(struct mapping_run *run, const struct time_rule *rule,
                        const struct json_token *token, int64_t *out_us)
{
    struct json_text text;
    char short_text[72];
    int64_t later_us;
    bool is_time = mapping_time_read(out_us, token, rule->zone, rule->format,
                                     run->source.first_received_at_us);

    if (is_time && *out_us > READING_FIRST_US / 2 && *out_us < READING_LAST_US / 2) {
        if (read_step(run, rule, &later_us)) {
            *out_us += later_us;
            return true;
        }
        mapping_fault(run, READING_BAD_TIMESTAMP, "the step of the time is no number of seconds");
        return false;
    }
    if (!scalar_text(&text, token)) {
        mapping_fault(run, READING_BAD_TIMESTAMP, "the time is an object or an array");
        return false;
    }
    mapping_fault(
        run, READING_BAD_TIMESTAMP, "time \"%s\" is not %s%s", shown(short_text, text.chars),
        rule->format ? "as its format says: " : "RFC 3339, nor s, ms, us or ns since 1970",
        rule->format ? rule->format : "");
    json_text_release(&text);
    return false;
}

/* senml.h marks a time that is relative to now. */
static bool is_from_arrival(const struct mapping_run *run, const struct json_token *item)
{
    static const struct json_step arrival = {.name = "arrival", .bytes = 7, .position = -1};
    struct json_token token;

    return run->mapping->payload == MAPPING_SENML && json_step_take(&arrival, item, &token);
}

static bool read_time(struct mapping_run *run, const struct mapping_rule *rule,
                      const struct json_token *item, struct mapping_words *words)
{
    struct json_token token;

    if (!mapping_find(run, &rule->time.at, &token) || is_empty_text(&token))
        return true;
    if (!read_moment(run, &rule->time, &token, &words->time_us) || !check_time(run, words->time_us))
        return false;
    words->has_time = true;
    words->is_from_arrival = is_from_arrival(run, item);
    return true;
}

/* ---- one member ----------------------------------------------------------------------------- */

/* A string's token has no quotes. */
static void set_bytes(const struct mapping_run *run, struct mapping_words *words,
                      const struct json_token *item, const struct json_token *name)
{
    size_t quote = item->kind == JSON_STRING && run->mapping->payload != MAPPING_TEXT;

    words->from = name->bytes > 0 ? name->text - 1 : item->text - quote;
    words->to = item->text + item->bytes + quote;
}

void mapping_member_read(struct mapping_run *run, const struct mapping_rule *rule,
                         const struct json_token *item, const struct json_token *name)
{
    struct mapping_words words = {.seq = -1, .status = STATUS_ABSENT};
    char space[NAME_SIZE];
    char id[NAME_SIZE];

    run->values = mem_grow_zeroed(run->values, &run->value_capacity, rule->feature_count + 1,
                                  sizeof(run->values[0]));
    places_look(&rule->places, &run->found, item);
    if (!passes_when(run, rule) || !passes_match(run, rule, space)) {
        run->is_passed_over = true;
        return;
    }
    run->is_meant = true;
    if (rule->about) {
        mapping_about_read(run, rule);
        return;
    }
    run->said_elsewhere = 0;
    read_features(run, rule, &words);
    read_named(run, rule, &words);
    read_status(run, rule, &words);
    if (words.value_count == 0 && words.status == STATUS_ABSENT)
        return;
    words.said_elsewhere = run->said_elsewhere; /* a step is part of the time */
    if (!mapping_read_device(run, rule, id) || !read_time(run, rule, item, &words))
        return;
    words.device = id;
    words.device_bytes = strlen(id);
    words.values = run->values;
    words.seq = mapping_seq(run, &rule->seq);
    set_bytes(run, &words, item, name);
    if (!mapping_readings_add(&run->readings, &words))
        mapping_fault(run, READING_TOO_MANY_MEMBERS, "more than %d readings in one message",
                      MAPPING_READINGS_MAX);
}
