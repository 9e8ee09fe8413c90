/* A copying collector: what is live is copied, what is not is never looked at, and the copy lies
 * together in the order of the staircases. Of a device's readings all but a few are gone after a
 * minute, so there is little to copy.
 *
 * Rejected: a count of references in each reading, and lists of free places by size (each step that
 * goes would touch a reading that nobody else will, a cache miss for each; sizes differ from device
 * to device and change with what it sends, so places stay free; and an allocator's head for each
 * reading is as much as three of its values); one array for a device (arrays that come and go in ever
 * other sizes leave the heap full of holes: half as much again as is in use). */
#include "collector/pack.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_READINGS = 4, /* of the largest, unless pages become too large by it */
    PAGE_SHIFT_LEAST = 7,
    PAGE_SHIFT_MOST = 9,
    MALLOC_WORDS = 2, /* a page and the allocator's head of it are a power of two together */
    GROWTH_SHARE = 16,
    TABLE_GROWTH = 4,
};

static_assert((1 << PAGE_SHIFT_MOST) - MALLOC_WORDS >= PACKED_MOST / PACKED_WORD,
              "a page has room for any reading");

void pack_init(struct pack *pack, size_t feature_count)
{
    size_t words = PAGE_READINGS * (PACKED_HEAD + feature_count * PACKED_ITEM_MOST) / PACKED_WORD;

    *pack = (struct pack){.due = 2, .shift = PAGE_SHIFT_LEAST};
    while (pack->shift < PAGE_SHIFT_MOST && words > (size_t)1 << pack->shift)
        pack->shift++;
}

static uint32_t page_words(const struct pack *pack)
{
    return (UINT32_C(1) << pack->shift) - MALLOC_WORDS;
}

uint64_t pack_mean_bytes(const struct pack *pack)
{
    uint64_t words;

    if (pack->count == 0)
        return 0;
    words = (uint64_t)(pack->page_count - 1) * page_words(pack) + pack->used;
    return words * PACKED_WORD / pack->count;
}

uint64_t pack_bytes(const struct pack *pack)
{
    return (uint64_t)pack->page_count * page_words(pack) * PACKED_WORD +
           pack->page_capacity * sizeof(*pack->pages);
}

static bool has_room(const struct pack *pack, const struct packed *packed)
{
    return pack->page_count > 0 && pack->used + packed->words <= page_words(pack);
}

bool pack_is_due(const struct pack *pack, const struct packed *packed)
{
    return pack->due == 0 || (pack->page_count >= pack->due && !has_room(pack, packed));
}

static void add_page(struct pack *pack)
{
    if (pack->page_count == pack->page_capacity) {
        pack->page_capacity += TABLE_GROWTH + pack->page_capacity / 8u;
        pack->pages = mem_realloc(pack->pages, pack->page_capacity * sizeof(*pack->pages));
    }
    assert(pack->page_count < UINT32_MAX >> pack->shift);
    pack->pages[pack->page_count++] = mem_alloc((size_t)page_words(pack) * PACKED_WORD);
    pack->used = 0;
}

uint32_t pack_add(struct pack *pack, const struct packed *packed)
{
    uint32_t at;

    if (!has_room(pack, packed))
        add_page(pack);
    at = (pack->page_count - 1) << pack->shift | pack->used;
    memcpy(pack_at(pack, at), packed, packed_bytes(packed));
    pack->used += packed->words;
    pack->count++;
    return at;
}

void pack_take_back(struct pack *pack, uint32_t at)
{
    pack->used = at & ((UINT32_C(1) << pack->shift) - 1);
    pack->count--;
}

void pack_forget(struct pack *pack, size_t count)
{
    pack->forgotten += (uint32_t)count;
    if (pack->forgotten > pack->count / 4)
        pack->due = 0;
}

void pack_begin(struct pack_move *move, struct pack *pack)
{
    *move = (struct pack_move){.from = pack, .to = {.shift = pack->shift}};
}

uint32_t pack_keep(struct pack_move *move, uint32_t at)
{
    struct packed *packed = pack_at(move->from, at);

    /* One that has moved has no size any more, and says where it is instead. */
    if (packed->words > 0) {
        packed->content_hash = pack_add(&move->to, packed);
        packed->words = 0;
    }
    return (uint32_t)packed->content_hash;
}

void pack_end(struct pack_move *move)
{
    pack_release(move->from);
    *move->from = move->to;
    move->from->due = move->to.page_count + 1 + move->to.page_count / GROWTH_SHARE;
}

void pack_release(struct pack *pack)
{
    for (uint32_t i = 0; i < pack->page_count; i++)
        free(pack->pages[i]);
    free(pack->pages);
    *pack = (struct pack){.due = 2, .shift = pack->shift};
}
