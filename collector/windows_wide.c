/* A fleet of many kinds of devices has hundreds of features, a device a few of them. What a device
 * never sent has one byte in its block. What a reading carries is kept once, however many
 * staircases it is a step of: the newest is on all of its features' staircases, one that is an hour
 * old mostly on a single one.
 *
 * Rejected: this form for all (with two features a whole reading is 32 bytes, as much as a reference,
 * its slack and a packed reading, and costs no second cache line); slots in the order of features (a
 * new feature would move the others, and nothing asks for the order). */
#include "collector/windows_inner.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void windows_wide_init(struct windows *w)
{
    size_t heaps = (size_t)w->order_count * w->interval_count;

    static_assert((int)FEATURES_MAX < (int)WINDOWS_NO_SLOT, "a slot's number is a byte");
    for (uint32_t i = 0; i < w->ranking_count; i++)
        staircase_kind_use_refs(&w->kinds[i]);
    w->positions_offset = w->order_count * sizeof(struct staircase);
    w->peaks_offset = w->positions_offset + heaps * sizeof(uint32_t);
    w->slot_size = w->peaks_offset + w->order_count * sizeof(struct staircase_ref);
    w->slot_size = (w->slot_size + 7) & ~(size_t)7;
    w->block_size = offsetof(struct windows_wide, slot_of) + w->feature_count;
    w->shown = mem_calloc(w->top_n + 1, reading_size(w->feature_count));
}

void windows_wide_add(struct windows *w, struct windows_wide *wide)
{
    pack_init(&wide->pack, w->feature_count);
    memset(wide->slot_of, WINDOWS_NO_SLOT, w->feature_count);
}

void windows_wide_clear(struct windows *w, struct windows_wide *wide)
{
    w->budget.pack = &wide->pack;
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
        if (wide->slot_of[w->kinds[ranking].feature] != WINDOWS_NO_SLOT)
            staircase_release(windows_slot_staircase(w, wide, ranking), &w->kinds[ranking]);
    w->slot_bytes -= wide->slot_count * w->slot_size;
    w->pack_bytes -= pack_bytes(&wide->pack);
    pack_release(&wide->pack);
    free(wide->slots);
    wide->slots = NULL;
    wide->slot_count = 0;
    memset(wide->slot_of, WINDOWS_NO_SLOT, w->feature_count);
}

static void make_slot(struct windows *w, struct windows_wide *wide, size_t feature)
{
    unsigned char *slot;

    wide->slot_of[feature] = wide->slot_count++;
    slot = windows_slot(w, wide, feature);
    memset(slot, 0, w->positions_offset);
    /* NOWHERE and STAIRCASE_REF_NONE; and a peak that is none has the value NAN */
    memset(slot + w->positions_offset, 0xff, w->slot_size - w->positions_offset);
}

void windows_wide_make_slots(struct windows *w, struct windows_wide *wide, const uint8_t *carried,
                             size_t count)
{
    size_t missing = 0;

    for (size_t i = 0; i < count; i++)
        missing += wide->slot_of[carried[i]] == WINDOWS_NO_SLOT;
    if (missing == 0)
        return;
    wide->slots = mem_realloc(wide->slots, (wide->slot_count + missing) * w->slot_size);
    w->slot_bytes += missing * w->slot_size;
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++)
        if (wide->slot_of[w->kinds[ranking].feature] != WINDOWS_NO_SLOT)
            staircase_moved(windows_slot_staircase(w, wide, ranking));
    for (size_t i = 0; i < count; i++)
        if (wide->slot_of[carried[i]] == WINDOWS_NO_SLOT)
            make_slot(w, wide, carried[i]);
}

/* Moves the pack together. */
static void tidy(struct windows *w, struct windows_wide *wide)
{
    struct pack_move move;

    w->pack_bytes -= pack_bytes(&wide->pack);
    pack_begin(&move, &wide->pack);
    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        struct staircase_ref *peak;

        if (wide->slot_of[w->kinds[ranking].feature] == WINDOWS_NO_SLOT)
            continue;
        staircase_keep(windows_slot_staircase(w, wide, ranking), &w->kinds[ranking], &move);
        peak = windows_slot_peak(w, wide, ranking);
        if (peak->at != STAIRCASE_REF_NONE)
            peak->at = pack_keep(&move, peak->at);
    }
    pack_end(&move);
    w->pack_bytes += pack_bytes(&wide->pack);
}

/* A peak that is loaded comes again as a reading, or as another ranking's peak. Where there is none yet,
 * its value is NAN, and equals nothing. */
static uint32_t find_peak(const struct windows *w, const struct windows_wide *wide,
                          const struct packed *packed, const struct reading *reading,
                          const uint8_t *carried, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *slot = windows_slot(w, wide, carried[i]);

        for (uint32_t order = 0; order < w->order_count; order++) {
            const struct staircase_ref *peak = windows_slot_peak_of(w, slot, order);

            if (step_value(w->kinds, peak) == reading->values[carried[i]] &&
                packed_equals(pack_at(&wide->pack, peak->at), packed))
                return peak->at;
        }
    }
    return STAIRCASE_REF_NONE;
}

uint32_t windows_wide_hold(struct windows *w, struct windows_wide *wide,
                           const struct reading *reading, const uint8_t *carried, size_t count,
                           bool *is_new)
{
    union packed_storage storage;
    uint32_t at;

    packed_write(&storage, reading, carried, count);
    at = find_peak(w, wide, &storage.packed, reading, carried, count);
    *is_new = at == STAIRCASE_REF_NONE;
    if (!*is_new)
        return at;
    if (pack_is_due(&wide->pack, &storage.packed))
        tidy(w, wide);
    w->pack_bytes -= pack_bytes(&wide->pack);
    at = pack_add(&wide->pack, &storage.packed);
    w->pack_bytes += pack_bytes(&wide->pack);
    return at;
}

void windows_wide_forget(struct windows *w, struct windows_wide *wide, size_t gone, size_t left)
{
    pack_forget(&wide->pack, gone);
    if (wide->pack.due == 0 || (gone > 0 && left == 0))
        tidy(w, wide);
}
