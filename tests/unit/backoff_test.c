#include "shared/base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_backoff__waits_double_up_to_the_most(void **state)
{
    static const uint32_t steps[] = {100, 200, 400, 800, 1000, 1000, 1000};

    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct backoff backoff;

        backoff_init(&backoff, 100, 1000, seed);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            uint32_t wait_ms = backoff_next_ms(&backoff);

            assert_in_range(wait_ms, steps[i] / 2, steps[i]);
        }
    }
}

static void test_backoff__two_clients_do_not_return_together(void **state)
{
    struct backoff a;
    struct backoff b;
    int same = 0;

    (void)state;
    backoff_init(&a, 1000, 100000, 1);
    backoff_init(&b, 1000, 100000, 2);
    for (int i = 0; i < 8; i++)
        same += backoff_next_ms(&a) == backoff_next_ms(&b);
    assert_in_range(same, 0, 2);
}

static void test_backoff__a_success_starts_small_again(void **state)
{
    struct backoff backoff;

    (void)state;
    backoff_init(&backoff, 100, 1000, 7);
    for (int i = 0; i < 5; i++)
        backoff_next_ms(&backoff);
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), 50, 100);
}

static void test_backoff__what_ends_as_soon_as_it_began_is_no_success(void **state)
{
    struct backoff backoff;

    (void)state;
    backoff_init(&backoff, 100, 1000, 7);
    for (int i = 0; i < 5; i++) {
        backoff_next_ms(&backoff);
        backoff_lasted(&backoff, 3);
    }
    assert_in_range(backoff_next_ms(&backoff), 500, 1000);
    backoff_lasted(&backoff, 1000);
    assert_in_range(backoff_next_ms(&backoff), 500, 1000);
    backoff_lasted(&backoff, 1001);
    assert_in_range(backoff_next_ms(&backoff), 50, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff__waits_double_up_to_the_most),
        cmocka_unit_test(test_backoff__two_clients_do_not_return_together),
        cmocka_unit_test(test_backoff__a_success_starts_small_again),
        cmocka_unit_test(test_backoff__what_ends_as_soon_as_it_began_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
