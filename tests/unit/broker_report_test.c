#include "collector/sinks/broker_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool hear(struct broker_report *report, const char *topic, const char *payload)
{
    return broker_report_update(report, topic, payload, strlen(payload));
}

static void test_broker_report__what_was_not_said_is_not_known(void **state)
{
    struct broker_report report = {0};

    (void)state;
    assert_false(hear(&report, BROKER_REPORT_STORED, "many"));
    assert_false(hear(&report, "$SYS/broker/store/messages/other", "7"));
    assert_false(report.stored.is_known || report.dropped.is_known);
    hear(&report, BROKER_REPORT_STORED, "12");
    hear(&report, BROKER_REPORT_RETAINED, "5");
    hear(&report, BROKER_REPORT_STORED_BYTES, "900");
    hear(&report, BROKER_REPORT_DROPPED, "3");
    assert_true(report.stored.is_known && report.stored.value == 12);
    assert_true(report.retained.is_known && report.retained.value == 5);
    assert_true(report.stored_bytes.is_known && report.stored_bytes.value == 900);
    assert_true(report.dropped.is_known && report.dropped.value == 3);
}

static void test_broker_report__a_connection_begins_with_what_was_dropped(void **state)
{
    struct broker_report report = {0};

    (void)state;
    hear(&report, BROKER_REPORT_STORED, "12");
    hear(&report, BROKER_REPORT_DROPPED, "3");
    broker_report_begin(&report);
    assert_false(report.stored.is_known);
    assert_true(report.dropped.is_known && report.dropped.value == 3);
}

static void test_broker_report__only_mosquitto_says_that_it_is(void **state)
{
    struct broker_report report = {0};

    (void)state;
    assert_true(hear(&report, BROKER_REPORT_VERSION, "mosquitto version 2.0.21"));
    assert_false(hear(&report, BROKER_REPORT_VERSION, "5.3.1"));
    assert_false(hear(&report, BROKER_REPORT_DROPPED, "mosquitto version 2.0.21"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broker_report__what_was_not_said_is_not_known),
        cmocka_unit_test(test_broker_report__a_connection_begins_with_what_was_dropped),
        cmocka_unit_test(test_broker_report__only_mosquitto_says_that_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
