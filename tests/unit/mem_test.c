#include "shared/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_mem__what_an_array_grows_by_is_zero_and_the_rest_stays(void **state)
{
    size_t capacity = 0;
    uint32_t *array = NULL;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        size_t before = capacity;

        array = mem_grow_zeroed(array, &capacity, (size_t)i + 1, sizeof(array[0]));
        assert_true(capacity > i);
        for (size_t j = before; j < capacity; j++)
            assert_int_equal(array[j], 0);
        assert_true(i == 0 || array[i - 1] == i);
        array[i] = i + 1;
    }
    assert_true(capacity < 2000);
    assert_int_equal(array[0], 1);
    free(array);
}

static void test_mem__an_array_that_is_large_enough_is_left_alone(void **state)
{
    size_t capacity = 0;
    char *array = mem_grow_zeroed(NULL, &capacity, 5, 1);
    size_t before = capacity;

    (void)state;
    memset(array, 'x', capacity);
    assert_ptr_equal(mem_grow_zeroed(array, &capacity, before, 1), array);
    assert_int_equal(capacity, before);
    assert_int_equal(array[before - 1], 'x');
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem__what_an_array_grows_by_is_zero_and_the_rest_stays),
        cmocka_unit_test(test_mem__an_array_that_is_large_enough_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
