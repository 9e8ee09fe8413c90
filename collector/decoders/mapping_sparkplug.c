#include "collector/decoders/mapping_sparkplug.h"

#include "collector/decoders/mapping_inner.h"
#include "shared/model/reading_json_inner.h"

#include <stdio.h>
#include <string.h>

/* ---- topics of a mapping -------------------------------------------------------------------- */

enum { LEVELS = 5 };

static size_t split(const char *topic, struct text_span *levels)
{
    size_t count = 0;

    for (const char *at = topic; at && count <= LEVELS; count++) {
        const char *slash = strchr(at, '/');

        levels[count] = (struct text_span){at, slash ? (size_t)(slash - at) : strlen(at)};
        at = slash ? slash + 1 : NULL;
    }
    return count;
}

static bool is_rest(const struct text_span *level)
{
    return level->bytes > 2 && memcmp(level->text + level->bytes - 2, "*}", 2) == 0;
}

/* {type}, and nothing beside it. */
static bool is_name(const struct text_span *level)
{
    return level->bytes > 2 && level->text[0] == '{' && level->text[level->bytes - 1] == '}' &&
           !is_rest(level) && !memchr(level->text + 1, '{', level->bytes - 1);
}

const char *mapping_sparkplug_fault(const char *topic)
{
    struct text_span levels[LEVELS + 1];
    size_t count = split(topic, levels);

    if (levels[0].bytes != strlen(SPARKPLUG_NAMESPACE) ||
        memcmp(levels[0].text, SPARKPLUG_NAMESPACE, levels[0].bytes) != 0)
        return "does not begin with " SPARKPLUG_NAMESPACE
               "/, as topics of Sparkplug B do; nor can $share stand before it, since births and "
               "data have to come to the same collector";
    if (count < 4 || count > LEVELS || (is_rest(&levels[3]) && count == LEVELS))
        return "is neither " SPARKPLUG_NAMESPACE "/{group}/{type}/{edge} nor " SPARKPLUG_NAMESPACE
               "/{group}/{type}/{edge}/{device}";
    if (!is_name(&levels[2]))
        return "has no name in braces as its third level: births and deaths are needed to read "
               "data; \"only\" says which of them give readings";
    return NULL;
}

const char *mapping_sparkplug_node(const char *topic, struct arena *arena)
{
    struct text_span levels[LEVELS + 1];

    if (split(topic, levels) != LEVELS)
        return NULL;
    return arena_text(arena, topic, (size_t)(levels[3].text + levels[3].bytes - topic));
}

/* ---- deaths --------------------------------------------------------------------------------- */

/* A device that is named by what stands in a message is not known by its death. */
static const struct template *device_of(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->rule_count; i++) {
        if (mapping->rules[i].match_count == 0 &&
            mapping_device_is_of_topic(&mapping->rules[i].device))
            return &mapping->rules[i].device;
    }
    return NULL;
}

/* The mapping for data of the same device. */
static const struct mapping *find_mapping(struct mapping_run *run, const char *topic)
{
    for (size_t i = 0; i < run->mappings->count; i++) {
        const struct mapping *mapping = &run->mappings->items[i];

        if (mapping->payload == MAPPING_SPARKPLUG && !mapping->is_ignored && !mapping->is_about &&
            mapping->rule_count > 0 &&
            topic_pattern_match(&mapping->topic, topic, strlen(topic), run->scope.captures))
            return mapping;
    }
    return NULL;
}

static void put_time(struct mapping_run *run, const struct sparkplug_result *result,
                     struct mapping_words *words)
{
    int64_t us;

    if (!result->has_timestamp || result->timestamp_ms > (uint64_t)READING_LAST_US / 1000)
        return;
    us = (int64_t)result->timestamp_ms * 1000;
    words->has_time = reading_judge_time(run->rules, run->source.received_at_us,
                                         run->source.first_received_at_us, us) == READING_OK;
    words->time_us = words->has_time ? us : 0;
}

static void add_death(struct mapping_run *run, const struct sparkplug_death *death,
                      const struct sparkplug_result *result, const struct text_span *payload)
{
    enum { TOPIC_SIZE = 4 * SPARKPLUG_ID_MOST, ID_SIZE = 4 * DEVICE_ID_SIZE };
    struct mapping_words words = {.seq = -1, .status = STATUS_INACTIVE};
    const struct template *device;
    const struct mapping *mapping;
    char topic[TOPIC_SIZE];
    char id[ID_SIZE];

    snprintf(topic, sizeof(topic), SPARKPLUG_NAMESPACE "/%s/%s/%s%s%s", death->group,
             sparkplug_kind_text(*death->device ? SPARKPLUG_DDEATH : SPARKPLUG_NDEATH), death->edge,
             *death->device ? "/" : "", death->device);
    mapping = find_mapping(run, topic);
    device = mapping ? device_of(mapping) : NULL;
    if (!device || !mapping_put_device(run, device, id, sizeof(id)) ||
        !device_id_is_legal(id, strlen(id)))
        return;
    words.device = id;
    words.device_bytes = strlen(id);
    words.from = payload->text;
    words.to = payload->text + payload->bytes;
    put_time(run, result, &words);
    mapping_readings_add(&run->readings, &words);
}

static enum decoder_outcome read_deaths(struct mapping_run *run,
                                        const struct sparkplug_result *result, const char *topic,
                                        const struct text_span *payload)
{
    size_t count;
    const struct sparkplug_death *deaths = sparkplug_deaths(run->sparkplug, &count);

    for (size_t i = 0; i < count; i++)
        add_death(run, &deaths[i], result, payload);
    mapping_readings_close(&run->readings, (uint64_t)reading_content_hash(topic, strlen(topic)));
    return run->readings.count > 0 ? DECODER_READ : DECODER_NOT_MEANT;
}

/* ---- a message ------------------------------------------------------------------------------ */

bool mapping_sparkplug_is_meant(const struct mapping_run *run, const char *topic)
{
    return run->sparkplug &&
           strncmp(topic, SPARKPLUG_NAMESPACE "/", strlen(SPARKPLUG_NAMESPACE "/")) == 0;
}

static bool is_birth(const char *topic)
{
    enum sparkplug_message_kind kind = sparkplug_topic_parse(topic).kind;

    return kind == SPARKPLUG_NBIRTH || kind == SPARKPLUG_DBIRTH;
}

static const struct mapping *first_of_kind(const struct mappings *mappings)
{
    const struct mapping *mapping = mappings->items;

    while (mapping->payload != MAPPING_SPARKPLUG)
        mapping++;
    return mapping;
}

enum decoder_outcome mapping_sparkplug_begin(struct mapping_run *run, enum decoder_outcome wanted,
                                             const char *topic, const char *payload, size_t bytes,
                                             bool *is_done)
{
    const struct text_span all = {bytes > 0 ? payload : "", bytes};
    const struct sparkplug_message message = {.topic = topic,
                                              .payload = all.text,
                                              .bytes = bytes,
                                              .epoch = run->epoch,
                                              .now_us = run->source.received_at_us,
                                              .is_again = run->is_again,
                                              .is_at_most_once = run->is_at_most_once};
    bool is_ours = wanted == DECODER_READ && run->mapping->payload == MAPPING_SPARKPLUG;
    struct sparkplug_result result;
    enum sparkplug_outcome outcome;

    if (!run->mapping) /* what comes of the message all the same is of this kind */
        run->mapping = first_of_kind(run->mappings);
    buffer_clear(&run->json);
    outcome = sparkplug_take(run->sparkplug, &message, &run->json, &result);
    *is_done = is_ours || wanted != DECODER_READ;
    if (wanted == DECODER_NO_TOPIC)
        wanted = DECODER_NOT_MEANT;
    switch (outcome) {
    case SPARKPLUG_READ:
        *is_done = *is_done && !is_ours;
        return wanted;
    case SPARKPLUG_DIED:
        *is_done = true;
        return read_deaths(run, &result, topic, &all);
    case SPARKPLUG_NOTHING:
        return is_ours ? DECODER_NOT_MEANT : wanted;
    case SPARKPLUG_REJECTED:
        break;
    }
    if (!is_ours && !is_birth(topic))
        return wanted;
    *is_done = true;
    mapping_fault(run, result.error, "%s", result.detail);
    return DECODER_READ;
}
