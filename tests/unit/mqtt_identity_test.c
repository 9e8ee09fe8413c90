#include "collector/mqtt_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_mqtt_identity__an_id_that_every_broker_takes_stays_one(void **state)
{
    struct mqtt_identity identity = {0};

    (void)state;
    assert_true(mqtt_identity_set(&identity, "1a2b3c4d", "highwater-collector-1a2b3c4d", "", ""));
    assert_string_equal(identity.boards_client_id, "highwater-collector-1a2b3c4d-boards");
    assert_true(mqtt_identity_set(&identity, "1a2b3c4d", "hw45678901234567x", "", ""));
    assert_string_equal(identity.boards_client_id, "hw45678901234567xboards");
    assert_int_equal(strlen(identity.boards_client_id), 23);
    mqtt_identity_release(&identity);
}

static void test_mqtt_identity__only_another_mark_or_id_is_another_identity(void **state)
{
    struct mqtt_identity identity = {0};

    (void)state;
    assert_true(mqtt_identity_set(&identity, "a", "id", "", ""));
    assert_false(mqtt_identity_set(&identity, "a", "id", "devices/+/x", ""));
    assert_true(mqtt_identity_set(&identity, "b", "id", "", ""));
    assert_true(mqtt_identity_set(&identity, "b", "id2", "", ""));
    mqtt_identity_release(&identity);
}

static void test_mqtt_identity__the_latest_former_filter_is_looked_at_first(void **state)
{
    struct mqtt_identity identity = {0};

    (void)state;
    mqtt_identity_set(&identity, "a", "id", "one/+\n$share/g/two/+/x\nno+filter\nall/#\nthree/+",
                      "three/+\n$share/g/two/+/x\none/+\none");
    assert_int_equal(identity.former_count, 4);
    assert_int_equal(identity.former_contract_count, 3);
    assert_string_equal(identity.former[0], "three/+");
    assert_string_equal(identity.former[1], "all/#");
    assert_string_equal(identity.former[2], "$share/g/two/+/x");
    assert_string_equal(identity.former_contract[1].text, "$share/g/two/+/x");
    assert_true(topic_filter_is_shared(&identity.former_contract[1]));
    assert_string_equal(identity.former[3], "one/+");
    mqtt_identity_release(&identity);
}

static void test_mqtt_identity__what_waited_under_a_mapping_is_not_the_contracts(void **state)
{
    struct mqtt_identity identity = {0};

    (void)state;
    mqtt_identity_set(&identity, "a", "id", "one/+\nsome/one/+\none/+/x", "one/+\nother/+");
    assert_int_equal(identity.former_count, 3);
    assert_int_equal(identity.former_contract_count, 1);
    assert_string_equal(identity.former_contract[0].text, "one/+");
    mqtt_identity_release(&identity);
}

static void test_mqtt_identity__of_too_many_former_filters_the_latest_are_kept(void **state)
{
    enum { MORE = MQTT_IDENTITY_FORMER_MAX + 44 };
    struct mqtt_identity identity = {0};
    char text[MORE * 8 + 1];
    size_t length = 0;

    (void)state;
    for (int i = 0; i < MORE; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%03d/+/x\n", i);
    assert_int_equal(length, sizeof(text) - 1);
    mqtt_identity_set(&identity, "a", "id", text, text);
    assert_int_equal(identity.former_count, MQTT_IDENTITY_FORMER_MAX);
    assert_int_equal(identity.former_contract_count, MQTT_IDENTITY_FORMER_MAX);
    assert_string_equal(identity.former[0], "299/+/x");
    assert_string_equal(identity.former_contract[0].text, "299/+/x");
    assert_string_equal(identity.former[MQTT_IDENTITY_FORMER_MAX - 1], "044/+/x");
    mqtt_identity_release(&identity);
}

static void test_mqtt_identity__what_is_legal_needs_no_quoting_anywhere(void **state)
{
    static const char *const illegal[] = {"", "a b", "a/b", "a'b", "\xc3\xa9", "a\n", ".."};

    (void)state;
    assert_true(mqtt_identity_is_legal("Site-7_north.2"));
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++)
        assert_false(mqtt_identity_is_legal(illegal[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mqtt_identity__an_id_that_every_broker_takes_stays_one),
        cmocka_unit_test(test_mqtt_identity__only_another_mark_or_id_is_another_identity),
        cmocka_unit_test(test_mqtt_identity__the_latest_former_filter_is_looked_at_first),
        cmocka_unit_test(test_mqtt_identity__what_waited_under_a_mapping_is_not_the_contracts),
        cmocka_unit_test(test_mqtt_identity__of_too_many_former_filters_the_latest_are_kept),
        cmocka_unit_test(test_mqtt_identity__what_is_legal_needs_no_quoting_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
