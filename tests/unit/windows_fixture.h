/* windows_fixture.h: windows of two features over a short interval, a long one and all time, and
 * what tests do with them.
 *
 * Errors   fail the test.
 * Owner    fixture_teardown() frees what fixture_setup() made.
 */
#ifndef HIGHWATER_WINDOWS_FIXTURE_H
#define HIGHWATER_WINDOWS_FIXTURE_H

#include "collector/windows.h"

#include <stddef.h>
#include <stdint.h>

enum { FEATURES = 2, TOP_N = 3 };

/* The intervals of most tests. */
enum { SHORT, LONG, ALL_TIME, INTERVALS };

struct windows_fixture {
    struct windows windows;
    struct windows_entry entries[TOP_N];
    size_t count;
};

int fixture_setup(void **state);
int fixture_setup_both(void **state);
int fixture_setup_lowest(void **state);

/* The ninth step of a staircase is too much. */
int fixture_setup_limited(void **state);
int fixture_teardown(void **state);

/* A reading with these two values; its hash follows from the first. */
void fixture_fill(union reading_storage *out, int64_t at_us, double first, double second);
void fixture_insert2(struct windows_fixture *f, uint32_t device, int64_t at_us, double first,
                     double second, int64_t now_us);

/* With one value; the second is absent. */
void fixture_insert(struct windows_fixture *f, uint32_t device, int64_t at_us, double value,
                    int64_t now_us);

/* With the value for both features. */
void fixture_insert_peak(struct windows_fixture *f, uint32_t device, uint32_t ranking,
                         int64_t at_us, double value);
void fixture_add_devices(struct windows_fixture *f);

struct shown {
    uint32_t device;
    int64_t at_us;
};

/* The board shows these, in this order. */
void fixture_assert_board(struct windows_fixture *f, uint32_t ranking, uint32_t interval,
                          int64_t now_us, const struct shown *expected, size_t count);
void fixture_assert_empty(struct windows_fixture *f, uint32_t ranking, uint32_t interval,
                          int64_t now_us);

#define ASSERT_BOARD(f, ranking, interval, now_us, ...)                                            \
    do {                                                                                           \
        const struct shown expected_[] = {__VA_ARGS__};                                            \
        fixture_assert_board(f, ranking, interval, now_us, expected_,                              \
                             sizeof(expected_) / sizeof(expected_[0]));                            \
    } while (0)

#endif
