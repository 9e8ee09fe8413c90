/* Out of memory is not an error one can handle half-way through a batch: every handler would be
 * code that never runs until the night it matters. The process ends, the broker still has all
 * that was not acknowledged, and the service manager starts it again. */
#include "shared/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t bytes)
{
    if (!memory && bytes > 0) {
        fprintf(stderr, "out of memory: %zu bytes could not be allocated\n", bytes);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t bytes)
{
    return checked(malloc(bytes), bytes);
}

void *mem_calloc(size_t count, size_t bytes)
{
    return checked(calloc(count, bytes),
                   bytes > 0 && count > SIZE_MAX / bytes ? SIZE_MAX : count * bytes);
}

void *mem_realloc(void *old, size_t bytes)
{
    return checked(realloc(old, bytes), bytes);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t bytes)
{
    char *copy = mem_alloc(bytes + 1);

    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

size_t mem_grown(size_t capacity, size_t needed)
{
    size_t grown = capacity ? capacity : 16;

    while (grown < needed)
        grown *= 2;
    return grown;
}

void *mem_grow_zeroed(void *array, size_t *capacity, size_t needed, size_t item_bytes)
{
    size_t grown = mem_grown(*capacity, needed);

    if (grown == *capacity)
        return array;
    array = mem_realloc(array, grown * item_bytes);
    memset((char *)array + *capacity * item_bytes, 0, (grown - *capacity) * item_bytes);
    *capacity = grown;
    return array;
}
