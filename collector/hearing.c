#include "collector/hearing.h"

#include "shared/base/mem.h"

#include <stdlib.h>

void hearing_release(struct hearing *hearing)
{
    free(hearing->heard_s);
    free(hearing->arrivals);
    *hearing = (struct hearing){0};
}

void hearing_clear(struct hearing *hearing)
{
    uint64_t clears = hearing->clears + 1;

    hearing_release(hearing);
    hearing->clears = clears;
}

void hearing_tick(struct hearing *hearing)
{
    hearing->now_s++;
}

static void make_room(struct hearing *hearing, size_t device)
{
    size_t count = hearing->count;

    if (device < count)
        return;
    hearing->count = mem_grown(count, device + 1);
    hearing->heard_s = mem_realloc(hearing->heard_s, hearing->count * sizeof(hearing->heard_s[0]));
    hearing->arrivals =
        mem_realloc(hearing->arrivals, hearing->count * sizeof(hearing->arrivals[0]));
    for (; count < hearing->count; count++) {
        hearing->heard_s[count] = HEARING_NEVER;
        hearing->arrivals[count] = (struct hearing_arrival){0};
    }
}

void hearing_note(struct hearing *hearing, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_row *row = batch_row(batch, i);
        struct hearing_arrival *arrival;

        make_room(hearing, row->device);
        hearing->heard_s[row->device] = hearing->now_s;
        arrival = &hearing->arrivals[row->device];
        arrival->received_at_us = row->received_at_us;
        /* what was rejected before and came again was late for no fault of its clock */
        arrival->offset_us = batch_reading(row)->recorded_at_us - row->first_received_at_us;
    }
}

void hearing_remember(struct hearing *hearing, size_t device, int32_t ago_s)
{
    make_room(hearing, device);
    if (hearing->heard_s[device] < hearing->now_s - ago_s)
        hearing->heard_s[device] = hearing->now_s - ago_s;
}

bool hearing_silence(const struct hearing *hearing, size_t device, int32_t *silent_s)
{
    if (device >= hearing->count || hearing->heard_s[device] == HEARING_NEVER)
        return false;
    *silent_s = hearing->now_s - hearing->heard_s[device];
    return true;
}

void hearing_forget(struct hearing *hearing, size_t device)
{
    if (device < hearing->count)
        hearing->heard_s[device] = HEARING_NEVER;
}

size_t hearing_count(const struct hearing *hearing)
{
    return hearing_count_silent(hearing, INT32_MIN);
}

size_t hearing_count_silent(const struct hearing *hearing, int32_t for_s)
{
    int64_t until_s = (int64_t)hearing->now_s - for_s;
    size_t count = 0;

    for (size_t i = 0; i < hearing->count; i++)
        count += hearing->heard_s[i] != HEARING_NEVER && hearing->heard_s[i] <= until_s;
    return count;
}
