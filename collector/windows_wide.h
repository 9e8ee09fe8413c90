/* windows_wide.h: a device in windows of many features: what it costs depends on what it sends, not on
 * what the table has columns for. Inside the windows only.
 *
 * Shape    the block has the device's pack (pack.h), in which each reading is once that a staircase
 *          or peak refers to, and a byte for each feature: which of the device's slots it has, if
 *          the device ever sent it. A slot is, for each order, a staircase, the positions of its
 *          keys, and the peak; steps and peaks are struct staircase_ref:
 *
 *              staircases, 16 each | heap positions, 4 each | peaks, 12 each
 *
 * Owner    the windows. Slots move when there are more of them, and towers are told.
 */
#ifndef HIGHWATER_WINDOWS_WIDE_H
#define HIGHWATER_WINDOWS_WIDE_H

#include "collector/windows.h"

enum { WINDOWS_NO_SLOT = UINT8_MAX };

struct windows_wide {
    const char *id;
    struct pack pack;
    unsigned char *slots;
    uint8_t slot_count;
    uint8_t slot_of[]; /* per feature, or WINDOWS_NO_SLOT */
};

static inline struct windows_wide *windows_wide_of(unsigned char *block)
{
    return (void *)block;
}

static inline unsigned char *windows_slot(const struct windows *w, const struct windows_wide *wide,
                                          size_t feature)
{
    return wide->slots + wide->slot_of[feature] * w->slot_size;
}

/* What is in a slot, of an order: of the highest or of the lowest. */
static inline struct staircase *windows_slot_staircase_of(unsigned char *slot, uint32_t order)
{
    return (struct staircase *)(void *)slot + order;
}

static inline struct staircase_ref *windows_slot_peak_of(const struct windows *w,
                                                         unsigned char *slot, uint32_t order)
{
    return (struct staircase_ref *)(void *)(slot + w->peaks_offset) + order;
}

static inline struct staircase *
windows_slot_staircase(const struct windows *w, const struct windows_wide *wide, uint32_t ranking)
{
    uint32_t feature = w->kinds[ranking].feature;

    return windows_slot_staircase_of(windows_slot(w, wide, feature),
                                     ranking - feature * w->order_count);
}

static inline uint32_t *windows_slot_position(const struct windows *w,
                                              const struct windows_wide *wide, size_t heap)
{
    const struct windows_heap *h = &w->heaps[heap];

    return (uint32_t *)(void *)(windows_slot(w, wide, h->feature) + w->positions_offset) + h->place;
}

static inline struct staircase_ref *
windows_slot_peak(const struct windows *w, const struct windows_wide *wide, uint32_t ranking)
{
    uint32_t feature = w->kinds[ranking].feature;

    return windows_slot_peak_of(w, windows_slot(w, wide, feature),
                                ranking - feature * w->order_count);
}

/* Slots, and the pages that their steps refer to. */
__attribute__((always_inline)) static inline void
windows_prefetch_slots(const struct windows *w, const struct windows_wide *wide)
{
    enum { LINE = 64, LINES_MOST = 32 };
    size_t bytes = wide->slot_count * w->slot_size;

    for (size_t i = 0; i < bytes && i < (size_t)LINES_MOST * LINE; i += LINE)
        __builtin_prefetch(wide->slots + i);
    __builtin_prefetch(wide->pack.pages);
}

/* Makes the windows wide, before there are devices. */
void windows_wide_init(struct windows *windows);
void windows_wide_add(struct windows *windows, struct windows_wide *wide);

/* Forgets and frees everything; the keys are gone from the heaps. */
void windows_wide_clear(struct windows *windows, struct windows_wide *wide);

/* Gives a slot to each of these features that has none. */
void windows_wide_make_slots(struct windows *windows, struct windows_wide *wide,
                             const uint8_t *carried, size_t count);

/* Holds a reading in the device's pack, and returns where. `is_new` is false if it was there. */
uint32_t windows_wide_hold(struct windows *windows, struct windows_wide *wide,
                           const struct reading *reading, const uint8_t *carried, size_t count,
                           bool *is_new);

/* Steps have expired, and others are left: gives back what the former referred to, if that is much or
 * all. */
void windows_wide_forget(struct windows *windows, struct windows_wide *wide, size_t gone,
                         size_t left);

#endif
