/* The maximum of a sliding window needs few of its readings: one that is followed by another at
 * least as good can never be the maximum of any window that reaches to the present. Dropping those
 * at once leaves a staircase, and one staircase answers for every window length.
 *
 * Rejected: a ring of all readings (3,600 of them for an hour, read again for each answer); a tree
 * (pointers of 16 bytes for steps of 32, and nine steps are two to five cache lines of an array);
 * buckets by second or minute (not exact at the window's edge); a linked list of cache lines (no
 * bisection, and a staircase of thousands of steps is exactly where late readings hurt).
 *
 * A reading that is newer than all steps, the usual case, touches the tail only: it pops what
 * it equals or beats and stands there. Expired steps at the front are left alone until room is
 * needed, because looking at the front would cost every insert a cache line.
 *
 * The array grows by one slot and shrinks to three spare ones when five are. A staircase of
 * random values is nine steps on average, but swings: without shrinking it comes to hold room for
 * eighteen; so it holds room for ten, at one reallocation in eight inserts. A slot less costs
 * twice as many of them, half as many cost a slot more. Large arrays do both in eighths, so that
 * a staircase that grows to its limit is not copied all the time. */
#include "collector/staircase.h"

#include "shared/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct staircase) == 16, "a staircase in a device's block is 16 bytes");

enum {
    SPARE_SLOTS_MOST = 5,
    SPARE_SLOTS_AFTER_SHRINKING = 3,
    GROWTH_SLOTS = 1,
};

void staircase_kind_init(struct staircase_kind *kind, size_t feature_count, size_t feature,
                         bool lowest, size_t step_limit)
{
    assert(feature < feature_count);
    assert(step_limit >= STAIRCASE_STEP_LIMIT_LEAST && step_limit <= STAIRCASE_STEP_LIMIT_MOST);
    *kind = (struct staircase_kind){
        .stride = reading_size(feature_count),
        .sign = lowest ? -1 : 1,
        .feature = (uint32_t)feature,
        .step_limit = (uint32_t)step_limit,
    };
}

static unsigned char *slot(const struct staircase *s, const struct staircase_kind *kind,
                           size_t index)
{
    return s->slots + (s->start + index) * kind->stride;
}

static int64_t time_of(const struct staircase *s, const struct staircase_kind *kind, size_t index)
{
    return staircase_step(s, kind, index)->recorded_at_us;
}

/* The first step whose time is after the moment, or count. */
static size_t first_after(const struct staircase *s, const struct staircase_kind *kind,
                          int64_t moment_us)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (time_of(s, kind, middle) > moment_us)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Removes the steps [low, high) by moving the newer ones down. */
static void remove_steps(struct staircase *s, struct staircase_kind *kind, size_t low, size_t high)
{
    memmove(slot(s, kind, low), slot(s, kind, high), (s->count - high) * kind->stride);
    s->count = (uint16_t)(s->count - (high - low));
    kind->steps -= high - low;
}

static void move_to_front(struct staircase *s, const struct staircase_kind *kind)
{
    if (s->start == 0)
        return;
    memmove(s->slots, slot(s, kind, 0), s->count * kind->stride);
    s->start = 0;
}

static void set_capacity(struct staircase *s, struct staircase_kind *kind, size_t capacity)
{
    move_to_front(s, kind);
    s->slots = mem_realloc(s->slots, capacity * kind->stride);
    kind->slots = kind->slots - s->capacity + capacity;
    s->capacity = (uint16_t)capacity;
}

static void shrink_if_wide(struct staircase *s, struct staircase_kind *kind)
{
    size_t spare = (size_t)(s->capacity - s->count);

    if (spare >= SPARE_SLOTS_MOST && spare * 4 >= s->capacity)
        set_capacity(s, kind, s->count + SPARE_SLOTS_AFTER_SHRINKING + s->count / 8u);
}

/* Returns how many went. */
static size_t drop_expired(struct staircase *s, struct staircase_kind *kind, int64_t expired_us)
{
    size_t gone = 0;

    while (gone < s->count && time_of(s, kind, gone) <= expired_us)
        gone++;
    s->start = (uint16_t)(s->start + gone);
    s->count = (uint16_t)(s->count - gone);
    kind->steps -= gone;
    return gone;
}

/* Of the older half every second step goes, the oldest stays. */
static void coarsen(struct staircase *s, struct staircase_kind *kind)
{
    size_t half = s->count / 2u;
    size_t kept = 0;

    for (size_t i = 0; i < half; i += 2)
        memmove(slot(s, kind, kept++), slot(s, kind, i), kind->stride);
    kind->coarsened += half - kept;
    remove_steps(s, kind, kept, half);
}

/* Makes room for one more step behind the last. */
static void make_room(struct staircase *s, struct staircase_kind *kind)
{
    if (s->start + s->count < s->capacity)
        return;
    /* Moving to the front pays only if it frees a fair share of the array: with a staircase of
     * thousands that loses one step at the front for each at the tail it would move all of
     * them, every time. */
    if (s->start > 0 && s->start * 16u >= s->capacity)
        move_to_front(s, kind);
    else
        set_capacity(s, kind,
                     s->capacity +
                         (s->capacity < 8u * GROWTH_SLOTS ? GROWTH_SLOTS : s->capacity / 8u));
}

size_t staircase_insert(struct staircase *s, struct staircase_kind *kind,
                        const struct reading *reading, int64_t expired_us)
{
    double height = staircase_height(kind, reading);
    size_t low = s->count, high = s->count; /* the steps [low, high) give way */

    assert(reading->recorded_at_us > expired_us);
    if (s->count > 0 && time_of(s, kind, s->count - 1u) >= reading->recorded_at_us) {
        const struct reading *next;

        /* A late one. The first step not older than it is the best of all of those. (It is
         * after expired_us, so there is a moment before it.) */
        low = high = first_after(s, kind, reading->recorded_at_us - 1);
        next = staircase_step(s, kind, high);
        if (next->recorded_at_us == reading->recorded_at_us) {
            if (!staircase_is_better(kind, reading, next))
                return STAIRCASE_UNCHANGED;
            high++;
        } else if (staircase_height(kind, next) >= height) {
            return STAIRCASE_UNCHANGED;
        }
    }
    while (low > 0 && staircase_height(kind, staircase_step(s, kind, low - 1)) <= height)
        low--;

    if (low < high) {
        /* It takes the place of the first that gives way. */
        if (high - low > 1)
            remove_steps(s, kind, low + 1, high);
    } else {
        if (s->start + s->count == s->capacity || s->count == kind->step_limit)
            low -= drop_expired(s, kind, expired_us); /* all older than it, so all before it */
        if (s->count == kind->step_limit) {
            coarsen(s, kind);
            low = first_after(s, kind, reading->recorded_at_us);
        }
        make_room(s, kind);
        memmove(slot(s, kind, low + 1), slot(s, kind, low), (s->count - low) * kind->stride);
        s->count++;
        kind->steps++;
    }
    memcpy(slot(s, kind, low), reading, kind->stride);
    shrink_if_wide(s, kind);
    return low;
}

const struct reading *staircase_best_after(const struct staircase *s,
                                           const struct staircase_kind *kind, int64_t moment_us)
{
    size_t index = first_after(s, kind, moment_us);

    return index < s->count ? staircase_step(s, kind, index) : NULL;
}

void staircase_trim(struct staircase *s, struct staircase_kind *kind, int64_t expired_us)
{
    drop_expired(s, kind, expired_us);
    if (s->count == 0)
        staircase_release(s, kind);
    else
        shrink_if_wide(s, kind);
}

void staircase_release(struct staircase *s, struct staircase_kind *kind)
{
    kind->steps -= s->count;
    kind->slots -= s->capacity;
    free(s->slots);
    *s = (struct staircase){0};
}
