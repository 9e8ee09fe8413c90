#include "devicesim/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_schedule__gives_back_in_order(void **state)
{
    struct schedule schedule = {0};
    uint64_t random = 99;
    int64_t last = INT64_MIN;

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        schedule_add(&schedule, (int64_t)(random >> 50), i);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        const struct schedule_entry *first = schedule_first(&schedule);

        assert_non_null(first);
        assert_true(first->due_us >= last);
        last = first->due_us;
        schedule_remove_first(&schedule);
        if (i % 3 == 0 && i < 3000) /* and in between */
            schedule_add(&schedule, last + (int64_t)(i % 7), i), schedule_add(&schedule, last, i),
                schedule_remove_first(&schedule);
    }
    schedule_release(&schedule);
    assert_null(schedule_first(&schedule));
}

static void test_schedule__of_equals_the_smaller_device_comes_first(void **state)
{
    struct schedule schedule = {0};

    (void)state;
    for (uint32_t i = 10; i > 0; i--)
        schedule_add(&schedule, 5, i);
    for (uint32_t i = 1; i <= 10; i++) {
        assert_int_equal(schedule_first(&schedule)->device, i);
        schedule_remove_first(&schedule);
    }
    assert_null(schedule_first(&schedule));
    schedule_release(&schedule);
}

static void test_schedule__an_empty_one_has_no_first(void **state)
{
    struct schedule schedule = {0};

    (void)state;
    assert_null(schedule_first(&schedule));
    schedule_add(&schedule, INT64_MAX, 7);
    schedule_add(&schedule, INT64_MIN, 8);
    assert_int_equal(schedule_first(&schedule)->device, 8);
    schedule_remove_first(&schedule);
    assert_int_equal(schedule_first(&schedule)->device, 7);
    schedule_remove_first(&schedule);
    assert_null(schedule_first(&schedule));
    schedule_release(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule__gives_back_in_order),
        cmocka_unit_test(test_schedule__of_equals_the_smaller_device_comes_first),
        cmocka_unit_test(test_schedule__an_empty_one_has_no_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
