/* Kept by topic, since that is what a message takes away; sorted only as far as a page goes, for nobody
 * looks most of the time. Rejected: a table that collectors keep; it would be written to at every
 * crossing, beside the message that already says all of it, and the two could differ. */
#include "httpapi/crossings.h"

#include "shared/base/hash.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"
#include "shared/model/topic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "collectors/"
#define PART "/thresholds/"

struct crossing_source {
    char id[DEVICE_ID_SIZE];
    size_t count;
    bool is_shown; /* on the page that is being made */
};

struct crossings {
    struct crossing **buckets; /* a power of two of them */
    size_t bucket_count;
    size_t count;
    uint64_t messages; /* of all connections */
    uint64_t bad_messages;
    size_t source_count;
    struct crossing_source *sources[BOARD_CACHE_COLLECTORS_MAX];
};

struct crossings *crossings_new(void)
{
    return mem_calloc(1, sizeof(struct crossings));
}

void crossings_forget(struct crossings *crossings)
{
    for (size_t i = 0; i < crossings->bucket_count; i++) {
        struct crossing *next;

        for (struct crossing *at = crossings->buckets[i]; at; at = next) {
            next = at->next;
            free(at);
        }
    }
    for (size_t i = 0; i < crossings->source_count; i++)
        free(crossings->sources[i]);
    free(crossings->buckets);
    *crossings = (struct crossings){.messages = crossings->messages,
                                    .bad_messages = crossings->bad_messages};
}

void crossings_free(struct crossings *crossings)
{
    crossings_forget(crossings);
    free(crossings);
}

size_t crossings_count(const struct crossings *crossings)
{
    return crossings->count;
}

const char *crossing_device(const struct crossing *crossing)
{
    return strchr(crossing->text + crossing->feature_bytes + 1, '/') + 1;
}

const char *crossing_collector(const struct crossing *crossing)
{
    return crossing->source->id;
}

/* ---- what a message says ------------------------------------------------------------------------ */

bool crossings_have(const char *topic)
{
    const char *rest =
        strncmp(topic, HEAD, strlen(HEAD)) == 0 ? strchr(topic + strlen(HEAD), '/') : NULL;

    return rest && strncmp(rest, PART, strlen(PART)) == 0;
}

/* Of a topic that crossings_have(): whose it is, and behind that feature/side/device. */
static bool split(const char *topic, char *id, const char **text, struct crossing *said)
{
    const char *of = topic + strlen(HEAD);
    const char *end = strchr(of, '/');
    const char *feature = end + strlen(PART);
    const char *side = strchr(feature, '/');
    const char *device = side ? strchr(side + 1, '/') : NULL;

    if (!device || !device_id_is_legal(of, (size_t)(end - of)) ||
        !feature_name_is_legal(feature, (size_t)(side - feature)) ||
        !device_id_is_legal(device + 1, strlen(device + 1)))
        return false;
    said->is_below = strncmp(side, "/below/", 7) == 0;
    if (!said->is_below && strncmp(side, "/above/", 7) != 0)
        return false;
    snprintf(id, DEVICE_ID_SIZE, "%.*s", (int)(end - of), of);
    said->feature_bytes = (uint8_t)(side - feature);
    *text = feature;
    return true;
}

/* {"deviceId":...,"feature":...,"above":90,"value":91.5,"timestamp":"..."}: what the topic does not say. */
static bool parse(const void *payload, size_t bytes, struct crossing *said)
{
    struct json_token root;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    bool has_time = false;

    if (bytes > CROSSINGS_PAYLOAD_MAX_BYTES || json_walk_open(&root, payload, bytes) != JSON_OK ||
        root.kind != JSON_OBJECT || !json_walk_is_sound(&root, 16, NULL))
        return false;
    said->value = said->limit = NAN;
    json_walk_init(&walk, &root);
    while (json_walk_next(&walk, &name, &value)) {
        name.kind = JSON_STRING;
        if (json_token_is(&name, "timestamp", 9) && value.kind == JSON_STRING)
            has_time = json_token_timestamp(&value, &said->since_us);
        else if (json_token_is(&name, "value", 5) && value.kind == JSON_NUMBER)
            said->value = json_token_number(&value);
        else if (json_token_is(&name, said->is_below ? "below" : "above", 5) &&
                 value.kind == JSON_NUMBER)
            said->limit = json_token_number(&value);
    }
    return has_time && isfinite(said->value) && isfinite(said->limit);
}

/* ---- kept --------------------------------------------------------------------------------------- */

static struct crossing **find(struct crossings *crossings, uint64_t hash, const char *id,
                              const char *text)
{
    struct crossing **at = &crossings->buckets[hash & (crossings->bucket_count - 1)];

    while (*at && ((*at)->hash != hash || strcmp((*at)->text, text) != 0 ||
                   strcmp((*at)->source->id, id) != 0))
        at = &(*at)->next;
    return at;
}

static void take_out(struct crossings *crossings, struct crossing **at)
{
    struct crossing *gone = *at;

    *at = gone->next;
    gone->source->count--;
    crossings->count--;
    free(gone);
}

static void grow(struct crossings *crossings)
{
    struct crossing **before = crossings->buckets;
    size_t count = crossings->bucket_count;

    if (crossings->count < count)
        return;
    crossings->bucket_count = count ? 2 * count : 64;
    crossings->buckets = mem_calloc(crossings->bucket_count, sizeof(before[0]));
    for (size_t i = 0; i < count; i++) {
        struct crossing *next;

        for (struct crossing *at = before[i]; at; at = next) {
            struct crossing **bucket =
                &crossings->buckets[at->hash & (crossings->bucket_count - 1)];

            next = at->next;
            at->next = *bucket;
            *bucket = at;
        }
    }
    free(before);
}

/* Before the database has said who they are nobody is a stranger. */
static void drop_strangers(struct crossings *crossings, const struct speakers *speakers)
{
    for (size_t i = 0; i < crossings->source_count; i++) {
        struct crossing_source *source = crossings->sources[i];

        source->is_shown =
            !speakers->has_known || speakers_is_known(speakers, source->id, strlen(source->id));
    }
    for (size_t i = 0; i < crossings->bucket_count; i++) {
        for (struct crossing **at = &crossings->buckets[i]; *at;) {
            if ((*at)->source->is_shown)
                at = &(*at)->next;
            else
                take_out(crossings, at);
        }
    }
    for (size_t i = 0; i < crossings->source_count;) {
        if (crossings->sources[i]->is_shown) {
            i++;
            continue;
        }
        free(crossings->sources[i]);
        crossings->sources[i] = crossings->sources[--crossings->source_count];
    }
}

static struct crossing_source *find_source(const struct crossings *crossings, const char *id)
{
    for (size_t i = 0; i < crossings->source_count; i++) {
        if (strcmp(crossings->sources[i]->id, id) == 0)
            return crossings->sources[i];
    }
    return NULL;
}

/* NULL when there is no room for another one. */
static struct crossing_source *find_or_add_source(struct crossings *crossings, const char *id)
{
    struct crossing_source *source = find_source(crossings, id);

    if (source || crossings->source_count == BOARD_CACHE_COLLECTORS_MAX)
        return source;
    source = mem_calloc(1, sizeof(*source));
    snprintf(source->id, sizeof(source->id), "%s", id);
    crossings->sources[crossings->source_count++] = source;
    return source;
}

static bool put(struct crossings *crossings, const struct speakers *speakers, uint64_t hash,
                const char *id, const char *text, const struct crossing *said)
{
    size_t text_bytes = strlen(text) + 1;
    struct crossing **bucket;
    struct crossing_source *source;
    struct crossing *made;

    if (crossings->count == CROSSINGS_MAX ||
        (crossings->source_count == BOARD_CACHE_COLLECTORS_MAX && !find_source(crossings, id)))
        drop_strangers(crossings, speakers);
    source = crossings->count < CROSSINGS_MAX ? find_or_add_source(crossings, id) : NULL;
    if (!source)
        return false;
    grow(crossings);
    made = mem_calloc(1, sizeof(*made) + text_bytes);
    *made = *said;
    memcpy(made->text, text, text_bytes);
    made->hash = hash;
    made->source = source;
    bucket = &crossings->buckets[hash & (crossings->bucket_count - 1)];
    made->next = *bucket;
    *bucket = made;
    source->count++;
    crossings->count++;
    return true;
}

static bool apply(struct crossings *crossings, const struct speakers *speakers, const char *topic,
                  const void *payload, size_t bytes, const char **fault)
{
    uint64_t hash = hash_bytes(topic, strlen(topic));
    struct crossing said = {0};
    struct crossing **at;
    char id[DEVICE_ID_SIZE];
    const char *text;

    *fault = "no threshold of a device has such a topic";
    if (!split(topic, id, &text, &said))
        return false;
    grow(crossings);
    at = find(crossings, hash, id, text);
    *fault = "it does not say what crossed which threshold, and when";
    if (bytes > 0 && !parse(payload, bytes, &said))
        return false;
    if (*at && bytes > 0) {
        (*at)->since_us = said.since_us;
        (*at)->value = said.value;
        (*at)->limit = said.limit;
        return true;
    }
    if (*at)
        take_out(crossings, at);
    *fault = "there are too many";
    return bytes == 0 || put(crossings, speakers, hash, id, text, &said);
}

bool crossings_apply(struct crossings *crossings, const struct speakers *speakers,
                     const char *topic, const void *payload, size_t bytes, const char **fault)
{
    bool is_applied = apply(crossings, speakers, topic, payload, bytes, fault);

    crossings->messages += is_applied;
    crossings->bad_messages += !is_applied;
    return is_applied;
}

uint64_t crossings_message_count(const struct crossings *crossings, bool bad)
{
    return bad ? crossings->bad_messages : crossings->messages;
}

/* ---- a page ------------------------------------------------------------------------------------- */

static int compare(const struct crossing *a, int64_t since_us, int64_t hash)
{
    if (a->since_us != since_us)
        return a->since_us < since_us ? -1 : 1;
    return (int64_t)a->hash < hash ? -1 : (int64_t)a->hash > hash;
}

/* Whether `a` comes before `b` on a page. */
static bool is_before(const struct crossing *a, const struct crossing *b, bool is_newest_first)
{
    int order = compare(a, b->since_us, (int64_t)b->hash);

    return is_newest_first ? order > 0 : order < 0;
}

static bool is_meant(const struct crossing *crossing, const struct crossings_question *question)
{
    return crossing->source->is_shown &&
           (!question->is_of_side || crossing->is_below == question->is_below) &&
           (!question->feature ||
            (strlen(question->feature) == crossing->feature_bytes &&
             strncmp(question->feature, crossing->text, crossing->feature_bytes) == 0)) &&
           (!question->is_wanted ||
            question->is_wanted(question->wanted, crossing_device(crossing)));
}

static bool is_behind(const struct crossing *crossing, const struct crossings_question *question)
{
    const struct params_cursor *after = question->after;
    int order;

    if (!after->is_given)
        return true;
    order = compare(crossing, after->recorded_at_us, after->content_hash);
    return question->is_newest_first ? order < 0 : order > 0;
}

/* A heap of those that come first, its root the last of them. */
static void sift_down(const struct crossing **items, size_t count, size_t at, bool is_newest_first)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        const struct crossing *moved = items[at];

        if (child + 1 < count && is_before(items[child], items[child + 1], is_newest_first))
            child++;
        if (!is_before(moved, items[child], is_newest_first))
            return;
        items[at] = items[child];
        items[child] = moved;
    }
}

static void sift_up(const struct crossing **items, size_t at, bool is_newest_first)
{
    for (; at > 0 && is_before(items[(at - 1) / 2], items[at], is_newest_first);
         at = (at - 1) / 2) {
        const struct crossing *moved = items[at];

        items[at] = items[(at - 1) / 2];
        items[(at - 1) / 2] = moved;
    }
}

static void offer(struct crossings_page *page, const struct crossing *crossing,
                  const struct crossings_question *question)
{
    bool is_newest_first = question->is_newest_first;

    if (page->count < question->limit) {
        page->items[page->count++] = crossing;
        sift_up(page->items, page->count - 1, is_newest_first);
        return;
    }
    page->has_more = true;
    if (is_before(crossing, page->items[0], is_newest_first)) {
        page->items[0] = crossing;
        sift_down(page->items, page->count, 0, is_newest_first);
    }
}

/* The root is the last one of what is left, again and again. */
static void sort(struct crossings_page *page, bool is_newest_first)
{
    for (size_t left = page->count; left > 1;) {
        const struct crossing *last = page->items[0];

        page->items[0] = page->items[--left];
        page->items[left] = last;
        sift_down(page->items, left, 0, is_newest_first);
    }
}

static bool is_same_threshold(const struct crossing *a, const struct crossing *b)
{
    return a->is_below == b->is_below && a->limit == b->limit &&
           a->feature_bytes == b->feature_bytes && memcmp(a->text, b->text, a->feature_bytes) == 0;
}

static void count(struct crossings_page *page, const struct crossing *crossing)
{
    size_t i = 0;

    page->total++;
    while (i < page->threshold_count && !is_same_threshold(page->thresholds[i].one, crossing))
        i++;
    if (i == CROSSING_COUNTS_MAX)
        return;
    if (i == page->threshold_count)
        page->thresholds[page->threshold_count++] = (struct crossing_count){.one = crossing};
    page->thresholds[i].devices++;
}

/* Marks whose are shown. False while one of those has said another count than has come. */
static bool mark_sources(struct crossings *crossings, const struct speakers *speakers,
                         uint64_t now_ms)
{
    bool is_complete = true;

    for (size_t i = 0; i < crossings->source_count; i++) {
        struct crossing_source *source = crossings->sources[i];
        const struct speaker *speaker = speakers_find(speakers, source->id, strlen(source->id));

        source->is_shown = speaker && speaker->is_known && speaker_is_live(speaker, now_ms);
    }
    for (size_t i = 0; i < speakers->count; i++) {
        const struct speaker *speaker = speakers->items[i];
        const struct crossing_source *source = find_source(crossings, speaker->id);

        if (speaker->is_known && speaker_is_live(speaker, now_ms) &&
            speaker->beyond != (source ? (int64_t)source->count : 0))
            is_complete = false;
    }
    return is_complete;
}

void crossings_ask(struct crossings *crossings, const struct speakers *speakers, uint64_t now_ms,
                   const struct crossings_question *question, struct crossings_page *out)
{
    out->count = out->total = out->threshold_count = 0;
    out->has_more = false;
    out->is_complete = mark_sources(crossings, speakers, now_ms);
    for (size_t i = 0; i < crossings->bucket_count; i++) {
        for (const struct crossing *at = crossings->buckets[i]; at; at = at->next) {
            if (!is_meant(at, question))
                continue;
            count(out, at);
            if (is_behind(at, question))
                offer(out, at, question);
        }
    }
    sort(out, question->is_newest_first);
}

void crossings_put_devices(struct crossings *crossings, const struct speakers *speakers,
                           uint64_t now_ms, const struct crossings_question *question,
                           struct buffer *out)
{
    const char *before = "[";

    mark_sources(crossings, speakers, now_ms);
    for (size_t i = 0; i < crossings->bucket_count; i++) {
        for (const struct crossing *at = crossings->buckets[i]; at; at = at->next) {
            if (!is_meant(at, question))
                continue;
            buffer_put_text(out, before);
            before = ",";
            json_write_string(out, crossing_device(at));
        }
    }
    buffer_put_text(out, *before == '[' ? "[]" : "]");
}
