#include "shared/model/reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_reading__a_status_is_its_text_and_back(void **state)
{
    static const char *const none[] = {"", "on", "ONE", "O", "ACTIVE ", "absent"};

    (void)state;
    for (int status = STATUS_ON; status < STATUS_COUNT; status++) {
        const char *text = reading_status_text((enum reading_status)status);

        assert_int_equal(reading_status_parse(text), status);
    }
    assert_null(reading_status_text(STATUS_ABSENT));
    assert_null(reading_status_text(STATUS_COUNT));
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(reading_status_parse(none[i]), STATUS_COUNT);
}

static void test_reading__the_better_value_then_the_later_then_the_larger_hash(void **state)
{
    static const struct {
        int64_t at_us;
        double value;
        int64_t hash;
    } best_first[] = {{5, 2, 0}, {7, 1, 3}, {6, 1, 9}, {6, 1, -9}, {9, -1, 0}};
    union reading_storage a;
    union reading_storage b;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            a.reading = (struct reading){.recorded_at_us = best_first[i].at_us,
                                         .content_hash = best_first[i].hash};
            b.reading = (struct reading){.recorded_at_us = best_first[j].at_us,
                                         .content_hash = best_first[j].hash};
            a.reading.values[0] = best_first[i].value;
            b.reading.values[0] = best_first[j].value;
            assert_int_equal(reading_is_better(&a.reading, &b.reading, 0, 1), i < j);
            assert_int_equal(reading_equals(&a.reading, &b.reading, 1), i == j);
            if (best_first[i].value != best_first[j].value)
                assert_int_equal(reading_is_better(&a.reading, &b.reading, 0, -1), i > j);
        }
    }
}

static void test_reading__a_word_has_room_for_the_first_and_the_last_time(void **state)
{
    struct reading reading = {.recorded_at_us = READING_LAST_US, .status = STATUS_INACTIVE};

    (void)state;
    assert_true(reading.recorded_at_us == READING_LAST_US);
    assert_int_equal(reading.status, STATUS_INACTIVE);
    reading.recorded_at_us = READING_FIRST_US;
    assert_true(reading.recorded_at_us == READING_FIRST_US);
}

static void test_reading__ids_are_ordered_by_bytes(void **state)
{
    (void)state;
    assert_true(reading_id_is_before("B", "a"));
    assert_true(reading_id_is_before("a", "a1"));
    assert_true(reading_id_is_before("z", "\u00e9"));
    assert_false(reading_id_is_before("a", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading__a_status_is_its_text_and_back),
        cmocka_unit_test(test_reading__the_better_value_then_the_later_then_the_larger_hash),
        cmocka_unit_test(test_reading__a_word_has_room_for_the_first_and_the_last_time),
        cmocka_unit_test(test_reading__ids_are_ordered_by_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
