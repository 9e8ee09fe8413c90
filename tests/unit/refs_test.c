#include "collector/stores/postgres/refs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_refs__a_number_leads_back_to_its_device(void **state)
{
    static const int32_t numbers[] = {5, 1, 70000, 6, 2147483};
    struct refs refs = {0};
    uint32_t device;

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(refs_of(&refs, i * 3), 0);
        refs_set(&refs, i * 3, numbers[i]);
    }
    assert_int_equal(refs.device_count, 13);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(refs_of(&refs, i * 3), numbers[i]);
        assert_int_equal(refs_of(&refs, i * 3 + 1), 0);
        assert_true(refs_find(&refs, numbers[i], &device));
        assert_int_equal(device, i * 3);
    }
    refs_release(&refs);
}

static void test_refs__an_unknown_number_is_not_found(void **state)
{
    static const int32_t unknown[] = {-2147483647, -1, 0, 1, 6, 15, 16, 17, 2147483647};
    struct refs refs = {0};
    uint32_t device = 77;

    (void)state;
    assert_false(refs_find(&refs, 1, &device));
    refs_set(&refs, 0, 5);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_false(refs_find(&refs, unknown[i], &device));
    assert_int_equal(device, 77);
    refs_release(&refs);
}

static void test_refs__what_is_forgotten_is_not_found_and_may_come_again(void **state)
{
    struct refs refs = {0};
    uint32_t device = 77;

    (void)state;
    refs_forget(&refs, 3);
    refs_set(&refs, 3, 9);
    refs_forget(&refs, 3);
    refs_forget(&refs, 3);
    assert_int_equal(refs_of(&refs, 3), 0);
    assert_false(refs_find(&refs, 9, &device));
    refs_set(&refs, 3, 12);
    assert_true(refs_find(&refs, 12, &device));
    assert_int_equal(device, 3);
    assert_false(refs_find(&refs, 9, &device));
    refs_release(&refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refs__a_number_leads_back_to_its_device),
        cmocka_unit_test(test_refs__an_unknown_number_is_not_found),
        cmocka_unit_test(test_refs__what_is_forgotten_is_not_found_and_may_come_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
