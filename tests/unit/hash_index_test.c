#include "shared/base/hash_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 10000 };

/* Whether that number is among those of the hash, each of which may come once. */
static bool has(const struct hash_index *index, uint64_t hash, uint32_t wanted)
{
    struct hash_probe probe = hash_probe_of(hash);
    unsigned seen = 0;
    uint32_t number;

    while ((number = hash_index_next(index, &probe)) != HASH_INDEX_NONE)
        seen += number == wanted;
    assert_true(seen <= 1);
    return seen == 1;
}

static void test_hash_index__an_empty_one_has_nothing(void **state)
{
    struct hash_index index = {0};

    (void)state;
    assert_false(has(&index, 0, 0));
    hash_index_release(&index);
}

static void test_hash_index__all_are_found_however_it_grew(void **state)
{
    struct hash_index index = {0};

    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        hash_index_add(&index, UINT64_C(0x9e3779b97f4a7c15) * i, i);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(has(&index, UINT64_C(0x9e3779b97f4a7c15) * i, i));
    assert_false(has(&index, UINT64_C(0x9e3779b97f4a7c15) * MANY, MANY));
    hash_index_release(&index);
    assert_false(has(&index, 0, 0));
}

/* The worst that keys can do is to cost time. */
static void test_hash_index__those_of_one_hash_are_all_found(void **state)
{
    enum { TWINS = 300 };
    struct hash_index index = {0};

    (void)state;
    for (uint32_t i = 0; i < TWINS; i++)
        hash_index_add(&index, UINT32_MAX, i);
    hash_index_add(&index, 0, TWINS);
    for (uint32_t i = 0; i < TWINS; i++)
        assert_true(has(&index, UINT32_MAX, i));
    assert_false(has(&index, UINT32_MAX, TWINS)); /* the slots go round to it */
    assert_true(has(&index, 0, TWINS));
    hash_index_release(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_index__an_empty_one_has_nothing),
        cmocka_unit_test(test_hash_index__all_are_found_however_it_grew),
        cmocka_unit_test(test_hash_index__those_of_one_hash_are_all_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
