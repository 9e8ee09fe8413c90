/* arena.h: many small things that live and go together.
 *
 * Why      a compiled mapping is hundreds of names, steps and tables, none of which goes before the
 *          others; one owner each would be hundreds of ways to forget one.
 * Shape    memory in blocks, handed out in order, zeroed, aligned for anything.
 * Errors   none: no memory ends the process (mem.h).
 * Owner    whoever embeds the struct; zeroed is empty; arena_release() frees all of it.
 */
#ifndef HIGHWATER_ARENA_H
#define HIGHWATER_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *newest;
};

void *arena_alloc(struct arena *arena, size_t count, size_t bytes);

/* A copy, with a NUL behind it. */
char *arena_text(struct arena *arena, const char *text, size_t bytes);

void arena_release(struct arena *arena);

#endif
