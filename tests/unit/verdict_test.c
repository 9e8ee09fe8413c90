#include "devicesim/verdict.h"

#include "devicesim/truth_reader.h"
#include "shared/base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AT "2026-11-24T09:00:00.000001Z"
#define AT_US INT64_C(1795510800000001)
#define HOUR_US INT64_C(3600000000)
#define HEADER "event,number,at,expect,kind,device,recorded_at,status,a,bytes,head"

struct fixture {
    struct ledger ledger;
    struct truth_reader reader;
    struct verdict verdict;
    char *told; /* the examples, after conclude() */
    size_t told_bytes;
    FILE *examples;
};

static void enter(struct fixture *f, const char *text)
{
    char line[256];
    char error[TRUTH_READER_ERROR_SIZE];

    snprintf(line, sizeof(line), "%s", text);
    assert_true(truth_reader_apply(&f->reader, line, error));
}

/* Readings of device d with the values 1 to 3, of which 3 is not acknowledged; a message that must
 * be rejected; a reading of e that nobody subscribed to. */
static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct features features;
    char error[256];

    assert_true(features_parse(&features, "a", error, sizeof(error)));
    ledger_init(&f->ledger, &features);
    truth_reader_init(&f->reader, &f->ledger);
    enter(f, HEADER);
    enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,1,,");
    enter(f, "sent,2," AT ",stored,reading,d," AT ",ON,2,,");
    enter(f, "sent,3," AT ",stored,reading,d," AT ",ON,3,,");
    enter(f, "sent,4," AT ",rejected,half,d,,,,2,7b22");
    enter(f, "sent,5," AT ",stored,reading,e," AT ",ON,5,,");
    enter(f, "acked,1," AT ",0");
    enter(f, "acked,2," AT ",0");
    enter(f, "acked,4," AT ",0");
    enter(f, "acked,5," AT ",16");
    f->examples = open_memstream(&f->told, &f->told_bytes);
    assert_non_null(f->examples);
    verdict_start(&f->verdict, &f->ledger, f->examples);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fclose(f->examples);
    free(f->told);
    truth_reader_release(&f->reader);
    ledger_release(&f->ledger);
    free(f);
    return 0;
}

static void add_row(struct fixture *f, const char *device, double value, int64_t received_at_us)
{
    verdict_add_row(&f->verdict, &(struct verdict_row){.device_id = device,
                                                       .recorded_at_us = AT_US,
                                                       .received_at_us = received_at_us,
                                                       .status = STATUS_ON,
                                                       .values = &value});
}

static void add_rejection(struct fixture *f, const char *head, int64_t received_at_us)
{
    verdict_add_rejection(&f->verdict, &(struct verdict_rejection){.device_id = "d",
                                                                   .received_at_us = received_at_us,
                                                                   .bytes = 2,
                                                                   .head = head});
}

static void conclude(struct fixture *f)
{
    verdict_conclude(&f->verdict);
    fflush(f->examples);
}

static void test_verdict__all_that_was_acknowledged_is_there(void **state)
{
    struct fixture *f = *state;

    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 2, AT_US);
    add_rejection(f, "7b22", AT_US);
    conclude(f);
    assert_int_equal(verdict_mismatches(&f->verdict), 0);
    assert_int_equal(f->verdict.readings.sent, 4);
    assert_int_equal(f->verdict.readings.acked, 2);
    assert_int_equal(f->verdict.readings.unheard, 1);
    assert_int_equal(f->verdict.readings.found, 2);
    assert_int_equal(f->verdict.rejections.found, 1);
    assert_string_equal(f->told, "");
}

static void test_verdict__what_was_not_acknowledged_may_be_there(void **state)
{
    struct fixture *f = *state;

    for (int value = 1; value <= 3; value++)
        add_row(f, "d", value, AT_US);
    add_row(f, "e", 5, AT_US);
    add_rejection(f, "7b22", AT_US);
    conclude(f);
    assert_int_equal(verdict_mismatches(&f->verdict), 0);
    assert_int_equal(f->verdict.readings.found, 4);
}

static void test_verdict__lost_doubled_and_unexpected_each_count(void **state)
{
    struct fixture *f = *state;

    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 7, AT_US);
    add_rejection(f, "ffff", AT_US);
    conclude(f);
    assert_int_equal(f->verdict.readings.lost, 1);
    assert_int_equal(f->verdict.readings.doubled, 2);
    assert_int_equal(f->verdict.readings.unexpected, 1);
    assert_int_equal(f->verdict.rejections.lost, 1);
    assert_int_equal(f->verdict.rejections.unexpected, 1);
    assert_int_equal(verdict_mismatches(&f->verdict), 6);
    assert_non_null(strstr(f->told, "unexpected: d at 2026-11-24T09:00:00.000001Z"));
    assert_non_null(strstr(f->told, "lost: d at"));
    assert_non_null(strstr(f->told, "doubled: d at"));
    assert_non_null(strstr(f->told, "unexpected among the rejected messages: of d, 2 bytes"));
    assert_non_null(strstr(f->told, "lost among the rejected messages: of d, 2 bytes"));
}

static void test_verdict__a_value_that_is_absent_is_not_a_zero(void **state)
{
    struct fixture *f = *state;

    add_row(f, "d", (double)NAN, AT_US);
    conclude(f);
    assert_int_equal(f->verdict.readings.unexpected, 1);
}

static void test_verdict__other_times_and_devices_are_none_of_its_business(void **state)
{
    struct fixture *f = *state;

    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 2, AT_US);
    add_row(f, "d", 9, AT_US - HOUR_US);
    add_row(f, "stranger", 1, AT_US - HOUR_US);
    add_rejection(f, "7b22", AT_US - HOUR_US);
    add_rejection(f, "7b22", AT_US);
    conclude(f);
    assert_int_equal(verdict_mismatches(&f->verdict), 0);
    assert_int_equal(f->verdict.readings.others, 2);
    assert_int_equal(f->verdict.rejections.others, 1);
}

static void test_verdict__another_look_starts_from_nothing(void **state)
{
    struct fixture *f = *state;

    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 1, AT_US);
    conclude(f);
    assert_int_equal(f->verdict.readings.doubled, 1);
    verdict_start(&f->verdict, &f->ledger, NULL);
    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 2, AT_US);
    add_rejection(f, "7b22", AT_US);
    conclude(f);
    assert_int_equal(verdict_mismatches(&f->verdict), 0);
}

static void test_verdict__only_the_first_examples_are_shown(void **state)
{
    struct fixture *f = *state;
    unsigned lines = 0;

    for (int i = 0; i < 3 * VERDICT_EXAMPLES_MAX; i++)
        add_row(f, "d", 100 + i, AT_US);
    fflush(f->examples);
    for (const char *at = f->told; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, VERDICT_EXAMPLES_MAX);
    assert_int_equal(f->verdict.readings.unexpected, 3 * VERDICT_EXAMPLES_MAX);
}

static void add_silent_row(struct fixture *f, const char *device, uint8_t status)
{
    const double none = (double)NAN;

    verdict_add_row(&f->verdict, &(struct verdict_row){.device_id = device,
                                                       .recorded_at_us = AT_US,
                                                       .received_at_us = AT_US,
                                                       .status = status,
                                                       .values = &none});
}

static void test_verdict__a_device_may_die_as_often_as_it_was_born(void **state)
{
    struct fixture *f = *state;

    enter(f, "born,," AT ",,,d");
    enter(f, "born,," AT ",,,d");
    for (int looks = 0; looks < 2; looks++) {
        verdict_start(&f->verdict, &f->ledger, NULL);
        add_silent_row(f, "d", STATUS_INACTIVE);
        add_silent_row(f, "d", STATUS_INACTIVE);
        assert_int_equal(f->verdict.deaths, 2);
        assert_int_equal(f->verdict.readings.unexpected, 0);
    }
    add_silent_row(f, "d", STATUS_INACTIVE);
    add_silent_row(f, "d", STATUS_ON);
    add_silent_row(f, "e", STATUS_INACTIVE);
    assert_int_equal(f->verdict.deaths, 2);
    assert_int_equal(f->verdict.readings.unexpected, 3);
}

static void test_verdict__is_told_to_people_and_machines(void **state)
{
    struct fixture *f = *state;
    struct buffer text = {0};

    add_row(f, "d", 1, AT_US);
    add_row(f, "d", 9, AT_US - HOUR_US);
    add_rejection(f, "7b22", AT_US);
    conclude(f);
    verdict_put_json(&f->verdict, &text);
    assert_string_equal(
        buffer_text(&text),
        "{\"lost\":1,\"doubled\":0,\"unexpected\":0,\"others\":1,\"deaths\":0,\"readings\":{"
        "\"sent\":4,"
        "\"acked\":2,\"unheard\":1,\"rows\":1,\"distinct\":4},\"rejected\":{\"sent\":1,"
        "\"acked\":1,\"rows\":1}}\n");
    buffer_clear(&text);
    verdict_put_text(&f->verdict, &text);
    assert_non_null(strstr(buffer_text(&text), "readings   4 sent, 2 acknowledged, 1 rows\n"));
    assert_non_null(strstr(buffer_text(&text), "lost       1\n"));
    buffer_release(&text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_verdict__all_that_was_acknowledged_is_there),
        CASE(test_verdict__what_was_not_acknowledged_may_be_there),
        CASE(test_verdict__lost_doubled_and_unexpected_each_count),
        CASE(test_verdict__a_value_that_is_absent_is_not_a_zero),
        CASE(test_verdict__other_times_and_devices_are_none_of_its_business),
        CASE(test_verdict__another_look_starts_from_nothing),
        CASE(test_verdict__only_the_first_examples_are_shown),
        CASE(test_verdict__a_device_may_die_as_often_as_it_was_born),
        CASE(test_verdict__is_told_to_people_and_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
