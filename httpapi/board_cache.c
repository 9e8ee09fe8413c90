/* A collector sends the boards that changed and then the status that names their generations, over
 * one connection. So of each board it is enough to keep the last that came, until a status names it;
 * what a status names and was not heard leaves a gap, and SQL answers. */
#include "httpapi/board_cache.h"

#include "httpapi/board_message.h"
#include "httpapi/speakers.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct board_cache {
    struct features features;
    struct intervals intervals;
    size_t boards; /* that can be asked for */
    uint64_t messages;
    uint64_t bad_messages;
    uint64_t generation;
    char fault[COLLECTOR_STATUS_FAULT_SIZE]; /* of the last that could not be taken */
    struct speakers speakers;
    struct weighing *weighed;  /* the last outcome; NULL before the first */
    struct weighing *standing; /* the last that was whole; NULL before the first */
    uint64_t weighed_ms;
    uint64_t until_ms; /* then the set is no longer current, unless something is heard */
    struct board_entry *scratch;
    size_t scratch_capacity;
};

/* ---- collectors ----------------------------------------------------------------------------- */

struct board_cache *board_cache_new(const struct features *features,
                                    const struct intervals *intervals)
{
    struct board_cache *cache = mem_calloc(1, sizeof(*cache));

    cache->features = *features;
    cache->intervals = *intervals;
    cache->boards = board_count(features, intervals);
    speakers_init(&cache->speakers, cache->boards);
    cache->generation = 1;
    return cache;
}

/* Until when the set is current: its collectors are live, and the table was asked not long ago. */
static void find_until(struct board_cache *cache, uint64_t now_ms)
{
    uint64_t until_ms = cache->weighed_ms + BOARD_CACHE_LIVE_MS;
    size_t merged = 0;

    for (size_t i = 0; i < cache->speakers.count; i++) {
        const struct speaker *collector = cache->speakers.items[i];

        if (!collector->is_merged)
            continue;
        merged++;
        if (!speaker_is_live(collector, now_ms))
            until_ms = 0;
        else if (collector->heard_ms + BOARD_CACHE_LIVE_MS < until_ms)
            until_ms = collector->heard_ms + BOARD_CACHE_LIVE_MS;
    }
    if (!cache->weighed || merged == 0 || merged < cache->weighed->count)
        until_ms = 0;
    if (until_ms == 0 && cache->until_ms != 0)
        cache->generation++;
    cache->until_ms = until_ms;
}

void board_cache_forget(struct board_cache *cache)
{
    speakers_clear(&cache->speakers);
    find_until(cache, 0);
}

void board_cache_renew(struct board_cache *cache, const struct features *features,
                       const struct intervals *intervals)
{
    speakers_clear(&cache->speakers);
    weighing_release(cache->weighed);
    weighing_release(cache->standing);
    cache->weighed = cache->standing = NULL;
    cache->until_ms = 0;
    cache->features = *features;
    cache->intervals = *intervals;
    cache->boards = board_count(features, intervals);
    cache->speakers.boards = cache->boards;
    cache->generation++;
}

void board_cache_offer(const struct board_cache *cache, uint64_t now_ms, struct catalog_offer *out)
{
    speakers_offer(&cache->speakers, now_ms, out);
}

void board_cache_free(struct board_cache *cache)
{
    speakers_release(&cache->speakers);
    weighing_release(cache->weighed);
    weighing_release(cache->standing);
    free(cache->scratch);
    free(cache);
}

static void set_fault(struct board_cache *cache, const char *text)
{
    snprintf(cache->fault, sizeof(cache->fault), "%s", text);
}

/* ---- a status ------------------------------------------------------------------------------- */

/* The board of that generation: the last that came, or one that the span before names too. */
static struct board_version *find_version(const struct speaker *collector, size_t position,
                                          int64_t generation)
{
    struct board_version *latest = collector->latest[position];
    struct board_version *before =
        collector->span_count > 0 ? collector->spans[collector->span_count - 1]->versions[position]
                                  : NULL;

    if (latest && latest->board.generation == generation)
        return latest;
    return before && before->board.generation == generation ? before : NULL;
}

static void add_span(struct board_cache *cache, struct speaker *collector,
                     struct collector_status *status, uint64_t now_ms)
{
    struct span *span = span_new(status, cache->boards, cache->messages + 1, now_ms);

    for (size_t i = 0; i < cache->boards; i++) {
        struct board_version *version = find_version(collector, i, span->generations[i]);

        if (version && span->generations[i] > 0)
            span->versions[i] = board_version_hold(version);
    }
    speaker_add_span(collector, span, now_ms);
}

/* A retained status may be of a collector that died without its will being sent, and any client may
 * have put one there that names some day to come. */
static bool is_believed(const struct collector_status *status, bool is_retained, int64_t now_us)
{
    int64_t most_us = BOARD_CACHE_LIVE_MS * INT64_C(1000);

    return status->latest_us < now_us + most_us &&
           (!is_retained || now_us - status->as_of_us < most_us);
}

static bool apply_status(struct board_cache *cache, struct speaker *collector, const char *payload,
                         size_t bytes, bool is_retained, int64_t now_us, uint64_t now_ms)
{
    struct collector_status status;
    int64_t age_ms;

    if (!collector_status_parse(&status, &cache->features, &cache->intervals, payload, bytes,
                                cache->fault))
        return false;
    speaker_note(collector, &status, is_retained, now_us);
    collector->is_heard = is_believed(&status, is_retained, now_us);
    age_ms = is_retained ? (now_us - status.as_of_us) / 1000 : 0;
    collector->heard_ms =
        age_ms > 0 && (uint64_t)age_ms < now_ms ? now_ms - (uint64_t)age_ms : now_ms;
    if (status.kept.features.count > 0) /* a last will names none */
        collector->kept = status.kept;
    free(collector->shown);
    collector->shown = status.shown;
    status.shown = NULL;
    if (status.is_vouching && speaker_is_live(collector, now_ms))
        add_span(cache, collector, &status, now_ms);
    collector_status_release(&status);
    find_until(cache, now_ms);
    return true;
}

/* ---- a board -------------------------------------------------------------------------------- */

/* Statuses that named it before it came: what is retained comes in any order. */
static void fill_gaps(struct speaker *collector, size_t position, struct board_version *version)
{
    for (size_t i = 0; i < collector->span_count; i++) {
        struct span *span = collector->spans[i];

        if (!span->versions[position] && span->generations[position] > 0 &&
            span->generations[position] == version->board.generation)
            span->versions[position] = board_version_hold(version);
    }
}

static bool apply_board(struct board_cache *cache, struct speaker *collector, const char *rest,
                        const char *payload, size_t bytes, int64_t now_us)
{
    struct board_version **latest;
    struct board_place place;
    struct board board;
    const char *fault = NULL;
    size_t position;

    if (!board_topic_parse(&place, &cache->features, &cache->intervals, rest)) {
        set_fault(cache, "no board has such a topic");
        return false;
    }
    if (place.feature == cache->features.count || place.interval == cache->intervals.count)
        return true; /* not among what can be asked for */
    if (bytes > 0)
        fault = board_message_parse(&board, &cache->features, &cache->intervals, &place, payload,
                                    bytes, now_us);
    if (fault) {
        set_fault(cache, fault);
        return false;
    }
    position = board_position(&cache->intervals, place.feature, place.interval, place.order);
    latest = &collector->latest[position];
    board_version_release(*latest);
    *latest = NULL;
    if (bytes == 0)
        return true;
    *latest = board_version_new(&board);
    fill_gaps(collector, position, *latest);
    return true;
}

/* ---- messages ------------------------------------------------------------------------------- */

/* An empty status is one that was cleared: its collector is gone for good. */
static void drop(struct board_cache *cache, struct speaker *collector, uint64_t now_ms)
{
    speakers_drop(&cache->speakers, collector);
    find_until(cache, now_ms);
}

static bool apply(struct board_cache *cache, const char *topic, const char *payload, size_t bytes,
                  bool is_retained, int64_t now_us, uint64_t now_ms)
{
    static const char head[] = "collectors/";
    const char *id = topic + sizeof(head) - 1;
    struct speaker *collector;
    const char *rest;
    bool is_applied;

    set_fault(cache, "no collector has such a topic, or there are too many of them");
    if (strncmp(topic, head, sizeof(head) - 1) != 0)
        return false;
    rest = strchr(id, '/');
    if (rest && !speakers_may_speak(&cache->speakers, id, (size_t)(rest - id), now_ms)) {
        set_fault(cache, "those whom the database does not know have said enough in this second");
        return false;
    }
    collector = rest ? speakers_find_or_add(&cache->speakers, id, (size_t)(rest - id)) : NULL;
    if (!collector)
        return false;
    if (bytes > BOARD_CACHE_MESSAGE_MAX_BYTES) {
        set_fault(cache, "it is too large");
        return false;
    }
    if (strcmp(rest, "/status") == 0 && bytes == 0) {
        drop(cache, collector, now_ms);
        return true;
    }
    if (strcmp(rest, "/status") == 0)
        is_applied = apply_status(cache, collector, payload, bytes, is_retained, now_us, now_ms);
    else
        is_applied = strncmp(rest, "/boards/", 8) == 0 &&
                     apply_board(cache, collector, rest + 8, payload, bytes, now_us);
    if (is_applied && !speakers_fit(&cache->speakers, collector))
        find_until(cache, now_ms);
    return is_applied;
}

bool board_cache_apply(struct board_cache *cache, const char *topic, const void *payload,
                       size_t bytes, bool is_retained, int64_t now_us, uint64_t now_ms)
{
    if (!apply(cache, topic, payload, bytes, is_retained, now_us, now_ms)) {
        cache->bad_messages++;
        return false;
    }
    cache->messages++;
    return true;
}

uint64_t board_cache_mark(const struct board_cache *cache)
{
    return cache->messages;
}

size_t board_cache_kept_bytes(const struct board_cache *cache)
{
    size_t bytes = 0;

    for (size_t i = 0; i < cache->speakers.count; i++)
        bytes += cache->speakers.items[i]->bytes;
    return bytes;
}

const char *board_cache_fault(const struct board_cache *cache)
{
    return cache->fault;
}

uint64_t board_cache_message_count(const struct board_cache *cache, bool bad)
{
    return bad ? cache->bad_messages : cache->messages;
}

/* ---- weighing ------------------------------------------------------------------------------- */

/* The last whole set stays, for when there is nothing better and no database: a set that lacks
 * a collector's readings does not take its place. */
static void keep_standing(struct board_cache *cache, struct weighing *weighed)
{
    if (weighed->as_of_us == INT64_MIN || (weighed->verdict != WEIGHED_EXACT && cache->standing &&
                                           cache->standing->verdict == WEIGHED_EXACT))
        return;
    weighing_release(cache->standing);
    cache->standing = weighing_hold(weighed);
}

bool board_cache_weigh(struct board_cache *cache, const struct roster_row *rows, size_t row_count,
                       uint64_t mark, uint64_t now_ms)
{
    struct heard heard[BOARD_CACHE_COLLECTORS_MAX];
    struct weighing *weighed;
    bool is_same;

    speakers_know(&cache->speakers, rows, row_count);
    for (size_t i = 0; i < cache->speakers.count; i++) {
        struct speaker *collector = cache->speakers.items[i];

        heard[i] = (struct heard){.id = collector->id,
                                  .state = collector->state,
                                  .is_there = speaker_is_there(collector, now_ms),
                                  .span_count = collector->span_count,
                                  .spans = collector->spans};
        collector->is_merged = false;
    }
    weighed = weighing_new(heard, cache->speakers.count, rows, row_count, mark, &cache->intervals);
    for (size_t i = 0; i < weighed->count; i++)
        cache->speakers.items[weighed->merged[i]]->is_merged = true;
    is_same = cache->weighed && weighing_is_same(cache->weighed, weighed);
    weighing_release(cache->weighed);
    cache->weighed = weighed;
    keep_standing(cache, weighed);
    cache->weighed_ms = now_ms;
    find_until(cache, now_ms);
    if (!is_same)
        cache->generation++;
    return !is_same;
}

const struct speakers *board_cache_speakers(const struct board_cache *cache)
{
    return &cache->speakers;
}

uint64_t board_cache_generation(const struct board_cache *cache)
{
    return cache->generation;
}

bool board_cache_is_current(const struct board_cache *cache, uint64_t now_ms)
{
    return now_ms < cache->until_ms;
}

/* What strangers say of themselves does not count. */
static bool is_anyone_warming(const struct board_cache *cache, uint64_t now_ms)
{
    for (size_t i = 0; i < cache->speakers.count; i++) {
        const struct speaker *collector = cache->speakers.items[i];

        if (collector->is_known && collector->state == COLLECTOR_WARMING &&
            speaker_is_there(collector, now_ms))
            return true;
    }
    return false;
}

enum weighing_verdict board_cache_verdict(const struct board_cache *cache, uint64_t now_ms)
{
    if (!cache->weighed || cache->weighed_ms + BOARD_CACHE_LIVE_MS < now_ms)
        return WEIGHED_UNKNOWN;
    if (cache->weighed->as_of_us == INT64_MIN || board_cache_is_current(cache, now_ms))
        return cache->weighed->verdict;
    return is_anyone_warming(cache, now_ms) ? WEIGHED_WARMING : WEIGHED_NOT_LIVE;
}

int64_t board_cache_as_of(const struct board_cache *cache)
{
    return cache->standing ? cache->standing->as_of_us : INT64_MIN;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* The board that a span names; NULL when it vouches for none, or not for so many entries. */
static const struct board *find_board(const struct span *span, size_t position, size_t limit)
{
    const struct board_version *version = span->versions[position];

    if (!version || !version->board.is_exact ||
        (limit > span->limit && version->board.count >= span->limit))
        return NULL;
    return &version->board;
}

static void gather(struct board_cache *cache, const struct board *board, size_t *count)
{
    if (cache->scratch_capacity < *count + board->count) {
        cache->scratch_capacity = mem_grown(cache->scratch_capacity, *count + board->count);
        cache->scratch =
            mem_realloc(cache->scratch, cache->scratch_capacity * sizeof(cache->scratch[0]));
    }
    for (size_t i = 0; i < board->count; i++)
        cache->scratch[(*count)++] = board->entries[i];
}

enum weighing_verdict board_cache_merge(struct board_cache *cache, enum board_set set,
                                        size_t feature, size_t interval, enum sort_order order,
                                        size_t limit, uint64_t now_ms, struct boards_merged *out)
{
    const struct weighing *weighed = set == BOARD_SET_CURRENT ? cache->weighed : cache->standing;
    size_t position = board_position(&cache->intervals, feature, interval, order);
    size_t count = 0;

    if (set == BOARD_SET_CURRENT && !board_cache_is_current(cache, now_ms))
        return WEIGHED_NOT_LIVE;
    if (!weighed || !weighed->is_covered[interval])
        return WEIGHED_UNCOVERED;
    for (size_t i = 0; i < weighed->count; i++) {
        const struct board *board = find_board(weighed->spans[i], position, limit);

        if (!board)
            return WEIGHED_INCOMPLETE;
        gather(cache, board, &count);
    }
    out->as_of_us = weighed->as_of_us;
    out->count = board_rank(cache->scratch, count, feature, order, limit);
    out->entries = cache->scratch;
    return WEIGHED_EXACT;
}

/* ---- to look at ----------------------------------------------------------------------------- */

static bool lacks_board(const struct board_cache *cache, const struct span *span)
{
    for (size_t i = 0; i < cache->boards; i++) {
        if (span->generations[i] > 0 && !span->versions[i])
            return true;
    }
    return false;
}

bool board_cache_lacks_board(const struct board_cache *cache, uint64_t now_ms)
{
    for (size_t i = 0; i < cache->speakers.count; i++) {
        const struct speaker *collector = cache->speakers.items[i];

        if (speaker_is_live(collector, now_ms) && collector->span_count > 0 &&
            lacks_board(cache, collector->spans[collector->span_count - 1]))
            return true;
    }
    return false;
}

size_t board_cache_collector_count(const struct board_cache *cache, enum collector_state state,
                                   uint64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < cache->speakers.count; i++) {
        const struct speaker *collector = cache->speakers.items[i];

        if (collector->shown && collector->state == state && speaker_is_there(collector, now_ms))
            count++;
    }
    return count;
}

void board_cache_write_collectors(const struct board_cache *cache, struct buffer *out,
                                  uint64_t now_ms)
{
    bool is_first = true;

    buffer_put_text(out, "[");
    for (size_t i = 0; i < cache->speakers.count; i++) {
        const struct speaker *collector = cache->speakers.items[i];

        if (!collector->shown)
            continue;
        buffer_put_text(out, is_first ? "{\"collectorId\":" : ",{\"collectorId\":");
        json_write_string(out, collector->id);
        buffer_printf(out, ",\"isLive\":%s%s}",
                      speaker_is_live(collector, now_ms) ? "true" : "false", collector->shown);
        is_first = false;
    }
    buffer_put_text(out, "]");
}
