/* board.h: a board as it travels: who ranks highest (or lowest) in one feature over one interval.
 *
 * Shape    at most N entries, best first, never two of one device, each with its whole reading.
 *          As JSON, retained on collectors/<id>/boards/<feature>/<interval> (lowest boards on
 *          .../<interval>/lowest):
 *          {"feature","interval","order":"desc"|"asc","asOf","generation","readings":[{"deviceId",...},
 *          ...],"hashes":["0123456789abcdef",...]}, the content hashes of the readings, for merging
 *          boards; where there are none they count as equal. With "exact":false before the
 *          readings when the best may be missing.
 * As-of    a board is the board of its asOf, a multiple of BOARD_GRID_US since 1970 in every collector,
 *          so that the boards of several can be merged.
 * Order    better value first, then the later time, then the smaller device id. Of two readings of
 *          one device with equal value and time the larger content hash wins, so that the answer
 *          never depends on the order of arrival.
 * Errors   board_parse() is false when the text is not such a board: strict JSON, no member twice,
 *          known ones of their type, finite numbers. Members that are not known are passed over.
 * Owner    a parsed board owns its entries; board_release() frees them.
 */
#ifndef HIGHWATER_BOARD_H
#define HIGHWATER_BOARD_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"
#include "shared/model/topic.h"

enum sort_order { ORDER_HIGHEST, ORDER_LOWEST, ORDER_COUNT };

enum { BOARD_ENTRIES_MAX = 1000 };

#define BOARD_GRID_US INT64_C(100000)

/* The latest as-of that is not after this time. */
static inline int64_t board_as_of(int64_t us)
{
    return us - (us % BOARD_GRID_US + BOARD_GRID_US) % BOARD_GRID_US;
}

struct board_entry {
    const char *device_id;
    const struct reading *reading;
};

struct board {
    char feature[FEATURE_NAME_MAX + 1];
    char interval[INTERVAL_NAME_MAX + 1];
    enum sort_order order;
    int64_t as_of_us;
    int64_t generation; /* rises with each publication of this board; 0 = it says none */
    bool is_exact;
    size_t count;
    struct board_entry *entries;
    unsigned char *memory; /* what the entries point into */
    size_t bytes;          /* that the entries take */
};

/* "desc" or "asc". */
const char *sort_order_text(enum sort_order order);
bool sort_order_parse(enum sort_order *out, const char *text);

/* Below zero when `a` ranks before `b` on a board of the feature at this position. Both have the
 * feature. */
int board_entry_compare(const struct board_entry *a, const struct board_entry *b, size_t feature,
                        enum sort_order order);

/* Sorts entries and keeps the best one of each device, the first `limit` in all; returns how many
 * are left. Merging boards is this over all their entries. */
size_t board_rank(struct board_entry *entries, size_t count, size_t feature, enum sort_order order,
                  size_t limit);

/* What a board says before its readings. */
struct board_head {
    const char *feature;
    const char *interval;
    enum sort_order order;
    int64_t as_of_us;
    int64_t generation;
    bool is_exact;
};

/* Appends the topic of a board. */
void board_topic(struct buffer *out, const char *collector_id, const char *feature,
                 const char *interval, enum sort_order order);

void board_write(struct buffer *out, const struct features *features, const struct board_head *head,
                 const struct board_entry *entries, size_t count);

/* `features` says which values the readings get and in which order; others are ignored. */
bool board_parse(struct board *out, const struct features *features, const char *json,
                 size_t bytes);

void board_release(struct board *board);

#endif
