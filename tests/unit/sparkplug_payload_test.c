#include "shared/model/sparkplug_payload.h"
#include "shared/model/sparkplug_topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As another encoder wrote it: {alias 4, UInt64 5000123}, seq 1, at 1795691046000. */
static const unsigned char of_another[] = {0x08, 0xf0, 0xfe, 0x96, 0xbc, 0xa1, 0x34, 0x12, 0x17,
                                           0x0a, 0x07, 'S',  't',  'r',  'o',  'k',  'e',  's',
                                           0x10, 0x04, 0x18, 0xf0, 0xfe, 0x96, 0xbc, 0xa1, 0x34,
                                           0x20, 0x08, 0x58, 0xbb, 0x01, 0x18, 0x01};

static void test_sparkplug_payload__bytes_of_another_encoder_are_read(void **state)
{
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;
    struct sparkplug_metric metric;

    (void)state;
    assert_int_equal(sparkplug_read(&reader, of_another, sizeof(of_another), &payload),
                     SPARKPLUG_FINE);
    assert_true(payload.has_seq && payload.seq == 1 && payload.has_timestamp);
    assert_int_equal(payload.metric_count, 1);
    metric = sparkplug_metric_at(&reader, 0);
    assert_int_equal(metric.name.bytes, 7);
    assert_memory_equal(metric.name.text, "Strokes", 7);
    assert_true(metric.has_alias && metric.alias == 4 && metric.type == SPARKPLUG_UINT64);
    assert_int_equal(sparkplug_value(&metric, metric.type).natural, 187);
    sparkplug_reader_release(&reader);
}

struct whole_case {
    uint32_t type;
    enum sparkplug_field field;
    uint64_t whole;
    int64_t expected;
};

/* Encoders write a negative Int8 as 0xff, as 32 bits, or as 64. */
static const struct whole_case wholes[] = {
    {SPARKPLUG_INT8, SPARKPLUG_IN_INT, 0xff, -1},
    {SPARKPLUG_INT8, SPARKPLUG_IN_INT, 0xffffff80, -128},
    {SPARKPLUG_INT8, SPARKPLUG_IN_INT, 127, 127},
    {SPARKPLUG_INT16, SPARKPLUG_IN_INT, 0xfffe, -2},
    {SPARKPLUG_INT16, SPARKPLUG_IN_INT, 0xffff8000, -32768},
    {SPARKPLUG_INT32, SPARKPLUG_IN_INT, 0xfffffff6, -10},
    {SPARKPLUG_INT32, SPARKPLUG_IN_LONG, 0xfffffff6, -10},
    {SPARKPLUG_INT32, SPARKPLUG_IN_LONG, UINT64_MAX - 9, -10},
    {SPARKPLUG_INT64, SPARKPLUG_IN_LONG, UINT64_MAX, -1},
    {SPARKPLUG_INT64, SPARKPLUG_IN_LONG, UINT64_C(1) << 63, INT64_MIN},
};

static void test_sparkplug_payload__signed_numbers_stand_in_unsigned_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        const struct sparkplug_metric metric = {.field = wholes[i].field, .whole = wholes[i].whole};
        struct sparkplug_value value = sparkplug_value(&metric, wholes[i].type);

        assert_int_equal(value.kind, SPARKPLUG_SIGNED);
        assert_int_equal(value.number, wholes[i].expected);
    }
}

static void test_sparkplug_payload__unsigned_numbers_and_truths_are_what_they_are(void **state)
{
    const struct sparkplug_metric large = {.field = SPARKPLUG_IN_LONG, .whole = UINT64_MAX};
    const struct sparkplug_metric one = {.field = SPARKPLUG_IN_INT, .whole = 1};
    const struct sparkplug_metric none = {.field = SPARKPLUG_IN_INT, .whole = 1, .is_null = true};

    (void)state;
    assert_int_equal(sparkplug_value(&large, SPARKPLUG_UINT64).kind, SPARKPLUG_UNSIGNED);
    assert_true(sparkplug_value(&large, SPARKPLUG_UINT64).natural == UINT64_MAX);
    assert_int_equal(sparkplug_value(&one, SPARKPLUG_BOOLEAN).kind, SPARKPLUG_TRUTH);
    assert_int_equal(sparkplug_value(&one, SPARKPLUG_UINT8).kind, SPARKPLUG_UNSIGNED);
    assert_int_equal(sparkplug_value(&none, SPARKPLUG_UINT8).kind, SPARKPLUG_NO_VALUE);
}

static void test_sparkplug_payload__what_is_written_is_read(void **state)
{
    const struct sparkplug_metric metrics[] = {
        {.name = {"a", 1}, .type = SPARKPLUG_FLOAT, .field = SPARKPLUG_IN_FLOAT, .real = 58.5},
        {.has_alias = true, .alias = 7, .field = SPARKPLUG_IN_DOUBLE, .real = -0.1},
        {.name = {"t", 1}, .field = SPARKPLUG_IN_STRING, .text = {"x\0y", 3}},
        {.name = {"n", 1}, .is_null = true, .is_historical = true},
    };
    const struct sparkplug_payload written = {
        .has_timestamp = true, .timestamp_ms = 5, .has_seq = true, .seq = 255, .metric_count = 4};
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;
    struct buffer bytes = {0};

    (void)state;
    sparkplug_write(&bytes, &written, metrics);
    assert_int_equal(sparkplug_read(&reader, bytes.data, bytes.bytes, &payload), SPARKPLUG_FINE);
    assert_true(payload.seq == 255 && payload.timestamp_ms == 5 && payload.metric_count == 4);
    assert_true(sparkplug_metric_at(&reader, 0).real == 58.5);
    assert_true(sparkplug_metric_at(&reader, 1).alias == 7);
    assert_true(sparkplug_metric_at(&reader, 1).real == -0.1);
    assert_null(sparkplug_metric_at(&reader, 1).name.text);
    assert_int_equal(sparkplug_metric_at(&reader, 2).text.bytes, 3);
    assert_true(sparkplug_metric_at(&reader, 3).is_null);
    assert_true(sparkplug_metric_at(&reader, 3).is_historical);
    buffer_release(&bytes);
    sparkplug_reader_release(&reader);
}

static void test_sparkplug_payload__what_is_no_payload_is_told(void **state)
{
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;

    (void)state;
    assert_int_equal(sparkplug_read(&reader, "{\"a\":1}", 7, &payload), SPARKPLUG_NOT_PROTOBUF);
    assert_int_equal(sparkplug_read(&reader, of_another, sizeof(of_another) - 4, &payload),
                     SPARKPLUG_NOT_PROTOBUF);
    assert_int_equal(sparkplug_read(&reader, NULL, 0, &payload), SPARKPLUG_FINE);
    assert_int_equal(payload.metric_count, 0);
    sparkplug_reader_release(&reader);
}

/* Two bytes each on the wire. */
static enum sparkplug_fault read_empty_metrics(size_t count)
{
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;
    unsigned char *bytes = malloc(2 * count);
    enum sparkplug_fault fault;

    for (size_t i = 0; i < count; i++) {
        bytes[2 * i] = 0x12;
        bytes[2 * i + 1] = 0;
    }
    fault = sparkplug_read(&reader, bytes, 2 * count, &payload);
    free(bytes);
    sparkplug_reader_release(&reader);
    return fault;
}

static void test_sparkplug_payload__memory_is_bounded_whatever_a_message_has(void **state)
{
    (void)state;
    assert_int_equal(read_empty_metrics(SPARKPLUG_METRICS_MOST), SPARKPLUG_FINE);
    assert_int_equal(read_empty_metrics(SPARKPLUG_METRICS_MOST + 1), SPARKPLUG_TOO_MANY_METRICS);
    assert_int_equal(read_empty_metrics(2000000), SPARKPLUG_TOO_LARGE);
}

/* A template in a metric in a template ...: each level is two tags and two lengths around the one before. */
static size_t nest(unsigned char *out, size_t room, size_t levels)
{
    size_t at = room;

    for (size_t level = 0; level < levels; level++) {
        static const unsigned char tags[][2] = {{0x12, 1}, {0x92, 0x01}};

        for (int i = 0; i < 2; i++) {
            size_t bytes = room - at;
            unsigned char length[10];
            size_t used = 0;

            do {
                length[used++] = (unsigned char)((bytes & 0x7f) | (bytes > 0x7f ? 0x80 : 0));
                bytes >>= 7;
            } while (bytes > 0);
            at -= used;
            memcpy(out + at, length, used);
            at -= i == 0 ? 1 : 2;
            memcpy(out + at, tags[i], i == 0 ? 1 : 2);
        }
    }
    return at;
}

static void test_sparkplug_payload__templates_in_templates_take_no_stack(void **state)
{
    enum { ROOM = 4 * 1024 * 1024, LEVELS = 300000 };
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;
    unsigned char *bytes = malloc(ROOM);
    size_t from = nest(bytes, ROOM, LEVELS);
    struct buffer metric = {0};

    (void)state;
    buffer_put(&metric, "\x12", 1);
    for (size_t left = ROOM - from; left > 0 || metric.bytes == 1; left >>= 7) {
        unsigned char c = (unsigned char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));

        buffer_put(&metric, &c, 1);
    }
    buffer_put(&metric, bytes + from, ROOM - from);
    assert_int_equal(sparkplug_read(&reader, metric.data, metric.bytes, &payload), SPARKPLUG_FINE);
    assert_int_equal(sparkplug_metric_at(&reader, 0).field, SPARKPLUG_IN_OTHER);
    buffer_release(&metric);
    free(bytes);
    sparkplug_reader_release(&reader);
}

static void test_sparkplug_payload__topics_say_whose_message_it_is(void **state)
{
    static const struct {
        const char *topic;
        enum sparkplug_message_kind kind;
    } cases[] = {
        {"spBv1.0/G/NBIRTH/E", SPARKPLUG_NBIRTH},
        {"spBv1.0/G/DDATA/E/D", SPARKPLUG_DDATA},
        {"spBv1.0/STATE/scada", SPARKPLUG_STATE},
        {"spBv1.0/G/DDATA/E", SPARKPLUG_NO_TOPIC},
        {"spBv1.0/G/NDATA/E/D", SPARKPLUG_NO_TOPIC},
        {"spAv1.0/G/NDATA/E", SPARKPLUG_NO_TOPIC},
        {"spBv1.0/G/DDATA/E/D/x", SPARKPLUG_NO_TOPIC},
        {"spBv1.0/G/WHAT/E", SPARKPLUG_NO_TOPIC},
        {"spBv1.0/G/DDATA/E/", SPARKPLUG_NO_TOPIC},
        {"spBv1.0//NDATA/E", SPARKPLUG_NO_TOPIC},
        {"spBv1.0/G", SPARKPLUG_NO_TOPIC},
        {"", SPARKPLUG_NO_TOPIC},
    };
    struct sparkplug_topic topic = sparkplug_topic_parse("spBv1.0/Plant 1/DBIRTH/edge7/press-1");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sparkplug_topic_parse(cases[i].topic).kind, cases[i].kind);
    assert_int_equal(topic.group.bytes, 7);
    assert_memory_equal(topic.edge.text, "edge7", 5);
    assert_int_equal(topic.edge.bytes, 5);
    assert_string_equal(topic.device.text, "press-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sparkplug_payload__bytes_of_another_encoder_are_read),
        cmocka_unit_test(test_sparkplug_payload__signed_numbers_stand_in_unsigned_fields),
        cmocka_unit_test(test_sparkplug_payload__unsigned_numbers_and_truths_are_what_they_are),
        cmocka_unit_test(test_sparkplug_payload__what_is_written_is_read),
        cmocka_unit_test(test_sparkplug_payload__what_is_no_payload_is_told),
        cmocka_unit_test(test_sparkplug_payload__memory_is_bounded_whatever_a_message_has),
        cmocka_unit_test(test_sparkplug_payload__templates_in_templates_take_no_stack),
        cmocka_unit_test(test_sparkplug_payload__topics_say_whose_message_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
