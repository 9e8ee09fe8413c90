/* Time only passes when a call brings it along: intervals begin later, and what is before them is
 * found out where it is met. */
#include "collector/windows_inner.h"

static int64_t before(int64_t now_us, int64_t length_us)
{
    return now_us < INT64_MIN + length_us ? INT64_MIN : now_us - length_us;
}

void windows_rebuild(struct windows *w, uint32_t ranking, uint32_t interval)
{
    size_t index = windows_heap_index(w, ranking, interval);
    struct windows_heap *heap = &w->heaps[index];

    heap->count = 0;
    for (uint32_t device = 0; device < w->device_count; device++) {
        const void *best;

        if (device + WINDOWS_AHEAD < w->device_count)
            windows_prefetch_steps(w, windows_block_of(w, device + WINDOWS_AHEAD));
        if (!windows_block_has(w, windows_block_of(w, device), heap->feature))
            continue;
        best = windows_best_step(w, device, ranking, interval);
        *windows_block_position(w, windows_block_of(w, device), index) = NOWHERE;
        if (best)
            windows_heap_add(w, index, windows_key_of(&w->kinds[ranking], best, device));
    }
}

void windows_set_now(struct windows *w, int64_t now_us)
{
    bool rewound = now_us < w->now_us;

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
                windows_rebuild(w, ranking, i);
}

/* Returns how many steps went. */
static size_t sweep_ranking(struct windows *w, unsigned char *block, uint32_t ranking)
{
    struct staircase_kind *kind = &w->kinds[ranking];
    struct staircase *staircase = windows_block_staircase(w, block, ranking);
    const void *newest = staircase_newest(staircase, kind);
    uint64_t steps = kind->steps;
    int64_t newest_us;

    if (!newest)
        return 0;
    newest_us = step_time(kind, newest);
    for (uint32_t i = 0; i < w->interval_count; i++) {
        size_t heap = windows_heap_index(w, ranking, i);

        if (w->lengths_us[i] != INTERVAL_ALL_TIME && newest_us <= w->starts_us[i] &&
            *windows_block_position(w, block, heap) != NOWHERE) {
            w->repairs++;
            windows_heap_remove(w, heap, *windows_block_position(w, block, heap));
        }
    }
    staircase_trim(staircase, kind, w->expired_us);
    return steps - kind->steps;
}

static void sweep_device(struct windows *w, uint32_t device)
{
    unsigned char *block = windows_open(w, device);
    size_t gone = 0, left = 0;

    for (uint32_t ranking = 0; ranking < w->ranking_count; ranking++) {
        if (!windows_block_has(w, block, w->kinds[ranking].feature))
            continue;
        gone += sweep_ranking(w, block, ranking);
        left += staircase_count(windows_block_staircase(w, block, ranking));
    }
    if (w->is_wide)
        windows_wide_forget(w, windows_wide_of(block), gone, left);
}

void windows_sweep(struct windows *w, int64_t now_us, size_t budget)
{
    windows_advance(w, now_us);
    for (size_t i = 0; i < budget && i < w->device_count; i++) {
        if (w->sweep_next >= w->device_count)
            w->sweep_next = 0;
        sweep_device(w, w->sweep_next++);
    }
}
