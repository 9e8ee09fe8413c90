#include "collector/sequences.h"

#include "collector/stores/postgres/sequences_table.h"
#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOON_US INT64_C(1795694400000000) /* 2026-11-26T12:00:00Z */
#define SECOND_US INT64_C(1000000)

static struct refs refs;
static struct sequences sequences;
static struct sequences_table table;
static struct buffer sql;

/* Devices 0, 1, ... whose numbers in the database fall: 1000000, 999999, ... */
static uint32_t device_of(unsigned number)
{
    if (refs_of(&refs, number) == 0)
        refs_set(&refs, number, 1000000 - (int32_t)number);
    return number;
}

static int set_up(void **state)
{
    (void)state;
    sequences_init(&sequences);
    sequences_table_init(&table, &refs, "me");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sequences_release(&sequences);
    refs_release(&refs);
    buffer_release(&sql);
    return 0;
}

static void take(unsigned device, int64_t number, int64_t at_us)
{
    sequences_apply(&sequences, device_of(device), number, at_us, at_us);
}

/* The next statement of a round. */
static const char *statement(void)
{
    buffer_clear(&sql);
    sequences_table_put(&table, &sequences, &sql);
    return buffer_text(&sql);
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;

    for (text = strstr(text, what); text; text = strstr(text + 1, what))
        count++;
    return count;
}

/* A whole round whose statements succeed; how many there were. */
static unsigned save(int64_t settled_until_us)
{
    unsigned statements = 0;

    if (!sequences_begin_round(&sequences, settled_until_us))
        return 0;
    do {
        statement();
        statements++;
    } while (sequences_end_statement(&sequences, true));
    return statements;
}

static void test_sequences__what_comes_before_the_load_is_taken_behind_it(void **state)
{
    struct sequence before = {0};
    unsigned char details[SEQUENCE_PACKED_MAX];
    struct sequences_state loaded = {.highest = 11,
                                     .highest_at_us = NOON_US + 11,
                                     .missing = 1,
                                     .repeats = 3,
                                     .taken_until_us = NOON_US,
                                     .details = details};

    (void)state;
    for (int64_t n = 0; n <= 11; n++) {
        if (n != 9)
            sequence_apply(&before, n, NOON_US + n);
    }
    loaded.details_bytes = sequence_pack(&before, details);
    take(0, 12, NOON_US + 12); /* stored and in the snapshot */
    take(0, 13, NOON_US + 13); /* stored after it */
    take(0, 9, NOON_US + 14);  /* the missing one */
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    sequences_load_state(&sequences, device_of(0), &loaded);
    sequences_load_number(&sequences, device_of(0), 10, NOON_US + 10, NOON_US + 10);
    sequences_load_number(&sequences, device_of(0), 11, NOON_US + 11, NOON_US + 11);
    sequences_load_number(&sequences, device_of(0), 12, NOON_US + 12, NOON_US + 12);
    assert_int_equal(sequences_totals(&sequences).missing, 1);
    sequences_loaded(&sequences, NOON_US);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    assert_int_equal(sequences_totals(&sequences).repeats, 3);
    assert_int_equal(sequences_totals(&sequences).restarts, 0);
    take(0, 16, NOON_US + 16);
    assert_int_equal(sequences_totals(&sequences).missing, 2);
}

static void test_sequences__a_device_without_a_state_is_made_of_its_numbers(void **state)
{
    (void)state;
    take(0, 0, NOON_US); /* delivered again after the end of a process that had not saved it */
    for (int64_t n = 0; n < 3; n++)
        sequences_load_number(&sequences, device_of(0), n, NOON_US + n, NOON_US + n);
    sequences_loaded(&sequences, NOON_US);
    take(0, 1, NOON_US + 1);
    take(0, 3, NOON_US + 3);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    assert_int_equal(sequences_totals(&sequences).repeats, 1);
}

static void test_sequences__a_statement_writes_in_the_order_of_the_databases_numbers(void **state)
{
    const char *text;

    (void)state;
    sequences_loaded(&sequences, NOON_US);
    for (unsigned i = 0; i < 3; i++)
        take(i, 7, NOON_US + i);
    assert_true(sequences_begin_round(&sequences, NOON_US + SECOND_US));
    text = statement();
    assert_non_null(strstr(text, "(999998,7,"));
    assert_non_null(strstr(text, "(999999,7,"));
    assert_non_null(strstr(text, "(1000000,7,"));
    assert_non_null(strstr(text, "ORDER BY v.device ON CONFLICT"));
    assert_non_null(strstr(text, "sequence_marks (collector_id, taken_until) VALUES"
                                 " ('me', '2026-11-26T12:00:01.000000Z')"));
    assert_false(sequences_end_statement(&sequences, true));
    assert_false(sequences_begin_round(&sequences, NOON_US + SECOND_US));
}

static void test_sequences__many_devices_take_several_statements_and_one_mark(void **state)
{
    unsigned marks = 0;
    unsigned rows = 0;
    unsigned statements = 0;

    (void)state;
    sequences_loaded(&sequences, NOON_US);
    for (unsigned i = 0; i < 2 * SEQUENCES_TABLE_MOST + 1; i++)
        take(i, 7, NOON_US + i);
    assert_true(sequences_begin_round(&sequences, NOON_US + SECOND_US));
    do {
        const char *text = statement();

        assert_int_equal(marks, 0); /* with the last one, and not before */
        marks += count_of(text, "INSERT INTO sequence_marks");
        rows += count_of(text, ",'\\x");
        statements++;
    } while (sequences_end_statement(&sequences, true));
    assert_int_equal(statements, 3);
    assert_int_equal(rows, 2 * SEQUENCES_TABLE_MOST + 1);
    assert_int_equal(marks, 1);
    assert_false(sequences_begin_round(&sequences, NOON_US + SECOND_US));
}

static void test_sequences__what_failed_is_written_in_the_next_round(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    for (unsigned i = 0; i < SEQUENCES_TABLE_MOST + 2; i++)
        take(i, 7, NOON_US + i);
    assert_true(sequences_begin_round(&sequences, NOON_US + SECOND_US));
    statement();
    assert_true(sequences_end_statement(&sequences, true));
    take(SEQUENCES_TABLE_MOST, 8, NOON_US + 2 * SECOND_US); /* while it is being written */
    statement();
    assert_false(sequences_end_statement(&sequences, false));
    assert_int_equal(sequences.marked_us, INT64_MIN);

    assert_true(sequences_begin_round(&sequences, NOON_US + 3 * SECOND_US));
    assert_int_equal(count_of(statement(), ",'\\x"), 2);
    assert_false(sequences_end_statement(&sequences, true));
    assert_int_equal(sequences.marked_us, NOON_US + 3 * SECOND_US);
}

static void test_sequences__the_mark_goes_on_without_numbers_but_not_all_the_time(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    assert_int_equal(save(NOON_US), 1);
    assert_int_equal(save(NOON_US + SECOND_US), 0);
    assert_int_equal(save(INT64_MIN), 0);
    assert_int_equal(save(NOON_US + 60 * SECOND_US), 1);
    assert_int_equal(sequences.marked_us, NOON_US + 60 * SECOND_US);
}

static void test_sequences__where_nothing_can_be_said_the_mark_stays(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    assert_int_equal(save(NOON_US), 1);
    take(0, 1, NOON_US);
    assert_true(sequences_begin_round(&sequences, INT64_MIN));
    assert_null(strstr(statement(), "sequence_marks"));
    assert_false(sequences_end_statement(&sequences, true));
    assert_int_equal(sequences.marked_us, NOON_US);
}

static void test_sequences__marks_of_the_ended_are_taken_over_once(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    assert_true(sequences_begin_round(&sequences, NOON_US));
    assert_non_null(strstr(statement(), "DELETE FROM sequence_marks"));
    assert_false(sequences_end_statement(&sequences, true));
    take(0, 1, NOON_US);
    assert_true(sequences_begin_round(&sequences, NOON_US + SECOND_US));
    assert_null(strstr(statement(), "DELETE FROM sequence_marks"));
    assert_false(sequences_end_statement(&sequences, true));
}

static void test_sequences__a_device_that_was_removed_is_not_written(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    take(0, 1, NOON_US);
    refs_forget(&refs, 0);
    assert_true(sequences_begin_round(&sequences, INT64_MIN));
    assert_string_equal(statement(), "SELECT");
}

static void test_sequences__a_device_that_is_forgotten_begins_anew(void **state)
{
    (void)state;
    take(0, 1, NOON_US); /* kept aside */
    sequences_forget(&sequences, device_of(0));
    sequences_loaded(&sequences, NOON_US);
    assert_int_equal(sequences.device_count, 0);
    take(0, 1, NOON_US);
    take(0, 5, NOON_US + 1);
    sequences_forget(&sequences, device_of(0)); /* while it is to be written */
    assert_true(sequences_begin_round(&sequences, INT64_MIN));
    assert_string_equal(statement(), "SELECT");
    assert_false(sequences_end_statement(&sequences, true));
    take(0, 9, NOON_US + 2);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    assert_true(sequences_begin_round(&sequences, INT64_MIN));
    assert_non_null(strstr(statement(), "(VALUES (1000000,9,"));
}

static void test_sequences__cleared_it_begins_anew(void **state)
{
    (void)state;
    sequences_loaded(&sequences, NOON_US);
    take(0, 1, NOON_US);
    take(0, 5, NOON_US + 1);
    sequences_clear(&sequences);
    assert_false(sequences.is_loaded);
    take(0, 9, NOON_US + 2);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    sequences_loaded(&sequences, NOON_US);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
    assert_int_equal(sequences.device_count, 1);
}

static void test_sequences__numbers_that_no_device_can_send_are_passed_over(void **state)
{
    (void)state;
    sequences_load_number(&sequences, device_of(0), -1, NOON_US, NOON_US);
    sequences_load_number(&sequences, device_of(0), INT64_MAX, NOON_US, NOON_US);
    sequences_load_state(&sequences, device_of(1),
                         &(struct sequences_state){.highest = -5, .details = NULL});
    assert_int_equal(sequences.device_count, 0);
    sequences_loaded(&sequences, NOON_US);
    take(0, 3, NOON_US);
    assert_int_equal(sequences_totals(&sequences).missing, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_sequences__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_before_the_load_is_taken_behind_it),
        TEST(a_device_without_a_state_is_made_of_its_numbers),
        TEST(a_statement_writes_in_the_order_of_the_databases_numbers),
        TEST(many_devices_take_several_statements_and_one_mark),
        TEST(what_failed_is_written_in_the_next_round),
        TEST(the_mark_goes_on_without_numbers_but_not_all_the_time),
        TEST(where_nothing_can_be_said_the_mark_stays),
        TEST(marks_of_the_ended_are_taken_over_once),
        TEST(a_device_that_was_removed_is_not_written),
        TEST(a_device_that_is_forgotten_begins_anew),
        TEST(cleared_it_begins_anew),
        TEST(numbers_that_no_device_can_send_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
