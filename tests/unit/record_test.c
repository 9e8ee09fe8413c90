/* Records of a log: what is written can be read, by us and by whoever reads the contract's payload; and
 * what others write is taken as far as it is legal. */
#include "shared/model/record.h"

#include "shared/model/payload.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct features features;

static int setup(void **state)
{
    char error[200];

    (void)state;
    return features_parse(&features, "temperature,pressure", error, sizeof(error)) ? 0 : -1;
}

static union reading_storage reading_of(double temperature, double pressure,
                                        enum reading_status status)
{
    union reading_storage storage = {0};

    storage.reading.recorded_at_us = INT64_C(1795089600123456);
    storage.reading.status = (uint8_t)status;
    storage.reading.values[0] = temperature;
    storage.reading.values[1] = pressure;
    return storage;
}

static void test_record__a_value_is_the_payload_of_one_reading(void **state)
{
    static const double none = NAN;
    const struct {
        double temperature;
        double pressure;
        enum reading_status status;
        int64_t seq;
        const char *device;
        const char *text;
    } cases[] = {
        {101.3, -12.5, STATUS_ON, 7, "device_1",
         "{\"deviceId\":\"device_1\",\"timestamp\":\"2026-11-19T12:00:00.123456Z\",\"status\":"
         "\"ON\","
         "\"seq\":7,\"temperature\":101.3,\"pressure\":-12.5}"},
        {none, 1e300, STATUS_ABSENT, -1, "a\"b",
         "{\"deviceId\":\"a\\\"b\",\"timestamp\":\"2026-11-19T12:00:00.123456Z\",\"pressure\":1e+"
         "300}"},
        {none, none, STATUS_INACTIVE, 0, "\xc3\xa9",
         "{\"deviceId\":\"\xc3\xa9\",\"timestamp\":\"2026-11-19T12:00:00.123456Z\",\"status\":"
         "\"INACTIVE\",\"seq\":0}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        union reading_storage storage =
            reading_of(cases[i].temperature, cases[i].pressure, cases[i].status);
        struct buffer out = {0};

        payload_write(&out, cases[i].device, &storage.reading, &features, cases[i].seq);
        assert_string_equal(buffer_text(&out), cases[i].text);
        buffer_release(&out);
    }
}

static union reading_storage last;

struct taken {
    int64_t seq;
    size_t count;
};

static void on_item(void *user, const struct reading_item *item)
{
    struct taken *taken = user;

    assert_int_equal(item->error, READING_OK);
    memcpy(&last, item->reading, reading_size(features.count));
    taken->seq = item->seq;
    taken->count++;
}

static void test_record__a_value_reads_back_as_the_same_reading(void **state)
{
    static const double values[] = {0.1,     -0.0,       5e-324, 1.7976931348623157e308,
                                    1.0 / 3, 12345678.25};
    const struct reading_rules rules = {.features = &features,
                                        .future_tolerance_us = INT64_C(1) << 60};
    const struct reading_source source = {.device_id = "d"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        union reading_storage storage = reading_of(values[i] + 0.0, NAN, STATUS_OFF);
        struct buffer out = {0};
        struct taken taken = {.count = 0};

        payload_write(&out, "d", &storage.reading, &features, 9);
        reading_json_parse(&rules, &source, (const char *)out.data, out.bytes, on_item, &taken);
        storage.reading.content_hash = last.reading.content_hash;
        assert_int_equal(taken.count, 1);
        assert_int_equal(taken.seq, 9);
        assert_true(reading_equals(&last.reading, &storage.reading, features.count));
        buffer_release(&out);
    }
}

static struct record read_all(const struct record_headers *headers)
{
    struct record record = {0};

    for (size_t i = 0; i < headers->count; i++)
        record_take_header(&record, headers->items[i].name, headers->items[i].value,
                           headers->items[i].bytes);
    return record;
}

static void test_record__headers_of_a_reading_come_back(void **state)
{
    static const int64_t hashes[] = {0, 1, -1, INT64_MIN, INT64_MAX, INT64_C(0x0123456789abcdef)};

    (void)state;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        struct record_headers headers;
        struct record record;

        record_headers_of_reading(&headers, hashes[i], INT64_C(1795089600000001), "devices/d/x", 9);
        record = read_all(&headers);
        assert_true(record.has_identity && record.has_arrival && !record.has_reason);
        assert_int_equal(record.content_hash, hashes[i]);
        assert_int_equal(record.arrival_us, INT64_C(1795089600000001));
        assert_int_equal(record.topic_bytes, 9);
        assert_memory_equal(record.topic, "devices/d", 9);
        assert_null(record.device);
    }
}

static void test_record__headers_of_a_rejected_message_come_back(void **state)
{
    struct record_headers headers;

    (void)state;
    for (int error = READING_OK + 1; error < READING_ERROR_COUNT; error++) {
        const struct record_rejected message = {.reason =
                                                    reading_error_text((enum reading_error)error),
                                                .detail = "why",
                                                .topic = "t/\xff",
                                                .device = error % 2 ? "d" : NULL,
                                                .arrival_us = error};
        struct record record;

        record_headers_of_rejected(&headers, &message);
        record = read_all(&headers);
        assert_true(record.has_reason && record.has_arrival && !record.has_identity);
        assert_int_equal(record.reason, error);
        assert_int_equal(record.arrival_us, error);
        assert_memory_equal(record.detail, "why", record.detail_bytes);
        assert_memory_equal(record.topic, "t/\xff", record.topic_bytes);
        assert_int_equal(record.device != NULL, error % 2);
    }
}

static void test_record__what_is_odd_in_headers_of_others_is_not_there(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } cases[] = {
        {"identity", ""},
        {"identity", "0123456789abcde"},
        {"identity", "0123456789abcdef0"},
        {"identity", "0123456789abcdeg"},
        {"identity", " 123456789abcdef"},
        {"identity", "-123456789abcdef"},
        {"arrival", ""},
        {"arrival", "yesterday"},
        {"arrival", "2026-11-23T12:00:00.123456Z                                                 "},
        {"device", ""},
        {"device", "a/b"},
        {"device", ".."},
        {"Identity", "0123456789abcdef"},
        {"other", "0123456789abcdef"},
        {"", ""},
    };
    static const struct record nothing = {0};
    struct record record = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        record_take_header(&record, cases[i].name, cases[i].value, strlen(cases[i].value));
        assert_memory_equal(&record, &nothing, sizeof(record));
    }
    record_take_header(&record, "topic", NULL, 0);
    record_take_header(&record, "topic", "a\0b", 3);
    record_take_header(&record, "identity", "0123456789abcde", 16); /* the last is its NUL */
    assert_memory_equal(&record, &nothing, sizeof(record));
}

static void test_record__of_two_headers_the_later_that_is_legal_counts(void **state)
{
    struct record record = {0};

    (void)state;
    record_take_header(&record, "identity", "00000000000000FF", 16);
    record_take_header(&record, "identity", "odd", 3);
    record_take_header(&record, "arrival", "1970-01-01T00:00:00.000005Z", 27);
    record_take_header(&record, "arrival", "odd", 3);
    record_take_header(&record, "topic", "a", 1);
    record_take_header(&record, "topic", "", 0);
    record_take_header(&record, "reason", "of_a_later_version", 18);
    assert_int_equal(record.content_hash, 255);
    assert_int_equal(record.arrival_us, 5);
    assert_non_null(record.topic);
    assert_int_equal(record.topic_bytes, 0);
    assert_true(record.has_reason);
    assert_int_equal(record.reason, READING_ERROR_COUNT);
    assert_int_equal(record.reason_bytes, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__a_value_is_the_payload_of_one_reading),
        cmocka_unit_test(test_record__a_value_reads_back_as_the_same_reading),
        cmocka_unit_test(test_record__headers_of_a_reading_come_back),
        cmocka_unit_test(test_record__headers_of_a_rejected_message_come_back),
        cmocka_unit_test(test_record__what_is_odd_in_headers_of_others_is_not_there),
        cmocka_unit_test(test_record__of_two_headers_the_later_that_is_legal_counts),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
