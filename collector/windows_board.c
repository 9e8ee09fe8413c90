/* A board walks its heap best first and asks each key's staircase for the truth: if it agrees the
 * device is on the board, if not the key is lowered and sinks. */
#include "collector/windows_inner.h"

#include <assert.h>

/* A board that has to repair so many keys, and that part of the heap, makes the heap anew: when a
 * whole fleet falls silent nearly every key runs out at the same time, and one pass in the order of
 * memory takes a tenth of the time of a million walks down the heap. */
enum { REPAIRS_WORTH_A_REBUILD = 64 };

/* The frontier of a best-first walk: positions whose parents are on the board, as a heap of
 * positions ordered by the keys there. It never holds more than one position more than the board
 * has entries. */
struct frontier {
    uint32_t *positions;
    size_t count;
};

static bool position_beats(const struct windows *w, size_t heap, uint32_t a, uint32_t b)
{
    return windows_key_beats(w, &w->heaps[heap].keys[a], &w->heaps[heap].keys[b]);
}

static void frontier_push(const struct windows *w, size_t heap, struct frontier *frontier,
                          uint32_t position)
{
    uint32_t *positions = frontier->positions;
    size_t at = frontier->count++;

    assert(at <= w->top_n);
    while (at > 0 && position_beats(w, heap, position, positions[(at - 1) / 2])) {
        positions[at] = positions[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    positions[at] = position;
}

static void frontier_remove(const struct windows *w, size_t heap, struct frontier *frontier,
                            size_t at)
{
    uint32_t *positions = frontier->positions;
    uint32_t last = positions[--frontier->count];

    if (at == frontier->count)
        return;
    while (at > 0 && position_beats(w, heap, last, positions[(at - 1) / 2])) {
        positions[at] = positions[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= frontier->count)
            break;
        if (child + 1 < frontier->count &&
            position_beats(w, heap, positions[child + 1], positions[child]))
            child++;
        if (!position_beats(w, heap, positions[child], last))
            break;
        positions[at] = positions[child];
        at = child;
    }
    positions[at] = last;
}

static void frontier_push_children(const struct windows *w, size_t heap, struct frontier *frontier,
                                   uint32_t position)
{
    for (size_t child = 2 * (size_t)position + 1; child <= 2 * (size_t)position + 2; child++)
        if (child < w->heaps[heap].count)
            frontier_push(w, heap, frontier, (uint32_t)child);
}

/* Removes the key at `position`, which was just taken from the frontier, from the heap, and keeps
 * the frontier right: the heap's last key comes here instead. */
static void remove_on_the_way(struct windows *w, size_t heap, struct frontier *frontier,
                              uint32_t position)
{
    uint32_t last = w->heaps[heap].count - 1;
    /* What is better than this key has been taken already and is on the board. */
    bool last_is_on_board = position_beats(w, heap, last, position);

    for (size_t i = 0; i < frontier->count; i++) {
        if (frontier->positions[i] == last) {
            frontier_remove(w, heap, frontier, i);
            break;
        }
    }
    windows_heap_remove(w, heap, position);
    if (position == last)
        return;
    /* If the last is on the board it may rise from here, but only past keys that are on it too;
     * their places change hands, the frontier stays. */
    if (last_is_on_board)
        frontier_push_children(w, heap, frontier, position);
    else
        frontier_push(w, heap, frontier, position);
}

/* The reading of a step of the device that was opened last, for an entry of the board. */
static const struct reading *whole_reading(const struct windows *w, const void *step, size_t entry)
{
    struct reading *out;

    if (!w->is_wide)
        return step;
    out = (void *)(w->shown + entry * reading_size(w->feature_count));
    packed_read(staircase_packed(w->kinds, step), out, w->feature_count);
    return out;
}

/* The walk itself. Returns false when it takes more than `most_repairs`. */
static bool walk(struct windows *w, uint32_t ranking, uint32_t interval, size_t most_repairs,
                 struct windows_entry *entries, size_t *entry_count)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    size_t heap = windows_heap_index(w, ranking, interval);
    struct frontier frontier = {.positions = w->frontier};
    size_t repairs = 0, count = 0;

    if (w->heaps[heap].count > 0)
        frontier_push(w, heap, &frontier, 0);
    while (count < w->top_n && frontier.count > 0) {
        uint32_t position = frontier.positions[0];
        struct windows_key claimed = w->heaps[heap].keys[position];
        const void *best = windows_best_step(w, claimed.device, ranking, interval);
        struct windows_key actual = best ? windows_key_of(kind, best, claimed.device) : claimed;

        assert(!windows_key_beats(w, &actual, &claimed));
        if (best && !windows_key_beats(w, &claimed, &actual)) {
            frontier_remove(w, heap, &frontier, 0);
            entries[count] = (struct windows_entry){.device = claimed.device,
                                                    .reading = whole_reading(w, best, count)};
            count++;
            if (count < w->top_n)
                frontier_push_children(w, heap, &frontier, position);
            continue;
        }
        if (repairs == most_repairs)
            return false;
        repairs++;
        w->repairs++;
        frontier_remove(w, heap, &frontier, 0);
        if (best) {
            windows_sift_down(w, heap, position, actual);
            frontier_push(w, heap, &frontier, position);
        } else {
            remove_on_the_way(w, heap, &frontier, position);
        }
    }
    *entry_count = count;
    return true;
}

size_t windows_board(struct windows *w, uint32_t ranking, uint32_t interval, int64_t now_us,
                     struct windows_entry *entries)
{
    size_t heap = windows_heap_index(w, ranking, interval);
    size_t count = 0;

    windows_advance(w, now_us);
    if (!walk(w, ranking, interval,
              REPAIRS_WORTH_A_REBUILD + w->heaps[heap].count / REPAIRS_WORTH_A_REBUILD, entries,
              &count)) {
        bool is_done;

        w->repairs += w->heaps[heap].count;
        windows_rebuild(w, ranking, interval);
        is_done = walk(w, ranking, interval, 0, entries, &count);
        assert(is_done);
    }
    return count;
}

int64_t windows_exact_from(const struct windows *w, uint32_t ranking, uint32_t interval,
                           const struct windows_entry *entries, size_t count)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    int64_t length_us = w->lengths_us[interval];

    if (length_us == INTERVAL_ALL_TIME || kind->coarse_until_us <= w->starts_us[interval])
        return INT64_MIN;
    /* Nothing that is missing reaches the board's last entry. */
    if (count == w->top_n &&
        staircase_height(kind, entries[count - 1].reading) > kind->coarse_height)
        return INT64_MIN;
    return kind->coarse_until_us > INT64_MAX - length_us ? INT64_MAX
                                                         : kind->coarse_until_us + length_us;
}

bool windows_is_coarse(const struct windows *w)
{
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
        if (w->kinds[ranking].coarse_until_us > w->expired_us)
            return true;
    return false;
}

int64_t windows_next_expiry(const struct windows *w, uint32_t interval,
                            const struct windows_entry *entries, size_t count)
{
    int64_t length_us = w->lengths_us[interval];
    int64_t next_us = INT64_MAX;

    if (length_us == INTERVAL_ALL_TIME)
        return INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t recorded_at_us = entries[i].reading->recorded_at_us;

        if (recorded_at_us < next_us - length_us)
            next_us = recorded_at_us + length_us;
    }
    return next_us;
}
