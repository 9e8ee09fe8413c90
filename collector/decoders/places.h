/* places.h: where the values of a rule stand, all of them together.
 *
 * Shape    a pointer of a mapping becomes a place: a slot of one of two pointer sets, of the member
 *          that a rule runs for or of the message's root, and the steps that are known only when a
 *          message comes. places_look() and places_root() fill the slots, place_find() reads them.
 * Errors   none.
 * Owner    struct places is part of a rule; struct found, what was found, is whoever's runs it, and
 *          large enough for any of its rules.
 */
#ifndef HIGHWATER_PLACES_H
#define HIGHWATER_PLACES_H

#include "collector/decoders/json_pointer.h"

struct place {
    const char *text; /* as it stands in the file */
    struct json_step *rest;
    size_t rest_count;
    size_t slot;
    size_t cursor;
    bool of_root;
};

/* Pointers of which the first that is there counts. */
struct place_list {
    struct place *items;
    size_t count;
};

struct places {
    struct pointer_set of_item;
    struct pointer_set of_root;
    size_t cursors;
};

/* What a name is looked up by for each member may be as long as the message, so that a message of a million
 * bytes would be walked over a hundred thousand times. That much is not done. */
enum { PLACES_WALK_MOST = 64 * 1024 * 1024 };

struct found {
    struct json_token *of_item;
    struct json_token *of_root;
    struct json_cursor *cursors;
    size_t item_capacity;
    size_t root_capacity;
    size_t cursor_capacity;
    bool is_exhausted; /* what was not looked for counts as not there */
};

struct place places_add(struct places *places, const struct json_pointer *pointer);
void places_release(struct places *places);

/* Once for a message, and then once for each member. */
void places_root(const struct places *places, struct found *found, const struct json_token *root);
void places_look(const struct places *places, struct found *found, const struct json_token *item);

bool place_find(const struct place *place, struct found *found, const struct scope *scope,
                struct json_token *out);

/* What is not found is null, so somebody says that there is nothing. (Where a name in braces leads to, it is
 * not known.) */
bool place_is_null(const struct place *place, const struct found *found);

void found_release(struct found *found);

#endif
