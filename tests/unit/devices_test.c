#include "collector/devices.h"

#include "shared/model/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_devices__an_id_has_one_index_for_good(void **state)
{
    struct devices devices = {0};
    bool is_new;

    (void)state;
    assert_int_equal(devices_find_or_add(&devices, "b", &is_new), 0);
    assert_true(is_new);
    assert_int_equal(devices_find_or_add(&devices, "a", &is_new), 1);
    assert_true(is_new);
    assert_int_equal(devices_find_or_add(&devices, "b", &is_new), 0);
    assert_false(is_new);
    assert_int_equal(devices.count, 2);
    devices_release(&devices);
}

static void test_devices__a_hundred_thousand_are_all_found_and_their_ids_stay_put(void **state)
{
    struct devices devices = {0};
    const char *first;
    char id[32];
    bool is_new;

    (void)state;
    devices_find_or_add(&devices, "first", &is_new);
    first = devices.items[0].id;
    for (uint32_t i = 1; i < 100000; i++) {
        snprintf(id, sizeof(id), "device_%u", i);
        assert_int_equal(devices_find_or_add(&devices, id, &is_new), i);
        assert_true(is_new);
    }
    assert_ptr_equal(devices.items[0].id, first);
    for (uint32_t i = 1; i < 100000; i++) {
        snprintf(id, sizeof(id), "device_%u", i);
        assert_int_equal(devices_find_or_add(&devices, id, &is_new), i);
        assert_false(is_new);
        assert_string_equal(devices.items[i].id, id);
    }
    devices_release(&devices);
}

static void test_devices__the_longest_ids_fill_blocks_to_the_edge(void **state)
{
    struct devices devices = {0};
    char id[DEVICE_ID_SIZE];
    bool is_new;

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        memset(id, 'x', sizeof(id) - 1);
        id[sizeof(id) - 1] = '\0';
        id[snprintf(id, sizeof(id), "%08u", i)] = 'x';
        assert_int_equal(devices_find_or_add(&devices, id, &is_new), i);
        assert_true(is_new);
        assert_string_equal(devices.items[i].id, id);
    }
    devices_release(&devices);
}

static void test_devices__one_is_found_by_a_part_of_a_text(void **state)
{
    struct devices devices = {0};
    uint32_t index = 77;
    char id[32];
    bool is_new;

    (void)state;
    assert_false(devices_find(&devices, "device_1", 8, &index));
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(id, sizeof(id), "device_%u", i);
        devices_find_or_add(&devices, id, &is_new);
    }
    assert_false(devices_find(&devices, "device_5000", 11, &index));
    assert_false(devices_find(&devices, "device_", 7, &index));
    assert_false(devices_find(&devices, "", 0, &index));
    assert_int_equal(index, 77);
    for (uint32_t i = 0; i < 5000; i++) {
        char topic[48];
        int bytes = snprintf(topic, sizeof(topic), "device_%u", i);

        snprintf(topic + bytes, sizeof(topic) - (size_t)bytes, "/readings");
        assert_true(devices_find(&devices, topic, (size_t)bytes, &index));
        assert_int_equal(index, i);
    }
    devices_release(&devices);
}

static void test_devices__released_it_can_be_used_again(void **state)
{
    struct devices devices = {0};
    bool is_new;

    (void)state;
    devices_find_or_add(&devices, "a", &is_new);
    devices_release(&devices);
    devices_release(&devices);
    assert_int_equal(devices_find_or_add(&devices, "b", &is_new), 0);
    assert_true(is_new);
    devices_release(&devices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices__an_id_has_one_index_for_good),
        cmocka_unit_test(test_devices__a_hundred_thousand_are_all_found_and_their_ids_stay_put),
        cmocka_unit_test(test_devices__the_longest_ids_fill_blocks_to_the_edge),
        cmocka_unit_test(test_devices__one_is_found_by_a_part_of_a_text),
        cmocka_unit_test(test_devices__released_it_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
