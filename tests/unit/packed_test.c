#include "collector/packed.h"

#include "shared/base/random.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fill(union reading_storage *out, size_t features)
{
    memset(out, 0, sizeof(*out));
    out->reading.recorded_at_us = INT64_C(1700000000123456);
    out->reading.content_hash = INT64_MIN + 7;
    out->reading.status = STATUS_INACTIVE;
    for (size_t f = 0; f < features; f++)
        out->reading.values[f] = NAN;
}

/* Packs the reading and checks that it comes back as it was; returns its bytes. */
static size_t pack_and_compare(const struct reading *reading, size_t features)
{
    union packed_storage packed, again;
    union reading_storage back;
    uint8_t carried[FEATURES_MAX];
    size_t count = packed_carried(reading, features, carried);

    memset(&back, 0xaa, sizeof(back));
    memset(&packed, 0x55, sizeof(packed));
    memset(&again, 0xaa, sizeof(again));
    packed_write(&packed, reading, carried, count);
    packed_write(&again, reading, carried, count);
    assert_true(packed_equals(&packed.packed, &again.packed));
    assert_true(packed_bytes(&packed.packed) <= PACKED_MOST);
    packed_read(&packed.packed, &back.reading, features);
    if (memcmp(&back.reading, reading, reading_size(features)) != 0) {
        for (size_t f = 0; f < features; f++)
            print_error("feature %zu: %a comes back as %a\n", f, reading->values[f],
                        back.reading.values[f]);
        fail();
    }
    return packed_bytes(&packed.packed);
}

static void test_packed__a_value_takes_the_bytes_of_its_digits(void **state)
{
    static const struct {
        const char *name;
        double value;
        size_t bytes; /* beside the byte that says how */
    } cases[] = {
        {"zero", 0, 0},
        {"zero with a sign", -0.0, 4},
        {"one byte", 127, 1},
        {"one byte below zero", -128, 1},
        {"two bytes", 128, 2},
        {"two bytes below zero", -32768, 2},
        {"three bytes", 32768, 3},
        {"three bytes at most", 8388607, 3},
        {"three bytes below zero", -8388608, 3},
        {"four bytes", 8388608, 4},
        {"four bytes at most", 2147483646, 4},
        {"too much for an integer, but a float", 2147483648.0, 4},
        {"too much for either", 2147483649.0, 8},
        {"a decimal", 0.5, 1},
        {"two decimals", 21.53, 2},
        {"two decimals below zero", -21.53, 2},
        {"three decimals", 1013.255, 3},
        {"six decimals", 0.000001, 1},
        {"six decimals, four bytes", -2147.483646, 4},
        {"seven decimals", 0.0000001, 8},
        {"a float", (double)0.1f, 4},
        {"the smallest float", (double)FLT_TRUE_MIN, 4},
        {"the largest float", (double)-FLT_MAX, 4},
        {"beyond floats", 1e300, 8},
        {"the smallest double", DBL_TRUE_MIN, 8},
        {"a third", 1.0 / 3, 8},
        {"the next after a decimal", 21.530000000000005, 8},
    };
    union reading_storage storage;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes;

        fill(&storage, 1);
        storage.reading.values[0] = cases[i].value;
        bytes = pack_and_compare(&storage.reading, 1);
        if (bytes !=
            (PACKED_HEAD + 1 + cases[i].bytes + PACKED_WORD - 1) / PACKED_WORD * PACKED_WORD)
            fail_msg("%s: %zu bytes", cases[i].name, bytes);
    }
}

static void test_packed__what_is_not_carried_takes_nothing(void **state)
{
    union reading_storage storage;

    (void)state;
    fill(&storage, FEATURES_MAX);
    assert_int_equal(pack_and_compare(&storage.reading, FEATURES_MAX), 20);
    for (size_t f = 0; f < FEATURES_MAX; f++) { /* alone, at every gap there is */
        fill(&storage, FEATURES_MAX);
        storage.reading.values[f] = 1.5;
        assert_int_equal(pack_and_compare(&storage.reading, FEATURES_MAX), f < 7 ? 20 : 24);
    }
}

static void test_packed__full_readings_of_incompressible_values_fit(void **state)
{
    union reading_storage storage;
    uint64_t random = 1;

    (void)state;
    fill(&storage, FEATURES_MAX);
    for (size_t f = 0; f < FEATURES_MAX; f++)
        storage.reading.values[f] = -random_unit(&random);
    assert_true(pack_and_compare(&storage.reading, FEATURES_MAX) <= PACKED_MOST);
}

/* Every decimal that a device would print, read as its text is. */
static void test_packed__random_decimals_come_back(void **state)
{
    union reading_storage storage;
    uint64_t random = 3;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        size_t features = 1 + random_below(&random, 12);

        fill(&storage, features);
        for (size_t f = 0; f < features; f++) {
            char text[40];
            int decimals = (int)random_below(&random, 9);
            double size = pow(10, (double)random_below(&random, 9));

            if (random_below(&random, 4) == 0)
                continue;
            snprintf(text, sizeof(text), "%.*f", decimals, (random_unit(&random) - 0.5) * size);
            storage.reading.values[f] = strtod(text, NULL);
        }
        pack_and_compare(&storage.reading, features);
    }
}

static void test_packed__random_bits_come_back(void **state)
{
    union reading_storage storage;
    uint64_t random = 5;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        fill(&storage, FEATURES_MAX);
        for (size_t n = random_below(&random, 12); n > 0; n--) {
            uint64_t bits = random_next(&random);
            double value;

            memcpy(&value, &bits, sizeof(value));
            if (!isnan(value))
                storage.reading.values[random_below(&random, FEATURES_MAX)] = value;
        }
        pack_and_compare(&storage.reading, FEATURES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed__a_value_takes_the_bytes_of_its_digits),
        cmocka_unit_test(test_packed__what_is_not_carried_takes_nothing),
        cmocka_unit_test(test_packed__full_readings_of_incompressible_values_fit),
        cmocka_unit_test(test_packed__random_decimals_come_back),
        cmocka_unit_test(test_packed__random_bits_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
