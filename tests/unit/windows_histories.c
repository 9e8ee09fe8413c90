#include "tests/unit/windows_histories.h"

#include "shared/base/random.h"
#include "tests/unit/windows_spread.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* Nothing goes further away than that from where it begins. */
#define MARGIN_US INT64_C(100000)

size_t history_below(struct history *h, size_t bound)
{
    return (size_t)random_below(&h->random, bound);
}

bool history_one_in(struct history *h, size_t n)
{
    return history_below(h, n) == 0;
}

void history_init(struct history *h, uint64_t seed)
{
    static const int64_t starts[] = {0, 1700000000 * SECOND_US, READING_FIRST_US + MARGIN_US,
                                     READING_LAST_US - MARGIN_US};
    static const size_t widths[] = {5, 20, FEATURES_MAX};
    static const int64_t lengths[] = {1, 3, 7, 10, 20, LONGEST_US, INTERVAL_ALL_TIME};

    *h = (struct history){.random = seed};
    h->feature_count = 1 + history_below(h, FEATURES_OF_TEST_MOST);
    h->orders = 1 + (unsigned)history_below(h, 3);
    h->ranking_count = (uint32_t)(h->feature_count * (h->orders == 3 ? 2 : 1));
    h->interval_count = 1 + history_below(h, INTERVALS_OF_TEST_MOST);
    for (size_t i = 0; i < h->interval_count; i++)
        h->lengths_us[i] = lengths[history_below(h, sizeof(lengths) / sizeof(lengths[0]))];
    h->device_count = 1 + (uint32_t)history_below(h, DEVICES_MOST);
    for (uint32_t i = 0; i < h->device_count; i++)
        snprintf(h->ids[i], sizeof(h->ids[i]), "%c%u", (char)('a' + history_below(h, 3)),
                 (unsigned)i);
    h->top_n = 1 + history_below(h, 6);
    h->value_count = 2 + (uint32_t)history_below(h, history_one_in(h, 4) ? 40 : 4);
    h->low_steps = (uint16_t)(4 + history_below(h, 5));
    h->flight_steps = (uint16_t)(3 + history_below(h, 6));
    h->now_us = (int64_t)history_below(h, 100) - 50;
    h->now_us += starts[history_below(h, sizeof(starts) / sizeof(starts[0]))];
    spread_init(h, history_one_in(h, 2)
                       ? h->feature_count
                       : widths[history_below(h, sizeof(widths) / sizeof(widths[0]))]);
}

void history_init_windows(const struct history *h, struct windows *windows)
{
    windows_init(windows, h->width, h->orders, h->lengths_us, h->interval_count, h->top_n,
                 h->memory_limit);
    for (uint32_t i = 0; i < windows->ranking_count; i++) {
        windows->kinds[i].low_steps = h->low_steps;
        windows->kinds[i].flight_steps = h->flight_steps;
    }
    for (uint32_t i = 0; i < h->device_count; i++)
        windows_add_device(windows, h->ids[i]);
}

struct fact *history_add_fact(struct history *h)
{
    struct fact *fact = &h->facts[h->fact_count++];
    struct reading *reading = (void *)fact->reading;
    uint32_t content;

    memset(fact, 0, sizeof(*fact));
    fact->device = (uint32_t)history_below(h, h->device_count);
    fact->rankings = UINT32_MAX;
    fact->is_windowed = true;
    reading->recorded_at_us = h->now_us - (int64_t)history_below(h, 3);
    if (history_one_in(h, 5))
        reading->recorded_at_us = h->now_us - (int64_t)history_below(h, 50);
    else if (history_one_in(h, 8))
        reading->recorded_at_us = h->now_us + (int64_t)history_below(h, 6);
    reading->status = history_one_in(h, 2) ? STATUS_ON : STATUS_OFF;
    content = reading->status;
    for (size_t i = 0; i < h->feature_count; i++) {
        uint32_t value = (uint32_t)history_below(h, h->value_count + 1);

        reading->values[i] = value == h->value_count ? NAN : (double)value - 1;
        if (reading->values[i] == 0 && history_one_in(h, 3)) {
            reading->values[i] = -0.0;
            value = h->value_count + 1;
        }
        content = content * (h->value_count + 2) + value;
    }
    reading->content_hash = (int64_t)(content * UINT64_C(0x9e3779b97f4a7c15));
    return fact;
}

void history_tell(const struct history *h, struct windows *windows, const struct fact *fact)
{
    if (fact->is_windowed) {
        windows_insert(windows, fact->device, spread_reading(h, fact_reading(fact)), h->now_us);
        return;
    }
    for (uint32_t ranking = 0; ranking < h->ranking_count; ranking++)
        if (fact->rankings >> ranking & 1)
            windows_insert_peak(windows, fact->device, spread_ranking(h, ranking),
                                spread_reading(h, fact_reading(fact)));
}

void history_tell_in_any_order(struct history *h, struct windows *windows, int64_t until_us,
                               size_t most_repetitions)
{
    size_t order[FACTS_MOST];

    for (size_t i = 0; i < h->fact_count; i++) {
        size_t j = history_below(h, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < h->fact_count; i++) {
        const struct fact *fact = &h->facts[order[i]];

        if (fact_reading(fact)->recorded_at_us > until_us)
            continue;
        for (size_t n = 1 + history_below(h, most_repetitions); n > 0; n--)
            history_tell(h, windows, fact);
        if (most_repetitions > 1 && history_one_in(h, 3))
            history_tell(h, windows, &h->facts[order[history_below(h, i + 1)]]);
    }
}

void history_tell_all_of(const struct history *h, struct windows *windows, uint32_t device)
{
    for (size_t i = 0; i < h->fact_count; i++)
        if (h->facts[i].device == device)
            history_tell(h, windows, &h->facts[i]);
}
