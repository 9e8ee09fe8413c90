#include "collector/stores/postgres/arrivals_table.h"

#include "shared/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define NOW (1000 * SECOND)

struct fixture {
    struct refs refs;
    struct hearing hearing;
    struct arrivals_table table;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));

    arrivals_table_init(&f->table, &f->refs);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arrivals_table_release(&f->table);
    hearing_release(&f->hearing);
    refs_release(&f->refs);
    free(f);
    return 0;
}

static void hear(struct fixture *f, uint32_t device, int64_t received_at_us, int64_t offset_us)
{
    hearing_remember(&f->hearing, device, 0); /* makes room */
    f->hearing.arrivals[device].received_at_us = received_at_us;
    f->hearing.arrivals[device].offset_us = offset_us;
}

static void assert_put(struct fixture *f, const char *sql)
{
    assert_true(arrivals_table_put(&f->table, &f->hearing, NOW));
    assert_string_equal(buffer_text(&f->table.sql), sql);
}

static void test_arrivals_table__what_changed_is_written_once(void **state)
{
    struct fixture *f = *state;

    refs_set(&f->refs, 0, 12);
    refs_set(&f->refs, 2, 7);
    assert_false(arrivals_table_put(&f->table, &f->hearing, NOW));
    hear(f, 0, 1000, 0);
    hear(f, 1, 1500, 9); /* not registered, or removed */
    hear(f, 2, 2000, -30);
    assert_put(f, "SELECT devices_heard('{12,7}','{1000,2000}','{0,-30}')");
    hear(f, 2, 2500, -31); /* meanwhile */
    arrivals_table_note_written(&f->table, &f->hearing);
    assert_put(f, "SELECT devices_heard('{7}','{2500}','{-31}')");
    /* that failed */
    assert_put(f, "SELECT devices_heard('{7}','{2500}','{-31}')");
    arrivals_table_note_written(&f->table, &f->hearing);
    assert_false(arrivals_table_put(&f->table, &f->hearing, NOW));
}

static void test_arrivals_table__who_sends_often_is_not_written_as_often(void **state)
{
    struct fixture *f = *state;

    refs_set(&f->refs, 0, 1);
    hear(f, 0, NOW - 29 * SECOND, 0);
    assert_true(arrivals_table_put(&f->table, &f->hearing, NOW));
    arrivals_table_note_written(&f->table, &f->hearing);
    hear(f, 0, NOW, 0);
    assert_false(arrivals_table_put(&f->table, &f->hearing, NOW + 9 * SECOND));
    assert_true(arrivals_table_put(&f->table, &f->hearing, NOW + 10 * SECOND)); /* it fell silent */
    hear(f, 0, NOW + SECOND, 0);
    assert_true(arrivals_table_put(&f->table, &f->hearing, NOW + SECOND)); /* it goes on */
}

static void test_arrivals_table__all_have_their_turn(void **state)
{
    enum { DEVICES = 3000, EACH = DEVICES / 15 };
    struct fixture *f = *state;
    unsigned written[DEVICES] = {0};

    for (uint32_t device = 0; device < DEVICES; device++)
        refs_set(&f->refs, device, (int32_t)device + 1);
    for (int round = 0; round < 2 * DEVICES / EACH; round++) {
        for (uint32_t device = 0; device < DEVICES; device++)
            hear(f, device, 10 + round, 0); /* all of them are busy */
        f->hearing.count = DEVICES;         /* it has room for more */
        assert_true(arrivals_table_put(&f->table, &f->hearing, NOW));
        assert_int_equal(f->table.count, EACH);
        arrivals_table_note_written(&f->table, &f->hearing);
        for (size_t i = 0; i < f->table.count; i++)
            written[f->table.devices[i]]++;
    }
    for (uint32_t device = 0; device < DEVICES; device++)
        assert_int_equal(written[device], 2);
}

static void test_arrivals_table__a_part_of_the_fleet_is_written_at_once(void **state)
{
    static const struct {
        uint32_t devices;
        size_t count;
    } fleets[] = {{150, 150}, {2000, 200}, {9000, 600}, {40000, 2000}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(fleets) / sizeof(fleets[0]); i++) {
        for (uint32_t device = 0; device < fleets[i].devices; device++) {
            refs_set(&f->refs, device, (int32_t)device + 1);
            hear(f, device, 10, 0);
        }
        f->hearing.count = fleets[i].devices;
        assert_true(arrivals_table_put(&f->table, &f->hearing, NOW));
        assert_int_equal(f->table.count, fleets[i].count);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_arrivals_table__what_changed_is_written_once),
        TEST(test_arrivals_table__who_sends_often_is_not_written_as_often),
        TEST(test_arrivals_table__all_have_their_turn),
        TEST(test_arrivals_table__a_part_of_the_fleet_is_written_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
