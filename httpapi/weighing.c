/* Spans rather than points in time, because collectors do not speak at the same time: one that says "as of
 * 12:00:00.3" is merged with another's boards of that very time, which are not its latest any
 * more. All spans end on one grid (BOARD_GRID_US), so that common points exist. */
#include "httpapi/weighing.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LOADED_ID_BYTES = 48 }; /* about, with what the allocator adds */

/* ---- spans and versions --------------------------------------------------------------------- */

struct board_version *board_version_new(struct board *board)
{
    struct board_version *version = mem_calloc(1, sizeof(*version));

    version->holds = 1;
    version->board = *board;
    *board = (struct board){0};
    return version;
}

struct board_version *board_version_hold(struct board_version *version)
{
    version->holds++;
    return version;
}

void board_version_release(struct board_version *version)
{
    if (!version || --version->holds > 0)
        return;
    board_release(&version->board);
    free(version);
}

struct span *span_new(struct collector_status *status, size_t boards, uint64_t number,
                      uint64_t heard_ms)
{
    struct span *span = mem_calloc(1, sizeof(*span));

    *span = (struct span){.holds = 1,
                          .number = number,
                          .heard_ms = heard_ms,
                          .turn = status->turn,
                          .since_us = status->since_us,
                          .until_us = status->as_of_us,
                          .limit = status->limit,
                          .loaded_count = status->loaded_count,
                          .loaded = status->loaded,
                          .board_count = boards,
                          .generations = status->generations,
                          .versions = mem_calloc(boards + 1, sizeof(span->versions[0]))};
    strcpy(span->installation, status->installation);
    span->bytes = sizeof(*span) +
                  boards * (sizeof(span->generations[0]) + sizeof(span->versions[0])) +
                  span->loaded_count * (sizeof(span->loaded[0]) + LOADED_ID_BYTES);
    status->loaded_count = 0;
    status->loaded = NULL;
    status->generations = NULL;
    return span;
}

struct span *span_hold(struct span *span)
{
    span->holds++;
    return span;
}

void span_release(struct span *span)
{
    if (!span || --span->holds > 0)
        return;
    for (size_t i = 0; i < span->board_count; i++)
        board_version_release(span->versions[i]);
    for (size_t i = 0; i < span->loaded_count; i++)
        free(span->loaded[i].id);
    free(span->loaded);
    free(span->generations);
    free(span->versions);
    free(span);
}

/* ---- which are merged ----------------------------------------------------------------------- */

/* What was heard of one collector, and of that what may be weighed. */
struct merged {
    const struct heard *heard;
    const char *installation;
    int64_t turn;
    uint64_t mark;
    struct span *span; /* the one that was chosen */
};

/* Two databases at one broker may know a collector by the same name. */
static bool is_of_another(const struct merged *merged, const struct span *span)
{
    return *span->installation && *merged->installation &&
           strcmp(span->installation, merged->installation) != 0;
}

static bool is_usable(const struct merged *merged, const struct span *span)
{
    return !is_of_another(merged, span) && span->turn == merged->turn &&
           span->number <= merged->mark;
}

/* The latest time, not after `us`, that the collector vouches for; INT64_MIN when there is none.
 * Of two spans that hold it the one that was said later counts. */
static int64_t reach(struct merged *merged, int64_t us)
{
    int64_t latest_us = INT64_MIN;

    for (size_t i = 0; i < merged->heard->span_count; i++) {
        struct span *span = merged->heard->spans[i];
        int64_t until_us = span->until_us < us ? span->until_us : us;

        if (is_usable(merged, span) && span->since_us <= us && until_us >= latest_us) {
            latest_us = until_us;
            merged->span = span;
        }
    }
    return latest_us;
}

/* The latest time that all vouch for, with the spans it lies in. */
static int64_t find_as_of(struct merged *merged, size_t count)
{
    int64_t us = INT64_MAX;
    size_t agreed = 0;

    for (size_t i = 0; agreed < count && us != INT64_MIN; i = (i + 1) % count) {
        int64_t reached_us = reach(&merged[i], us);

        agreed = reached_us == us ? agreed + 1 : 1;
        us = reached_us;
    }
    return us;
}

static const struct roster_row *find_row(const struct roster_row *rows, size_t count,
                                         const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Live, known to the table, and of its turn: another process may store under the same name. */
static size_t find_merged(struct merged *out, const struct heard *heard, size_t heard_count,
                          const struct roster_row *rows, size_t row_count, uint64_t mark)
{
    size_t count = 0;

    for (size_t i = 0; i < heard_count; i++) {
        const struct roster_row *row = find_row(rows, row_count, heard[i].id);

        if (!row || !heard[i].is_there || heard[i].state != COLLECTOR_LIVE)
            continue;
        out[count] = (struct merged){
            .heard = &heard[i], .installation = row->installation, .turn = row->turn, .mark = mark};
        if (reach(&out[count], INT64_MAX) != INT64_MIN)
            count++;
    }
    return count;
}

/* ---- what the others have stored ------------------------------------------------------------ */

static bool is_merged(const struct merged *merged, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(merged[i].heard->id, id) == 0)
            return true;
    }
    return false;
}

static bool has_loaded(const struct span *span, const struct roster_row *row)
{
    for (size_t i = 0; i < span->loaded_count; i++) {
        if (strcmp(span->loaded[i].id, row->id) == 0)
            return span->loaded[i].batches >= row->batches;
    }
    return false;
}

/* Does some merged collector have all that this row's has stored? */
static bool is_loaded(const struct merged *merged, size_t count, const struct roster_row *row)
{
    if (row->batches == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (has_loaded(merged[i].span, row))
            return true;
    }
    return false;
}

static const struct heard *find_there(const struct heard *heard, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(heard[i].id, id) == 0)
            return heard[i].is_there ? &heard[i] : NULL;
    }
    return NULL;
}

static void cover(struct weighing *out, const struct merged *merged, const struct heard *heard,
                  size_t heard_count, const struct roster_row *rows, size_t row_count,
                  const struct intervals *intervals)
{
    for (size_t i = 0; i < intervals->count; i++)
        out->is_covered[i] = true;
    for (size_t r = 0; r < row_count; r++) {
        const struct heard *there = find_there(heard, heard_count, rows[r].id);

        if (is_merged(merged, out->count, rows[r].id) ||
            (!there && is_loaded(merged, out->count, &rows[r])))
            continue;
        for (size_t i = 0; i < intervals->count; i++) {
            int64_t length_us = intervals->items[i].length_us;

            if (!there && length_us != INTERVAL_ALL_TIME &&
                rows[r].newest_us <= out->as_of_us - length_us)
                continue;
            out->is_covered[i] = false;
            out->verdict = there && there->state == COLLECTOR_WARMING ? WEIGHED_WARMING
                           : there                                    ? WEIGHED_UNSETTLED
                                                                      : WEIGHED_UNCOVERED;
        }
    }
}

/* ---- weighing ------------------------------------------------------------------------------- */

static enum weighing_verdict nobody_is_live(const struct heard *heard, size_t heard_count,
                                            const struct roster_row *rows, size_t row_count)
{
    for (size_t i = 0; i < heard_count; i++) {
        if (heard[i].state == COLLECTOR_WARMING && find_row(rows, row_count, heard[i].id))
            return WEIGHED_WARMING;
    }
    return WEIGHED_NOT_LIVE;
}

static void set_merged(struct weighing *out, const struct merged *merged, size_t count,
                       const struct heard *heard)
{
    out->count = count;
    out->spans = mem_calloc(count, sizeof(out->spans[0]));
    out->merged = mem_calloc(count, sizeof(out->merged[0]));
    for (size_t i = 0; i < count; i++) {
        out->spans[i] = span_hold(merged[i].span);
        out->merged[i] = (size_t)(merged[i].heard - heard);
    }
}

struct weighing *weighing_new(const struct heard *heard, size_t heard_count,
                              const struct roster_row *rows, size_t row_count, uint64_t mark,
                              const struct intervals *intervals)
{
    struct weighing *out = mem_calloc(1, sizeof(*out));
    struct merged *merged = mem_calloc(heard_count + 1, sizeof(merged[0]));
    size_t count = find_merged(merged, heard, heard_count, rows, row_count, mark);

    out->holds = 1;
    out->verdict = WEIGHED_EXACT;
    out->as_of_us = find_as_of(merged, count);
    if (count == 0) {
        out->as_of_us = INT64_MIN;
        out->verdict = nobody_is_live(heard, heard_count, rows, row_count);
    } else if (out->as_of_us == INT64_MIN) {
        out->verdict = WEIGHED_APART;
    } else {
        set_merged(out, merged, count, heard);
        cover(out, merged, heard, heard_count, rows, row_count, intervals);
    }
    free(merged);
    return out;
}

struct weighing *weighing_hold(struct weighing *weighed)
{
    weighed->holds++;
    return weighed;
}

void weighing_release(struct weighing *weighed)
{
    if (!weighed || --weighed->holds > 0)
        return;
    for (size_t i = 0; i < weighed->count; i++)
        span_release(weighed->spans[i]);
    free(weighed->spans);
    free(weighed->merged);
    free(weighed);
}

bool weighing_is_same(const struct weighing *a, const struct weighing *b)
{
    if (a->verdict != b->verdict || a->as_of_us != b->as_of_us || a->count != b->count ||
        memcmp(a->is_covered, b->is_covered, sizeof(a->is_covered)) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->spans[i] != b->spans[i])
            return false;
    }
    return true;
}

const char *weighing_verdict_text(enum weighing_verdict verdict)
{
    static const char *const texts[] = {
        [WEIGHED_EXACT] = "the boards are current",
        [WEIGHED_INCOMPLETE] = "the collectors' boards do not cover the question",
        [WEIGHED_UNCOVERED] = "a collector that is not heard has stored what no live one loaded",
        [WEIGHED_UNSETTLED] = "a collector cannot say what is on its boards",
        [WEIGHED_WARMING] = "a collector is loading its windows",
        [WEIGHED_APART] = "the collectors' boards are of different moments",
        [WEIGHED_NOT_LIVE] = "no collector is live",
        [WEIGHED_UNKNOWN] = "the database has not said which collectors there are",
    };

    return texts[verdict];
}
