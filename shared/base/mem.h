/* mem.h: memory that is always there.
 *
 * Shape    the C allocator with one difference: no call returns NULL.
 * Errors   when the system has no memory left the process says how much was asked for and aborts.
 *          An aborted collector has acknowledged nothing it did not store, so this is safe.
 * Owner    the caller frees with free().
 */
#ifndef HIGHWATER_MEM_H
#define HIGHWATER_MEM_H

#include <stddef.h>

void *mem_alloc(size_t bytes);
void *mem_calloc(size_t count, size_t bytes);
void *mem_realloc(void *old, size_t bytes);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t bytes);

/* The next capacity for an array that must hold `needed` items: at least doubled, so that
 * pushing one by one costs constant time on average. */
size_t mem_grown(size_t capacity, size_t needed);

/* Makes room in an array for at least `needed` items of that size, the new ones zero; returns it. */
void *mem_grow_zeroed(void *array, size_t *capacity, size_t needed, size_t item_bytes);

#endif
