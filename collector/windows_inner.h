/* windows_inner.h: what the files of the windows know of each other; nobody else includes it.
 *
 * Files    windows.c         devices, start and end
 *          windows_insert.c  what a reading does to its device
 *          windows_wide.c    devices of many features
 *          windows_heap.c    the keys of a (ranking, interval), best first
 *          windows_board.c   boards: the walk down a heap, and what is said of its result
 *          windows_time.c    what the passing of time does, and what it leaves to be swept up
 */
#ifndef HIGHWATER_WINDOWS_INNER_H
#define HIGHWATER_WINDOWS_INNER_H

#include "collector/windows.h"
#include "collector/windows_wide.h"

#include <math.h>

enum {
    WINDOWS_CHUNK_BITS = 9,
    WINDOWS_CHUNK_DEVICES = 1 << WINDOWS_CHUNK_BITS,
    WINDOWS_DENSE_FEATURES = 4, /* with more than that windows are wide */
};

#define NOWHERE UINT32_MAX

/* ---- the device block: of all features, or of the features that the device has sent */

static inline unsigned char *windows_block_of(const struct windows *w, uint32_t device)
{
    return w->chunks[device >> WINDOWS_CHUNK_BITS].blocks +
           (device & (WINDOWS_CHUNK_DEVICES - 1)) * w->block_size;
}

/* The same, for calls that touch steps. */
static inline unsigned char *windows_open(struct windows *w, uint32_t device)
{
    unsigned char *block = windows_block_of(w, device);

    if (w->is_wide)
        w->budget.pack = &windows_wide_of(block)->pack;
    return block;
}

static inline const char **windows_block_id(unsigned char *block)
{
    return (void *)block;
}

static inline struct staircase *windows_dense_staircase(unsigned char *block, uint32_t ranking)
{
    return (struct staircase *)(void *)(block + sizeof(const char *)) + ranking;
}

static inline void *windows_dense_peak(const struct windows *w, unsigned char *block,
                                       uint32_t ranking)
{
    return block + w->peaks_offset + ranking * w->kinds->stride;
}

/* Whether the block has room for the feature, as the next three take for granted. */
static inline bool windows_block_has(const struct windows *w, unsigned char *block, size_t feature)
{
    return !w->is_wide || windows_wide_of(block)->slot_of[feature] != WINDOWS_NO_SLOT;
}

static inline struct staircase *windows_block_staircase(const struct windows *w,
                                                        unsigned char *block, uint32_t ranking)
{
    if (w->is_wide)
        return windows_slot_staircase(w, windows_wide_of(block), ranking);
    return windows_dense_staircase(block, ranking);
}

/* Where the device's key is in a heap, or NOWHERE. */
static inline uint32_t *windows_block_position(const struct windows *w, unsigned char *block,
                                               size_t heap)
{
    if (w->is_wide)
        return windows_slot_position(w, windows_wide_of(block), heap);
    return (uint32_t *)(void *)(block + w->positions_offset) + heap;
}

/* A step of the ranking, or none: then the value is NAN. */
static inline void *windows_block_peak(const struct windows *w, unsigned char *block,
                                       uint32_t ranking)
{
    if (w->is_wide)
        return windows_slot_peak(w, windows_wide_of(block), ranking);
    return windows_dense_peak(w, block, ranking);
}

static inline bool windows_is_peak(const struct staircase_kind *kind, const void *peak)
{
    return !isnan(step_value(kind, peak));
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

static inline struct windows_key windows_key_of(const struct staircase_kind *kind, const void *step,
                                                uint32_t device)
{
    return (struct windows_key){
        .height = step_height(kind, step),
        .recorded_at_us = step_time(kind, step),
        .device = device,
    };
}

/* The truth about a device in an interval: a step, NULL if it has nothing there. */
static inline const void *windows_best_step(struct windows *w, uint32_t device, uint32_t ranking,
                                            uint32_t interval)
{
    const struct staircase_kind *kind = &w->kinds[ranking];
    unsigned char *block = windows_open(w, device);
    const void *peak;

    if (!windows_block_has(w, block, kind->feature))
        return NULL;
    if (w->lengths_us[interval] != INTERVAL_ALL_TIME)
        return staircase_best_after(windows_block_staircase(w, block, ranking), kind,
                                    w->starts_us[interval]);
    peak = windows_block_peak(w, block, ranking);
    return windows_is_peak(kind, peak) ? peak : NULL;
}

/* Inlined by force: to the compiler a function that only prefetches does nothing, and it leaves out
 * calls of it. */
__attribute__((always_inline)) static inline void windows_prefetch_steps(const struct windows *w,
                                                                         unsigned char *block)
{
    if (w->is_wide)
        windows_prefetch_slots(w, windows_wide_of(block));
    else
        for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
            staircase_prefetch(windows_block_staircase(w, block, ranking), &w->kinds[ranking]);
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
void windows_heap_raise(struct windows *windows, size_t heap, struct windows_key key);

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
