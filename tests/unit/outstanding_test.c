#include "devicesim/outstanding.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct outstanding *outstanding, uint16_t packet_id)
{
    const struct ticket ticket = {.number = 1000u + packet_id, .packet_id = packet_id};

    outstanding_add(outstanding, &ticket);
}

static void take(struct outstanding *outstanding, uint16_t packet_id)
{
    struct ticket ticket;

    assert_true(outstanding_pop(outstanding, &ticket, packet_id));
    assert_int_equal(ticket.number, 1000u + packet_id);
}

static void test_outstanding__each_ticket_is_given_back_once_in_any_order(void **state)
{
    struct outstanding outstanding = {0};
    struct ticket ticket;

    (void)state;
    for (uint16_t id = 1; id <= 100; id++)
        add(&outstanding, id);
    take(&outstanding, 1);
    take(&outstanding, 3);
    take(&outstanding, 2);
    assert_false(outstanding_pop(&outstanding, &ticket, 2));
    assert_false(outstanding_pop(&outstanding, &ticket, 0));
    assert_false(outstanding_pop(&outstanding, &ticket, 101));
    for (uint16_t id = 100; id >= 4; id--)
        take(&outstanding, id);
    assert_int_equal(outstanding.count, 0);
    assert_int_equal(outstanding.span, 0);
    outstanding_release(&outstanding);
}

static void test_outstanding__the_first_is_the_one_that_was_published_first(void **state)
{
    struct outstanding outstanding = {0};
    struct ticket ticket;

    (void)state;
    for (uint16_t id = 5; id <= 8; id++)
        add(&outstanding, id);
    take(&outstanding, 5);
    take(&outstanding, 7);
    assert_true(outstanding_pop_first(&outstanding, &ticket));
    assert_int_equal(ticket.packet_id, 6);
    assert_true(outstanding_pop_first(&outstanding, &ticket));
    assert_int_equal(ticket.packet_id, 8);
    assert_false(outstanding_pop_first(&outstanding, &ticket));
    outstanding_release(&outstanding);
}

static void test_outstanding__the_ring_goes_round_without_growing(void **state)
{
    struct outstanding outstanding = {0};
    uint32_t capacity;

    (void)state;
    for (uint16_t id = 1; id <= 7; id++)
        add(&outstanding, id);
    capacity = outstanding.capacity;
    for (uint32_t id = 8; id < 200000; id++) {
        uint16_t next = (uint16_t)(id % 65535 + 1);

        take(&outstanding, outstanding.ring[outstanding.first & (capacity - 1)].packet_id);
        add(&outstanding, next);
    }
    assert_int_equal(outstanding.capacity, capacity);
    assert_int_equal(outstanding.count, 7);
    outstanding_release(&outstanding);
}

static void test_outstanding__one_that_stays_away_does_not_hide_the_others(void **state)
{
    struct outstanding outstanding = {0};

    (void)state;
    add(&outstanding, 1);
    for (uint16_t id = 2; id < 1000; id++) {
        add(&outstanding, id);
        take(&outstanding, id);
    }
    assert_int_equal(outstanding.count, 1);
    take(&outstanding, 1);
    assert_int_equal(outstanding.span, 0);
    outstanding_release(&outstanding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outstanding__each_ticket_is_given_back_once_in_any_order),
        cmocka_unit_test(test_outstanding__the_first_is_the_one_that_was_published_first),
        cmocka_unit_test(test_outstanding__the_ring_goes_round_without_growing),
        cmocka_unit_test(test_outstanding__one_that_stays_away_does_not_hide_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
