#include "collector/stores/postgres/rows.h"

#include "collector/stores/postgres/pg_binary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 2, REF = 20 };

struct fixture {
    struct batch batch;
    struct refs refs;
    struct buffer out;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    batch_init(&f->batch, FEATURES);
    refs_set(&f->refs, 0, REF);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    batch_release(&f->batch);
    refs_release(&f->refs);
    buffer_release(&f->out);
    free(f);
    return 0;
}

static void push(struct fixture *f, int64_t recorded_at_us, int64_t hash)
{
    union reading_storage storage = {{0}};

    storage.reading.recorded_at_us = recorded_at_us;
    storage.reading.content_hash = hash;
    storage.reading.status = STATUS_ON;
    storage.reading.values[0] = 0.5;
    storage.reading.values[1] = (double)NAN;
    batch_push(&f->batch, 0,
               &(struct reading_item){.reading = &storage.reading,
                                      .seq = 3,
                                      .received_at_us = 1000,
                                      .first_received_at_us = 900,
                                      .bytes = "{}",
                                      .length = 2});
}

static void test_rows__an_encoded_row_reads_back(void **state)
{
    struct fixture *f = *state;
    struct pg_row row;

    push(f, 1234567890, -7 * INT64_C(0x100000000));
    batch_sort(&f->batch, f->refs.by_device);
    assert_int_equal(rows_put_readings(&f->batch, &f->refs, 0, 1, NULL, &f->out), 1);
    assert_true(pg_row_start(&row, (const char *)f->out.data, f->out.bytes, false));
    assert_int_equal(pg_row_int4(&row), REF);
    assert_true(pg_row_int8(&row) == -7 * INT64_C(0x100000000));
    assert_int_equal(pg_row_timestamp(&row), 1234567890);
    assert_int_equal(pg_row_timestamp(&row), 1000);
    assert_int_equal(pg_row_int2(&row, 0), STATUS_ON);
    assert_int_equal(pg_row_int8(&row), 3);
    assert_true(pg_row_double(&row) == 0.5);
    assert_true(isnan(pg_row_double(&row)));
    assert_false(row.failed);
    assert_ptr_equal(row.at, row.end);
}

static void test_rows__what_is_refused_or_stored_is_not_encoded(void **state)
{
    struct fixture *f = *state;
    struct pg_row row;

    for (int i = 0; i < 4; i++)
        push(f, i, 0);
    batch_sort(&f->batch, f->refs.by_device);
    batch_row(&f->batch, 1)->is_refused = true;
    batch_row(&f->batch, 2)->is_stored = true;
    assert_int_equal(rows_put_readings(&f->batch, &f->refs, 0, 4, NULL, &f->out), 2);
    buffer_clear(&f->out);
    assert_int_equal(rows_put_readings(&f->batch, &f->refs, 1, 3, NULL, &f->out), 0);
    assert_int_equal(f->out.bytes, 0);
    assert_int_equal(rows_put_readings(&f->batch, &f->refs, 2, 4, NULL, &f->out), 1);
    assert_true(pg_row_start(&row, (const char *)f->out.data, f->out.bytes, false));
    pg_row_int4(&row);
    pg_row_int8(&row);
    assert_int_equal(pg_row_timestamp(&row), 3);
}

static void test_rows__of_a_span_or_of_the_rest(void **state)
{
    struct fixture *f = *state;
    const struct rows_span span = {10, 20, false};
    const struct rows_span rest = {10, 20, true};
    static const int64_t times_us[] = {9, 10, 19, 20};

    for (size_t i = 0; i < 4; i++)
        push(f, times_us[i], 0);
    for (size_t i = 0; i < 4; i++) {
        const struct batch_row *row = batch_row(&f->batch, i);

        assert_true(rows_is_due(row, &span) == (i == 1 || i == 2));
        assert_true(rows_is_due(row, &rest) != rows_is_due(row, &span));
    }
}

/* The topic, the payload's bytes and the detail of the rejected message that was encoded last. */
static size_t read_rejected(struct fixture *f, char *topic, size_t topic_bytes, char *device,
                            size_t device_bytes, char *detail, size_t detail_bytes)
{
    struct pg_row row;
    size_t bytes;
    char reason[64];

    assert_true(pg_row_start(&row, (const char *)f->out.data, f->out.bytes, false));
    assert_int_equal(pg_row_timestamp(&row), 77);
    pg_row_text(&row, topic, topic_bytes);
    pg_row_text(&row, device, device_bytes);
    assert_non_null(pg_row_bytes(&row, &bytes));
    pg_row_text(&row, reason, sizeof(reason));
    pg_row_text(&row, detail, detail_bytes);
    assert_string_equal(reason, "not_json");
    assert_false(row.failed);
    assert_ptr_equal(row.at, row.end);
    return bytes;
}

static void test_rows__a_rejected_message_keeps_its_bytes_and_a_legal_topic(void **state)
{
    static const struct {
        const char *topic;
        const char *kept;
    } cases[] = {{"devices/a/readings", "devices/a/readings"},
                 {"devices/\xc3\xbc/readings", "devices/\xc3\xbc/readings"},
                 {"devices/\xff/readings", "devices/?/readings"},
                 {"\xc3", "?"},
                 {"\xed\xa0\x80", "???"},
                 {"a\xf0\x9f\x94\xa5z\xf0\x9f", "a\xf0\x9f\x94\xa5z??"},
                 {"", ""}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct rejected_message message = {.error = READING_NOT_JSON,
                                                 .topic = cases[i].topic,
                                                 .device = "plug é",
                                                 .detail = "d\xc0x",
                                                 .payload = "p\xff\0q",
                                                 .payload_bytes = 4,
                                                 .first_received_at_us = 77};
        char topic[64];
        char device[64];
        char detail[64];

        rejected_list_add(&f->batch.rejected, &message);
        buffer_clear(&f->out);
        rows_put_rejected(&f->batch.rejected, i, i + 1, &f->out);
        assert_int_equal(
            read_rejected(f, topic, sizeof(topic), device, sizeof(device), detail, sizeof(detail)),
            4);
        assert_string_equal(topic, cases[i].kept);
        assert_string_equal(device, message.device);
        assert_string_equal(detail, "d?x");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rows__an_encoded_row_reads_back),
        TEST(test_rows__what_is_refused_or_stored_is_not_encoded),
        TEST(test_rows__of_a_span_or_of_the_rest),
        TEST(test_rows__a_rejected_message_keeps_its_bytes_and_a_legal_topic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
