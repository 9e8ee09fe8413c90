#include "devicesim/latency_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_latency_probe__a_reading_is_seen_once_and_with_its_own_delay(void **state)
{
    struct latency_probe probe = {0};
    uint64_t took_us = 0;

    (void)state;
    assert_false(latency_probe_seen(&probe, "a", 1, 5, &took_us));
    latency_probe_note_sent(&probe, "a", 1, 1000);
    latency_probe_note_sent(&probe, "a", 2, 2000);
    latency_probe_note_sent(&probe, "b", 1, 3000);
    assert_true(latency_probe_seen(&probe, "a", 1, 1500, &took_us));
    assert_int_equal(took_us, 500);
    assert_false(latency_probe_seen(&probe, "a", 1, 1600, &took_us));
    assert_true(latency_probe_seen(&probe, "b", 1, 3001, &took_us));
    assert_int_equal(took_us, 1);
    for (int i = 0; i < LATENCY_PROBE_KEPT; i++)
        latency_probe_note_sent(&probe, "a", 10 + i, 4000);
    assert_false(latency_probe_seen(&probe, "a", 2, 5000, &took_us)); /* too long ago */
    assert_true(latency_probe_seen(&probe, "a", 10, 5000, &took_us));
    latency_probe_release(&probe);
}

static void test_latency_probe__only_what_was_sent_counts(void **state)
{
    struct latency_probe probe = {0};
    uint64_t took_us = 77;

    (void)state;
    latency_probe_note_sent(&probe, "a", 1, 1000);
    assert_false(latency_probe_seen(&probe, "a", 2, 1500, &took_us));
    assert_false(latency_probe_seen(&probe, "b", 1, 1500, &took_us));
    assert_false(latency_probe_seen(&probe, "a", 0, 1500, &took_us)); /* what an empty place says */
    assert_int_equal(took_us, 77);
    latency_probe_release(&probe);
}

static void test_latency_probe__many_devices_each_have_their_own_readings(void **state)
{
    enum { DEVICES = 2000 };
    struct latency_probe probe = {0};
    uint64_t took_us;
    char id[16];

    (void)state;
    for (uint64_t i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof(id), "device_%u", (unsigned)i);
        latency_probe_note_sent(&probe, id, 5, 1000 + i);
    }
    for (uint64_t i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof(id), "device_%u", (unsigned)i);
        assert_true(latency_probe_seen(&probe, id, 5, 10000, &took_us));
        assert_int_equal(took_us, 9000 - i);
    }
    latency_probe_release(&probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_probe__a_reading_is_seen_once_and_with_its_own_delay),
        cmocka_unit_test(test_latency_probe__only_what_was_sent_counts),
        cmocka_unit_test(test_latency_probe__many_devices_each_have_their_own_readings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
