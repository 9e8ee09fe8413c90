#include "devicesim/outstanding.h"

#include "devicesim/names.h"
#include "devicesim/sightings.h"

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

    assert_true(outstanding_take(outstanding, &ticket, packet_id));
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
    assert_false(outstanding_take(&outstanding, &ticket, 2));
    assert_false(outstanding_take(&outstanding, &ticket, 0));
    assert_false(outstanding_take(&outstanding, &ticket, 101));
    for (uint16_t id = 100; id >= 4; id--)
        take(&outstanding, id);
    assert_int_equal(outstanding.count, 0);
    assert_int_equal(outstanding.span, 0);
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

static void test_names__numbers_follow_the_order_of_appearance(void **state)
{
    struct names names = {0};
    char text[32];

    (void)state;
    assert_true(names_find(&names, "x") == NAMES_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "device_%u", (unsigned)i);
        assert_int_equal(names_add(&names, text), i);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "device_%u", (unsigned)i);
        assert_int_equal(names_find(&names, text), i);
        assert_int_equal(names_add(&names, text), i);
        assert_string_equal(names.texts[i], text);
    }
    assert_true(names_find(&names, "device_5000") == NAMES_NONE);
    assert_true(names_find(&names, "") == NAMES_NONE);
    names_release(&names);
}

static void test_sightings__a_reading_is_seen_once_and_with_its_own_delay(void **state)
{
    struct sightings sightings = {0};
    uint64_t took_us = 0;

    (void)state;
    assert_false(sightings_seen(&sightings, "a", 1, 5, &took_us));
    sightings_sent(&sightings, "a", 1, 1000);
    sightings_sent(&sightings, "a", 2, 2000);
    sightings_sent(&sightings, "b", 1, 3000);
    assert_true(sightings_seen(&sightings, "a", 1, 1500, &took_us));
    assert_int_equal(took_us, 500);
    assert_false(sightings_seen(&sightings, "a", 1, 1600, &took_us));
    assert_true(sightings_seen(&sightings, "b", 1, 3001, &took_us));
    assert_int_equal(took_us, 1);
    for (int i = 0; i < SIGHTINGS_KEPT; i++)
        sightings_sent(&sightings, "a", 10 + i, 4000);
    assert_false(sightings_seen(&sightings, "a", 2, 5000, &took_us)); /* too long ago */
    assert_true(sightings_seen(&sightings, "a", 10, 5000, &took_us));
    sightings_release(&sightings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outstanding__each_ticket_is_given_back_once_in_any_order),
        cmocka_unit_test(test_outstanding__the_ring_goes_round_without_growing),
        cmocka_unit_test(test_outstanding__one_that_stays_away_does_not_hide_the_others),
        cmocka_unit_test(test_names__numbers_follow_the_order_of_appearance),
        cmocka_unit_test(test_sightings__a_reading_is_seen_once_and_with_its_own_delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
