/* A board is asked for far less often than a reading arrives, and nearly no reading changes one.
 * So an insert does the least that keeps boards cheap, and a board repairs what it meets.
 *
 * Each (ranking, interval) has a heap with one key per device. One thing holds at all times: a
 * key is never worse than the best reading of its device in the interval, only better, namely
 * when the reading it was taken from has expired meanwhile. A new reading can beat its device's
 * key only if it leads the interval, that is if no earlier step of the staircase is inside; that
 * takes a look at one neighbouring step, in the cache line next to the tail. All other readings
 * leave the heaps alone. The board walks the heap best first and asks each key's staircase for
 * the truth: if it agrees the device is on the board, if not the key is lowered and sinks. What
 * comes out in order is exact, since every key below is no better than what its device claims at
 * most.
 *
 * Rejected: a sorted set per board (every reading of a falling device would move its entry, and
 * every expiry); expiry queues or timing wheels (an event per step, for devices that no board
 * will ever show); keeping only the top N and recomputing when one leaves (a pass over all
 * devices, at the worst time); buckets of seconds (not exact between two seconds).
 *
 * All time is an interval like the others, of infinite length, whose truth is the device's peak
 * instead of its staircase.
 *
 * Memory. At a million devices nothing is in a cache, so a reading costs as many cache misses as it
 * touches lines. All that a device has is in one block that starts on a line: with two features and
 * three intervals 128 bytes,
 *
 *     id | staircases, 16 each | heap positions, 4 each | peaks, one reading each
 *
 * and beside it only the steps themselves and a key in each heap. Blocks are in chunks that never
 * move, so that growing costs no copy and no second copy's memory. */
#include "collector/windows.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_LINE = 64,
    CHUNK_BITS = 9,
    CHUNK_DEVICES = 1 << CHUNK_BITS,
    HEAP_CAPACITY_LEAST = 16,
    /* A board that has to repair so many keys, and that part of the heap, makes the heap
     * anew: when a whole fleet falls silent nearly every key runs out at the same time, and one
     * pass in the order of memory takes a tenth of the time of a million walks down the heap. */
    REPAIRS_WORTH_A_REBUILD = 64,
};

#define NOWHERE UINT32_MAX

/* ---- the device block ---- */

static unsigned char *block_of(const struct windows *w, uint32_t device)
{
    return w->chunks[device >> CHUNK_BITS].blocks + (device & (CHUNK_DEVICES - 1)) * w->block_size;
}

static const char **block_id(unsigned char *block)
{
    return (void *)block;
}

static struct staircase *block_staircase(unsigned char *block, uint32_t ranking)
{
    return (struct staircase *)(void *)(block + sizeof(const char *)) + ranking;
}

/* Where the device's key is in a heap, or NOWHERE. */
static uint32_t *block_position(const struct windows *w, unsigned char *block, size_t heap)
{
    return (uint32_t *)(void *)(block + w->positions_offset) + heap;
}

/* A peak whose ranked feature is NAN is none. */
static struct reading *block_peak(const struct windows *w, unsigned char *block, uint32_t ranking)
{
    return (void *)(block + w->peaks_offset + ranking * w->kinds->stride);
}

static void clear_peak(const struct windows *w, unsigned char *block, uint32_t ranking)
{
    block_peak(w, block, ranking)->values[w->kinds[ranking].feature] = NAN;
}

static bool has_feature(const struct reading *reading, const struct staircase_kind *kind)
{
    return !isnan(reading->values[kind->feature]);
}

/* ---- heaps ---- */

static size_t heap_index(const struct windows *w, uint32_t ranking, uint32_t interval)
{
    return (size_t)ranking * w->interval_count + interval;
}

static struct windows_key key_of(const struct staircase_kind *kind, const struct reading *reading,
                                 uint32_t device)
{
    return (struct windows_key){
        .height = staircase_height(kind, reading),
        .recorded_at_us = reading->recorded_at_us,
        .device = device,
    };
}

static bool key_beats(const struct windows *w, const struct windows_key *a,
                      const struct windows_key *b)
{
    int rank = reading_rank(a->height, a->recorded_at_us, b->height, b->recorded_at_us);

    if (rank != 0)
        return rank > 0;
    return a->device != b->device &&
           reading_id_is_before(windows_device_id(w, a->device), windows_device_id(w, b->device));
}

static void place(const struct windows *w, size_t heap, size_t at, struct windows_key key)
{
    w->heaps[heap].keys[at] = key;
    *block_position(w, block_of(w, key.device), heap) = (uint32_t)at;
}

static void sift_up(const struct windows *w, size_t heap, size_t at, struct windows_key key)
{
    const struct windows_key *keys = w->heaps[heap].keys;

    while (at > 0 && key_beats(w, &key, &keys[(at - 1) / 2])) {
        place(w, heap, at, keys[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(w, heap, at, key);
}

static void sift_down(const struct windows *w, size_t heap, size_t at, struct windows_key key)
{
    const struct windows_key *keys = w->heaps[heap].keys;
    size_t count = w->heaps[heap].count;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            break;
        if (child + 1 < count && key_beats(w, &keys[child + 1], &keys[child]))
            child++;
        if (!key_beats(w, &keys[child], &key))
            break;
        place(w, heap, at, keys[child]);
        at = child;
    }
    place(w, heap, at, key);
}

static void heap_set_capacity(struct windows_heap *heap, size_t capacity)
{
    heap->keys = mem_realloc(heap->keys, capacity * sizeof(*heap->keys));
    heap->capacity = (uint32_t)capacity;
}

static void heap_add(struct windows *w, size_t index, struct windows_key key)
{
    struct windows_heap *heap = &w->heaps[index];

    /* By eighths, not doubled: the heaps are a seventh of all memory, and arrays of this size are
     * grown by moving page tables, not bytes. */
    if (heap->count == heap->capacity)
        heap_set_capacity(heap, heap->count + HEAP_CAPACITY_LEAST + heap->count / 8u);
    sift_up(w, index, heap->count++, key);
}

static void heap_remove(struct windows *w, size_t index, size_t at)
{
    struct windows_heap *heap = &w->heaps[index];
    struct windows_key last;

    *block_position(w, block_of(w, heap->keys[at].device), index) = NOWHERE;
    last = heap->keys[--heap->count];
    if (at < heap->count) {
        if (at > 0 && key_beats(w, &last, &heap->keys[(at - 1) / 2]))
            sift_up(w, index, at, last);
        else
            sift_down(w, index, at, last);
    }
    if (heap->capacity > 2 * HEAP_CAPACITY_LEAST && heap->count < heap->capacity / 2)
        heap_set_capacity(heap, heap->count + HEAP_CAPACITY_LEAST + heap->count / 8u);
}

/* Raises the device's key to the reading's, if that is better. */
static void heap_raise(struct windows *w, size_t index, unsigned char *block,
                       struct windows_key key)
{
    uint32_t at = *block_position(w, block, index);

    if (at == NOWHERE)
        heap_add(w, index, key);
    else if (key_beats(w, &key, &w->heaps[index].keys[at]))
        sift_up(w, index, at, key);
}

/* The truth about a device in an interval, NULL if it has nothing there. */
static const struct reading *best_reading(const struct windows *w, uint32_t device,
                                          uint32_t ranking, uint32_t interval)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    unsigned char *block = block_of(w, device);

    if (w->lengths_us[interval] != INTERVAL_ALL_TIME)
        return staircase_best_after(block_staircase(block, ranking), kind, w->starts_us[interval]);
    return windows_peak(w, device, ranking);
}

/* Inlined by force: to the compiler a function that only prefetches does nothing, and it leaves out
 * calls of it. */
__attribute__((always_inline)) static inline void prefetch_steps(const struct windows *w,
                                                                 unsigned char *block)
{
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        staircase_prefetch(block_staircase(block, ranking), &w->kinds[ranking]);
    }
}

/* ---- time ---- */

static int64_t before(int64_t now_us, int64_t length_us)
{
    return now_us < INT64_MIN + length_us ? INT64_MIN : now_us - length_us;
}

/* Rebuilds a finite heap from the staircases. */
static void rebuild(struct windows *w, uint32_t ranking, uint32_t interval)
{
    size_t index = heap_index(w, ranking, interval);
    struct windows_heap *heap = &w->heaps[index];

    heap->count = 0;
    for (uint32_t device = 0; device < w->device_count; device++) {
        const struct reading *best;

        if (device + WINDOWS_AHEAD < w->device_count)
            prefetch_steps(w, block_of(w, device + WINDOWS_AHEAD));
        best = best_reading(w, device, ranking, interval);
        *block_position(w, block_of(w, device), index) = NOWHERE;
        if (best)
            heap_add(w, index, key_of(&w->kinds[ranking], best, device));
    }
}

static void advance(struct windows *w, int64_t now_us)
{
    bool rewound = now_us < w->now_us;

    if (now_us == w->now_us)
        return;
    w->now_us = now_us;
    w->expired_us = INT64_MAX;
    for (uint32_t i = 0; i < w->interval_count; i++) {
        if (w->lengths_us[i] == INTERVAL_ALL_TIME)
            continue;
        w->starts_us[i] = before(now_us, w->lengths_us[i]);
        if (w->starts_us[i] < w->expired_us)
            w->expired_us = w->starts_us[i];
    }
    if (w->expired_us != INT64_MAX && w->expired_us > w->dropped_until_us)
        w->dropped_until_us = w->expired_us;
    if (!rewound)
        return;
    /* Intervals now begin earlier and may take in steps that are better than the keys. */
    w->rewinds++;
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
        for (uint32_t i = 0; i < w->interval_count; i++)
            if (w->lengths_us[i] != INTERVAL_ALL_TIME)
                rebuild(w, ranking, i);
}

/* ---- the calls ---- */

void windows_init(struct windows *w, size_t feature_count, unsigned orders,
                  const int64_t *lengths_us, size_t interval_count, size_t top_n,
                  uint64_t memory_limit)
{
    size_t order_count = orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) ? 2 : 1;
    size_t heap_count, staircases_end;

    assert(orders != 0 && (orders & ~(unsigned)(WINDOWS_HIGHEST | WINDOWS_LOWEST)) == 0);
    assert(feature_count > 0 && feature_count <= FEATURES_MAX);
    assert(interval_count > 0 && interval_count <= INTERVALS_MAX);
    assert(top_n > 0 && top_n < UINT32_MAX);
    *w = (struct windows){
        .feature_count = feature_count,
        .orders = orders,
        .top_n = top_n,
        .ranking_count = (uint32_t)(feature_count * order_count),
        .interval_count = (uint32_t)interval_count,
        .budget = {.limit_bytes = memory_limit ? memory_limit : WINDOWS_MEMORY_LIMIT},
        .now_us = INT64_MIN,
        .dropped_until_us = INT64_MIN,
    };
    w->lengths_us = mem_calloc(interval_count, sizeof(*w->lengths_us));
    w->starts_us = mem_calloc(interval_count, sizeof(*w->starts_us));
    for (size_t i = 0; i < interval_count; i++) {
        assert(lengths_us[i] > 0);
        w->lengths_us[i] = lengths_us[i];
    }
    w->kinds = mem_calloc(w->ranking_count, sizeof(*w->kinds));
    for (uint32_t i = 0; i < w->ranking_count; i++)
        staircase_kind_init(&w->kinds[i], feature_count, i / order_count,
                            orders == WINDOWS_LOWEST || (order_count == 2 && i % 2 == 1),
                            &w->budget);
    heap_count = w->ranking_count * interval_count;
    w->heaps = mem_calloc(heap_count, sizeof(*w->heaps));
    w->frontier = mem_calloc(top_n + 1, sizeof(*w->frontier));

    staircases_end = sizeof(const char *) + w->ranking_count * sizeof(struct staircase);
    w->positions_offset = staircases_end;
    w->peaks_offset = (staircases_end + heap_count * sizeof(uint32_t) + 7) & ~(size_t)7;
    w->block_size = w->peaks_offset + w->ranking_count * reading_size(feature_count);
    w->block_size = (w->block_size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

void windows_release(struct windows *w)
{
    for (uint32_t device = 0; device < w->device_count; device++)
        for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
            staircase_release(block_staircase(block_of(w, device), ranking), &w->kinds[ranking]);
    for (size_t i = 0; i < w->chunk_count; i++)
        free(w->chunks[i].memory);
    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        free(w->heaps[i].keys);
    free(w->chunks);
    free(w->frontier);
    free(w->heaps);
    free(w->kinds);
    free(w->starts_us);
    free(w->lengths_us);
    *w = (struct windows){0};
}

uint32_t windows_ranking(const struct windows *w, size_t feature, enum windows_order order)
{
    assert(feature < w->feature_count && (w->orders & order) == order);
    if (w->orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST))
        return (uint32_t)(2 * feature + (order == WINDOWS_LOWEST));
    return (uint32_t)feature;
}

uint32_t windows_add_device(struct windows *w, const char *id)
{
    uint32_t device = w->device_count;
    unsigned char *block;

    assert(device < NOWHERE);
    if (device >> CHUNK_BITS == w->chunk_count) {
        struct windows_chunk chunk;

        chunk.memory = mem_alloc(CHUNK_DEVICES * w->block_size + CACHE_LINE - 1);
        chunk.blocks =
            chunk.memory + (CACHE_LINE - (uintptr_t)chunk.memory % CACHE_LINE) % CACHE_LINE;
        w->chunks = mem_realloc(w->chunks, (w->chunk_count + 1) * sizeof(*w->chunks));
        w->chunks[w->chunk_count++] = chunk;
    }
    w->device_count++;
    block = block_of(w, device);
    memset(block, 0, w->block_size);
    *block_id(block) = id;
    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        *block_position(w, block, i) = NOWHERE;
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
        clear_peak(w, block, ranking);
    return device;
}

const char *windows_device_id(const struct windows *w, uint32_t device)
{
    return *block_id(block_of(w, device));
}

void windows_clear_device(struct windows *w, uint32_t device)
{
    unsigned char *block = block_of(w, device);

    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        if (*block_position(w, block, i) != NOWHERE)
            heap_remove(w, i, *block_position(w, block, i));
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        staircase_release(block_staircase(block, ranking), &w->kinds[ranking]);
        clear_peak(w, block, ranking);
    }
}

static void insert_peak(struct windows *w, uint32_t device, unsigned char *block, uint32_t ranking,
                        const struct reading *reading)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    struct reading *peak = block_peak(w, block, ranking);

    if (has_feature(peak, kind) && !staircase_is_better(kind, reading, peak))
        return;
    memcpy(peak, reading, kind->stride);
    for (uint32_t i = 0; i < w->interval_count; i++)
        if (w->lengths_us[i] == INTERVAL_ALL_TIME)
            heap_raise(w, heap_index(w, ranking, i), block, key_of(kind, reading, device));
}

static void insert_step(struct windows *w, uint32_t device, unsigned char *block, uint32_t ranking,
                        const struct reading *reading)
{
    struct staircase_kind *kind = &w->kinds[ranking];
    struct staircase *staircase = block_staircase(block, ranking);
    int64_t earlier_us;

    if (!staircase_insert(staircase, kind, reading, w->expired_us, &earlier_us))
        return;
    for (uint32_t i = 0; i < w->interval_count; i++)
        if (w->lengths_us[i] != INTERVAL_ALL_TIME && earlier_us <= w->starts_us[i] &&
            reading->recorded_at_us > w->starts_us[i])
            heap_raise(w, heap_index(w, ranking, i), block, key_of(kind, reading, device));
}

void windows_insert(struct windows *w, uint32_t device, const struct reading *reading,
                    int64_t now_us)
{
    unsigned char *block = block_of(w, device);

    advance(w, now_us);
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        if (!has_feature(reading, &w->kinds[ranking]))
            continue;
        insert_peak(w, device, block, ranking, reading);
        if (reading->recorded_at_us > w->expired_us)
            insert_step(w, device, block, ranking, reading);
    }
}

void windows_insert_peak(struct windows *w, uint32_t device, uint32_t ranking,
                         const struct reading *reading)
{
    if (has_feature(reading, &w->kinds[ranking]))
        insert_peak(w, device, block_of(w, device), ranking, reading);
}

/* The steps of a device are known only once its block has arrived, so each call asks for one
 * device's block and for the steps of the device that was announced half the way ago. */
void windows_prefetch(struct windows *w, uint32_t device)
{
    uint32_t *earlier = &w->announced[w->announced_count % (WINDOWS_AHEAD / 2)];
    const unsigned char *block = block_of(w, device);

    if (w->announced_count >= WINDOWS_AHEAD / 2)
        prefetch_steps(w, block_of(w, *earlier));
    *earlier = device;
    w->announced_count++;
    for (size_t i = 0; i < w->block_size; i += CACHE_LINE)
        __builtin_prefetch(block + i);
}

/* The frontier of a best-first walk: positions whose parents are on the board, as a heap of
 * positions ordered by the keys there. It never holds more than one position more than the board
 * has entries. */
struct frontier {
    uint32_t *positions;
    size_t count;
};

static bool position_beats(const struct windows *w, size_t heap, uint32_t a, uint32_t b)
{
    return key_beats(w, &w->heaps[heap].keys[a], &w->heaps[heap].keys[b]);
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
    heap_remove(w, heap, position);
    if (position == last)
        return;
    /* If the last is on the board it may rise from here, but only past keys that are on it too;
     * their places change hands, the frontier stays. */
    if (last_is_on_board)
        frontier_push_children(w, heap, frontier, position);
    else
        frontier_push(w, heap, frontier, position);
}

/* The walk itself. Returns false when it takes more than `most_repairs`. */
static bool walk(struct windows *w, uint32_t ranking, uint32_t interval, size_t most_repairs,
                 struct windows_entry *entries, size_t *entry_count)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    size_t heap = heap_index(w, ranking, interval);
    struct frontier frontier = {.positions = w->frontier};
    size_t repairs = 0, count = 0;

    if (w->heaps[heap].count > 0)
        frontier_push(w, heap, &frontier, 0);
    while (count < w->top_n && frontier.count > 0) {
        uint32_t position = frontier.positions[0];
        struct windows_key claimed = w->heaps[heap].keys[position];
        const struct reading *best = best_reading(w, claimed.device, ranking, interval);
        struct windows_key actual = best ? key_of(kind, best, claimed.device) : claimed;

        assert(!key_beats(w, &actual, &claimed));
        if (best && !key_beats(w, &claimed, &actual)) {
            frontier_remove(w, heap, &frontier, 0);
            entries[count++] = (struct windows_entry){.device = claimed.device, .reading = best};
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
            sift_down(w, heap, position, actual);
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
    size_t heap = heap_index(w, ranking, interval);
    size_t count = 0;

    advance(w, now_us);
    if (!walk(w, ranking, interval,
              REPAIRS_WORTH_A_REBUILD + w->heaps[heap].count / REPAIRS_WORTH_A_REBUILD, entries,
              &count)) {
        bool is_done;

        w->repairs += w->heaps[heap].count;
        rebuild(w, ranking, interval);
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

const struct reading *windows_peak(const struct windows *w, uint32_t device, uint32_t ranking)
{
    const struct reading *peak = block_peak(w, block_of(w, device), ranking);

    return has_feature(peak, &w->kinds[ranking]) ? peak : NULL;
}

static void sweep_device(struct windows *w, uint32_t device, uint32_t ranking)
{
    struct staircase_kind *kind = &w->kinds[ranking];
    unsigned char *block = block_of(w, device);
    struct staircase *staircase = block_staircase(block, ranking);
    const struct reading *newest = staircase_newest(staircase, kind);

    if (!newest)
        return;
    for (uint32_t i = 0; i < w->interval_count; i++) {
        size_t heap = heap_index(w, ranking, i);

        if (w->lengths_us[i] != INTERVAL_ALL_TIME && newest->recorded_at_us <= w->starts_us[i] &&
            *block_position(w, block, heap) != NOWHERE) {
            w->repairs++;
            heap_remove(w, heap, *block_position(w, block, heap));
        }
    }
    staircase_trim(staircase, kind, w->expired_us);
}

void windows_sweep(struct windows *w, int64_t now_us, size_t budget)
{
    advance(w, now_us);
    for (size_t i = 0; i < budget && i < w->device_count; i++) {
        if (w->sweep_next >= w->device_count)
            w->sweep_next = 0;
        for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
            sweep_device(w, w->sweep_next, ranking);
        w->sweep_next++;
    }
}

struct windows_stats windows_stats(const struct windows *w)
{
    size_t heap_count = (size_t)w->ranking_count * w->interval_count;
    struct windows_stats stats = {
        .devices = w->device_count,
        .repairs = w->repairs,
        .rewinds = w->rewinds,
        .dropped_until_us = w->dropped_until_us,
        .tower_bytes = w->budget.bytes,
        .tower_limit_bytes = w->budget.limit_bytes,
        .bytes = w->chunk_count * (CHUNK_DEVICES * w->block_size + CACHE_LINE - 1 +
                                   sizeof(struct windows_chunk)) +
                 (w->top_n + 1) * sizeof(*w->frontier) + heap_count * sizeof(*w->heaps) +
                 w->ranking_count * sizeof(*w->kinds) +
                 w->interval_count * (sizeof(*w->starts_us) + sizeof(*w->lengths_us)) +
                 w->budget.table_bytes,
    };

    for (uint32_t i = 0; i < w->ranking_count; i++) {
        stats.steps += w->kinds[i].steps;
        stats.coarsened += w->kinds[i].coarsened;
        stats.bytes += w->kinds[i].slots * w->kinds[i].stride;
    }
    for (size_t i = 0; i < heap_count; i++)
        stats.bytes += w->heaps[i].capacity * sizeof(*w->heaps[i].keys);
    return stats;
}
