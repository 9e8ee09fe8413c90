/* Slow on purpose: no state but the facts, so that nothing can be remembered wrongly. */
#include "tests/unit/windows_model.h"

#include "tests/unit/windows_spread.h"

#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t model_feature(const struct history *h, uint32_t ranking)
{
    return h->orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) ? ranking / 2 : ranking;
}

static bool model_is_lowest(const struct history *h, uint32_t ranking)
{
    return h->orders == WINDOWS_LOWEST ||
           (h->orders == (WINDOWS_HIGHEST | WINDOWS_LOWEST) && ranking % 2 == 1);
}

bool model_counts(const struct history *h, const struct fact *fact, uint32_t ranking,
                  size_t interval, int64_t now_us)
{
    const struct reading *reading = fact_reading(fact);

    if (!(fact->rankings >> ranking & 1) || isnan(reading->values[model_feature(h, ranking)]))
        return false;
    if (h->lengths_us[interval] == INTERVAL_ALL_TIME)
        return true;
    return fact->is_windowed && reading->recorded_at_us > now_us - h->lengths_us[interval];
}

int model_compare(const struct history *h, uint32_t ranking, const struct reading *a,
                  const struct reading *b)
{
    double value_a = a->values[model_feature(h, ranking)];
    double value_b = b->values[model_feature(h, ranking)];

    if (value_a != value_b)
        return (value_a > value_b) != model_is_lowest(h, ranking) ? 1 : -1;
    return (a->recorded_at_us > b->recorded_at_us) - (a->recorded_at_us < b->recorded_at_us);
}

const struct reading *model_best(const struct history *h, uint32_t device, uint32_t ranking,
                                 size_t interval, int64_t now_us)
{
    const struct reading *best = NULL;

    for (size_t i = 0; i < h->fact_count; i++) {
        const struct reading *reading = fact_reading(&h->facts[i]);
        int order;

        if (h->facts[i].device != device ||
            !model_counts(h, &h->facts[i], ranking, interval, now_us))
            continue;
        order = best ? model_compare(h, ranking, reading, best) : 1;
        if (order > 0 || (order == 0 && reading->content_hash > best->content_hash))
            best = reading;
    }
    return best;
}

size_t model_board(const struct history *h, uint32_t ranking, size_t interval, int64_t now_us,
                   struct windows_entry *entries)
{
    struct windows_entry all[DEVICES_MOST] = {0};
    size_t count = 0;

    for (uint32_t device = 0; device < h->device_count; device++) {
        struct windows_entry entry = {device, model_best(h, device, ranking, interval, now_us)};
        size_t at = count;

        if (!entry.reading)
            continue;
        for (; at > 0; at--) {
            int order = model_compare(h, ranking, entry.reading, all[at - 1].reading);

            if (order < 0 || (order == 0 && strcmp(h->ids[device], h->ids[all[at - 1].device]) > 0))
                break;
            all[at] = all[at - 1];
        }
        all[at] = entry;
        count++;
    }
    if (count > h->top_n)
        count = h->top_n;
    memcpy(entries, all, count * sizeof(*entries));
    return count;
}

bool model_boards_are_equal(const struct history *h, const struct windows_entry *a, size_t count_a,
                            const struct windows_entry *b, size_t count_b)
{
    if (count_a != count_b)
        return false;
    for (size_t i = 0; i < count_a; i++)
        if (a[i].device != b[i].device ||
            memcmp(a[i].reading, b[i].reading, reading_size(h->feature_count)) != 0)
            return false;
    return true;
}

static void print_board(const struct history *h, const char *name, uint32_t ranking,
                        const struct windows_entry *entries, size_t count)
{
    print_error("  %s:", name);
    for (size_t i = 0; i < count; i++)
        print_error(" %s=%g@%lld#%lld", h->ids[entries[i].device],
                    entries[i].reading->values[model_feature(h, ranking)],
                    (long long)entries[i].reading->recorded_at_us,
                    (long long)entries[i].reading->content_hash);
    print_error("\n");
}

bool model_board_is_right(const struct history *h, struct windows *windows, const char *whose,
                          uint32_t ranking, uint32_t interval)
{
    struct windows_entry expected[ENTRIES_MOST] = {0}, shown[ENTRIES_MOST] = {0};
    size_t expected_count = model_board(h, ranking, interval, h->now_us, expected);
    size_t count = spread_board(h, windows, ranking, interval, shown);
    int64_t next_us = INT64_MAX;

    if (!model_boards_are_equal(h, shown, count, expected, expected_count)) {
        print_error("%s windows, ranking %u, interval %u, at %lld after %zu facts\n", whose,
                    (unsigned)ranking, (unsigned)interval, (long long)h->now_us, h->fact_count);
        print_board(h, "shown", ranking, shown, count);
        print_board(h, "truth", ranking, expected, expected_count);
        return false;
    }
    for (size_t i = 0; i < count && h->lengths_us[interval] != INTERVAL_ALL_TIME; i++) {
        assert(expected[i].reading);
        if (expected[i].reading->recorded_at_us + h->lengths_us[interval] < next_us)
            next_us = expected[i].reading->recorded_at_us + h->lengths_us[interval];
    }
    if (windows_next_expiry(windows, interval, shown, count) != next_us) {
        print_error("%s windows, ranking %u, interval %u, at %lld: wrong next expiry\n", whose,
                    (unsigned)ranking, (unsigned)interval, (long long)h->now_us);
        return false;
    }
    return true;
}

bool model_boards_are_right(const struct history *h, struct windows *windows, const char *whose)
{
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        for (uint32_t interval = 0; interval < h->interval_count; interval++)
            if (!model_board_is_right(h, windows, whose, ranking, interval))
                return false;
    return true;
}

const struct fact *model_find_fact(const struct history *h, const struct windows_entry *entry)
{
    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device == entry->device &&
            memcmp(h->facts[i].reading, entry->reading, reading_size(h->feature_count)) == 0)
            return &h->facts[i];
    return NULL;
}
