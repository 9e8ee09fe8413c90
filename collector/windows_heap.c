/* A heap has one key per device. It is never worse than the best reading of its device in the
 * interval, only better: windows.c says why that is enough. */
#include "collector/windows_inner.h"

#include "shared/base/mem.h"

enum { HEAP_CAPACITY_LEAST = 16 };

bool windows_key_beats(const struct windows *w, const struct windows_key *a,
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
    *windows_block_position(w, windows_block_of(w, key.device), heap) = (uint32_t)at;
}

static void sift_up(const struct windows *w, size_t heap, size_t at, struct windows_key key)
{
    const struct windows_key *keys = w->heaps[heap].keys;

    while (at > 0 && windows_key_beats(w, &key, &keys[(at - 1) / 2])) {
        place(w, heap, at, keys[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(w, heap, at, key);
}

void windows_sift_down(const struct windows *w, size_t heap, size_t at, struct windows_key key)
{
    const struct windows_key *keys = w->heaps[heap].keys;
    size_t count = w->heaps[heap].count;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            break;
        if (child + 1 < count && windows_key_beats(w, &keys[child + 1], &keys[child]))
            child++;
        if (!windows_key_beats(w, &keys[child], &key))
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

void windows_heap_add(struct windows *w, size_t index, struct windows_key key)
{
    struct windows_heap *heap = &w->heaps[index];

    /* By eighths, not doubled: the heaps are a seventh of all memory, and arrays of this size are
     * grown by moving page tables, not bytes. */
    if (heap->count == heap->capacity)
        heap_set_capacity(heap, heap->count + HEAP_CAPACITY_LEAST + heap->count / 8u);
    sift_up(w, index, heap->count++, key);
}

void windows_heap_remove(struct windows *w, size_t index, size_t at)
{
    struct windows_heap *heap = &w->heaps[index];
    struct windows_key last;

    *windows_block_position(w, windows_block_of(w, heap->keys[at].device), index) = NOWHERE;
    last = heap->keys[--heap->count];
    if (at < heap->count) {
        if (at > 0 && windows_key_beats(w, &last, &heap->keys[(at - 1) / 2]))
            sift_up(w, index, at, last);
        else
            windows_sift_down(w, index, at, last);
    }
    if (heap->capacity > 2 * HEAP_CAPACITY_LEAST && heap->count < heap->capacity / 2)
        heap_set_capacity(heap, heap->count + HEAP_CAPACITY_LEAST + heap->count / 8u);
}

void windows_heap_raise(struct windows *w, size_t index, struct windows_key key)
{
    uint32_t at = *windows_block_position(w, windows_block_of(w, key.device), index);

    if (at == NOWHERE)
        windows_heap_add(w, index, key);
    else if (windows_key_beats(w, &key, &w->heaps[index].keys[at]))
        sift_up(w, index, at, key);
}
