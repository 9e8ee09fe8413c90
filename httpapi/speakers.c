/* Bytes are counted again when something was added, by looking at what is there: a version is held by
 * several spans, and a count kept along the way would have to know which was the last. */
#include "httpapi/speakers.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void speakers_init(struct speakers *speakers, size_t boards)
{
    *speakers = (struct speakers){.boards = boards};
}

bool speakers_is_known(const struct speakers *speakers, const char *id, size_t bytes)
{
    for (size_t i = 0; i < speakers->known_count; i++) {
        if (strncmp(speakers->known[i], id, bytes) == 0 && !speakers->known[i][bytes])
            return true;
    }
    return false;
}

void speakers_know(struct speakers *speakers, const struct roster_row *rows, size_t count)
{
    speakers->known = mem_realloc(speakers->known, (count + 1) * sizeof(speakers->known[0]));
    speakers->known_count = count;
    speakers->has_known = true;
    for (size_t i = 0; i < count; i++)
        strcpy(speakers->known[i], rows[i].id);
    for (size_t i = 0; i < speakers->count; i++) {
        struct speaker *speaker = speakers->items[i];

        speaker->is_known = speakers_is_known(speakers, speaker->id, strlen(speaker->id));
    }
}

bool speakers_may_speak(struct speakers *speakers, const char *id, size_t bytes, uint64_t now_ms)
{
    if (!speakers->has_known || bytes >= DEVICE_ID_SIZE || speakers_is_known(speakers, id, bytes))
        return true;
    if (speakers->second != now_ms / 1000)
        speakers->of_strangers = 0;
    speakers->second = now_ms / 1000;
    return speakers->of_strangers++ < STRANGERS_PER_SECOND;
}

struct speaker *speakers_find(const struct speakers *speakers, const char *id, size_t bytes)
{
    for (size_t i = 0; i < speakers->count; i++) {
        struct speaker *speaker = speakers->items[i];

        if (strncmp(speaker->id, id, bytes) == 0 && !speaker->id[bytes])
            return speaker;
    }
    return NULL;
}

void speaker_note(struct speaker *speaker, const struct collector_status *status, bool is_retained,
                  int64_t now_us)
{
    int64_t since_us = is_retained ? status->as_of_us : now_us;

    if (!speaker->shown || speaker->state != status->state || speaker->lacks != status->lacks)
        speaker->state_us = since_us <= now_us ? since_us : 0;
    speaker->state = status->state;
    speaker->lacks = status->lacks;
    speaker->beyond = status->beyond;
    speaker->uncommitted_us =
        status->oldest_ms > 0 && status->oldest_ms < now_us / 1000 && !is_retained
            ? now_us - status->oldest_ms * 1000
            : 0;
}

bool speaker_is_there(const struct speaker *speaker, uint64_t now_ms)
{
    return speaker->state != COLLECTOR_STOPPED && speaker->state != COLLECTOR_LOST &&
           speaker->is_heard && now_ms < speaker->heard_ms + BOARD_CACHE_LIVE_MS;
}

bool speaker_is_live(const struct speaker *speaker, uint64_t now_ms)
{
    return speaker->state == COLLECTOR_LIVE && speaker_is_there(speaker, now_ms);
}

static int compare_ids(const void *a, const void *b)
{
    const struct speaker *const *first = a;
    const struct speaker *const *second = b;

    return strcmp((*first)->id, (*second)->id);
}

static void add_kept(struct catalog_offer *out, const struct catalog_offer *kept)
{
    catalog_add_features(&out->features, &kept->features);
    for (size_t i = 0; i < kept->intervals.count; i++)
        catalog_add_interval(&out->intervals, kept->intervals.items[i].name,
                             kept->intervals.items[i].length_us);
}

static bool has_heard_all(const struct speakers *speakers)
{
    for (size_t i = 0; i < speakers->known_count; i++) {
        if (!speakers_find(speakers, speakers->known[i], strlen(speakers->known[i])))
            return false;
    }
    return speakers->has_known;
}

void speakers_offer(const struct speakers *speakers, uint64_t now_ms, struct catalog_offer *out)
{
    const struct speaker *sorted[BOARD_CACHE_COLLECTORS_MAX];
    bool is_anyone_there = false;
    size_t count = 0;

    for (size_t i = 0; i < speakers->count; i++) {
        const struct speaker *speaker = speakers->items[i];

        if (speaker->kept.features.count == 0 || (speakers->has_known && !speaker->is_known))
            continue;
        sorted[count++] = speaker;
        is_anyone_there |= speaker_is_there(speaker, now_ms);
    }
    if (count > 1)
        qsort(sorted, count, sizeof(sorted[0]), compare_ids);
    *out = (struct catalog_offer){.is_complete = has_heard_all(speakers)};
    for (size_t i = 0; i < count; i++) {
        if (!is_anyone_there || speaker_is_there(sorted[i], now_ms))
            add_kept(out, &sorted[i]->kept);
    }
}

static void free_speaker(const struct speakers *speakers, struct speaker *speaker)
{
    for (size_t i = 0; i < speakers->boards; i++)
        board_version_release(speaker->latest[i]);
    for (size_t i = 0; i < speaker->span_count; i++)
        span_release(speaker->spans[i]);
    free(speaker->latest);
    free(speaker->shown);
    free(speaker);
}

void speakers_clear(struct speakers *speakers)
{
    for (size_t i = 0; i < speakers->count; i++)
        free_speaker(speakers, speakers->items[i]);
    speakers->count = 0;
}

void speakers_release(struct speakers *speakers)
{
    speakers_clear(speakers);
    free(speakers->known);
    *speakers = (struct speakers){0};
}

void speakers_drop(struct speakers *speakers, struct speaker *gone)
{
    for (size_t i = 0; i < speakers->count; i++) {
        if (speakers->items[i] == gone) {
            speakers->items[i] = speakers->items[--speakers->count];
            free_speaker(speakers, gone);
            return;
        }
    }
}

/* The stranger that has been silent for longest, other than `but`; NULL when there is none. */
static struct speaker *oldest_stranger(const struct speakers *speakers, const struct speaker *but)
{
    struct speaker *oldest = NULL;

    for (size_t i = 0; i < speakers->count; i++) {
        struct speaker *speaker = speakers->items[i];

        if (speaker == but || speaker->is_known)
            continue;
        if (!oldest || speaker->spoke < oldest->spoke)
            oldest = speaker;
    }
    return oldest;
}

struct speaker *speakers_find_or_add(struct speakers *speakers, const char *id, size_t bytes)
{
    struct speaker *speaker = NULL;

    if (!device_id_is_legal(id, bytes))
        return NULL;
    speaker = speakers_find(speakers, id, bytes);
    if (!speaker) {
        if (speakers->count == BOARD_CACHE_COLLECTORS_MAX && oldest_stranger(speakers, NULL))
            speakers_drop(speakers, oldest_stranger(speakers, NULL));
        if (speakers->count == BOARD_CACHE_COLLECTORS_MAX)
            return NULL;
        speaker = mem_calloc(1, sizeof(*speaker));
        memcpy(speaker->id, id, bytes);
        speaker->is_known = speakers_is_known(speakers, id, bytes);
        speaker->latest = mem_calloc(speakers->boards + 1, sizeof(speaker->latest[0]));
        speakers->items[speakers->count++] = speaker;
    }
    speaker->spoke = ++speakers->spoken;
    return speaker;
}

static void drop_oldest_span(struct speaker *speaker)
{
    span_release(speaker->spans[0]);
    speaker->span_count--;
    memmove(speaker->spans, speaker->spans + 1, speaker->span_count * sizeof(speaker->spans[0]));
}

void speaker_add_span(struct speaker *speaker, struct span *span, uint64_t now_ms)
{
    while (speaker->span_count > 0 && (speaker->span_count == BOARD_CACHE_SPANS_MAX ||
                                       speaker->spans[0]->heard_ms + BOARD_CACHE_LIVE_MS < now_ms))
        drop_oldest_span(speaker);
    speaker->spans[speaker->span_count++] = span;
}

/* A version that two spans in a row hold counts once. */
static size_t bytes_of(const struct speakers *speakers, const struct speaker *speaker)
{
    struct board_version **next = speaker->latest;
    size_t bytes = sizeof(*speaker) + (speaker->shown ? strlen(speaker->shown) : 0);

    for (size_t i = 0; i < speakers->boards; i++)
        bytes += next[i] ? next[i]->board.bytes : 0;
    for (size_t s = speaker->span_count; s-- > 0;) {
        const struct span *span = speaker->spans[s];

        bytes += span->bytes;
        for (size_t i = 0; i < speakers->boards; i++) {
            if (span->versions[i] && span->versions[i] != next[i])
                bytes += span->versions[i]->board.bytes;
        }
        next = span->versions;
    }
    return bytes;
}

static size_t bytes_of_strangers(const struct speakers *speakers)
{
    size_t bytes = 0;

    for (size_t i = 0; i < speakers->count; i++)
        bytes += speakers->items[i]->is_known ? 0 : speakers->items[i]->bytes;
    return bytes;
}

bool speakers_fit(struct speakers *speakers, struct speaker *speaker)
{
    size_t most = speaker->is_known ? SPEAKER_KEEPS_MOST : STRANGERS_KEEP_MOST;

    speaker->bytes = bytes_of(speakers, speaker);
    while (speaker->bytes > most && speaker->span_count > 1) {
        drop_oldest_span(speaker);
        speaker->bytes = bytes_of(speakers, speaker);
    }
    while (!speaker->is_known && bytes_of_strangers(speakers) > STRANGERS_KEEP_MOST) {
        struct speaker *victim = oldest_stranger(speakers, speaker);

        speakers_drop(speakers, victim ? victim : speaker);
        if (!victim)
            return false;
    }
    return true;
}
