#include "collector/decoders/places.h"

#include "shared/base/mem.h"

#include <stdlib.h>

struct place places_add(struct places *places, const struct json_pointer *pointer)
{
    struct pointer_set *set = pointer->of_root ? &places->of_root : &places->of_item;
    struct place place = {.text = pointer->text, .of_root = pointer->of_root};
    size_t known = 0;

    while (known < pointer->count && pointer->steps[known].variable == NAME_NONE)
        known++;
    place.slot = pointer_set_add(set, pointer->steps, known);
    place.rest = pointer->steps + known;
    place.rest_count = pointer->count - known;
    place.cursor = places->cursors;
    places->cursors += place.rest_count > 0;
    return place;
}

void places_release(struct places *places)
{
    pointer_set_release(&places->of_item);
    pointer_set_release(&places->of_root);
}

void places_root(const struct places *places, struct found *found, const struct json_token *root)
{
    found->of_root = mem_grow_zeroed(found->of_root, &found->root_capacity,
                                     places->of_root.slots + 1, sizeof(found->of_root[0]));
    found->of_item = mem_grow_zeroed(found->of_item, &found->item_capacity,
                                     places->of_item.slots + 1, sizeof(found->of_item[0]));
    found->cursors = mem_grow_zeroed(found->cursors, &found->cursor_capacity, places->cursors + 1,
                                     sizeof(found->cursors[0]));
    for (size_t i = 0; i < places->cursors; i++) {
        found->cursors[i].container = NULL;
        found->cursors[i].walked = 0;
    }
    pointer_set_find(&places->of_root, root, found->of_root);
}

void places_look(const struct places *places, struct found *found, const struct json_token *item)
{
    pointer_set_find(&places->of_item, item, found->of_item);
}

static bool follow(const struct place *place, struct found *found, const struct scope *scope,
                   const struct json_token *known, struct json_token *out)
{
    struct json_cursor *cursor = &found->cursors[place->cursor];

    if (cursor->walked > PLACES_WALK_MOST) {
        found->is_exhausted = true;
        return false;
    }
    return json_steps_follow(place->rest, place->rest_count, scope, cursor, known, out);
}

static const struct json_token *known_of(const struct place *place, const struct found *found)
{
    return place->of_root ? &found->of_root[place->slot] : &found->of_item[place->slot];
}

bool place_is_null(const struct place *place, const struct found *found)
{
    const struct json_token *known = known_of(place, found);

    return place->rest_count == 0 && !known->text && known->kind == JSON_NULL;
}

bool place_find(const struct place *place, struct found *found, const struct scope *scope,
                struct json_token *out)
{
    const struct json_token *known = known_of(place, found);

    if (!known->text)
        return false;
    if (place->rest_count > 0)
        return follow(place, found, scope, known, out);
    *out = *known;
    return true;
}

void found_release(struct found *found)
{
    free(found->of_item);
    free(found->of_root);
    free(found->cursors);
    *found = (struct found){0};
}
