#include "tests/unit/kafka_store_fixture.h"

#include "collector/devices.h"
#include "collector/settings.h"
#include "shared/model/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PARTITIONS = 4, ERRORS_MOST = 100 };

struct kafka_played kafka_played;
struct kafka_test kafka_test;
struct kafka_found kafka_found;

static void on_ready(void *user, bool is_turn_new)
{
    (void)user;
    assert_int_equal(is_turn_new, kafka_test.ready == 0);
    kafka_test.ready++;
}

static void on_unready(void *user)
{
    (void)user;
    kafka_test.unready++;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    (void)user;
    assert_ptr_equal(batch, &kafka_test.batch);
    assert_true(store_is_ready(kafka_test.store));
    kafka_test.outcome = *outcome;
    kafka_test.stored++;
}

static void put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                      struct buffer *out)
{
    (void)user;
    (void)batch;
    buffer_printf(out, "devices/%s/readings", kafka_test.devices.items[row->device].id);
}

void kafka_on_closed(void *user)
{
    (void)user;
    kafka_test.closed++;
}

static const struct store_events events = {
    .on_ready = on_ready, .on_unready = on_unready, .on_stored = on_stored, .put_topic = put_topic};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happens: %u ready, %u unready, %u stored", kafka_test.ready,
             kafka_test.unready, kafka_test.stored);
}

void kafka_run_until(const unsigned *count, unsigned wanted)
{
    uv_timer_start(&kafka_test.deadline, on_deadline, 60000, 0);
    while (*count < wanted)
        uv_run(&kafka_test.loop, UV_RUN_ONCE);
    uv_timer_stop(&kafka_test.deadline);
}

struct kafka_store *kafka_writer(void)
{
    return (struct kafka_store *)kafka_test.store;
}

void kafka_run_until_held(bool is_held)
{
    uv_timer_start(&kafka_test.deadline, on_deadline, 60000, 0);
    while (store_is_held(kafka_test.store) != is_held)
        uv_run(&kafka_test.loop, UV_RUN_ONCE);
    uv_timer_stop(&kafka_test.deadline);
}

void kafka_refuse(rd_kafka_resp_err_t error, size_t times)
{
    static rd_kafka_resp_err_t errors[ERRORS_MOST];

    for (size_t i = 0; i < times; i++)
        errors[i] = error;
    rd_kafka_mock_push_request_errors_array(kafka_played.cluster, KAFKA_PRODUCE_API, times, errors);
}

void kafka_set_broker(bool is_up)
{
    (is_up ? rd_kafka_mock_broker_set_up : rd_kafka_mock_broker_set_down)(kafka_played.cluster, 1);
}

int kafka_play(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];

    (void)state;
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof(error));
    kafka_played.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    assert_non_null(kafka_played.rk);
    kafka_played.cluster = rd_kafka_mock_cluster_new(kafka_played.rk, 1);
    assert_non_null(kafka_played.cluster);
    return 0;
}

int kafka_stop_playing(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(kafka_played.cluster);
    rd_kafka_destroy(kafka_played.rk);
    return 0;
}

static void make_topics(void)
{
    snprintf(kafka_test.topic, sizeof(kafka_test.topic), "t%u", ++kafka_played.topics);
    snprintf(kafka_test.rejected_topic, sizeof(kafka_test.rejected_topic), "%s.rejected",
             kafka_test.topic);
    rd_kafka_mock_topic_create(kafka_played.cluster, kafka_test.topic, PARTITIONS, 1);
    rd_kafka_mock_topic_create(kafka_played.cluster, kafka_test.rejected_topic, 1, 1);
    snprintf(kafka_test.url, sizeof(kafka_test.url), "kafka://%s/%s",
             rd_kafka_mock_cluster_bootstraps(kafka_played.cluster), kafka_test.topic);
}

int kafka_setup(void **state)
{
    const struct store_config config = {.settings = &kafka_test.settings,
                                        .devices = &kafka_test.devices};
    char error[256];
    bool is_new;

    (void)state;
    memset(&kafka_test, 0, sizeof(kafka_test));
    assert_int_equal(uv_loop_init(&kafka_test.loop), 0);
    uv_timer_init(&kafka_test.loop, &kafka_test.deadline);
    make_topics();
    kafka_test.settings = (struct settings){.store = kafka_test.url,
                                            .database_url = "",
                                            .kafka_config = "",
                                            .collector_id = "collector",
                                            .client_id = "",
                                            .watchdog_us = INT64_C(30000000)};
    assert_true(features_parse(&kafka_test.settings.features, "temperature", error, sizeof(error)));
    for (int i = 0; i < KAFKA_DEVICES; i++) {
        char id[32];

        snprintf(id, sizeof(id), "device_%d", i);
        devices_find_or_add(&kafka_test.devices, id, &is_new);
    }
    batch_init(&kafka_test.batch, kafka_test.settings.features.count);
    kafka_test.store = store_new(&config);
    assert_true(
        store_start(kafka_test.store, &kafka_test.loop, &events, NULL, error, sizeof(error)));
    uv_timer_set_repeat(&kafka_writer()->tick, 50); /* as a second is long */
    uv_timer_again(&kafka_writer()->tick);
    return 0;
}

int kafka_teardown(void **state)
{
    (void)state;
    if (kafka_test.closed == 0)
        store_close(kafka_test.store, kafka_on_closed);
    kafka_run_until(&kafka_test.closed, 1);
    store_free(kafka_test.store);
    uv_close((uv_handle_t *)&kafka_test.deadline, NULL);
    uv_run(&kafka_test.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&kafka_test.loop), 0);
    batch_release(&kafka_test.batch);
    devices_release(&kafka_test.devices);
    rd_kafka_mock_clear_request_errors(kafka_played.cluster, KAFKA_PRODUCE_API);
    rd_kafka_mock_broker_set_rtt(kafka_played.cluster, 1, 0);
    kafka_set_broker(true);
    return 0;
}

/* ---- batches, and what is on the topics ------------------------------------------------------- */

void kafka_fill(size_t count)
{
    batch_clear(&kafka_test.batch);
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
        batch_push(&kafka_test.batch, (uint32_t)(i % KAFKA_DEVICES), &item);
    }
}

void kafka_reject(const char *payload, size_t bytes)
{
    const struct reading_item item = {.error = READING_NOT_JSON,
                                      .detail = "why",
                                      .bytes = payload,
                                      .length = bytes,
                                      .received_at_us = 5,
                                      .first_received_at_us = 5};

    batch_reject(&kafka_test.batch, "devices/x/readings", "x", &item);
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

    rd_kafka_conf_set(conf, "bootstrap.servers",
                      rd_kafka_mock_cluster_bootstraps(kafka_played.cluster), error, sizeof(error));
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
    device = number % KAFKA_DEVICES;
    assert_true(number < KAFKA_ROWS_MOST);
    assert_int_equal(message->key_len, 8);
    assert_int_equal(((const char *)message->key)[7] - '0', device);
    assert_int_equal(record->arrival_us, number + 1);
    snprintf(text, sizeof(text), "{\"t\":%zu}", number);
    assert_true(record->has_identity && !record->has_reason);
    assert_int_equal(record->content_hash, reading_content_hash(text, strlen(text)));
    kafka_found.seen[number]++;
    kafka_found.was_disordered =
        kafka_found.was_disordered || (int64_t)number < kafka_found.last_of[device];
    kafka_found.last_of[device] = (int64_t)number;
}

static void on_rejected(const rd_kafka_message_t *message, const struct record *record)
{
    assert_true(record->has_reason);
    if (record->reason == READING_REFUSED_BY_DATABASE) {
        kafka_found.refused++;
    } else {
        assert_int_equal(record->arrival_us, 5);
        buffer_put(&kafka_found.rejected_bytes, message->payload, message->len);
        kafka_found.rejected++;
    }
}

void kafka_read_all(void)
{
    memset(kafka_found.seen, 0, sizeof(kafka_found.seen));
    memset(kafka_found.last_of, 0, sizeof(kafka_found.last_of));
    kafka_found.was_disordered = false;
    kafka_found.rejected = kafka_found.refused = 0;
    buffer_release(&kafka_found.rejected_bytes);
    read_topic(kafka_test.topic, PARTITIONS, on_reading);
    read_topic(kafka_test.rejected_topic, 1, on_rejected);
}

void kafka_assert_there(size_t count, bool exactly)
{
    kafka_read_all();
    for (size_t i = 0; i < count; i++) {
        if (exactly ? kafka_found.seen[i] != 1 : kafka_found.seen[i] < 1)
            fail_msg("record %zu is there %u times", i, kafka_found.seen[i]);
    }
}

void kafka_store_all(void)
{
    unsigned before = kafka_test.stored;

    store_begin(kafka_test.store, &kafka_test.batch, false);
    assert_int_equal(kafka_test.stored, before); /* it is on its way at best */
    kafka_run_until(&kafka_test.stored, before + 1);
}
