#include "tests/unit/windows_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t lengths_us[INTERVALS] = {100, 1000, INTERVAL_ALL_TIME};

static int fixture_setup_with(void **state, unsigned orders, uint64_t memory_limit)
{
    struct windows_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    windows_init(&f->windows, FEATURES, orders, lengths_us, INTERVALS, TOP_N, memory_limit);
    *state = f;
    return 0;
}

int fixture_setup(void **state)
{
    return fixture_setup_with(state, WINDOWS_HIGHEST, 0);
}

int fixture_setup_both(void **state)
{
    return fixture_setup_with(state, WINDOWS_HIGHEST | WINDOWS_LOWEST, 0);
}

int fixture_setup_lowest(void **state)
{
    return fixture_setup_with(state, WINDOWS_LOWEST, 0);
}

/* The ninth step of a staircase is too much. */
int fixture_setup_limited(void **state)
{
    struct windows_fixture *f;

    fixture_setup_with(state, WINDOWS_HIGHEST, 1);
    f = *state;
    for (uint32_t ranking = 0; ranking < f->windows.ranking_count; ranking++)
        f->windows.kinds[ranking].low_steps = f->windows.kinds[ranking].flight_steps = 8;
    return 0;
}

int fixture_teardown(void **state)
{
    struct windows_fixture *f = *state;

    windows_release(&f->windows);
    free(f);
    return 0;
}

void fixture_fill(union reading_storage *out, int64_t at_us, double first, double second)
{
    memset(out, 0, sizeof(*out));
    out->reading.recorded_at_us = at_us;
    out->reading.content_hash = isnan(first) ? 1 : (int64_t)(first * 16);
    out->reading.status = STATUS_ACTIVE;
    out->reading.values[0] = first;
    out->reading.values[1] = second;
}

void fixture_insert2(struct windows_fixture *f, uint32_t device, int64_t at_us, double first,
                     double second, int64_t now_us)
{
    union reading_storage storage;

    fixture_fill(&storage, at_us, first, second);
    windows_insert(&f->windows, device, &storage.reading, now_us);
}

void fixture_insert(struct windows_fixture *f, uint32_t device, int64_t at_us, double value,
                    int64_t now_us)
{
    fixture_insert2(f, device, at_us, value, NAN, now_us);
}

void fixture_insert_peak(struct windows_fixture *f, uint32_t device, uint32_t ranking,
                         int64_t at_us, double value)
{
    union reading_storage storage;

    fixture_fill(&storage, at_us, value, value);
    windows_insert_peak(&f->windows, device, ranking, &storage.reading);
}

void fixture_add_devices(struct windows_fixture *f)
{
    assert_int_equal(windows_add_device(&f->windows, "a"), 0);
    assert_int_equal(windows_add_device(&f->windows, "b"), 1);
    assert_int_equal(windows_add_device(&f->windows, "c"), 2);
    assert_int_equal(windows_add_device(&f->windows, "d"), 3);
}

void fixture_assert_board(struct windows_fixture *f, uint32_t ranking, uint32_t interval,
                          int64_t now_us, const struct shown *expected, size_t count)
{
    f->count = windows_board(&f->windows, ranking, interval, now_us, f->entries);
    assert_int_equal(f->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f->entries[i].device, expected[i].device);
        assert_int_equal(f->entries[i].reading->recorded_at_us, expected[i].at_us);
    }
}

void fixture_assert_empty(struct windows_fixture *f, uint32_t ranking, uint32_t interval,
                          int64_t now_us)
{
    fixture_assert_board(f, ranking, interval, now_us, NULL, 0);
}
