#include "shared/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_hash__is_fnv_1a_with_its_upper_half_folded_in(void **state)
{
    static const struct {
        const char *text;
        uint64_t fnv; /* of the authors' own table of tests */
    } cases[] = {
        {"", UINT64_C(0xcbf29ce484222325)},
        {"a", UINT64_C(0xaf63dc4c8601ec8c)},
        {"foobar", UINT64_C(0x85944171f73967e8)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(hash_bytes(cases[i].text, strlen(cases[i].text)) ==
                    (cases[i].fnv ^ (cases[i].fnv >> 32)));
}

/* What a table masks must differ where keys do: device numbers, and times whole minutes apart. */
static void test_hash__mixed_numbers_spread_over_the_lower_bits(void **state)
{
    enum { SLOTS = 1024 };
    unsigned char used[SLOTS] = {0};
    unsigned count = 0;

    (void)state;
    for (uint64_t device = 0; device < 16; device++) {
        for (uint64_t minute = 0; minute < 16; minute++) {
            uint64_t hash = hash_mix(hash_mix(0, device), minute * 60000000);

            count += !used[hash % SLOTS];
            used[hash % SLOTS] = 1;
        }
    }
    assert_true(count > 190); /* at random: 226 of 256 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__is_fnv_1a_with_its_upper_half_folded_in),
        cmocka_unit_test(test_hash__mixed_numbers_spread_over_the_lower_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
