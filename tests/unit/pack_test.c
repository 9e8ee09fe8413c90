#include "collector/pack.h"

#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 20 };

static int setup(void **state)
{
    struct pack *pack = calloc(1, sizeof(*pack));

    assert_non_null(pack);
    pack_init(pack, FEATURES);
    *state = pack;
    return 0;
}

static int teardown(void **state)
{
    pack_release(*state);
    assert_int_equal(pack_bytes(*state), 0);
    free(*state);
    return 0;
}

/* A reading that its hash tells from others, of some size. */
static const struct packed *make(union packed_storage *out, int64_t hash)
{
    union reading_storage storage = {.reading = {.content_hash = hash}};
    uint8_t carried[FEATURES_MAX];
    size_t count = (size_t)hash % FEATURES;

    for (size_t f = 0; f < count; f++) {
        carried[f] = (uint8_t)f;
        storage.reading.values[f] = (double)hash / 3;
    }
    packed_write(out, &storage.reading, carried, count);
    return &out->packed;
}

static uint32_t add(struct pack *pack, int64_t hash)
{
    union packed_storage storage;

    return pack_add(pack, make(&storage, hash));
}

static bool is_there(const struct pack *pack, uint32_t at, int64_t hash)
{
    union packed_storage storage;

    return packed_equals(pack_at(pack, at), make(&storage, hash));
}

static void test_pack__readings_stay_where_they_are_until_a_move(void **state)
{
    struct pack *pack = *state;
    uint32_t at[1000];

    for (int64_t i = 0; i < 1000; i++)
        at[i] = add(pack, i);
    for (int64_t i = 0; i < 1000; i++)
        assert_true(is_there(pack, at[i], i));
}

static void test_pack__a_move_keeps_what_is_referred_to_once(void **state)
{
    struct pack *pack = *state;
    struct pack_move move;
    uint32_t at[1000], again;
    uint64_t bytes;

    for (int64_t i = 0; i < 1000; i++)
        at[i] = add(pack, i);
    bytes = pack_bytes(pack);
    pack_begin(&move, pack);
    for (int64_t i = 999; i >= 0; i -= 10) {
        uint32_t old = at[i];

        at[i] = pack_keep(&move, old);
        again = pack_keep(&move, old);
        assert_int_equal(again, at[i]);
    }
    pack_end(&move);
    assert_int_equal(pack->count, 100);
    assert_true(pack_bytes(pack) < bytes / 6);
    for (int64_t i = 999; i >= 0; i -= 10)
        assert_true(is_there(pack, at[i], i));
}

static void test_pack__a_move_that_keeps_nothing_leaves_nothing(void **state)
{
    struct pack *pack = *state;
    struct pack_move move;

    for (int64_t i = 0; i < 100; i++)
        add(pack, i);
    pack_begin(&move, pack);
    pack_end(&move);
    assert_int_equal(pack_bytes(pack), 0);
    assert_true(is_there(pack, add(pack, 7), 7));
}

static void test_pack__what_is_taken_back_leaves_its_room(void **state)
{
    struct pack *pack = *state;
    uint32_t first = add(pack, 19), at = add(pack, 5);

    pack_take_back(pack, at);
    assert_int_equal(add(pack, 6), at);
    assert_true(is_there(pack, first, 19));
    assert_true(is_there(pack, at, 6));
    for (int64_t i = 0; i < 100; i++) { /* and across the start of a page */
        at = add(pack, i);
        pack_take_back(pack, at);
        assert_int_equal(add(pack, i), at);
    }
    assert_int_equal(pack->count, 102);
}

/* Of ever new readings the last 50 are wanted. */
static void test_pack__never_takes_much_more_than_what_is_wanted(void **state)
{
    enum { WANTED = 50 };
    struct pack *pack = *state;
    union packed_storage storage;
    uint32_t at[WANTED] = {0};
    uint64_t moves = 0;

    for (int64_t i = 0; i < 100000; i++) {
        if (pack_is_due(pack, make(&storage, i))) {
            struct pack_move move;

            moves++;
            pack_begin(&move, pack);
            for (int64_t n = i - WANTED; n < i; n++)
                if (n >= 0)
                    at[n % WANTED] = pack_keep(&move, at[n % WANTED]);
            pack_end(&move);
        }
        at[i % WANTED] = pack_add(pack, &storage.packed);
        assert_true(pack_bytes(pack) < UINT64_C(2) * WANTED * pack_mean_bytes(pack) + 3000);
    }
    assert_true(moves < 100000 / 5);
    for (int64_t i = 100000 - WANTED; i < 100000; i++)
        assert_true(is_there(pack, at[i % WANTED], i));
}

static void test_pack__a_move_is_due_when_much_is_forgotten(void **state)
{
    struct pack *pack = *state;
    union packed_storage storage;

    for (int64_t i = 0; i < 8; i++)
        add(pack, 1);
    pack_forget(pack, 2);
    assert_false(pack_is_due(pack, make(&storage, 1)));
    pack_forget(pack, 1);
    assert_true(pack_is_due(pack, make(&storage, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pack__readings_stay_where_they_are_until_a_move, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pack__a_move_keeps_what_is_referred_to_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pack__a_move_that_keeps_nothing_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pack__what_is_taken_back_leaves_its_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pack__never_takes_much_more_than_what_is_wanted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pack__a_move_is_due_when_much_is_forgotten, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
