#include "devicesim/schedule.h"

#include "shared/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct schedule_entry *a, const struct schedule_entry *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->device < b->device);
}

void schedule_release(struct schedule *schedule)
{
    free(schedule->entries);
    *schedule = (struct schedule){0};
}

void schedule_add(struct schedule *schedule, int64_t due_us, uint32_t device)
{
    struct schedule_entry entry = {due_us, device};
    size_t at = schedule->count;

    if (schedule->count == schedule->capacity) {
        schedule->capacity = mem_grown(schedule->capacity, schedule->count + 1);
        schedule->entries =
            mem_realloc(schedule->entries, schedule->capacity * sizeof(schedule->entries[0]));
    }
    schedule->count++;
    while (at > 0 && is_before(&entry, &schedule->entries[(at - 1) / 2])) {
        schedule->entries[at] = schedule->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    schedule->entries[at] = entry;
}

const struct schedule_entry *schedule_first(const struct schedule *schedule)
{
    return schedule->count ? &schedule->entries[0] : NULL;
}

void schedule_remove_first(struct schedule *schedule)
{
    struct schedule_entry last = schedule->entries[--schedule->count];
    size_t at = 0;

    for (size_t child = 1; child < schedule->count; child = 2 * at + 1) {
        if (child + 1 < schedule->count &&
            is_before(&schedule->entries[child + 1], &schedule->entries[child]))
            child++;
        if (!is_before(&schedule->entries[child], &last))
            break;
        schedule->entries[at] = schedule->entries[child];
        at = child;
    }
    schedule->entries[at] = last;
}
