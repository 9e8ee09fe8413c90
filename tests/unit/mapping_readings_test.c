#include "collector/decoders/mapping_readings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char bytes[] = "0123456789";

static struct mapping_words words(const char *device, int64_t time_us,
                                  const struct mapping_value *value)
{
    return (struct mapping_words){.device = device,
                                  .device_bytes = strlen(device),
                                  .has_time = time_us >= 0,
                                  .time_us = time_us,
                                  .seq = -1,
                                  .from = bytes + 2,
                                  .to = bytes + 4,
                                  .values = value,
                                  .value_count = 1};
}

static void test_mapping_readings__one_device_and_moment_is_one(void **state)
{
    static const struct mapping_value a = {.number = 1, .feature = 0};
    static const struct mapping_value b = {.number = 2, .feature = 1};
    struct mapping_readings readings = {0};
    struct mapping_words said[] = {words("x", 5, &a), words("x", 5, &b), words("y", 5, &b),
                                   words("x", 6, &b), words("x", 5, &a), words("x", -1, &a),
                                   words("x", -1, &a)};
    union reading_storage storage;

    said[1].from = bytes + 7;
    said[1].to = bytes + 8;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        assert_true(mapping_readings_add(&readings, &said[i]));
    mapping_readings_close(&readings, 0);
    assert_int_equal(readings.count, 6);
    mapping_readings_get(&readings, 0, 2, 1000, &storage.reading);
    assert_true(storage.reading.values[0] == 1 && storage.reading.values[1] == 2);
    assert_int_equal(storage.reading.recorded_at_us, 5);
    assert_ptr_equal(readings.items[0].to, bytes + 8);
    assert_string_equal(mapping_readings_device(&readings, 1), "y");
    mapping_readings_get(&readings, 3, 2, 1000, &storage.reading);
    assert_true(storage.reading.values[0] == 1 && storage.reading.values[1] != 2);
    mapping_readings_get(&readings, 4, 2, 1000, &storage.reading);
    assert_int_equal(storage.reading.recorded_at_us, 1000);
    mapping_readings_get(&readings, 5, 2, 1000, &storage.reading);
    assert_int_equal(storage.reading.recorded_at_us, 1001);
    mapping_readings_release(&readings);
    (void)state;
}

/* Of a list of names and values, a = 1, b = 2, a = 3, b = 4. */
static size_t read_list(struct mapping_readings *readings, uint32_t a, uint32_t b)
{
    const struct mapping_value values[] = {{1, a, 0}, {2, b, 0}, {3, a, 0}, {4, b, 0}};

    mapping_readings_clear(readings);
    for (size_t i = 0; i < 4; i++) {
        struct mapping_words said = words("x", 5, &values[i]);

        said.from = bytes + 2 * i;
        said.to = bytes + 2 * i + 1;
        assert_true(mapping_readings_add(readings, &said));
    }
    mapping_readings_close(readings, 0);
    return readings->count;
}

static void test_mapping_readings__features_change_no_identity(void **state)
{
    const uint32_t unknown = MAPPING_NO_FEATURE | 7;
    struct mapping_readings all = {0};
    struct mapping_readings some = {0};
    union reading_storage storage;

    assert_int_equal(read_list(&all, 0, 1), 2);
    assert_int_not_equal(all.items[0].content_hash, all.items[1].content_hash);
    for (int kept = 0; kept < 2; kept++) {
        assert_int_equal(read_list(&some, kept ? 0 : unknown, kept ? unknown : 0), 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(some.items[i].content_hash, all.items[i].content_hash);
            mapping_readings_get(&some, i, 1, 0, &storage.reading);
            assert_true(storage.reading.values[0] == (double)(2 * i + 2 - (size_t)kept));
        }
    }
    assert_int_equal(read_list(&some, unknown, unknown + 1), 0);
    mapping_readings_release(&all);
    mapping_readings_release(&some);
    (void)state;
}

static void test_mapping_readings__there_is_an_end_of_them(void **state)
{
    static const struct mapping_value a = {.number = 1, .feature = 0};
    struct mapping_readings readings = {0};

    for (int64_t i = 0; i < MAPPING_READINGS_MAX; i++) {
        struct mapping_words said = words("x", i, &a);

        assert_true(mapping_readings_add(&readings, &said));
    }
    assert_false(mapping_readings_add(
        &readings, &(struct mapping_words){.device = "y", .device_bytes = 1, .seq = -1}));
    mapping_readings_clear(&readings);
    assert_true(mapping_readings_add(
        &readings, &(struct mapping_words){.device = "y", .device_bytes = 1, .seq = -1}));
    assert_int_equal(readings.count, 1);
    mapping_readings_release(&readings);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping_readings__one_device_and_moment_is_one),
        cmocka_unit_test(test_mapping_readings__features_change_no_identity),
        cmocka_unit_test(test_mapping_readings__there_is_an_end_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
