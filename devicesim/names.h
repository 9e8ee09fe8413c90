/* names.h: device ids and the numbers they get, in order of their first appearance.
 *
 * Shape    an array of texts and an open hash over it.
 * Errors   none; names_find() gives NAMES_NONE for a stranger.
 * Owner    embedded; zeroed is empty; names_release() frees everything. Texts are copied in and
 *          stay where they are until then.
 */
#ifndef HIGHWATER_NAMES_H
#define HIGHWATER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE UINT32_MAX

struct names {
    char **texts;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* number + 1, 0 = empty */
    uint32_t slot_count;
};

void names_release(struct names *names);
uint32_t names_find(const struct names *names, const char *text);

/* The number of `text`, a new one if need be. */
uint32_t names_add(struct names *names, const char *text);

#endif
