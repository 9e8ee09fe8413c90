/* pack.h: the readings that the staircases and peaks of one device refer to, each held once.
 *
 * Shape    packed readings (packed.h) one after the other in pages, none across two. Who refers to one
 *          has the place at which it begins: the page, and the word in it. Nothing counts references:
 *          when there is a page more than needed, the readings that are still referred to move into
 *          new pages. pack_begin(), pack_keep() of every reference there is, pack_end().
 * Cost     a move looks at every reference and copies every reading that is kept; it is due after a
 *          page of new ones, or a sixteenth of what there was. A reading that goes costs nothing.
 *          All pages are of one size, so that a page that is given back fits the next pack.
 * Units    words of four bytes: a device may have 16 GB.
 * Errors   none. No memory: mem.h.
 * Owner    whoever embeds the struct, from pack_init() on; pack_release() frees the pages.
 */
#ifndef HIGHWATER_PACK_H
#define HIGHWATER_PACK_H

#include "collector/packed.h"

struct pack {
    unsigned char **pages;
    uint32_t page_count;
    uint32_t page_capacity; /* of the table */
    uint32_t due;           /* the page that is not added without a move before it */
    uint32_t used;          /* words of the last page */
    uint32_t count;         /* of readings, those included that nothing refers to any more */
    uint32_t forgotten;     /* steps that went unasked, since the last move */
    uint32_t shift;         /* a page has 2^shift words, two of which malloc has */
};

/* A move under way. */
struct pack_move {
    struct pack *from;
    struct pack to;
};

/* For readings of so many features. */
void pack_init(struct pack *pack, size_t feature_count);

static inline struct packed *pack_at(const struct pack *pack, uint32_t at)
{
    uint32_t word = at & ((UINT32_C(1) << pack->shift) - 1);

    return (void *)(pack->pages[at >> pack->shift] + (size_t)word * PACKED_WORD);
}

/* What a reading in it takes, on average. */
uint64_t pack_mean_bytes(const struct pack *pack);

/* What all of it takes. */
uint64_t pack_bytes(const struct pack *pack);

/* Whether there should be a move before this one is added. */
bool pack_is_due(const struct pack *pack, const struct packed *packed);

/* Puts a reading at the end; returns where it is. */
uint32_t pack_add(struct pack *pack, const struct packed *packed);

/* Takes the reading back that was added last; nothing refers to it. */
void pack_take_back(struct pack *pack, uint32_t at);

/* So many steps went without a new one in their place: if they are many, a move is due at once. */
void pack_forget(struct pack *pack, size_t count);

void pack_begin(struct pack_move *move, struct pack *pack);

/* Where a reading that something refers to will be. */
uint32_t pack_keep(struct pack_move *move, uint32_t at);

/* What was not kept is gone. */
void pack_end(struct pack_move *move);

void pack_release(struct pack *pack);

#endif
