/* abouts.h: what devices say of themselves, on its way from a message into the database.
 *
 * Shape    in the order of arrival; of one device the last one holds.
 * Owner    whoever embeds it; zeroed is empty; abouts_clear() frees the texts and keeps the array.
 */
#ifndef HIGHWATER_ABOUTS_H
#define HIGHWATER_ABOUTS_H

#include <stddef.h>

/* NULL: it does not say; all NULL: what it said no longer holds. */
struct about {
    char *device;
    char *label;
    char *group;
    char *location; /* as JSON: a string, or latitude and longitude */
};

struct abouts {
    struct about *items;
    size_t count;
    size_t capacity;
};

/* Takes the texts over. */
void abouts_add(struct abouts *abouts, const struct about *about);

void about_release(struct about *about);
void abouts_clear(struct abouts *abouts);
void abouts_release(struct abouts *abouts);

#endif
