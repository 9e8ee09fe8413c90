/* threshold_list.h: the values that no device should be beyond, as THRESHOLDS names them.
 *
 * Shape    THRESHOLDS=temperature>90~2,pressure<2: a feature, > or <, the limit, and, where it is said,
 *          behind ~ how far a value must be back before it counts as back. Of a feature one above and
 *          one below at most.
 * Meaning  temperature>90~2 is entered at the first value above 90, and left at the first one at 88 or
 *          below. Without ~ it is left at 90: exactly what is written holds. Rejected: a hysteresis
 *          of some percent unless another is said; a limit of 0 would have none, and who reads the
 *          setting would not see why a device at 89.5 is still beyond 90.
 * Units    those of the feature.
 * Errors   false, with a sentence in `error` that names the value and what is legal.
 * Owner    plain values, copied at will.
 */
#ifndef HIGHWATER_THRESHOLD_LIST_H
#define HIGHWATER_THRESHOLD_LIST_H

#include "shared/model/features.h"

enum { THRESHOLDS_MAX = 32, THRESHOLD_TEXT_SIZE = 128 };

struct threshold {
    size_t feature;
    bool is_below; /* else above */
    double limit;
    double back;                    /* from here on it is left */
    char text[THRESHOLD_TEXT_SIZE]; /* as it is named everywhere: temperature>90~2 */
};

struct threshold_list {
    size_t count;
    struct threshold items[THRESHOLDS_MAX];
};

/* Where a value is. */
enum threshold_zone { THRESHOLD_BACK, THRESHOLD_BETWEEN, THRESHOLD_BEYOND };

static inline enum threshold_zone threshold_zone_of(const struct threshold *threshold, double value)
{
    if (threshold->is_below ? value < threshold->limit : value > threshold->limit)
        return THRESHOLD_BEYOND;
    return (threshold->is_below ? value < threshold->back : value > threshold->back)
               ? THRESHOLD_BETWEEN
               : THRESHOLD_BACK;
}

/* "above" or "below", as topics have it. */
static inline const char *threshold_side(const struct threshold *threshold)
{
    return threshold->is_below ? "below" : "above";
}

bool threshold_list_parse(struct threshold_list *out, const char *text,
                          const struct features *features, char *error, size_t error_bytes);

/* The position of the one on that side of a feature, or list->count. */
size_t threshold_list_find(const struct threshold_list *list, size_t feature, bool is_below);

#endif
