/* The store against a Kafka that librdkafka plays inside this process: what is told as stored is there, and
 * what happens to a batch when Kafka refuses, is slow, goes away, or ends the producer. */
#include "tests/unit/kafka_store_fixture.h"

#include "shared/base/timestamp.h"
#include "tests/unit/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- what is to hold -------------------------------------------------------------------------- */

static void test_kafka_store__a_batch_is_stored_when_all_of_it_is_there(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(10000);
    kafka_reject("no json", 7);
    kafka_reject("", 0);
    kafka_store_all();
    assert_int_equal(kafka_test.outcome.stored, 10000);
    assert_int_equal(kafka_test.outcome.refused + kafka_test.outcome.duplicates, 0);
    kafka_assert_there(10000, true);
    assert_false(kafka_found.was_disordered);
    assert_int_equal(kafka_found.rejected, 2);
    kafka_fill(0);
    kafka_reject("x", 1); /* nothing else */
    kafka_store_all();
    kafka_read_all();
    assert_int_equal(kafka_found.rejected, 3);
    assert_int_equal(kafka_writer()->clients, 1);
    assert_int_equal(kafka_test.unready, 0);
}

static void test_kafka_store__who_we_are_follows_from_cluster_and_topic(void **state)
{
    const struct mqtt_identity *identity;

    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    identity = store_identity(kafka_test.store);
    assert_int_equal(strlen(identity->installation), 16);
    assert_int_equal(strncmp(identity->client_id, "highwater-collector-", 20), 0);
    assert_string_equal(identity->client_id + 20, identity->installation);
    assert_false(store_has_boards(kafka_test.store));
    assert_false(store_has_schema(kafka_test.store));
}

static void test_kafka_store__what_is_tried_again_by_librdkafka_is_no_failure(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE};

    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(100);
    rd_kafka_mock_push_request_errors_array(kafka_played.cluster, KAFKA_PRODUCE_API,
                                            sizeof(errors) / sizeof(errors[0]), errors);
    kafka_store_all();
    assert_int_equal(kafka_test.outcome.stored, 100);
    kafka_assert_there(100, true);
    assert_int_equal(kafka_writer()->clients, 1);
}

static void test_kafka_store__what_the_topic_takes_in_smaller_pieces_is_not_refused(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(1000);
    kafka_refuse(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 6);
    kafka_store_all();
    assert_int_equal(kafka_test.outcome.stored, 1000);
    assert_int_equal(kafka_test.outcome.refused, 0);
    kafka_assert_there(1000, true);
    assert_true(kafka_writer()->retries > 0);
}

static void test_kafka_store__a_record_that_is_never_taken_becomes_a_rejected_message(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                                                 RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                                 RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP};

    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        kafka_fill(1);
        kafka_refuse(errors[i], 1);
        kafka_store_all();
        assert_int_equal(kafka_test.outcome.refused, 1);
        assert_int_equal(kafka_test.outcome.stored, 0);
        assert_true(batch_row(&kafka_test.batch, 0)->is_refused);
        kafka_read_all();
        assert_int_equal(kafka_found.refused, i + 1);
        assert_int_equal(kafka_found.seen[0], 0);
    }
    assert_false(store_is_held(kafka_test.store));
}

static void test_kafka_store__a_large_rejected_message_is_several_records(void **state)
{
    enum { BYTES = 3000000 };
    char *payload = malloc(BYTES);

    (void)state;
    assert_non_null(payload);
    for (size_t i = 0; i < BYTES; i++)
        payload[i] = (char)(i * 7 / 5);
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(0);
    kafka_reject(payload, BYTES);
    kafka_refuse(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2); /* then half of it is tried */
    kafka_store_all();
    kafka_read_all();
    assert_true(kafka_found.rejected > 4);
    assert_int_equal(kafka_found.rejected_bytes.bytes, BYTES);
    assert_memory_equal(kafka_found.rejected_bytes.data, payload, BYTES);
    free(payload);
}

/* Where the text has a T the topic's name stands. */
static void assert_says(void (*put)(const struct store *, struct buffer *), const char *pattern)
{
    const char *topic_at = strstr(pattern, " T");
    size_t before = topic_at ? (size_t)(topic_at - pattern) + 1 : strlen(pattern);
    struct buffer out = {0};
    char text[300];

    snprintf(text, sizeof(text), "%.*s%s%s", (int)before, pattern, topic_at ? kafka_test.topic : "",
             topic_at ? topic_at + 2 : "");

    put(kafka_test.store, &out);
    if (!strstr(buffer_text(&out), text))
        fail_msg("\"%s\" does not say %s", buffer_text(&out), text);
    buffer_release(&out);
}

static void test_kafka_store__a_topic_that_may_not_be_written_holds_it(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(10);
    kafka_refuse(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 4);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    kafka_run_until_held(true);
    assert_int_equal(kafka_test.stored, 0);
    assert_says(store_put_faults, "on hold: the topic T: TOPIC_AUTHORIZATION_FAILED");
    kafka_run_until(&kafka_test.stored, 1);
    assert_false(store_is_held(kafka_test.store));
    assert_int_equal(kafka_test.outcome.stored, 10);
    kafka_assert_there(10, true);
}

/* From the start, so that nothing has been written yet. */
static void start_anew_with(const char *topic, rd_kafka_resp_err_t error)
{
    kafka_writer()->bad_probes = 2;
    rd_kafka_mock_topic_set_error(kafka_played.cluster, topic, error);
    kafka_store_renew(kafka_writer());
}

static void test_kafka_store__a_topic_that_cannot_be_written_is_named(void **state)
{
    const struct {
        const char *topic;
        rd_kafka_resp_err_t error;
        const char *says;
    } cases[] = {
        {kafka_test.topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
         "on hold: there is no topic T, "},
        {kafka_test.rejected_topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
         "on hold: there is no topic T.rejected, "},
        {kafka_test.topic, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
         "on hold: not authorised for the topic T: our user needs Describe and Write on it"},
    };

    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED &&
            rd_kafka_version() >= 0x02040000)
            continue; /* a client of 2.8.0 crashes when a played cluster says this of a topic */
        start_anew_with(cases[i].topic, cases[i].error);
        kafka_run_until_held(true);
        assert_int_equal(kafka_test.ready, i + 1);
        assert_says(store_put_faults, cases[i].says);
        rd_kafka_mock_topic_set_error(kafka_played.cluster, cases[i].topic,
                                      RD_KAFKA_RESP_ERR_NO_ERROR);
        kafka_run_until(&kafka_test.ready, i + 2);
        assert_false(store_is_held(kafka_test.store));
    }
}

static void test_kafka_store__a_partition_without_a_leader_is_waited_for(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    rd_kafka_mock_partition_set_leader(kafka_played.cluster, kafka_test.topic, 2, -1);
    kafka_store_probe(kafka_writer());
    kafka_run_until(&kafka_test.unready, 1);
    assert_says(store_put_faults,
                "Kafka is away: 1 of the 4 partitions of the topic T have no leader");
    rd_kafka_mock_partition_set_leader(kafka_played.cluster, kafka_test.topic, 2, 1);
    kafka_run_until(&kafka_test.ready, 2);
}

static void test_kafka_store__away_it_is_not_ready_and_then_goes_on(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_set_broker(false);
    kafka_run_until(&kafka_test.unready, 1); /* nobody had to write for that */
    assert_says(store_put_faults, "Kafka is away: no broker answers");
    kafka_fill(50);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    assert_int_equal(kafka_test.stored, 0);
    kafka_set_broker(true);
    kafka_run_until(&kafka_test.stored, 1);
    assert_true(kafka_test.ready >= 2);
    kafka_assert_there(50, true);
}

static void on_time(uv_timer_t *timer)
{
    (*(unsigned *)timer->data)++;
}

static void run_for(uint64_t ms)
{
    uv_timer_t timer;
    unsigned is_over = 0;

    uv_timer_init(&kafka_test.loop, &timer);
    timer.data = &is_over;
    uv_timer_start(&timer, on_time, ms, 0);
    kafka_run_until(&is_over, 1);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&kafka_test.loop, UV_RUN_NOWAIT);
}

static void test_kafka_store__away_in_the_middle_of_a_batch(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 400);
    kafka_fill(2000);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&kafka_test.loop, UV_RUN_NOWAIT);
    kafka_set_broker(false);
    kafka_run_until(&kafka_test.unready, 1);
    assert_int_equal(kafka_test.stored, 0);
    assert_says(store_explain, "Kafka has not confirmed");
    kafka_writer()->config.watchdog_ms = 500;
    run_for(1500); /* nobody is late who cannot answer */
    kafka_writer()->config.watchdog_ms = 30000;
    assert_false(store_is_held(kafka_test.store));
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    kafka_set_broker(true);
    kafka_run_until(&kafka_test.stored, 1);
    assert_true(kafka_test.ready >= 2);
    kafka_assert_there(2000, false);
    assert_int_equal(kafka_writer()->clients, 1);
}

static void test_kafka_store__a_producer_that_is_fenced_is_replaced(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 100);
    kafka_fill(500);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    rd_kafka_test_fatal_error(kafka_writer()->link.rk, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                              "a test");
    kafka_run_until(&kafka_test.stored, 1);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    assert_int_equal(kafka_writer()->clients, 2);
    assert_int_equal(kafka_test.unready, 1);
    assert_int_equal(kafka_test.ready, 2);
    assert_int_equal(kafka_test.outcome.stored, 500);
    kafka_assert_there(500, false);
}

static void test_kafka_store__what_is_not_confirmed_in_time_is_written_anew(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_writer()->config.watchdog_ms = 1000;
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 8000);
    kafka_fill(20);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    kafka_run_until_held(true);
    assert_int_equal(kafka_test.stored, 0);
    assert_says(store_put_faults, "20 records were not confirmed within 1 s");
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    kafka_run_until(&kafka_test.stored, 1);
    assert_true(kafka_writer()->clients >= 2);
    assert_false(store_is_held(kafka_test.store));
    kafka_assert_there(20, false);
}

static void test_kafka_store__a_large_batch_goes_in_order(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    kafka_fill(KAFKA_ROWS_MOST); /* more than one turn of the loop takes */
    kafka_store_all();
    assert_int_equal(kafka_test.outcome.stored, KAFKA_ROWS_MOST);
    kafka_assert_there(KAFKA_ROWS_MOST, true);
    assert_false(kafka_found.was_disordered);
}

static void write_config(struct temp_file *temp, const char *text)
{
    FILE *file = fopen(temp->path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    kafka_writer()->config.file = temp->path;
}

static void test_kafka_store__a_hangup_has_the_file_read_again(void **state)
{
    struct temp_file temp;

    (void)state;
    temp_file_make(&temp);
    kafka_run_until(&kafka_test.ready, 1);
    write_config(&temp, "no such property\n");
    store_reload(kafka_test.store);
    assert_true(store_is_ready(kafka_test.store));
    write_config(&temp, "compression.type=lz4\n");
    store_reload(kafka_test.store);
    kafka_run_until(&kafka_test.ready, 2);
    assert_int_equal(kafka_writer()->clients, 2);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 100);
    kafka_fill(500);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    store_reload(kafka_test.store);
    assert_true(store_is_ready(kafka_test.store)); /* what is under way comes first */
    kafka_run_until(&kafka_test.stored, 1);
    kafka_run_until(&kafka_test.ready, 3);
    assert_int_equal(kafka_writer()->clients, 3);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    kafka_assert_there(500, true);
    temp_file_remove(&temp);
}

/* A request is refused, and another of its partition, which is under way, is taken. Whether there is another is for
 * librdkafka's thread to say, so it is tried until there was. */
static void test_kafka_store__what_is_only_said_to_be_delivered_is_written_again(void **state)
{
    enum { ROWS = 2000 };
    struct temp_file temp;
    unsigned tries = 0;

    (void)state;
    temp_file_make(&temp);
    kafka_run_until(&kafka_test.ready, 1);
    write_config(&temp, "linger.ms=0\n");
    store_reload(kafka_test.store);
    kafka_run_until(&kafka_test.ready, 2);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 200);
    while (kafka_writer()->retries == 0 && tries < 40) {
        tries++;
        kafka_fill(ROWS);
        kafka_refuse(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 4);
        kafka_store_all();
        assert_int_equal(kafka_test.outcome.stored, ROWS);
    }
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    assert_true(kafka_writer()->retries > 0);
    kafka_read_all();
    for (size_t i = 0; i < ROWS; i++)
        assert_true(kafka_found.seen[i] >= tries);
    temp_file_remove(&temp);
}

static void test_kafka_store__a_full_queue_is_waited_for(void **state)
{
    struct temp_file temp;

    (void)state;
    temp_file_make(&temp);
    kafka_run_until(&kafka_test.ready, 1);
    write_config(&temp, "queue.buffering.max.messages=100\n");
    kafka_store_renew(kafka_writer());
    kafka_run_until(&kafka_test.ready, 2);
    kafka_fill(3000);
    kafka_reject("x", 1);
    kafka_store_all();
    kafka_assert_there(3000, true);
    assert_int_equal(kafka_writer()->retries, 0);
    temp_file_remove(&temp);
}

static void test_kafka_store__what_is_stored_meanwhile_says_that_kafka_is_there(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 300);
    kafka_fill(10);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    kafka_store_set_unready(kafka_writer()); /* a probe that was not answered in time */
    kafka_run_until(&kafka_test.stored, 1);
    assert_int_equal(kafka_test.unready, 1);
    assert_int_equal(kafka_test.ready, 2);
}

static void test_kafka_store__closed_in_the_middle_nothing_is_told(void **state)
{
    (void)state;
    kafka_run_until(&kafka_test.ready, 1);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 300);
    kafka_fill(100);
    store_begin(kafka_test.store, &kafka_test.batch, false);
    uv_run(&kafka_test.loop, UV_RUN_NOWAIT);
    store_close(kafka_test.store, kafka_on_closed);
    kafka_run_until(&kafka_test.closed, 1);
    assert_int_equal(kafka_test.stored, 0);
}

static void test_kafka_store__closed_before_anybody_answers(void **state)
{
    (void)state;
    store_close(kafka_test.store, kafka_on_closed);
    kafka_run_until(&kafka_test.closed, 1);
    assert_int_equal(kafka_test.ready, 0);
}

#define OF_A_STORE(test) cmocka_unit_test_setup_teardown(test, kafka_setup, kafka_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_A_STORE(test_kafka_store__a_batch_is_stored_when_all_of_it_is_there),
        OF_A_STORE(test_kafka_store__who_we_are_follows_from_cluster_and_topic),
        OF_A_STORE(test_kafka_store__what_is_tried_again_by_librdkafka_is_no_failure),
        OF_A_STORE(test_kafka_store__what_the_topic_takes_in_smaller_pieces_is_not_refused),
        OF_A_STORE(test_kafka_store__a_record_that_is_never_taken_becomes_a_rejected_message),
        OF_A_STORE(test_kafka_store__a_large_rejected_message_is_several_records),
        OF_A_STORE(test_kafka_store__a_topic_that_may_not_be_written_holds_it),
        OF_A_STORE(test_kafka_store__a_topic_that_cannot_be_written_is_named),
        OF_A_STORE(test_kafka_store__a_partition_without_a_leader_is_waited_for),
        OF_A_STORE(test_kafka_store__away_it_is_not_ready_and_then_goes_on),
        OF_A_STORE(test_kafka_store__away_in_the_middle_of_a_batch),
        OF_A_STORE(test_kafka_store__a_producer_that_is_fenced_is_replaced),
        OF_A_STORE(test_kafka_store__what_is_not_confirmed_in_time_is_written_anew),
        OF_A_STORE(test_kafka_store__a_large_batch_goes_in_order),
        OF_A_STORE(test_kafka_store__a_hangup_has_the_file_read_again),
        OF_A_STORE(test_kafka_store__what_is_only_said_to_be_delivered_is_written_again),
        OF_A_STORE(test_kafka_store__a_full_queue_is_waited_for),
        OF_A_STORE(test_kafka_store__what_is_stored_meanwhile_says_that_kafka_is_there),
        OF_A_STORE(test_kafka_store__closed_in_the_middle_nothing_is_told),
        OF_A_STORE(test_kafka_store__closed_before_anybody_answers),
    };

    return cmocka_run_group_tests(tests, kafka_play, kafka_stop_playing);
}
