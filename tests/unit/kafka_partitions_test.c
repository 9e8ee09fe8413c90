#include "collector/sources/kafka_partitions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char topic[] = "readings";

static struct kafka_partition *gain_and_place(struct kafka_partitions *partitions, int32_t number,
                                              int64_t stored)
{
    struct kafka_partition *partition = kafka_partitions_gain(partitions, topic, number);

    assert_int_equal(kafka_partition_place(partition, stored), KAFKA_PLACE_START);
    return partition;
}

static void expect_mark(const struct source_mark *mark, int32_t partition, int64_t from, int64_t to)
{
    assert_int_equal(mark->position_count, 1);
    assert_string_equal(mark->positions[0].group, "g");
    assert_string_equal(mark->positions[0].topic, topic);
    assert_int_equal(mark->positions[0].partition, partition);
    assert_int_equal(mark->positions[0].from, from);
    assert_int_equal(mark->positions[0].to, to);
}

static void test_partitions__a_mark_is_of_what_is_in_hand(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition;
    struct source_mark mark;

    (void)state;
    gain_and_place(&partitions, 1, 100);
    partition = gain_and_place(&partitions, 0, SOURCE_POSITION_NEW);
    kafka_partition_pass(partition, 7);
    kafka_partition_pass(partition, 9); /* 8 was no record */
    mark = kafka_partitions_mark(&partitions);
    expect_mark(&mark, 0, SOURCE_POSITION_NEW, 10);
    kafka_partition_pass(partition, 10); /* while the store writes */
    kafka_partitions_settle(&partitions, &mark);
    assert_int_equal(partition->stored, 10);
    mark = kafka_partitions_mark(&partitions);
    expect_mark(&mark, 0, 10, 11);
    kafka_partitions_settle(&partitions, &mark);
    assert_int_equal(kafka_partitions_mark(&partitions).position_count, 0);
    kafka_partitions_release(&partitions);
}

static void test_partitions__one_that_is_lost_stays_until_nothing_is_in_hand(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct source_mark mark;

    (void)state;
    kafka_partition_pass(gain_and_place(&partitions, 0, 5), 5);
    gain_and_place(&partitions, 1, 5);
    kafka_partitions_lose(&partitions, topic, 0);
    kafka_partitions_lose(&partitions, topic, 1);
    kafka_partitions_lose(&partitions, topic, 2);
    assert_int_equal(partitions.count, 1);
    mark = kafka_partitions_mark(&partitions);
    expect_mark(&mark, 0, 5, 6);
    kafka_partitions_settle(&partitions, &mark);
    assert_int_equal(partitions.count, 0);
    kafka_partitions_release(&partitions);
}

static void test_partitions__one_that_comes_back_goes_on_after_what_is_in_hand(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition;

    (void)state;
    kafka_partition_pass(gain_and_place(&partitions, 0, 5), 5);
    kafka_partitions_lose(&partitions, topic, 0);
    partition = kafka_partitions_gain(&partitions, topic, 0);
    assert_int_equal(kafka_partition_place(partition, 5), KAFKA_PLACE_START);
    assert_int_equal(partition->next, 6);
    kafka_partitions_release(&partitions);
}

/* The store stands elsewhere: it will refuse what is in hand. To start there now would have records twice
 * in one batch. */
static void test_partitions__a_place_waits_for_what_is_in_hand_to_be_refused(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition;

    (void)state;
    kafka_partition_pass(gain_and_place(&partitions, 0, 5), 5);
    kafka_partitions_lose(&partitions, topic, 0);
    partition = kafka_partitions_gain(&partitions, topic, 0);
    assert_int_equal(kafka_partition_place(partition, 9), KAFKA_PLACE_WAIT);
    assert_int_equal(partition->state, KAFKA_PARTITION_ASKED);
    kafka_partitions_give_back(&partitions);
    assert_int_equal(kafka_partition_place(partition, 9), KAFKA_PLACE_START);
    assert_int_equal(partition->next, 9);
    kafka_partitions_release(&partitions);
}

static void test_partitions__what_is_given_back_is_asked_for_again(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *kept;

    (void)state;
    kafka_partition_pass(gain_and_place(&partitions, 1, 5), 5);
    kafka_partition_pass(gain_and_place(&partitions, 0, 5), 5);
    kafka_partitions_lose(&partitions, topic, 1);
    kafka_partitions_give_back(&partitions);
    assert_int_equal(partitions.count, 1);
    kept = kafka_partitions_find(&partitions, topic, 0);
    assert_non_null(kept);
    assert_int_equal(kept->state, KAFKA_PARTITION_ASKED);
    assert_int_equal(kept->next, 5);
    assert_int_equal(kafka_partitions_mark(&partitions).position_count, 0);
    kafka_partitions_release(&partitions);
}

static void test_partitions__one_that_is_held_starts_when_it_was_moved(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition = gain_and_place(&partitions, 0, 5);

    (void)state;
    partition->state = KAFKA_PARTITION_HELD;
    assert_int_equal(kafka_partition_place(partition, 5), KAFKA_PLACE_STAY);
    assert_int_equal(partition->state, KAFKA_PARTITION_HELD);
    assert_int_equal(kafka_partition_place(partition, SOURCE_POSITION_NEW), KAFKA_PLACE_START);
    assert_int_equal(partition->next, SOURCE_POSITION_NEW);
    kafka_partitions_release(&partitions);
}

/* Or what is before the gap would never be read again. */
static void test_partitions__one_that_is_held_is_read_again_when_it_is_given_back(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition = gain_and_place(&partitions, 0, 5);

    (void)state;
    kafka_partition_pass(partition, 5);
    partition->state = KAFKA_PARTITION_HELD;
    kafka_partitions_give_back(&partitions);
    assert_int_equal(kafka_partition_place(partition, 5), KAFKA_PLACE_START);
    assert_int_equal(partition->next, 5);
    kafka_partitions_release(&partitions);
}

static void test_partitions__the_group_waits_for_what_leaves_with_something_in_hand(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};
    struct kafka_partition *partition = gain_and_place(&partitions, 0, 5);
    struct source_mark mark;

    (void)state;
    kafka_partition_pass(partition, 5);
    assert_false(kafka_partitions_await(&partitions));
    partition->state = KAFKA_PARTITION_LEAVING;
    assert_true(kafka_partitions_await(&partitions));
    mark = kafka_partitions_mark(&partitions);
    kafka_partitions_settle(&partitions, &mark);
    assert_false(kafka_partitions_await(&partitions));
    kafka_partitions_release(&partitions);
}

static void test_partitions__topics_are_told_apart(void **state)
{
    struct kafka_partitions partitions = {.group = "g"};

    (void)state;
    for (int32_t i = 0; i < 50; i++) {
        kafka_partitions_gain(&partitions, topic, i)->next = i;
        kafka_partitions_gain(&partitions, "readings.rejected", i)->next = 1000 + i;
    }
    for (int32_t i = 0; i < 50; i++) {
        assert_int_equal(kafka_partitions_find(&partitions, topic, i)->next, i);
        assert_int_equal(kafka_partitions_find(&partitions, "readings.rejected", i)->next,
                         1000 + i);
    }
    assert_null(kafka_partitions_find(&partitions, topic, 50));
    kafka_partitions_release(&partitions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partitions__a_mark_is_of_what_is_in_hand),
        cmocka_unit_test(test_partitions__one_that_is_lost_stays_until_nothing_is_in_hand),
        cmocka_unit_test(test_partitions__one_that_comes_back_goes_on_after_what_is_in_hand),
        cmocka_unit_test(test_partitions__a_place_waits_for_what_is_in_hand_to_be_refused),
        cmocka_unit_test(test_partitions__what_is_given_back_is_asked_for_again),
        cmocka_unit_test(test_partitions__one_that_is_held_starts_when_it_was_moved),
        cmocka_unit_test(test_partitions__one_that_is_held_is_read_again_when_it_is_given_back),
        cmocka_unit_test(test_partitions__the_group_waits_for_what_leaves_with_something_in_hand),
        cmocka_unit_test(test_partitions__topics_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
