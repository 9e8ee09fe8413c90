#include "devicesim/edge_payload.h"

#include "shared/model/sparkplug_payload.h"
#include "shared/model/sparkplug_topic.h"
#include "tests/unit/read_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_MS = 1000 };

struct fixture {
    struct buffer out;
    struct sparkplug_reader reader;
    struct sparkplug_payload payload;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return read_back_setup(state);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    buffer_release(&f->out);
    sparkplug_reader_release(&f->reader);
    free(f);
    return 0;
}

static void read_it(struct fixture *f)
{
    assert_int_equal(sparkplug_read(&f->reader, f->out.data, f->out.bytes, &f->payload),
                     SPARKPLUG_FINE);
}

static void assert_text(struct sparkplug_text text, const char *expected)
{
    assert_int_equal(text.bytes, strlen(expected));
    assert_memory_equal(text.text, expected, text.bytes);
}

static void test_edge_payload__a_node_is_born_and_dies_with_one_number(void **state)
{
    struct fixture *f = *state;
    struct sparkplug_metric metric;

    edge_payload_node_birth(&f->out, 255, NOW_MS);
    read_it(f);
    assert_true(f->payload.has_seq && f->payload.seq == 0 && f->payload.metric_count == 2);
    assert_int_equal(f->payload.timestamp_ms, NOW_MS);
    metric = sparkplug_metric_at(&f->reader, 0);
    assert_text(metric.name, "bdSeq");
    assert_true(metric.type == SPARKPLUG_INT64 && metric.whole == 255);
    metric = sparkplug_metric_at(&f->reader, 1);
    assert_text(metric.name, SPARKPLUG_REBIRTH);
    assert_true(metric.type == SPARKPLUG_BOOLEAN && metric.whole == 0);

    buffer_clear(&f->out);
    edge_payload_node_death(&f->out, 255);
    read_it(f);
    assert_true(!f->payload.has_seq && f->payload.metric_count == 1);
    metric = sparkplug_metric_at(&f->reader, 0);
    assert_text(metric.name, "bdSeq");
    assert_int_equal(metric.whole, 255);
}

static void test_edge_payload__a_birth_has_names_aliases_and_types_but_no_values(void **state)
{
    static const char *const names[] = {"temperature", "pressure", EDGE_STATUS_METRIC};
    struct fixture *f = *state;

    edge_payload_birth(&f->out, 7, NOW_MS, 2, &read_back_features);
    read_it(f);
    assert_true(f->payload.seq == 7 && f->payload.metric_count == 3);
    for (size_t i = 0; i < 3; i++) {
        struct sparkplug_metric metric = sparkplug_metric_at(&f->reader, i);

        assert_text(metric.name, names[i]);
        assert_true(metric.has_alias && metric.is_null);
        assert_int_equal(metric.alias, 7 + i); /* two devices before it have three each */
        assert_int_equal(metric.type, i < 2 ? SPARKPLUG_DOUBLE : SPARKPLUG_STRING);
    }
}

static void test_edge_payload__data_have_aliases_values_and_their_time(void **state)
{
    struct fixture *f = *state;
    union reading_storage one;
    struct sparkplug_metric metric;

    read_back_ordinary(&one);
    one.reading.values[0] = (double)NAN;
    edge_payload_data(&f->out, 255, NOW_MS, 2, &one.reading, &read_back_features, true);
    read_it(f);
    assert_true(f->payload.seq == 255 && f->payload.metric_count == 2);
    assert_int_equal(f->payload.timestamp_ms, NOW_MS);
    metric = sparkplug_metric_at(&f->reader, 0);
    assert_true(!metric.name.text && metric.alias == 8 && metric.is_historical);
    assert_true(metric.real == 12.5 && metric.timestamp_ms == READ_BACK_AT_US / 1000);
    metric = sparkplug_metric_at(&f->reader, 1);
    assert_int_equal(metric.alias, 9);
    assert_text(metric.text, "ON");

    buffer_clear(&f->out);
    one.reading.status = STATUS_ABSENT;
    edge_payload_data(&f->out, 0, NOW_MS, 0, &one.reading, &read_back_features, false);
    read_it(f);
    assert_int_equal(f->payload.metric_count, 1);
    assert_false(sparkplug_metric_at(&f->reader, 0).is_historical);
}

static bool asks(struct fixture *f, const char *name, uint64_t value)
{
    const struct sparkplug_metric metric = {.name = {name, strlen(name)},
                                            .type = SPARKPLUG_BOOLEAN,
                                            .field = SPARKPLUG_IN_BOOLEAN,
                                            .whole = value};

    buffer_clear(&f->out);
    sparkplug_write(&f->out, &(struct sparkplug_payload){.metric_count = 1}, &metric);
    return edge_payload_is_rebirth(f->out.data, f->out.bytes);
}

static void test_edge_payload__only_a_rebirth_that_is_true_is_one(void **state)
{
    struct fixture *f = *state;

    assert_true(asks(f, SPARKPLUG_REBIRTH, 1));
    assert_false(asks(f, SPARKPLUG_REBIRTH, 0));
    assert_false(asks(f, "Node Control/Reboot", 1));
    assert_false(asks(f, "", 1));
    assert_false(edge_payload_is_rebirth("\xff", 1));
    assert_false(edge_payload_is_rebirth("", 0));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_edge_payload__a_node_is_born_and_dies_with_one_number),
        CASE(test_edge_payload__a_birth_has_names_aliases_and_types_but_no_values),
        CASE(test_edge_payload__data_have_aliases_values_and_their_time),
        CASE(test_edge_payload__only_a_rebirth_that_is_true_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
