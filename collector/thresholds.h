/* thresholds.h: which devices are beyond a threshold, by what is committed.
 *
 * Shape    a state for each device and threshold: the latest reading that has the feature, by timestamp
 *          (of equal ones the larger hash), and whether it is beyond. What is older than that changes
 *          nothing, so a reading that comes late raises nothing.
 * Start    the latest readings come from the database (thresholds_load()), and what was said of crossings
 *          from the broker (thresholds_tell()), in any order, and mixed with what is committed
 *          meanwhile. Only where the latest value lies between limit and hysteresis does what was said
 *          decide; else the value does.
 * Queue    crossings that were entered or left and are not said yet: each at most once, however often it
 *          changes, so that who takes them slowly says what is so then.
 * Cost     48 bytes a device and threshold; a compare or two per reading and threshold. Without
 *          thresholds nothing.
 * Owner    embedded; thresholds_release() frees the arrays.
 */
#ifndef HIGHWATER_THRESHOLDS_H
#define HIGHWATER_THRESHOLDS_H

#include "collector/threshold_list.h"
#include "shared/model/reading.h"

/* How much is known of what came before the latest reading. */
enum threshold_basis {
    THRESHOLD_NOTHING, /* there is no reading */
    THRESHOLD_GUESSED, /* nothing */
    THRESHOLD_TOLD,    /* what was said before this start */
    THRESHOLD_KNOWN
};

struct threshold_state {
    int64_t at_us; /* the latest reading */
    int64_t hash;
    int64_t since_us; /* of the reading that entered it, */
    double value;     /* and its value */
    unsigned char zone;
    unsigned char basis;
    bool is_beyond;
    bool is_queued;
};

struct threshold_change {
    uint32_t device;
    uint32_t threshold;
};

struct thresholds {
    const struct threshold_list *list;
    bool is_known;                  /* who is beyond; set by whoever loads */
    struct threshold_state *states; /* by device and threshold */
    size_t device_count;
    uint64_t beyond[THRESHOLDS_MAX];    /* devices, now */
    uint64_t crossings[THRESHOLDS_MAX]; /* entered by readings of this process */
    struct threshold_change *queue;     /* from `first` on */
    size_t first;
    size_t end;
    size_t capacity;
};

/* The list stays the caller's. */
void thresholds_init(struct thresholds *thresholds, const struct threshold_list *list);
void thresholds_release(struct thresholds *thresholds);

/* Another process of our id knows better, or does so from now on. What was counted stays. */
void thresholds_clear(struct thresholds *thresholds);

/* A reading that was committed just now. */
void thresholds_apply(struct thresholds *thresholds, uint32_t device,
                      const struct reading *reading);

/* One that was stored before, from the database; of the latest ones of a device, in any order. */
void thresholds_load(struct thresholds *thresholds, uint32_t device, const struct reading *reading);

/* What was said before, and may still stand there: this device is beyond, since then. */
void thresholds_tell(struct thresholds *thresholds, uint32_t device, uint32_t threshold,
                     int64_t since_us, double value);

/* Its readings were taken out of the tables, or some; or it is another collector's. */
void thresholds_forget(struct thresholds *thresholds, uint32_t device);

/* Forgets the devices that `is_ours` denies: the tables have those of all collectors, and a device may be
 * heard by another one from now on. */
void thresholds_keep(struct thresholds *thresholds, const void *user,
                     bool (*is_ours)(const void *user, uint32_t device));

/* All that is so is to be said again. */
void thresholds_repeat(struct thresholds *thresholds);

/* Takes the next one out of the queue; false when it is empty. */
bool thresholds_next(struct thresholds *thresholds, struct threshold_change *change);

/* It could not be said. */
void thresholds_put_back(struct thresholds *thresholds, const struct threshold_change *change);

const struct threshold_state *thresholds_state(const struct thresholds *thresholds, uint32_t device,
                                               uint32_t threshold);

#endif
