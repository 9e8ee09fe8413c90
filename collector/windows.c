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
 * move, so that growing costs no copy and no second copy's memory. With more than four features the
 * block would be large and mostly empty, and steps would be copies of one another: windows_wide.c has
 * what is done then. */
#include "collector/windows_inner.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

static void init_heaps(struct windows *w)
{
    uint32_t of_feature = w->order_count * w->interval_count;

    w->heaps = mem_calloc(w->feature_count * of_feature, sizeof(*w->heaps));
    for (uint32_t i = 0; i < w->feature_count * of_feature; i++) {
        w->heaps[i].feature = i / of_feature;
        w->heaps[i].place = i % of_feature;
    }
}

/* A block has room for everything. */
static void init_dense(struct windows *w)
{
    size_t staircases_end = sizeof(const char *) + w->ranking_count * sizeof(struct staircase);
    size_t heap_count = (size_t)w->ranking_count * w->interval_count;

    w->positions_offset = staircases_end;
    w->peaks_offset = (staircases_end + heap_count * sizeof(uint32_t) + 7) & ~(size_t)7;
    w->block_size = w->peaks_offset + w->ranking_count * reading_size(w->feature_count);
}

void windows_init(struct windows *w, size_t feature_count, unsigned orders,
                  const int64_t *lengths_us, size_t interval_count, size_t top_n,
                  uint64_t memory_limit)
{
    size_t order_count = orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) ? 2 : 1;

    assert(orders != 0 && (orders & ~(unsigned)(WINDOWS_HIGHEST | WINDOWS_LOWEST)) == 0);
    assert(feature_count > 0 && feature_count <= FEATURES_MAX);
    assert(interval_count > 0 && interval_count <= INTERVALS_MAX);
    assert(top_n > 0 && top_n < UINT32_MAX);
    *w = (struct windows){
        .feature_count = feature_count,
        .orders = orders,
        .top_n = top_n,
        .is_wide = feature_count > WINDOWS_DENSE_FEATURES,
        .order_count = (uint32_t)order_count,
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
        w->starts_us[i] = lengths_us[i] == INTERVAL_ALL_TIME ? INT64_MAX : 0;
    }
    w->kinds = mem_calloc(w->ranking_count, sizeof(*w->kinds));
    for (uint32_t i = 0; i < w->ranking_count; i++)
        staircase_kind_init(&w->kinds[i], feature_count, i / order_count,
                            orders == WINDOWS_LOWEST || (order_count == 2 && i % 2 == 1),
                            &w->budget);
    init_heaps(w);
    w->frontier = mem_calloc(top_n + 1, sizeof(*w->frontier));
    if (w->is_wide)
        windows_wide_init(w);
    else
        init_dense(w);
    w->block_size = (w->block_size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

/* Empties the device, but for its keys in the heaps. */
static void clear_block(struct windows *w, unsigned char *block)
{
    if (w->is_wide) {
        windows_wide_clear(w, windows_wide_of(block));
        return;
    }
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        struct staircase_kind *kind = &w->kinds[ranking];
        struct reading *peak = windows_block_peak(w, block, ranking);

        staircase_release(windows_block_staircase(w, block, ranking), kind);
        peak->values[kind->feature] = NAN;
    }
}

void windows_release(struct windows *w)
{
    for (uint32_t device = 0; device < w->device_count; device++)
        clear_block(w, windows_block_of(w, device));
    for (size_t i = 0; i < w->chunk_count; i++)
        free(w->chunks[i].memory);
    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        free(w->heaps[i].keys);
    free(w->chunks);
    free(w->frontier);
    free(w->shown);
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
    if (device >> WINDOWS_CHUNK_BITS == w->chunk_count) {
        struct windows_chunk chunk;

        chunk.memory = mem_alloc(WINDOWS_CHUNK_DEVICES * w->block_size + CACHE_LINE - 1);
        chunk.blocks =
            chunk.memory + (CACHE_LINE - (uintptr_t)chunk.memory % CACHE_LINE) % CACHE_LINE;
        w->chunks = mem_realloc(w->chunks, (w->chunk_count + 1) * sizeof(*w->chunks));
        w->chunks[w->chunk_count++] = chunk;
    }
    w->device_count++;
    block = windows_block_of(w, device);
    memset(block, 0, w->block_size);
    *windows_block_id(block) = id;
    if (w->is_wide) {
        windows_wide_add(w, windows_wide_of(block));
        return device;
    }
    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        *windows_block_position(w, block, i) = NOWHERE;
    clear_block(w, block);
    return device;
}

const char *windows_device_id(const struct windows *w, uint32_t device)
{
    return *windows_block_id(windows_block_of(w, device));
}

void windows_clear_device(struct windows *w, uint32_t device)
{
    unsigned char *block = windows_block_of(w, device);

    for (size_t i = 0; i < (size_t)w->ranking_count * w->interval_count; i++)
        if (windows_block_has(w, block, w->heaps[i].feature) &&
            *windows_block_position(w, block, i) != NOWHERE)
            windows_heap_remove(w, i, *windows_block_position(w, block, i));
    clear_block(w, block);
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
        .bytes = w->chunk_count * (WINDOWS_CHUNK_DEVICES * w->block_size + CACHE_LINE - 1 +
                                   sizeof(struct windows_chunk)) +
                 (w->top_n + 1) * sizeof(*w->frontier) + heap_count * sizeof(*w->heaps) +
                 w->ranking_count * sizeof(*w->kinds) +
                 w->interval_count * (sizeof(*w->starts_us) + sizeof(*w->lengths_us)) +
                 w->budget.table_bytes + w->slot_bytes + w->pack_bytes +
                 (w->is_wide ? (w->top_n + 1) * reading_size(w->feature_count) : 0),
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
