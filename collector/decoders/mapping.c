#include "collector/decoders/mapping.h"

#include "collector/decoders/mapping_inner.h"
#include "collector/decoders/mapping_sparkplug.h"
#include "collector/decoders/senml.h"
#include "collector/decoders/unpack.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"
#include "shared/model/reading_json_inner.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the features of readings --------------------------------------------------------------- */

/* By insertion: there are few, and it is done once. */
static void sort_names(size_t *sorted, const struct features *features)
{
    for (size_t i = 0; i < features->count; i++) {
        size_t at = i;

        while (at > 0 && strcmp(features->names[sorted[at - 1]], features->names[i]) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = i;
    }
}

void mappings_bind(struct mappings *mappings, const struct features *features)
{
    mappings->bound = features;
    mappings->positions =
        mem_realloc(mappings->positions, (mappings->feature_count + 1) * sizeof(size_t));
    for (size_t i = 0; i < mappings->feature_count; i++) {
        size_t at = features_find(features, mappings->features[i].name);

        mappings->positions[i] = at < features->count ? at : SIZE_MAX;
    }
    mappings->sorted = mem_realloc(mappings->sorted, (features->count + 1) * sizeof(size_t));
    sort_names(mappings->sorted, features);
}

const char *mappings_subscribe(const struct mappings *mappings, bool about_use,
                               struct subscriptions *out)
{
    const char *fault = NULL;

    for (size_t i = 0; i < mappings->count && !fault; i++) {
        const struct mapping *mapping = &mappings->items[i];

        if (mapping->is_about && about_use)
            fault = subscriptions_add_retained(out, mapping->subscription);
        else if (!mapping->is_ignored && !mapping->is_about)
            fault = subscriptions_add(out, mapping->subscription);
    }
    return fault;
}

bool mappings_have_sparkplug(const struct mappings *mappings)
{
    for (size_t i = 0; i < mappings->count; i++) {
        if (mappings->items[i].payload == MAPPING_SPARKPLUG)
            return true;
    }
    return false;
}

void mappings_release(struct mappings *mappings)
{
    for (size_t i = 0; i < mappings->count; i++) {
        for (size_t k = 0; k < mappings->items[i].rule_count; k++)
            places_release(&mappings->items[i].rules[k].places);
    }
    for (size_t i = 0; i < mappings->zone_count; i++)
        zone_free(mappings->zones[i]);
    free(mappings->zones);
    free(mappings->features);
    free(mappings->positions);
    free(mappings->sorted);
    arena_release(&mappings->arena);
    *mappings = (struct mappings){0};
}

void mapping_run_init(struct mapping_run *run, const struct mappings *mappings,
                      const struct reading_rules *rules)
{
    assert(mappings->bound == rules->features);
    *run = (struct mapping_run){.mappings = mappings, .rules = rules};
}

void mapping_run_release(struct mapping_run *run)
{
    mapping_readings_release(&run->readings);
    abouts_release(&run->abouts);
    found_release(&run->found);
    buffer_release(&run->json);
    buffer_release(&run->unpacked);
    free(run->values);
}

bool mapping_device_is_of_topic(const struct template *device)
{
    size_t i = 0;

    while (i < device->count && (device->parts[i].literal || device->parts[i].name >= 0))
        i++;
    return i == device->count;
}

/* Only the topic is believed: what the payload says may be what is wrong. */
static void find_faulty_device(struct mapping_run *run)
{
    const struct template *device =
        run->mapping && run->mapping->rule_count > 0 ? &run->mapping->rules[0].device : NULL;
    char *id = run->fault.device;

    if (!device || !mapping_device_is_of_topic(device) ||
        !mapping_put_device(run, device, id, sizeof(run->fault.device)) ||
        !device_id_is_legal(id, strlen(id)))
        id[0] = '\0';
}

void mapping_fault(struct mapping_run *run, enum reading_error error, const char *format, ...)
{
    va_list args;
    int bytes;

    if (run->fault.count++ > 0)
        return;
    run->fault.error = error;
    find_faulty_device(run);
    va_start(args, format);
    bytes = vsnprintf(run->fault.detail, sizeof(run->fault.detail), format, args);
    va_end(args);
    if (bytes >= (int)sizeof(run->fault.detail))
        strcpy(run->fault.detail + sizeof(run->fault.detail) - sizeof(" ..."), " ...");
}

/* ---- which mapping -------------------------------------------------------------------------- */

static bool has_only(const struct mapping *mapping, const struct text_span *captures)
{
    bool has = true;

    for (size_t i = 0; i < mapping->only_count && has; i++) {
        const struct only_rule *only = &mapping->only[i];

        has =
            mapping_is_one_of(&only->texts, captures[only->name].text, captures[only->name].bytes);
    }
    return has;
}

/* NULL: of none. */
static const struct mapping *mapping_of(const struct mappings *mappings, const char *topic,
                                        struct text_span *captures, bool *is_known)
{
    size_t bytes = strlen(topic);

    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = &mappings->items[i];

        if (!topic_pattern_match(&mapping->topic, topic, bytes, captures))
            continue;
        if (has_only(mapping, captures))
            return mapping;
        *is_known = true;
    }
    return NULL;
}

static enum decoder_outcome find_mapping(struct mapping_run *run, const char *topic)
{
    bool is_known = false;

    run->mapping = mapping_of(run->mappings, topic, run->scope.captures, &is_known);
    if (!run->mapping)
        return is_known ? DECODER_NOT_MEANT : DECODER_NO_TOPIC;
    return run->mapping->is_ignored ? DECODER_IGNORED : DECODER_READ;
}

bool mappings_are_about(const struct mappings *mappings, const char *topic)
{
    struct text_span captures[NAMES_MAX] = {0};
    bool is_known = false;
    const struct mapping *mapping = mapping_of(mappings, topic, captures, &is_known);

    return mapping && mapping->is_about;
}

/* ---- the payload as JSON -------------------------------------------------------------------- */

static bool scan_text(struct mapping_run *run, struct text_span span, struct json_token *root)
{
    span_trim(&span);
    for (size_t at = 0; at < span.bytes;) {
        size_t length = utf8_length((const unsigned char *)span.text + at, span.bytes - at);

        if (length == 0 || span.text[at] == '\0') {
            mapping_fault(run, length ? READING_NUL_CHARACTER : READING_INVALID_UTF8,
                          "at byte %zu of %zu", at, span.bytes);
            return false;
        }
        at += length;
    }
    *root = (struct json_token){.text = span.text, .bytes = span.bytes, .kind = JSON_STRING};
    return true;
}

static bool scan_json(struct mapping_run *run, struct text_span span, struct json_token *root)
{
    struct json_value value;
    char detail[READING_DETAIL_SIZE];
    size_t at;
    enum json_error (*scan)(const char *, size_t, size_t *, struct json_value *) =
        run->mapping->is_about ? json_scan_deep : json_scan_document;
    enum reading_error error = reading_error_of(scan(span.text, span.bytes, &at, &value));

    if (error) {
        reading_describe(detail, error, span.text, span.bytes, at);
        mapping_fault(run, error, "%s", detail);
        return false;
    }
    if (value.kind != JSON_OBJECT && value.kind != JSON_ARRAY)
        return json_walk_open(root, span.text, span.bytes) == JSON_OK;
    span_trim(&span);
    *root = (struct json_token){.text = span.text, .bytes = span.bytes, .kind = value.kind};
    return true;
}

static bool resolve_senml(struct mapping_run *run, struct json_token *root)
{
    char error[SENML_ERROR_SIZE];

    buffer_clear(&run->json);
    if (!senml_resolve(&run->json, root, run->source.first_received_at_us, error)) {
        mapping_fault(run, READING_WRONG_TYPE, "%s", error);
        return false;
    }
    *root = (struct json_token){
        .text = (const char *)run->json.data, .bytes = run->json.bytes, .kind = JSON_ARRAY};
    return true;
}

static bool unpack(struct mapping_run *run, struct json_token *root)
{
    buffer_clear(&run->unpacked);
    unpack_write(&run->unpacked, run->mapping->unpack, run->mapping->unpack_count, root);
    return json_walk_open(root, (const char *)run->unpacked.data, run->unpacked.bytes) == JSON_OK;
}

/* `sparkplug` has been JSON since mapping_sparkplug_begin(). */
static bool as_json(struct mapping_run *run, struct text_span payload, struct json_token *root)
{
    if (run->mapping->payload == MAPPING_SPARKPLUG) {
        *root = (struct json_token){
            .text = (const char *)run->json.data, .bytes = run->json.bytes, .kind = JSON_OBJECT};
        return true;
    }
    run->taken_off = reading_take_off(&payload.text, &payload.bytes);
    switch (run->mapping->payload) {
    case MAPPING_TEXT:
        return scan_text(run, payload, root);
    case MAPPING_SENML:
        return scan_json(run, payload, root) && resolve_senml(run, root);
    case MAPPING_JSON:
    case MAPPING_SPARKPLUG:
        break;
    }
    if (!scan_json(run, payload, root))
        return false;
    if (run->mapping->unpack_count == 0 || unpack(run, root))
        return true;
    mapping_fault(run, READING_TOO_DEEP, "more than %d levels when it is unpacked", JSON_MAX_DEPTH);
    return false;
}

/* ---- members -------------------------------------------------------------------------------- */

static void read_each(struct mapping_run *run, const struct mapping_rule *rule,
                      const struct json_token *item, const struct json_token *name, size_t depth);

static void read_every(struct mapping_run *run, const struct mapping_rule *rule,
                       const struct json_token *container, size_t depth)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token part;
    struct scope before = run->scope;
    int64_t position = 0;

    json_walk_init(&walk, container);
    while (json_walk_next(&walk, &name, &part)) {
        if (walk.is_object) {
            name.kind = JSON_STRING;
            run->scope.key = name;
        } else {
            run->scope.index = position++;
        }
        read_each(run, rule, &part, &name, depth + 1);
    }
    run->scope = before;
}

static void read_each(struct mapping_run *run, const struct mapping_rule *rule,
                      const struct json_token *item, const struct json_token *name, size_t depth)
{
    static const struct json_token no_name = {.text = ""};
    const struct json_step *step;
    struct json_token next;

    if (depth == rule->each.count) {
        mapping_member_read(run, rule, item, name);
        return;
    }
    step = &rule->each.steps[depth];
    if (!step->is_every && json_step_take(step, item, &next))
        read_each(run, rule, &next, &no_name, depth + 1);
    else if (step->is_every && (item->kind == JSON_OBJECT || item->kind == JSON_ARRAY))
        read_every(run, rule, item, depth);
}

static void reset(struct mapping_run *run, const struct reading_source *source)
{
    mapping_readings_clear(&run->readings);
    abouts_clear(&run->abouts);
    memset(run->scope.captures, 0, sizeof(run->scope.captures));
    run->scope.key.text = NULL;
    run->scope.index = -1;
    run->source = *source;
    run->fault.count = 0;
    run->mapping = NULL;
    run->says_none = false;
    run->is_meant = false;
    run->is_passed_over = false;
    run->found.is_exhausted = false;
    run->lacks_device = false;
    run->unknown_members = 0;
    run->taken = 0;
    run->taken_off = 0;
}

static enum decoder_outcome read_rules(struct mapping_run *run, const struct json_token *root,
                                       const char *topic)
{
    static const struct json_token no_name = {.text = ""};

    for (size_t i = 0; i < run->mapping->rule_count; i++) {
        const struct mapping_rule *rule = &run->mapping->rules[i];

        places_root(&rule->places, &run->found, root);
        read_each(run, rule, root, &no_name, 0);
    }
    if (run->found.is_exhausted)
        mapping_fault(run, READING_TOO_MANY_MEMBERS,
                      "its pointers with names in braces would walk over more than %d bytes",
                      PLACES_WALK_MOST);
    mapping_readings_close(&run->readings, (uint64_t)reading_content_hash(topic, strlen(topic)));
    if (run->abouts.count > 0)
        mapping_about_close(run);
    if (run->readings.count > 0 || run->abouts.count > 0 || run->fault.count > 0)
        return DECODER_READ;
    if (run->says_none)
        return DECODER_SAYS_NONE;
    if (run->is_passed_over && !run->is_meant)
        return DECODER_NOT_MEANT;
    /* it reports what has changed, which may be what nobody wants */
    if (run->mapping->payload == MAPPING_SPARKPLUG && !run->lacks_device)
        return DECODER_NOT_MEANT;
    mapping_fault_no_value(run, root);
    return DECODER_READ;
}

enum decoder_outcome mapping_begin(struct mapping_run *run, const struct reading_source *source,
                                   const char *topic, const char *payload, size_t bytes)
{
    enum decoder_outcome outcome;
    struct json_token root;
    bool is_done = false;

    reset(run, source);
    outcome = find_mapping(run, topic);
    if (mapping_sparkplug_is_meant(run, topic))
        outcome = mapping_sparkplug_begin(run, outcome, topic, payload, bytes, &is_done);
    if (outcome != DECODER_READ || is_done)
        return outcome;
    if (bytes == 0 && run->mapping->is_about)
        return mapping_about_take_back(run);
    if (!as_json(run, (struct text_span){bytes > 0 ? payload : "", bytes}, &root))
        return DECODER_READ;
    return read_rules(run, &root, topic);
}

/* ---- items ---------------------------------------------------------------------------------- */

static struct reading_item item_of(const struct mapping_run *run, const char *payload, size_t bytes)
{
    int64_t later_us = (int64_t)run->taken;

    return (struct reading_item){.bytes = payload,
                                 .length = bytes,
                                 .received_at_us = run->source.received_at_us + later_us,
                                 .first_received_at_us =
                                     run->source.first_received_at_us + later_us,
                                 .seq = -1,
                                 .detail = "",
                                 .unknown_members = run->taken == 0 ? run->unknown_members : 0};
}

static void take_reading(struct mapping_run *run, const char *payload, size_t bytes,
                         mapping_item_fn on_item, void *user)
{
    const struct mapping_reading *from = &run->readings.items[run->taken];
    struct reading_item item = item_of(run, payload, bytes);
    union reading_storage storage;

    mapping_readings_get(&run->readings, run->taken, run->rules->features->count,
                         run->source.first_received_at_us, &storage.reading);
    item.reading = &storage.reading;
    item.seq = from->seq;
    item.has_timestamp = from->has_time && !from->is_from_arrival;
    on_item(user, mapping_readings_device(&run->readings, run->taken), &item);
    run->taken++;
}

static void take_fault(struct mapping_run *run, const char *payload, size_t bytes,
                       mapping_item_fn on_item, void *user)
{
    struct reading_item item = item_of(run, payload, bytes);
    size_t used = strlen(run->fault.detail);

    if (run->fault.count > 1)
        snprintf(run->fault.detail + used, sizeof(run->fault.detail) - used,
                 "; and %zu more of this message", run->fault.count - 1);
    /* sent again it is to give the readings it would have given */
    item.first_received_at_us = run->source.first_received_at_us;
    item.error = run->fault.error;
    item.detail = run->fault.detail;
    on_item(user, run->fault.device[0] ? run->fault.device : NULL, &item);
    run->taken++;
}

bool mapping_take(struct mapping_run *run, const char *payload, size_t bytes, size_t most,
                  mapping_item_fn on_item, void *user)
{
    size_t count = run->readings.count + (run->fault.count > 0);

    for (size_t i = 0; run->taken < count && (i < most || i == 0); i++) {
        if (run->taken < run->readings.count)
            take_reading(run, payload, bytes, on_item, user);
        else
            take_fault(run, payload, bytes, on_item, user);
    }
    return run->taken < count;
}
