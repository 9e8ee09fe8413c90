/* windows_inner.h: what the files of the windows know of each other; nobody else includes it.
 *
 * Files    windows.c         devices, inserts, start and end
 *          windows_heap.c    the keys of a (ranking, interval), best first
 *          windows_board.c   boards: the walk down a heap, and what is said of its result
 *          windows_time.c    what the passing of time does, and what it leaves to be swept up
 */
#ifndef HIGHWATER_WINDOWS_INNER_H
#define HIGHWATER_WINDOWS_INNER_H

#include "collector/windows.h"

#include <math.h>

enum { WINDOWS_CHUNK_BITS = 9, WINDOWS_CHUNK_DEVICES = 1 << WINDOWS_CHUNK_BITS };

#define NOWHERE UINT32_MAX

/* ---- the device block */

static inline unsigned char *windows_block_of(const struct windows *w, uint32_t device)
{
    return w->chunks[device >> WINDOWS_CHUNK_BITS].blocks +
           (device & (WINDOWS_CHUNK_DEVICES - 1)) * w->block_size;
}

static inline const char **windows_block_id(unsigned char *block)
{
    return (void *)block;
}

static inline struct staircase *windows_block_staircase(unsigned char *block, uint32_t ranking)
{
    return (struct staircase *)(void *)(block + sizeof(const char *)) + ranking;
}

/* Where the device's key is in a heap, or NOWHERE. */
static inline uint32_t *windows_block_position(const struct windows *w, unsigned char *block,
                                               size_t heap)
{
    return (uint32_t *)(void *)(block + w->positions_offset) + heap;
}

/* A peak whose ranked feature is NAN is none. */
static inline struct reading *windows_block_peak(const struct windows *w, unsigned char *block,
                                                 uint32_t ranking)
{
    return (void *)(block + w->peaks_offset + ranking * w->kinds->stride);
}

static inline void windows_clear_peak(const struct windows *w, unsigned char *block,
                                      uint32_t ranking)
{
    windows_block_peak(w, block, ranking)->values[w->kinds[ranking].feature] = NAN;
}

static inline bool windows_has_feature(const struct reading *reading,
                                       const struct staircase_kind *kind)
{
    return !isnan(reading->values[kind->feature]);
}

static inline size_t windows_heap_index(const struct windows *w, uint32_t ranking,
                                        uint32_t interval)
{
    return (size_t)ranking * w->interval_count + interval;
}

static inline struct windows_key windows_key_of(const struct staircase_kind *kind,
                                                const struct reading *reading, uint32_t device)
{
    return (struct windows_key){
        .height = staircase_height(kind, reading),
        .recorded_at_us = reading->recorded_at_us,
        .device = device,
    };
}

/* The truth about a device in an interval, NULL if it has nothing there. */
static inline const struct reading *windows_best_reading(const struct windows *w, uint32_t device,
                                                         uint32_t ranking, uint32_t interval)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    unsigned char *block = windows_block_of(w, device);

    if (w->lengths_us[interval] != INTERVAL_ALL_TIME)
        return staircase_best_after(windows_block_staircase(block, ranking), kind,
                                    w->starts_us[interval]);
    return windows_peak(w, device, ranking);
}

/* Inlined by force: to the compiler a function that only prefetches does nothing, and it leaves out
 * calls of it. */
__attribute__((always_inline)) static inline void windows_prefetch_steps(const struct windows *w,
                                                                         unsigned char *block)
{
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        staircase_prefetch(windows_block_staircase(block, ranking), &w->kinds[ranking]);
    }
}

/* ---- windows_heap.c */

bool windows_key_beats(const struct windows *windows, const struct windows_key *a,
                       const struct windows_key *b);
void windows_heap_add(struct windows *windows, size_t heap, struct windows_key key);
void windows_heap_remove(struct windows *windows, size_t heap, size_t at);

/* Puts `key`, which is not better than the one at that place, there or further down. */
void windows_sift_down(const struct windows *windows, size_t heap, size_t at,
                       struct windows_key key);

/* Raises the device's key to the reading's, if that is better. */
void windows_heap_raise(struct windows *windows, size_t heap, unsigned char *block,
                        struct windows_key key);

/* ---- windows_time.c */

/* Makes a finite heap anew, from the staircases. */
void windows_rebuild(struct windows *windows, uint32_t ranking, uint32_t interval);
void windows_set_now(struct windows *windows, int64_t now_us);

static inline void windows_advance(struct windows *windows, int64_t now_us)
{
    if (now_us != windows->now_us)
        windows_set_now(windows, now_us);
}

#endif
