#include "collector/thresholds.h"

#include "shared/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void thresholds_init(struct thresholds *thresholds, const struct threshold_list *list)
{
    *thresholds = (struct thresholds){.list = list};
}

void thresholds_release(struct thresholds *thresholds)
{
    free(thresholds->states);
    free(thresholds->queue);
    *thresholds = (struct thresholds){0};
}

void thresholds_clear(struct thresholds *thresholds)
{
    free(thresholds->states);
    thresholds->states = NULL;
    thresholds->device_count = 0;
    thresholds->is_known = false;
    thresholds->first = thresholds->end = 0;
    memset(thresholds->beyond, 0, sizeof(thresholds->beyond));
}

static struct threshold_state *states_of(struct thresholds *thresholds, uint32_t device)
{
    size_t width = thresholds->list->count;

    if (device >= thresholds->device_count) {
        size_t count = mem_grown(thresholds->device_count, (size_t)device + 1);
        size_t added = count - thresholds->device_count;

        thresholds->states =
            mem_realloc(thresholds->states, count * width * sizeof(thresholds->states[0]));
        memset(thresholds->states + thresholds->device_count * width, 0,
               added * width * sizeof(thresholds->states[0]));
        thresholds->device_count = count;
    }
    return thresholds->states + device * width;
}

const struct threshold_state *thresholds_state(const struct thresholds *thresholds, uint32_t device,
                                               uint32_t threshold)
{
    static const struct threshold_state none;

    return device < thresholds->device_count
               ? &thresholds->states[device * thresholds->list->count + threshold]
               : &none;
}

/* ---- what is to be said ----------------------------------------------------------------------- */

static void put_in_queue(struct thresholds *thresholds, struct threshold_state *state,
                         struct threshold_change change)
{
    if (state->is_queued)
        return;
    state->is_queued = true;
    if (thresholds->end == thresholds->capacity && thresholds->first > 0) {
        thresholds->end -= thresholds->first;
        memmove(thresholds->queue, thresholds->queue + thresholds->first,
                thresholds->end * sizeof(change));
        thresholds->first = 0;
    }
    thresholds->queue = mem_grow_zeroed(thresholds->queue, &thresholds->capacity,
                                        thresholds->end + 1, sizeof(change));
    thresholds->queue[thresholds->end++] = change;
}

void thresholds_put_back(struct thresholds *thresholds, const struct threshold_change *change)
{
    put_in_queue(thresholds, &states_of(thresholds, change->device)[change->threshold], *change);
}

bool thresholds_next(struct thresholds *thresholds, struct threshold_change *change)
{
    if (thresholds->first == thresholds->end) {
        thresholds->first = thresholds->end = 0;
        return false;
    }
    *change = thresholds->queue[thresholds->first++];
    states_of(thresholds, change->device)[change->threshold].is_queued = false;
    return true;
}

void thresholds_repeat(struct thresholds *thresholds)
{
    size_t width = thresholds->list->count;

    for (size_t i = 0; i < thresholds->device_count * width; i++) {
        const struct threshold_change change = {(uint32_t)(i / width), (uint32_t)(i % width)};

        if (thresholds->states[i].is_beyond)
            put_in_queue(thresholds, &thresholds->states[i], change);
    }
}

/* ---- crossings ---------------------------------------------------------------------------------- */

static void enter(struct thresholds *thresholds, struct threshold_state *state,
                  struct threshold_change change, int64_t since_us, double value)
{
    state->is_beyond = true;
    state->since_us = since_us;
    state->value = value;
    thresholds->beyond[change.threshold]++;
    put_in_queue(thresholds, state, change);
}

static void leave(struct thresholds *thresholds, struct threshold_state *state,
                  struct threshold_change change)
{
    state->is_beyond = false;
    thresholds->beyond[change.threshold]--;
    put_in_queue(thresholds, state, change);
}

/* False when the reading has nothing to say: no such feature, or it is not later than the latest. */
static bool take(struct threshold_state *state, const struct threshold *threshold,
                 const struct reading *reading)
{
    double value = reading->values[threshold->feature];

    if (isnan(value) ||
        (state->basis != THRESHOLD_NOTHING &&
         (reading->recorded_at_us < state->at_us ||
          (reading->recorded_at_us == state->at_us && reading->content_hash <= state->hash))))
        return false;
    state->at_us = reading->recorded_at_us;
    state->hash = reading->content_hash;
    state->zone = (unsigned char)threshold_zone_of(threshold, value);
    return true;
}

static void apply(struct thresholds *thresholds, struct threshold_state *state,
                  struct threshold_change change, const struct reading *reading)
{
    const struct threshold *threshold = &thresholds->list->items[change.threshold];

    if (!take(state, threshold, reading))
        return;
    if (state->zone == THRESHOLD_BEYOND && !state->is_beyond) {
        thresholds->crossings[change.threshold]++;
        enter(thresholds, state, change, reading->recorded_at_us,
              reading->values[threshold->feature]);
    } else if (state->zone == THRESHOLD_BACK && state->is_beyond) {
        leave(thresholds, state, change);
    }
    /* between the two, and before it never elsewhere: it may have come from beyond before this start */
    if (state->zone == THRESHOLD_BETWEEN && !state->is_beyond && state->basis <= THRESHOLD_GUESSED)
        state->basis = THRESHOLD_GUESSED;
    else
        state->basis = THRESHOLD_KNOWN;
}

void thresholds_apply(struct thresholds *thresholds, uint32_t device, const struct reading *reading)
{
    struct threshold_state *states = states_of(thresholds, device);

    for (uint32_t i = 0; i < thresholds->list->count; i++)
        apply(thresholds, &states[i], (struct threshold_change){device, i}, reading);
}

/* Of what is older only what some later reading does not beat is loaded. So a reading stands for itself:
 * that one before it was beyond says nothing, for the one that left may be missing. */
static void load(struct thresholds *thresholds, struct threshold_state *state,
                 struct threshold_change change, const struct reading *reading)
{
    const struct threshold *threshold = &thresholds->list->items[change.threshold];

    if (!take(state, threshold, reading))
        return;
    if (state->zone == THRESHOLD_BEYOND && !state->is_beyond)
        enter(thresholds, state, change, reading->recorded_at_us,
              reading->values[threshold->feature]);
    else if (state->is_beyond &&
             (state->zone == THRESHOLD_BACK ||
              (state->zone == THRESHOLD_BETWEEN && state->basis == THRESHOLD_GUESSED)))
        leave(thresholds, state, change);
    if (state->basis == THRESHOLD_NOTHING || !state->is_beyond)
        state->basis = state->basis == THRESHOLD_KNOWN ? THRESHOLD_KNOWN : THRESHOLD_GUESSED;
}

void thresholds_load(struct thresholds *thresholds, uint32_t device, const struct reading *reading)
{
    struct threshold_state *states = states_of(thresholds, device);

    for (uint32_t i = 0; i < thresholds->list->count; i++)
        load(thresholds, &states[i], (struct threshold_change){device, i}, reading);
}

void thresholds_tell(struct thresholds *thresholds, uint32_t device, uint32_t threshold,
                     int64_t since_us, double value)
{
    struct threshold_state *state = &states_of(thresholds, device)[threshold];
    const struct threshold_change change = {device, threshold};

    if (state->is_beyond) {
        if (state->is_queued && since_us < state->since_us) { /* it went on while we were away */
            state->since_us = since_us;
            state->value = value;
        }
    } else if (state->basis == THRESHOLD_NOTHING &&
               threshold_zone_of(&thresholds->list->items[threshold], value) == THRESHOLD_BEYOND) {
        *state = (struct threshold_state){.at_us = since_us,
                                          .hash = INT64_MIN,
                                          .zone = THRESHOLD_BEYOND,
                                          .basis = THRESHOLD_TOLD,
                                          .is_queued = state->is_queued};
        enter(thresholds, state, change, since_us, value);
    } else if (state->basis == THRESHOLD_GUESSED && state->zone == THRESHOLD_BETWEEN &&
               since_us <= state->at_us) {
        state->basis = THRESHOLD_TOLD;
        enter(thresholds, state, change, since_us, value);
    } else {
        put_in_queue(thresholds, state, change); /* it is no longer so */
    }
}

void thresholds_forget(struct thresholds *thresholds, uint32_t device)
{
    for (uint32_t i = 0; device < thresholds->device_count && i < thresholds->list->count; i++) {
        struct threshold_state *state = &states_of(thresholds, device)[i];

        if (state->is_beyond)
            leave(thresholds, state, (struct threshold_change){device, i});
        state->basis = THRESHOLD_NOTHING;
    }
}

void thresholds_keep(struct thresholds *thresholds, const void *user,
                     bool (*is_ours)(const void *user, uint32_t device))
{
    for (uint32_t device = 0; device < thresholds->device_count; device++) {
        if (!is_ours(user, device))
            thresholds_forget(thresholds, device);
    }
}
