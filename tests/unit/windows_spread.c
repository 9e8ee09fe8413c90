#include "tests/unit/windows_spread.h"

#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void spread_init(struct history *h, size_t width)
{
    h->width = width;
    for (size_t i = 0; i < h->feature_count; i++)
        h->positions[i] = i * width / h->feature_count +
                          random_below(&h->random, (i + 1) * width / h->feature_count -
                                                       i * width / h->feature_count);
}

uint32_t spread_ranking(const struct history *h, uint32_t ranking)
{
    uint32_t orders = h->ranking_count / (uint32_t)h->feature_count;

    return (uint32_t)h->positions[ranking / orders] * orders + ranking % orders;
}

/* Of each form and size that a value can have, or NAN. */
static double other_value(uint64_t *random)
{
    static const double odd[] = {0,        -0.0,  1e300,       5e-324,  -2147483647, 2147483648.0,
                                 1e-6,     1e-7,  0.1f,        -1e38f,  4e38,        8388607,
                                 -8388608, 127.5, 2147.483647, 1.0 / 3, 123456789.25};
    uint64_t form = random_below(random, 6);

    if (form == 0)
        return odd[random_below(random, sizeof(odd) / sizeof(odd[0]))];
    if (form == 1)
        return random_unit(random) * 1e3 - 500;
    if (form == 2)
        return (float)random_unit(random);
    return ((double)random_below(random, 20000) - 10000) / (form == 3 ? 1 : form == 4 ? 100 : 1000);
}

const struct reading *spread_reading(const struct history *h, const struct reading *reading)
{
    static union reading_storage storage;
    struct reading *wide = &storage.reading;
    uint64_t random = (uint64_t)reading->content_hash;

    if (h->width == h->feature_count)
        return reading;
    memcpy(wide, reading, reading_size(0));
    for (size_t i = 0; i < h->width; i++)
        wide->values[i] = random_below(&random, h->width) < 8 ? other_value(&random) : NAN;
    for (size_t i = 0; i < h->feature_count; i++)
        wide->values[h->positions[i]] = reading->values[i];
    return wide;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The history's part of a reading; what else is in it must be right. */
static const struct reading *narrow_reading(const struct history *h, const struct reading *wide,
                                            size_t entry)
{
    static _Alignas(struct reading) unsigned char
        readings[ENTRIES_MOST][sizeof(struct reading) + FEATURES_OF_TEST_MOST * sizeof(double)];
    struct reading *reading = (void *)readings[entry];
    const struct reading *told;

    memcpy(reading, wide, reading_size(0));
    for (size_t i = 0; i < h->feature_count; i++)
        reading->values[i] = wide->values[h->positions[i]];
    told = spread_reading(h, reading);
    for (size_t i = 0; i < h->width; i++)
        if (bits_of(told->values[i]) != bits_of(wide->values[i])) {
            print_error("feature %zu of %zu: told %a, shown %a\n", i, h->width, told->values[i],
                        wide->values[i]);
            abort();
        }
    return reading;
}

size_t spread_board(const struct history *h, struct windows *windows, uint32_t ranking,
                    uint32_t interval, struct windows_entry *entries)
{
    size_t count = windows_board(windows, spread_ranking(h, ranking), interval, h->now_us, entries);

    for (size_t i = 0; i < count && h->width > h->feature_count; i++)
        entries[i].reading = narrow_reading(h, entries[i].reading, i);
    return count;
}

int64_t spread_exact_from(const struct history *h, const struct windows *windows, uint32_t ranking,
                          uint32_t interval, const struct windows_entry *entries, size_t count)
{
    struct windows_entry wide[ENTRIES_MOST] = {0};

    /* Only the last one's reading is looked at. */
    memcpy(wide, entries, count * sizeof(*entries));
    if (count > 0)
        wide[count - 1].reading = spread_reading(h, entries[count - 1].reading);
    return windows_exact_from(windows, spread_ranking(h, ranking), interval, wide, count);
}
