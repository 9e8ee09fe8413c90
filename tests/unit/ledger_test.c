#include "devicesim/ledger.h"

#include "devicesim/gz_lines.h"
#include "devicesim/truth_reader.h"
#include "shared/base/mem.h"
#include "tests/unit/temp_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER "event,number,at,expect,kind,device,recorded_at,status,b,a,bytes,head"
#define AT "2026-11-24T09:00:00.000001Z"
#define AT_US INT64_C(1795510800000001)

struct fixture {
    struct features features;
    struct ledger ledger;
    struct truth_reader reader;
    struct temp_file file;
};

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    char error[256];

    assert_true(features_parse(&f->features, "a,b", error, sizeof(error)));
    ledger_init(&f->ledger, &f->features);
    truth_reader_init(&f->reader, &f->ledger);
    temp_file_make(&f->file);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    truth_reader_release(&f->reader);
    ledger_release(&f->ledger);
    temp_file_remove(&f->file);
    free(f);
    return 0;
}

static bool enter(struct fixture *f, const char *text)
{
    char line[1024];
    char error[TRUTH_READER_ERROR_SIZE] = "";
    bool is_good;

    strcpy(line, text);
    is_good = truth_reader_apply(&f->reader, line, error);
    assert_true(is_good || error[0]);
    return is_good;
}

static uint32_t find(const struct fixture *f, const char *device, int64_t at_us, uint8_t status,
                     double a, double b)
{
    const double values[] = {a, b};

    return ledger_find_reading(&f->ledger, string_table_find(&f->ledger.devices, device), at_us,
                               status, values);
}

static void test_ledger__a_reading_is_found_by_all_it_says(void **state)
{
    struct fixture *f = *state;
    uint32_t at;

    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,2,1.5,,"));
    assert_true(enter(f, "sent,2," AT ",stored,reading,d," AT ",,,0,,"));
    at = find(f, "d", AT_US, STATUS_ON, 1.5, 2);
    assert_int_equal(at, 0);
    assert_int_equal(f->ledger.readings[at].counts.sent, 1);
    assert_int_equal(find(f, "d", AT_US, STATUS_ABSENT, 0, (double)NAN), 1);
    assert_true(find(f, "d", AT_US + 1, STATUS_ON, 1.5, 2) == LEDGER_NONE);
    assert_true(find(f, "d", AT_US, STATUS_OFF, 1.5, 2) == LEDGER_NONE);
    assert_true(find(f, "d", AT_US, STATUS_ON, 2, 1.5) == LEDGER_NONE);
    assert_true(find(f, "d", AT_US, STATUS_ON, 1.5, (double)NAN) == LEDGER_NONE);
}

static void test_ledger__lost_is_what_was_acknowledged_and_not_found(void **state)
{
    struct fixture *f = *state;

    assert_true(enter(f, HEADER));
    for (int i = 1; i <= 3; i++) {
        char line[256];

        snprintf(line, sizeof(line), "sent,%d," AT ",stored,reading,d," AT ",ON,%d,0,,", i, i);
        assert_true(enter(f, line));
    }
    assert_true(enter(f, "acked,1," AT ",0"));
    assert_true(enter(f, "acked,3," AT ",16"));
    assert_true(ledger_reading_is_lost(&f->ledger, 0));
    assert_false(ledger_reading_is_lost(&f->ledger, 1)); /* it was not acknowledged */
    assert_false(ledger_reading_is_lost(&f->ledger, 2)); /* no subscribers */
    f->ledger.readings[0].counts.found++;
    assert_false(ledger_reading_is_lost(&f->ledger, 0));
    ledger_clear_found(&f->ledger);
    assert_true(ledger_reading_is_lost(&f->ledger, 0));
}

static void test_ledger__only_what_is_of_its_time_is_claimed(void **state)
{
    const int64_t minute = INT64_C(60000000);
    struct fixture *f = *state;

    assert_false(ledger_claims_reading(&f->ledger, AT_US, AT_US));
    assert_false(ledger_claims_rejection(&f->ledger, AT_US));
    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,1,1,,"));
    /* received during the run, whatever its time; or of its times, less a minute, as clocks differ */
    assert_true(ledger_claims_reading(&f->ledger, AT_US - 9 * minute, AT_US));
    assert_true(ledger_claims_reading(&f->ledger, AT_US, AT_US - minute));
    assert_true(ledger_claims_reading(&f->ledger, AT_US, AT_US + 9 * minute));
    assert_false(ledger_claims_reading(&f->ledger, AT_US, AT_US - minute - 1));
    assert_false(ledger_claims_reading(&f->ledger, AT_US + 1, AT_US + 1));
    assert_true(ledger_claims_rejection(&f->ledger, AT_US - minute));
    assert_false(ledger_claims_rejection(&f->ledger, AT_US - minute - 1));
    assert_false(enter(f, "sent,2,yesterday,stored,reading,d," AT ",ON,1,1,,"));
}

static void test_ledger__a_repetition_is_the_same_reading(void **state)
{
    struct fixture *f = *state;

    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,1,0,,"));
    assert_true(enter(f, "sent,2," AT ",stored,repeated,d," AT ",ON,1,0,,"));
    assert_true(enter(f, "acked,2," AT ",0"));
    assert_int_equal(f->ledger.reading_count, 1);
    assert_int_equal(f->ledger.readings[0].counts.sent, 2);
    assert_int_equal(f->ledger.readings[0].counts.acked, 1);
}

static void test_ledger__of_rejected_ones_as_many_must_be_there_as_were_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint32_t at;

    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",rejected,brace,d,,,,,1,7b"));
    assert_true(enter(f, "sent,2," AT ",rejected,brace,d,,,,,1,7b"));
    assert_true(enter(f, "sent,3," AT ",rejected,empty,d,,,,,0,"));
    assert_true(enter(f, "acked,1," AT ",0"));
    assert_true(enter(f, "acked,2," AT ",0"));
    at = ledger_find_rejection(&f->ledger, 0, 1, "7b");
    assert_int_equal(f->ledger.rejections[at].counts.acked, 2);
    f->ledger.rejections[at].counts.found = 1;
    assert_true(ledger_rejection_is_lost(&f->ledger, at));
    f->ledger.rejections[at].counts.found = 3; /* delivered again */
    assert_false(ledger_rejection_is_lost(&f->ledger, at));
    at = ledger_find_rejection(&f->ledger, 0, 0, "");
    assert_false(ledger_rejection_is_lost(&f->ledger, at));
    assert_true(ledger_find_rejection(&f->ledger, 0, 2, "7b") == LEDGER_NONE);
    assert_true(ledger_find_rejection(&f->ledger, 0, 1, "7c") == LEDGER_NONE);
}

static void test_ledger__either_place_will_do(void **state)
{
    struct fixture *f = *state;
    uint32_t rejection;

    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",either,reading,d," AT ",ON,1,0,20,7b7d"));
    assert_true(enter(f, "acked,1," AT ",0"));
    rejection = ledger_find_rejection(&f->ledger, 0, 20, "7b7d");
    assert_true(ledger_reading_is_lost(&f->ledger, 0));
    assert_false(ledger_rejection_is_lost(&f->ledger, rejection));
    f->ledger.rejections[rejection].counts.found = 1;
    assert_false(ledger_reading_is_lost(&f->ledger, 0));
    f->ledger.rejections[rejection].counts.found = 0;
    f->ledger.readings[0].counts.found = 1;
    assert_false(ledger_reading_is_lost(&f->ledger, 0));
}

static void test_ledger__a_second_run_counts_from_one_again(void **state)
{
    struct fixture *f = *state;

    assert_true(enter(f, HEADER));
    assert_true(enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,1,0,,"));
    assert_true(enter(f, ""));
    assert_true(enter(f, "event,number,at,expect,kind,device,recorded_at,status,a,c,bytes,head"));
    assert_string_equal(f->reader.ignored, "c");
    assert_false(enter(f, "acked,1," AT ",0")); /* that was the other run's */
    assert_true(enter(f, "sent,1," AT ",stored,reading,e," AT ",ON,7,8,,"));
    assert_true(enter(f, "acked,1," AT ",0"));
    assert_int_equal(f->ledger.readings[0].counts.acked, 0);
    assert_int_equal(find(f, "e", AT_US, STATUS_ON, 7, (double)NAN), 1);
    assert_int_equal(f->ledger.readings[1].counts.acked, 1);
}

static void test_ledger__what_is_no_line_of_truth_is_refused(void **state)
{
    static const char *const lines[] = {
        "sent",
        "sent,1," AT ",stored,reading,d," AT ",ON,1,0,", /* a field short */
        "sent,x," AT ",stored,reading,d," AT ",ON,1,0,,",
        "sent,1," AT ",perhaps,reading,d," AT ",ON,1,0,,",
        "sent,1," AT ",stored,reading,d,yesterday,ON,1,0,,",
        "sent,1," AT ",rejected,brace,d,,,,,x,7b",
        "acked,1," AT,
        "acked,9," AT ",0",
        "acked,1," AT ",x",
        "seen,1," AT ",0",
        "event,number",
        "\"",
    };
    struct fixture *f = *state;

    assert_false(enter(f, "sent,1," AT ",stored,reading,d," AT ",ON,1,0,,")); /* no header yet */
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_true(enter(f, HEADER));
        if (enter(f, lines[i]))
            fail_msg("\"%s\" was accepted", lines[i]);
    }
}

static void test_ledger__many_are_found_again(void **state)
{
    struct fixture *f = *state;
    char line[256];

    assert_true(enter(f, HEADER));
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "sent,%d," AT ",stored,reading,d%d," AT ",ON,%d,0,,", i + 1,
                 i % 100, i / 100);
        assert_true(enter(f, line));
        snprintf(line, sizeof(line), "sent,%d," AT ",rejected,x,d%d,,,,,5,%08x", 20001 + i, i % 100,
                 (unsigned)i);
        assert_true(enter(f, line));
    }
    assert_int_equal(f->ledger.reading_count, 20000);
    for (int i = 0; i < 20000; i++) {
        int round = i / 100;

        snprintf(line, sizeof(line), "d%d", i % 100);
        assert_int_equal(find(f, line, AT_US, STATUS_ON, 0, round), i);
        snprintf(line, sizeof(line), "%08x", (unsigned)i);
        assert_int_equal(ledger_find_rejection(&f->ledger, (uint32_t)i % 100, 5, line), i);
    }
}

static void read_file(struct fixture *f)
{
    char error[TRUTH_READER_ERROR_SIZE];
    struct gz_lines lines = {0};
    char *line;

    assert_true(gz_lines_open(&lines, f->file.path));
    while ((line = gz_lines_next(&lines))) {
        if (!truth_reader_apply(&f->reader, line, error))
            fail_msg("line %d: %s", (int)lines.line, error);
    }
    assert_null(gz_lines_failure(&lines));
    gz_lines_close(&lines);
}

static void test_truth__what_is_written_is_read_back(void **state)
{
    struct fixture *f = *state;
    union reading_storage storage = {.reading = {.recorded_at_us = AT_US, .status = STATUS_OFF}};
    struct truth_message message = {.expect = TRUTH_STORED,
                                    .kind = "reading",
                                    .device_id = "a \"odd\", one",
                                    .reading = &storage.reading,
                                    .payload = "{\"x\"}",
                                    .bytes = 5};
    struct truth truth;

    storage.reading.values[0] = 1.0 / 3;
    storage.reading.values[1] = (double)NAN;
    for (int run = 0; run < 2; run++) {
        assert_true(truth_open(&truth, f->file.path, &f->features));
        message.expect = TRUTH_STORED;
        message.reading = &storage.reading;
        truth_sent(&truth, 1, AT_US, &message);
        truth_acked(&truth, 1, AT_US, 0);
        message.expect = TRUTH_REJECTED;
        message.reading = NULL;
        truth_sent(&truth, 2, AT_US, &message);
        assert_int_equal(truth.failed, 0);
        truth_close(&truth);
    }
    read_file(f);
    assert_int_equal(find(f, "a \"odd\", one", AT_US, STATUS_OFF, 1.0 / 3, (double)NAN), 0);
    assert_int_equal(f->ledger.readings[0].counts.acked, 2);
    assert_int_equal(ledger_find_rejection(&f->ledger, 0, 5, "7b2278227d"), 0);
}

static void test_truth__a_torn_line_is_closed_before_the_next_run(void **state)
{
    struct fixture *f = *state;
    struct truth truth;
    FILE *file = fopen(f->file.path, "w");
    struct gz_lines lines = {0};

    assert_non_null(file);
    fputs("sent,3,2026", file);
    fclose(file);
    assert_true(truth_open(&truth, f->file.path, &f->features));
    truth_close(&truth);
    assert_true(gz_lines_open(&lines, f->file.path));
    assert_string_equal(gz_lines_next(&lines), "sent,3,2026");
    assert_string_equal(gz_lines_next(&lines),
                        "event,number,at,expect,kind,device,recorded_at,status,a,b,bytes,head");
    assert_null(gz_lines_next(&lines));
    gz_lines_close(&lines);
}

static void test_truth__a_full_disk_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct truth truth;

    if (!truth_open(&truth, "/dev/full", &f->features))
        skip();
    assert_int_not_equal(truth.failed, 0);
    truth_close(&truth);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_ledger__a_reading_is_found_by_all_it_says),
        CASE(test_ledger__lost_is_what_was_acknowledged_and_not_found),
        CASE(test_ledger__only_what_is_of_its_time_is_claimed),
        CASE(test_ledger__a_repetition_is_the_same_reading),
        CASE(test_ledger__of_rejected_ones_as_many_must_be_there_as_were_acknowledged),
        CASE(test_ledger__either_place_will_do),
        CASE(test_ledger__a_second_run_counts_from_one_again),
        CASE(test_ledger__what_is_no_line_of_truth_is_refused),
        CASE(test_ledger__many_are_found_again),
        CASE(test_truth__what_is_written_is_read_back),
        CASE(test_truth__a_torn_line_is_closed_before_the_next_run),
        CASE(test_truth__a_full_disk_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
