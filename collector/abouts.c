#include "collector/abouts.h"

#include "shared/base/mem.h"

#include <stdlib.h>

void abouts_add(struct abouts *abouts, const struct about *about)
{
    abouts->items =
        mem_grow_zeroed(abouts->items, &abouts->capacity, abouts->count + 1, sizeof(*about));
    abouts->items[abouts->count++] = *about;
}

void about_release(struct about *about)
{
    free(about->device);
    free(about->label);
    free(about->group);
    free(about->location);
    *about = (struct about){0};
}

void abouts_clear(struct abouts *abouts)
{
    for (size_t i = 0; i < abouts->count; i++)
        about_release(&abouts->items[i]);
    abouts->count = 0;
}

void abouts_release(struct abouts *abouts)
{
    abouts_clear(abouts);
    free(abouts->items);
    *abouts = (struct abouts){0};
}
