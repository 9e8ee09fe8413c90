/* schedule.h: which device is due next.
 *
 * Shape    a binary heap of (due_us, device). One timer serves it, however many devices there are.
 * Units    microseconds on the caller's clock.
 * Errors   none; schedule_first() is NULL when it is empty.
 * Owner    embedded; zeroed is empty; schedule_release() frees the array.
 */
#ifndef HIGHWATER_SCHEDULE_H
#define HIGHWATER_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct schedule_entry {
    int64_t due_us;
    uint32_t device;
};

struct schedule {
    struct schedule_entry *entries;
    size_t count;
    size_t capacity;
};

void schedule_release(struct schedule *schedule);
void schedule_add(struct schedule *schedule, int64_t due_us, uint32_t device);

/* Of entries due at the same time, the one with the smaller device number. */
const struct schedule_entry *schedule_first(const struct schedule *schedule);
void schedule_remove_first(struct schedule *schedule);

#endif
