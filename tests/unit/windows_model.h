/* windows_model.h: what windows are held against: brute force over a plain array of everything that
 * was inserted.
 *
 * Shape    a history is some devices, rankings and intervals, the facts, and what time it is. A fact
 *          is one thing that the windows were given: a reading, or an all-time peak of some
 *          rankings. The model asks all facts, each time.
 * Errors   model_board_is_right() and model_boards_are_right() print what differs.
 */
#ifndef HIGHWATER_TESTS_WINDOWS_MODEL_H
#define HIGHWATER_TESTS_WINDOWS_MODEL_H

#include "collector/windows.h"

enum {
    DEVICES_MOST = 8,
    FEATURES_OF_TEST_MOST = 3,
    INTERVALS_OF_TEST_MOST = 5,
    FACTS_MOST = 400,
    ENTRIES_MOST = 16,
};

/* One thing that was inserted. */
struct fact {
    uint32_t device;
    uint32_t rankings; /* a bit for each ranking that it was given for */
    bool is_windowed;  /* false: as an all-time peak only */
    _Alignas(struct reading) unsigned char reading[sizeof(struct reading) +
                                                   FEATURES_OF_TEST_MOST * sizeof(double)];
};

struct history {
    uint64_t random;
    size_t feature_count;
    size_t width; /* features of the windows; the history's are at these positions */
    size_t positions[FEATURES_OF_TEST_MOST];
    unsigned orders;
    uint32_t ranking_count;
    size_t interval_count;
    int64_t lengths_us[INTERVALS_OF_TEST_MOST];
    uint32_t device_count;
    char ids[DEVICES_MOST][16];
    size_t top_n;
    uint64_t memory_limit;
    uint16_t low_steps; /* so few that towers of steps are usual */
    uint16_t flight_steps;
    uint32_t value_count;
    struct fact facts[FACTS_MOST];
    size_t fact_count;
    int64_t now_us;
};

static inline const struct reading *fact_reading(const struct fact *fact)
{
    return (const void *)fact->reading;
}

bool model_counts(const struct history *h, const struct fact *fact, uint32_t ranking,
                  size_t interval, int64_t now_us);

/* Positive when a is better, 0 when value and time are the same. */
int model_compare(const struct history *h, uint32_t ranking, const struct reading *a,
                  const struct reading *b);

/* The device's best reading, or NULL. */
const struct reading *model_best(const struct history *h, uint32_t device, uint32_t ranking,
                                 size_t interval, int64_t now_us);

size_t model_board(const struct history *h, uint32_t ranking, size_t interval, int64_t now_us,
                   struct windows_entry *entries);

/* The fact that an entry shows, or NULL. */
const struct fact *model_find_fact(const struct history *h, const struct windows_entry *entry);

bool model_boards_are_equal(const struct history *h, const struct windows_entry *a, size_t count_a,
                            const struct windows_entry *b, size_t count_b);

/* Whether the windows show this board, or all, as the model does, and know when it changes next. */
bool model_board_is_right(const struct history *h, struct windows *windows, const char *whose,
                          uint32_t ranking, uint32_t interval);
bool model_boards_are_right(const struct history *h, struct windows *windows, const char *whose);

#endif
