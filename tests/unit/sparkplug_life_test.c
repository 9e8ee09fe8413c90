#include "tests/unit/sparkplug_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- deaths ------------------------------------------------------------------------------- */

static void test_sparkplug__a_node_takes_its_devices_along(void **state)
{
    const struct sparkplug_death *deaths;
    size_t count;

    (void)state;
    sp_be_born();
    assert_int_equal(sp_ndeath(3), SPARKPLUG_DIED);
    deaths = sparkplug_deaths(&sp.state, &count);
    assert_int_equal(count, 2);
    assert_string_equal(deaths[0].edge, "E");
    assert_true(strcmp(deaths[0].device, "D") == 0 || strcmp(deaths[1].device, "D") == 0);
    assert_int_equal(sp_requests(), 0);
    assert_int_equal(sp_data(1, 2, T0), SPARKPLUG_REJECTED);
    assert_int_equal(sp_requests(), 1);
}

static void test_sparkplug__a_death_of_an_earlier_birth_is_late(void **state)
{
    (void)state;
    sp_be_born();
    assert_int_equal(sp_ndeath(2), SPARKPLUG_NOTHING);
    assert_int_equal(sp_data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(sp.state.counters.late_deaths, 1);
    assert_int_equal(sp_ndeath(3), SPARKPLUG_DIED);
    assert_int_equal(sp_ndeath(3), SPARKPLUG_NOTHING);
}

static void test_sparkplug__a_device_dies_alone_and_in_sequence(void **state)
{
    size_t count;

    (void)state;
    sp_be_born();
    assert_int_equal(sp_take(DDEATH, 2, T0 + 4, NULL, 0), SPARKPLUG_DIED);
    assert_string_equal(sparkplug_deaths(&sp.state, &count)->device, "D");
    assert_int_equal(count, 1);
    assert_true(sp.result.has_timestamp && sp.result.timestamp_ms == T0 + 4);
    assert_int_equal(sp_requests(), 0);
    assert_int_equal(sp_dbirth(3, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

/* ---- what is saved ------------------------------------------------------------------------ */

static void load(struct sparkplug *state, const struct sparkplug_changes *changes)
{
    for (size_t i = 0; i < changes->node_count; i++)
        assert_true(sparkplug_load_node(state, &changes->nodes[i]));
    for (size_t i = 0; i < changes->birth_count; i++) {
        if (changes->births[i].payload)
            assert_true(sparkplug_load_birth(state, &changes->births[i]));
    }
}

static void start_again(void)
{
    struct sparkplug_changes changes = {0};

    sparkplug_take_changes(&sp.state, &changes);
    sparkplug_clear(&sp.state);
    assert_int_equal(sp.state.node_count, 0);
    load(&sp.state, &changes);
    assert_false(sparkplug_has_changes(&sp.state));
    sparkplug_changes_release(&changes);
    sp.epoch++;
}

static void test_sparkplug__after_a_start_nothing_has_to_be_born_again(void **state)
{
    (void)state;
    sp_be_born();
    sp_data(1, 2, T0);
    start_again();
    assert_int_equal(sp_data(1, 3, T0), SPARKPLUG_READ);
    assert_non_null(
        strstr(buffer_text(&sp.json), "{\"name\":\"Oil\",\"timestamp\":1000,\"value\":-1}"));
    assert_int_equal(sp_ndeath(2), SPARKPLUG_NOTHING);
    assert_int_equal(sp_requests(), 0);
    assert_int_equal(sp_data(1, 5, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 1);
}

/* What is left of it is next in the sequence then, and yet of before the birth. */
static void test_sparkplug__a_start_amid_what_comes_again_knows_it(void **state)
{
    (void)state;
    sp_be_born();
    sp_data(1, 2, T0 + 1);
    sp_data(1, 3, T0 + 2);
    sp_nbirth(4, 0, T0 + 10);
    sp_dbirth_as("Gas", 1, T0 + 10);
    sp_data(1, 2, T0 + 10);
    sp.epoch++;
    assert_int_equal(sp_data(1, 2, T0 + 1), SPARKPLUG_NOTHING);
    start_again();
    assert_int_equal(sp_data(1, 3, T0 + 2), SPARKPLUG_NOTHING);
    sp_nbirth(4, 0, T0 + 10);
    sp_dbirth_as("Gas", 1, T0 + 10);
    assert_int_equal(sp_data(1, 2, T0 + 10), SPARKPLUG_NOTHING);
    start_again();
    assert_int_equal(sp_data(1, 3, T0 + 10), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__what_has_not_changed_is_not_saved_again(void **state)
{
    struct sparkplug_changes changes = {0};

    (void)state;
    sp_be_born();
    sparkplug_take_changes(&sp.state, &changes);
    assert_int_equal(changes.node_count, 1);
    assert_int_equal(changes.birth_count, 2);
    sparkplug_changes_clear(&changes);
    sp_data(1, 2, T0);
    sp_data(1, 3, T0 + 1);
    sparkplug_take_changes(&sp.state, &changes);
    assert_int_equal(changes.node_count, 1);
    assert_int_equal(changes.nodes[0].seq, 3);
    assert_int_equal(changes.nodes[0].heard_ms, T0 + 1);
    assert_int_equal(changes.birth_count, 0);
    sparkplug_changes_clear(&changes);
    sp_ndeath(3);
    sparkplug_take_changes(&sp.state, &changes);
    assert_false(changes.nodes[0].is_born);
    assert_int_equal(changes.birth_count, 2);
    assert_null(changes.births[0].payload);
    sparkplug_changes_release(&changes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sp_setup, sp_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sparkplug__a_node_takes_its_devices_along),
        TEST(test_sparkplug__a_death_of_an_earlier_birth_is_late),
        TEST(test_sparkplug__a_device_dies_alone_and_in_sequence),
        TEST(test_sparkplug__after_a_start_nothing_has_to_be_born_again),
        TEST(test_sparkplug__a_start_amid_what_comes_again_knows_it),
        TEST(test_sparkplug__what_has_not_changed_is_not_saved_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
