/* A reading goes to the peaks and staircases of the features that it carries, and from there, if it
 * leads an interval, to a heap. Of a wide device it is packed first, and taken out again if nothing
 * refers to it. */
#include "collector/windows_inner.h"

#include <string.h>

/* These two return whether the step is kept. */
static bool insert_peak(struct windows *w, uint32_t device, const struct staircase_kind *kind,
                        void *peak, const void *step)
{
    if (windows_is_peak(kind, peak) && !step_is_better(kind, step, peak))
        return false;
    memcpy(peak, step, kind->stride);
    for (uint32_t i = 0; i < w->interval_count; i++)
        if (w->lengths_us[i] == INTERVAL_ALL_TIME)
            windows_heap_raise(w, windows_heap_index(w, (uint32_t)(kind - w->kinds), i),
                               windows_key_of(kind, step, device));
    return true;
}

/* Inlined by force: with two callers it would cost the one of few features two calls a reading. */
__attribute__((always_inline)) static inline bool
insert_step(struct windows *w, uint32_t device, struct staircase_kind *kind,
            struct staircase *staircase, const void *step, int64_t recorded_at_us)
{
    int64_t earlier_us;

    if (!staircase_insert(staircase, kind, step, w->expired_us, &earlier_us))
        return false;
    for (uint32_t i = 0; i < w->interval_count; i++)
        if (earlier_us <= w->starts_us[i] && recorded_at_us > w->starts_us[i])
            windows_heap_raise(w, windows_heap_index(w, (uint32_t)(kind - w->kinds), i),
                               windows_key_of(kind, step, device));
    return true;
}

/* A step in either form, before it is in a staircase. */
union step {
    struct staircase_ref ref;
    struct reading reading;
};

static void set_ref(union step *step, uint32_t at, const double *value)
{
    step->ref.at = at;
    memcpy(step->ref.value, value, sizeof(*value));
}

/* The ends of the staircases, all at once: they are cache misses, each on its own. */
static void prefetch_ends(const struct windows *w, const struct windows_wide *wide,
                          const uint8_t *carried, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *slot = windows_slot(w, wide, carried[i]);

        for (uint32_t order = 0; order < w->order_count; order++)
            staircase_prefetch(windows_slot_staircase_of(slot, order), w->kinds);
    }
}

/* Not inlined: its arrays would cost the windows of few features a guarded stack. */
__attribute__((noinline)) static void insert_wide(struct windows *w, uint32_t device,
                                                  struct windows_wide *wide,
                                                  const struct reading *reading)
{
    uint8_t carried[FEATURES_MAX];
    size_t count = packed_carried(reading, w->feature_count, carried);
    bool is_new, is_kept = false;
    uint32_t at;

    if (count == 0)
        return;
    windows_wide_make_slots(w, wide, carried, count);
    prefetch_ends(w, wide, carried, count);
    at = windows_wide_hold(w, wide, reading, carried, count, &is_new);
    for (size_t i = 0; i < count; i++) {
        unsigned char *slot = windows_slot(w, wide, carried[i]);
        struct staircase_kind *kind = &w->kinds[carried[i] * w->order_count];
        union step step;

        set_ref(&step, at, &reading->values[carried[i]]);
        for (uint32_t order = 0; order < w->order_count; order++, kind++) {
            is_kept |= insert_peak(w, device, kind, windows_slot_peak_of(w, slot, order), &step);
            if (reading->recorded_at_us > w->expired_us)
                is_kept |= insert_step(w, device, kind, windows_slot_staircase_of(slot, order),
                                       &step, reading->recorded_at_us);
        }
    }
    if (is_new && !is_kept)
        pack_take_back(&wide->pack, at);
}

static void insert_dense(struct windows *w, uint32_t device, unsigned char *block,
                         const struct reading *reading)
{
    struct staircase *staircase = windows_dense_staircase(block, 0);
    unsigned char *peak = windows_dense_peak(w, block, 0);
    int64_t recorded_at_us = reading->recorded_at_us;
    struct staircase_kind *end = w->kinds + w->ranking_count;

    for (struct staircase_kind *kind = w->kinds; kind < end; kind++) {
        if (windows_has_feature(reading, kind)) {
            insert_peak(w, device, kind, peak, reading);
            if (recorded_at_us > w->expired_us)
                insert_step(w, device, kind, staircase, reading, recorded_at_us);
        }
        staircase++;
        peak += kind->stride;
    }
}

void windows_insert(struct windows *w, uint32_t device, const struct reading *reading,
                    int64_t now_us)
{
    unsigned char *block;

    windows_advance(w, now_us);
    block = windows_open(w, device);
    if (w->is_wide)
        insert_wide(w, device, windows_wide_of(block), reading);
    else
        insert_dense(w, device, block, reading);
}

static void insert_wide_peak(struct windows *w, uint32_t device, struct windows_wide *wide,
                             uint32_t ranking, const struct reading *reading)
{
    uint8_t carried[FEATURES_MAX];
    size_t count = packed_carried(reading, w->feature_count, carried);
    union step step;
    bool is_new;

    windows_wide_make_slots(w, wide, carried, count);
    set_ref(&step, windows_wide_hold(w, wide, reading, carried, count, &is_new),
            &reading->values[w->kinds[ranking].feature]);
    if (!insert_peak(w, device, &w->kinds[ranking], windows_slot_peak(w, wide, ranking), &step) &&
        is_new)
        pack_take_back(&wide->pack, step.ref.at);
}

void windows_insert_peak(struct windows *w, uint32_t device, uint32_t ranking,
                         const struct reading *reading)
{
    unsigned char *block = windows_open(w, device);

    if (!windows_has_feature(reading, &w->kinds[ranking]))
        return;
    if (w->is_wide)
        insert_wide_peak(w, device, windows_wide_of(block), ranking, reading);
    else
        insert_peak(w, device, &w->kinds[ranking], windows_dense_peak(w, block, ranking), reading);
}

const struct reading *windows_peak(const struct windows *w, uint32_t device, uint32_t ranking)
{
    unsigned char *block = windows_block_of(w, device);
    const struct staircase_kind *kind = &w->kinds[ranking];
    struct reading *out;
    const void *peak;

    if (!windows_block_has(w, block, kind->feature))
        return NULL;
    peak = windows_block_peak(w, block, ranking);
    if (!windows_is_peak(kind, peak))
        return NULL;
    if (!w->is_wide)
        return peak;
    out = (void *)(w->shown + w->top_n * reading_size(w->feature_count));
    packed_read(pack_at(&windows_wide_of(block)->pack, ((const struct staircase_ref *)peak)->at),
                out, w->feature_count);
    return out;
}

/* The steps of a device are known only once its block has arrived, so each call asks for one
 * device's block and for the steps of the device that was announced half the way ago. */
void windows_prefetch(struct windows *w, uint32_t device)
{
    enum { LINE = 64 };
    uint32_t *earlier = &w->announced[w->announced_count % (WINDOWS_AHEAD / 2)];
    const unsigned char *block = windows_block_of(w, device);

    if (w->announced_count >= WINDOWS_AHEAD / 2)
        windows_prefetch_steps(w, windows_block_of(w, *earlier));
    *earlier = device;
    w->announced_count++;
    for (size_t i = 0; i < w->block_size; i += LINE)
        __builtin_prefetch(block + i);
}
