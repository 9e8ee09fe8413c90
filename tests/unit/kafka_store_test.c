/* The store against a Kafka that librdkafka plays inside this process: what is told as stored is there, and
 * what happens to a batch when Kafka refuses, is slow, goes away, or ends the producer. */
#include "collector/devices.h"
#include "collector/settings.h"
#include "collector/stores/kafka/kafka_store_inner.h"
#include "shared/base/timestamp.h"
#include "shared/model/record.h"
#include "tests/unit/temp_file.h"

#include <inttypes.h>
#include <librdkafka/rdkafka_mock.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PARTITIONS = 4, DEVICES = 7, PRODUCE_API = 0, FOR_EVER = 10000 };

/* ---- Kafka, a store, and what it tells -------------------------------------------------------- */

static struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    rd_kafka_t *player;
    rd_kafka_mock_cluster_t *cluster;
    struct settings settings;
    struct devices devices;
    struct batch batch;
    struct store *store;
    char url[200];
    unsigned ready, unready, stored, closed;
    struct store_outcome outcome;
} t;

static void on_ready(void *user, bool is_turn_new)
{
    (void)user;
    assert_int_equal(is_turn_new, t.ready == 0);
    t.ready++;
}

static void on_unready(void *user)
{
    (void)user;
    t.unready++;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    (void)user;
    assert_ptr_equal(batch, &t.batch);
    assert_true(store_is_ready(t.store));
    t.outcome = *outcome;
    t.stored++;
}

static void put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                      struct buffer *out)
{
    (void)user;
    (void)batch;
    buffer_printf(out, "devices/%s/readings", t.devices.items[row->device].id);
}

static void on_closed(void *user)
{
    (void)user;
    t.closed++;
}

static const struct store_events events = {
    .on_ready = on_ready, .on_unready = on_unready, .on_stored = on_stored, .put_topic = put_topic};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happens: %u ready, %u unready, %u stored", t.ready, t.unready, t.stored);
}

static void run_until(const unsigned *count, unsigned wanted)
{
    uv_timer_start(&t.deadline, on_deadline, 60000, 0);
    while (*count < wanted)
        uv_run(&t.loop, UV_RUN_ONCE);
    uv_timer_stop(&t.deadline);
}

static struct kafka_store *kafka(void)
{
    return (struct kafka_store *)t.store;
}

static void run_until_held(bool is_held)
{
    uv_timer_start(&t.deadline, on_deadline, 60000, 0);
    while (store_is_held(t.store) != is_held)
        uv_run(&t.loop, UV_RUN_ONCE);
    uv_timer_stop(&t.deadline);
}

static void refuse(rd_kafka_resp_err_t error, size_t times)
{
    static rd_kafka_resp_err_t errors[FOR_EVER];

    for (size_t i = 0; i < times; i++)
        errors[i] = error;
    rd_kafka_mock_push_request_errors_array(t.cluster, PRODUCE_API, times, errors);
}

static void set_broker(bool is_up)
{
    (is_up ? rd_kafka_mock_broker_set_up : rd_kafka_mock_broker_set_down)(t.cluster, 1);
}

static int setup(void **state)
{
    const struct store_config config = {.settings = &t.settings, .devices = &t.devices};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];
    bool is_new;

    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.deadline);
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof(error));
    t.player = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    assert_non_null(t.player);
    t.cluster = rd_kafka_mock_cluster_new(t.player, 1);
    assert_non_null(t.cluster);
    rd_kafka_mock_topic_create(t.cluster, "t", PARTITIONS, 1);
    rd_kafka_mock_topic_create(t.cluster, "t.rejected", 1, 1);
    snprintf(t.url, sizeof(t.url), "kafka://%s/t", rd_kafka_mock_cluster_bootstraps(t.cluster));
    t.settings = (struct settings){.store = t.url,
                                   .database_url = "",
                                   .kafka_config = "",
                                   .collector_id = "collector",
                                   .client_id = "",
                                   .watchdog_us = INT64_C(30000000)};
    assert_true(features_parse(&t.settings.features, "temperature", error, sizeof(error)));
    for (int i = 0; i < DEVICES; i++) {
        char id[32];

        snprintf(id, sizeof(id), "device_%d", i);
        devices_find_or_add(&t.devices, id, &is_new);
    }
    batch_init(&t.batch, t.settings.features.count);
    t.store = store_new(&config);
    assert_true(store_start(t.store, &t.loop, &events, NULL, error, sizeof(error)));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t.closed == 0)
        store_close(t.store, on_closed);
    run_until(&t.closed, 1);
    store_free(t.store);
    uv_close((uv_handle_t *)&t.deadline, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    batch_release(&t.batch);
    devices_release(&t.devices);
    rd_kafka_mock_cluster_destroy(t.cluster);
    rd_kafka_destroy(t.player);
    return 0;
}

/* ---- batches, and what is on the topics ------------------------------------------------------- */

/* The value of each row is its number in the batch, so that its record can be told. */
static void fill(size_t count)
{
    batch_clear(&t.batch);
    for (size_t i = 0; i < count; i++) {
        union reading_storage storage = {0};
        char text[32];
        struct reading_item item = {.reading = &storage.reading,
                                    .detail = "",
                                    .bytes = text,
                                    .received_at_us = (int64_t)i + 1,
                                    .first_received_at_us = (int64_t)i + 1,
                                    .seq = -1};

        item.length = (size_t)snprintf(text, sizeof(text), "{\"t\":%zu}", i);
        storage.reading.recorded_at_us = INT64_C(1795089600000000) + (int64_t)i;
        storage.reading.content_hash = reading_content_hash(text, item.length);
        storage.reading.values[0] = (double)i;
        batch_push(&t.batch, (uint32_t)(i % DEVICES), &item);
    }
}

static void reject(const char *payload, size_t bytes)
{
    const struct reading_item item = {.error = READING_NOT_JSON,
                                      .detail = "why",
                                      .bytes = payload,
                                      .length = bytes,
                                      .received_at_us = 5,
                                      .first_received_at_us = 5};

    batch_reject(&t.batch, "devices/x/readings", &item);
}

typedef void (*message_fn)(const rd_kafka_message_t *message, const struct record *record);

static struct record record_of(const rd_kafka_message_t *message)
{
    struct record record = {0};
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t bytes;

    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == 0; i++)
        record_take_header(&record, name, value, bytes);
    return record;
}

static size_t count_records(rd_kafka_t *reader, const char *topic, int32_t partition)
{
    int64_t first;
    int64_t next;

    assert_int_equal(
        rd_kafka_query_watermark_offsets(reader, topic, partition, &first, &next, 10000), 0);
    return (size_t)next;
}

/* Hands out all that there is, each partition in order; returns how many. */
static size_t read_topic(const char *topic, int partitions, message_fn on_message)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];
    size_t count = 0;
    rd_kafka_t *reader;

    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(t.cluster), error,
                      sizeof(error));
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof(error));
    rd_kafka_conf_set(conf, "group.id", "reader", error, sizeof(error));
    reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    assert_non_null(reader);
    for (int i = 0; i < partitions; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = 0;
        count += count_records(reader, topic, i);
    }
    rd_kafka_assign(reader, list);
    for (size_t left = count; left > 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 10000);

        assert_non_null(message);
        if (!message->err) {
            const struct record record = record_of(message);

            on_message(message, &record);
            left--;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return count;
}

enum { ROWS_MOST = 20000 };
static unsigned seen[ROWS_MOST];
static int64_t last_of[DEVICES];
static bool was_disordered;
static unsigned rejected_seen, refused_seen;
static struct buffer rejected_bytes;

static void on_reading(const rd_kafka_message_t *message, const struct record *record)
{
    char text[300];
    char *at;
    size_t number;
    size_t device;

    assert_true(message->len < sizeof(text));
    memcpy(text, message->payload, message->len);
    text[message->len] = '\0';
    at = strstr(text, "\"temperature\":");
    assert_non_null(at);
    number = strtoul(at + 14, NULL, 10);
    device = number % DEVICES;
    assert_true(number < ROWS_MOST);
    assert_int_equal(message->key_len, 8);
    assert_int_equal(((const char *)message->key)[7] - '0', device);
    assert_int_equal(record->arrival_us, number + 1);
    snprintf(text, sizeof(text), "{\"t\":%zu}", number);
    assert_true(record->has_identity && !record->has_reason);
    assert_int_equal(record->content_hash, reading_content_hash(text, strlen(text)));
    seen[number]++;
    was_disordered = was_disordered || (int64_t)number < last_of[device];
    last_of[device] = (int64_t)number;
}

static void on_rejected(const rd_kafka_message_t *message, const struct record *record)
{
    assert_true(record->has_reason);
    if (record->reason == READING_REFUSED_BY_DATABASE) {
        refused_seen++;
    } else {
        assert_int_equal(record->arrival_us, 5);
        buffer_put(&rejected_bytes, message->payload, message->len);
        rejected_seen++;
    }
}

static void read_all(void)
{
    memset(seen, 0, sizeof(seen));
    memset(last_of, 0, sizeof(last_of));
    was_disordered = false;
    rejected_seen = refused_seen = 0;
    buffer_release(&rejected_bytes);
    read_topic("t", PARTITIONS, on_reading);
    read_topic("t.rejected", 1, on_rejected);
}

/* Each row of the batch once, or at least once. */
static void assert_there(size_t count, bool exactly)
{
    read_all();
    for (size_t i = 0; i < count; i++) {
        if (exactly ? seen[i] != 1 : seen[i] < 1)
            fail_msg("record %zu is there %u times", i, seen[i]);
    }
}

static void store_all(void)
{
    unsigned before = t.stored;

    store_begin(t.store, &t.batch, false);
    assert_int_equal(t.stored, before); /* it is on its way at best */
    run_until(&t.stored, before + 1);
}

/* ---- what is to hold -------------------------------------------------------------------------- */

static void test_kafka_store__a_batch_is_stored_when_all_of_it_is_there(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    fill(10000);
    reject("no json", 7);
    reject("", 0);
    store_all();
    assert_int_equal(t.outcome.stored, 10000);
    assert_int_equal(t.outcome.refused + t.outcome.duplicates, 0);
    assert_there(10000, true);
    assert_false(was_disordered);
    assert_int_equal(rejected_seen, 2);
    fill(0);
    reject("x", 1); /* nothing else */
    store_all();
    read_all();
    assert_int_equal(rejected_seen, 3);
    assert_int_equal(kafka()->clients, 1);
    assert_int_equal(t.unready, 0);
}

static void test_kafka_store__who_we_are_follows_from_cluster_and_topic(void **state)
{
    const struct mqtt_identity *identity;

    (void)state;
    run_until(&t.ready, 1);
    identity = store_identity(t.store);
    assert_int_equal(strlen(identity->installation), 16);
    assert_int_equal(strncmp(identity->client_id, "highwater-collector-", 20), 0);
    assert_string_equal(identity->client_id + 20, identity->installation);
    assert_false(store_has_boards(t.store));
    assert_false(store_has_schema(t.store));
}

static void test_kafka_store__what_is_tried_again_by_librdkafka_is_no_failure(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE};

    (void)state;
    run_until(&t.ready, 1);
    fill(100);
    rd_kafka_mock_push_request_errors_array(t.cluster, PRODUCE_API,
                                            sizeof(errors) / sizeof(errors[0]), errors);
    store_all();
    assert_int_equal(t.outcome.stored, 100);
    assert_there(100, true);
    assert_int_equal(kafka()->clients, 1);
}

static void test_kafka_store__what_the_topic_takes_in_smaller_pieces_is_not_refused(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    fill(1000);
    refuse(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 6);
    store_all();
    assert_int_equal(t.outcome.stored, 1000);
    assert_int_equal(t.outcome.refused, 0);
    assert_there(1000, true);
    assert_true(kafka()->retries > 0);
}

static void test_kafka_store__a_record_that_is_never_taken_becomes_a_rejected_message(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                                                 RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                                 RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP};

    (void)state;
    run_until(&t.ready, 1);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fill(1);
        refuse(errors[i], 1);
        store_all();
        assert_int_equal(t.outcome.refused, 1);
        assert_int_equal(t.outcome.stored, 0);
        assert_true(batch_row(&t.batch, 0)->is_refused);
        read_all();
        assert_int_equal(refused_seen, i + 1);
        assert_int_equal(seen[0], 0);
    }
    assert_false(store_is_held(t.store));
}

static void test_kafka_store__a_large_rejected_message_is_several_records(void **state)
{
    enum { BYTES = 3000000 };
    char *payload = malloc(BYTES);

    (void)state;
    assert_non_null(payload);
    for (size_t i = 0; i < BYTES; i++)
        payload[i] = (char)(i * 7 / 5);
    run_until(&t.ready, 1);
    fill(0);
    reject(payload, BYTES);
    refuse(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2); /* then half of it is tried */
    store_all();
    read_all();
    assert_true(rejected_seen > 4);
    assert_int_equal(rejected_bytes.bytes, BYTES);
    assert_memory_equal(rejected_bytes.data, payload, BYTES);
    free(payload);
}

static void assert_says(void (*put)(const struct store *, struct buffer *), const char *text)
{
    struct buffer out = {0};

    put(t.store, &out);
    if (!strstr(buffer_text(&out), text))
        fail_msg("\"%s\" does not say %s", buffer_text(&out), text);
    buffer_release(&out);
}

static void test_kafka_store__a_topic_that_may_not_be_written_holds_it(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    fill(10);
    refuse(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 4);
    store_begin(t.store, &t.batch, false);
    run_until_held(true);
    assert_int_equal(t.stored, 0);
    assert_says(store_put_faults, "on hold: the topic t: TOPIC_AUTHORIZATION_FAILED");
    run_until(&t.stored, 1);
    assert_false(store_is_held(t.store));
    assert_int_equal(t.outcome.stored, 10);
    assert_there(10, true);
}

/* From the start, so that nothing has been written yet. */
static void start_anew_with(const char *topic, rd_kafka_resp_err_t error)
{
    kafka()->bad_probes = 2;
    rd_kafka_mock_topic_set_error(t.cluster, topic, error);
    kafka_store_renew(kafka());
}

static void test_kafka_store__a_topic_that_cannot_be_written_is_named(void **state)
{
    static const struct {
        const char *topic;
        rd_kafka_resp_err_t error;
        const char *says;
    } cases[] = {
        {"t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "on hold: there is no topic t, "},
        {"t.rejected", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
         "on hold: there is no topic t.rejected, "},
        {"t", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
         "on hold: not authorised for the topic t: our user needs Describe and Write on it"},
    };

    (void)state;
    run_until(&t.ready, 1);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start_anew_with(cases[i].topic, cases[i].error);
        run_until_held(true);
        assert_int_equal(t.ready, i + 1);
        assert_says(store_put_faults, cases[i].says);
        rd_kafka_mock_topic_set_error(t.cluster, cases[i].topic, RD_KAFKA_RESP_ERR_NO_ERROR);
        run_until(&t.ready, i + 2);
        assert_false(store_is_held(t.store));
    }
}

static void test_kafka_store__a_partition_without_a_leader_is_waited_for(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    rd_kafka_mock_partition_set_leader(t.cluster, "t", 2, -1);
    kafka_store_probe(kafka());
    run_until(&t.unready, 1);
    assert_says(store_put_faults,
                "Kafka is away: 1 of the 4 partitions of the topic t have no leader");
    rd_kafka_mock_partition_set_leader(t.cluster, "t", 2, 1);
    run_until(&t.ready, 2);
}

static void test_kafka_store__away_it_is_not_ready_and_then_goes_on(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    set_broker(false);
    run_until(&t.unready, 1); /* nobody had to write for that */
    assert_says(store_put_faults, "Kafka is away: no broker answers");
    fill(50);
    store_begin(t.store, &t.batch, false);
    assert_int_equal(t.stored, 0);
    set_broker(true);
    run_until(&t.stored, 1);
    assert_true(t.ready >= 2);
    assert_there(50, true);
}

static void on_time(uv_timer_t *timer)
{
    (*(unsigned *)timer->data)++;
}

static void run_for(uint64_t ms)
{
    uv_timer_t timer;
    unsigned is_over = 0;

    uv_timer_init(&t.loop, &timer);
    timer.data = &is_over;
    uv_timer_start(&timer, on_time, ms, 0);
    run_until(&is_over, 1);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void test_kafka_store__away_in_the_middle_of_a_batch(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 400);
    fill(2000);
    store_begin(t.store, &t.batch, false);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    set_broker(false);
    run_until(&t.unready, 1);
    assert_int_equal(t.stored, 0);
    assert_says(store_explain, "Kafka has not confirmed");
    kafka()->config.watchdog_ms = 500;
    run_for(1500); /* nobody is late who cannot answer */
    kafka()->config.watchdog_ms = 30000;
    assert_false(store_is_held(t.store));
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 0);
    set_broker(true);
    run_until(&t.stored, 1);
    assert_true(t.ready >= 2);
    assert_there(2000, false);
    assert_int_equal(kafka()->clients, 1);
}

static void test_kafka_store__a_producer_that_is_fenced_is_replaced(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 100);
    fill(500);
    store_begin(t.store, &t.batch, false);
    rd_kafka_test_fatal_error(kafka()->link.rk, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "a test");
    run_until(&t.stored, 1);
    assert_int_equal(kafka()->clients, 2);
    assert_int_equal(t.unready, 1);
    assert_int_equal(t.ready, 2);
    assert_int_equal(t.outcome.stored, 500);
    assert_there(500, false);
}

static void test_kafka_store__what_is_not_confirmed_in_time_is_written_anew(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    kafka()->config.watchdog_ms = 1000;
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 8000);
    fill(20);
    store_begin(t.store, &t.batch, false);
    run_until_held(true);
    assert_int_equal(t.stored, 0);
    assert_says(store_put_faults, "20 records were not confirmed within 1 s");
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 0);
    run_until(&t.stored, 1);
    assert_true(kafka()->clients >= 2);
    assert_false(store_is_held(t.store));
    assert_there(20, false);
}

static void test_kafka_store__a_large_batch_goes_in_order(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    fill(ROWS_MOST); /* more than one turn of the loop takes */
    store_all();
    assert_int_equal(t.outcome.stored, ROWS_MOST);
    assert_there(ROWS_MOST, true);
    assert_false(was_disordered);
}

static void test_kafka_store__a_full_queue_is_waited_for(void **state)
{
    struct temp_file temp;
    FILE *file;

    (void)state;
    temp_file_make(&temp);
    file = fopen(temp.path, "w");
    assert_non_null(file);
    assert_true(fputs("queue.buffering.max.messages=100\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    run_until(&t.ready, 1);
    kafka()->config.file = temp.path;
    kafka_store_renew(kafka());
    run_until(&t.ready, 2);
    fill(3000);
    reject("x", 1);
    store_all();
    assert_there(3000, true);
    assert_int_equal(kafka()->retries, 0);
    temp_file_remove(&temp);
}

static void test_kafka_store__what_is_stored_meanwhile_says_that_kafka_is_there(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 300);
    fill(10);
    store_begin(t.store, &t.batch, false);
    kafka_store_set_unready(kafka()); /* a probe that was not answered in time */
    run_until(&t.stored, 1);
    assert_int_equal(t.unready, 1);
    assert_int_equal(t.ready, 2);
}

static void test_kafka_store__closed_in_the_middle_nothing_is_told(void **state)
{
    (void)state;
    run_until(&t.ready, 1);
    rd_kafka_mock_broker_set_rtt(t.cluster, 1, 300);
    fill(100);
    store_begin(t.store, &t.batch, false);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    store_close(t.store, on_closed);
    run_until(&t.closed, 1);
    assert_int_equal(t.stored, 0);
}

static void test_kafka_store__closed_before_anybody_answers(void **state)
{
    (void)state;
    store_close(t.store, on_closed);
    run_until(&t.closed, 1);
    assert_int_equal(t.ready, 0);
}

#define OF_A_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
        OF_A_STORE(test_kafka_store__a_full_queue_is_waited_for),
        OF_A_STORE(test_kafka_store__what_is_stored_meanwhile_says_that_kafka_is_there),
        OF_A_STORE(test_kafka_store__closed_in_the_middle_nothing_is_told),
        OF_A_STORE(test_kafka_store__closed_before_anybody_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
