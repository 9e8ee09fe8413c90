#include "collector/decoders/arena.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *older;
    size_t used;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static size_t aligned(size_t bytes)
{
    size_t unit = alignof(max_align_t);

    return (bytes + unit - 1) / unit * unit;
}

void *arena_alloc(struct arena *arena, size_t count, size_t bytes)
{
    struct arena_block *block = arena->newest;
    size_t wanted;

    assert(bytes == 0 || count <= (SIZE_MAX / 2) / bytes);
    wanted = aligned(count * bytes);
    if (!block || block->capacity - block->used < wanted) {
        size_t capacity = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;

        block = mem_calloc(1, sizeof(*block) + capacity);
        block->older = arena->newest;
        block->capacity = capacity;
        arena->newest = block;
    }
    block->used += wanted;
    return block->bytes + block->used - wanted;
}

char *arena_text(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1, 1);

    memcpy(copy, text, bytes);
    return copy;
}

void arena_release(struct arena *arena)
{
    while (arena->newest) {
        struct arena_block *block = arena->newest;

        arena->newest = block->older;
        free(block);
    }
}
