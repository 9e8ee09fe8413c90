#include "collector/batch.h"

#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURES = 2 };

enum { DEVICES_MOST = 3000 };

/* Devices 0, 1, 2 with the ranks 30, 20, 10: their order is the other way round. */
struct fixture {
    struct batch batch;
    int32_t ranks[DEVICES_MOST];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    batch_init(&f->batch, FEATURES);
    for (int i = 0; i < 3; i++)
        f->ranks[i] = 30 - i * 10;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    batch_release(&f->batch);
    free(f);
    return 0;
}

/* The upper half of the hash differs, too. */
static void push(struct fixture *f, uint32_t device, int64_t recorded_at_us, int hash)
{
    union reading_storage storage = {{0}};
    char payload[32];

    storage.reading.recorded_at_us = recorded_at_us;
    storage.reading.content_hash = hash * INT64_C(0x100000000);
    storage.reading.status = STATUS_ON;
    storage.reading.values[0] = (double)f->batch.count;
    storage.reading.values[1] = (double)NAN;
    snprintf(payload, sizeof(payload), "payload %zu", f->batch.count);
    batch_push(&f->batch, device,
               &(struct reading_item){.reading = &storage.reading,
                                      .seq = (int64_t)f->batch.count,
                                      .received_at_us = 1000 + (int64_t)f->batch.count,
                                      .first_received_at_us = 900,
                                      .bytes = payload,
                                      .length = strlen(payload)});
}

static void reject(struct fixture *f, const char *topic, const char *payload, const char *detail,
                   int64_t received_at_us)
{
    batch_reject(&f->batch, topic, "",
                 &(struct reading_item){.error = READING_NOT_JSON,
                                        .detail = detail,
                                        .received_at_us = received_at_us,
                                        .first_received_at_us = 77,
                                        .bytes = payload,
                                        .length = strlen(payload)});
}

static void test_batch__rows_are_sorted_as_the_index_is(void **state)
{
    struct fixture *f = *state;
    static const uint32_t expected[] = {3, 4, 2, 5, 1, 0};

    push(f, 0, 7, 1);
    push(f, 0, 5, 9);
    push(f, 1, 6, -1);
    push(f, 2, 9, -5);
    push(f, 2, 9, 5);
    push(f, 1, 6, 0);
    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.sorted_count, 6);
    assert_memory_equal(f->batch.order, expected, sizeof(expected));
}

static void test_batch__of_repetitions_the_first_stays(void **state)
{
    struct fixture *f = *state;

    push(f, 1, 5, 3);
    push(f, 0, 5, 3);
    push(f, 1, 5, 3);
    push(f, 1, 5, 4);
    push(f, 1, 5, 3);
    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.count, 5);
    assert_int_equal(f->batch.sorted_count, 3);
    assert_int_equal(f->batch.order[0], 0);
    assert_int_equal(f->batch.order[1], 3);
    assert_int_equal(f->batch.order[2], 1);
}

static void test_batch__random_rows_are_each_once_and_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 42;

    for (int i = 0; i < 5000; i++)
        push(f, (uint32_t)random_below(&seed, 3), (int64_t)random_below(&seed, 50),
             (int)random_below(&seed, 4) - 2);
    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.sorted_count, 3 * 50 * 4); /* nearly surely: 8 draws for each key */
    for (size_t i = 1; i < f->batch.sorted_count; i++) {
        const struct batch_row *a = batch_row(&f->batch, f->batch.order[i - 1]);
        const struct batch_row *b = batch_row(&f->batch, f->batch.order[i]);
        int32_t id_a = f->ranks[a->device];
        int32_t id_b = f->ranks[b->device];
        const struct reading *ra = batch_reading(a);
        const struct reading *rb = batch_reading(b);

        assert_true(id_a < id_b || (id_a == id_b && (ra->recorded_at_us < rb->recorded_at_us ||
                                                     (ra->recorded_at_us == rb->recorded_at_us &&
                                                      ra->content_hash < rb->content_hash))));
    }
}

/* Ranks of one, two and three digits of the counting sort, falling. */
static void spread_ranks(struct fixture *f, uint32_t count, int32_t spread)
{
    for (uint32_t i = 0; i < count; i++)
        f->ranks[i] = (int32_t)(count - i) * spread;
}

static int compare_rows(const struct fixture *f, uint32_t left, uint32_t right)
{
    const struct batch_row *a = batch_row(&f->batch, left);
    const struct batch_row *b = batch_row(&f->batch, right);
    int32_t id_a = f->ranks[a->device];
    int32_t id_b = f->ranks[b->device];
    const struct reading *ra = batch_reading(a);
    const struct reading *rb = batch_reading(b);

    if (id_a != id_b)
        return id_a < id_b ? -1 : 1;
    if (ra->recorded_at_us != rb->recorded_at_us)
        return ra->recorded_at_us < rb->recorded_at_us ? -1 : 1;
    return (ra->content_hash > rb->content_hash) - (ra->content_hash < rb->content_hash);
}

/* Rows rise, and each row of the batch is there, by itself or by its first repetition. */
static void check_order(const struct fixture *f)
{
    const uint32_t *order = f->batch.order;
    size_t kept = 0;

    for (size_t i = 1; i < f->batch.sorted_count; i++)
        assert_true(compare_rows(f, order[i - 1], order[i]) < 0);
    for (uint32_t row = 0; row < f->batch.count; row++) {
        size_t low = 0;
        size_t high = f->batch.sorted_count;

        while (low < high) {
            size_t middle = (low + high) / 2;

            if (compare_rows(f, order[middle], row) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        assert_true(low < f->batch.sorted_count && compare_rows(f, order[low], row) == 0);
        assert_true(order[low] <= row);
        kept += order[low] == row;
    }
    assert_int_equal(kept, f->batch.sorted_count);
}

static void test_batch__rows_of_any_device_and_time_are_in_order(void **state)
{
    static const struct {
        uint32_t devices;
        int32_t spread; /* between two ranks */
        uint64_t times; /* distinct ones */
        size_t rows;
    } cases[] = {{5, 1, 3, 200},          {5, 1, 100000, 2000},    {3000, 1, 10, 5000},
                 {3000, 700000, 2, 5000}, {3, 700000000, 5, 50},   {2049, 1, 4, 1},
                 {7, 2048, 2, 300},       {50, 4194304, 100, 300}, {2047, 1, 1000000, 4000}};
    struct fixture *f = *state;
    uint64_t seed = 3;

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        spread_ranks(f, cases[c].devices, cases[c].spread);
        batch_clear(&f->batch);
        for (size_t i = 0; i < cases[c].rows; i++)
            push(f, (uint32_t)random_below(&seed, cases[c].devices),
                 (int64_t)random_below(&seed, cases[c].times), (int)random_below(&seed, 3) - 1);
        batch_sort(&f->batch, f->ranks);
        check_order(f);
    }
}

static void test_batch__one_that_grew_unsorted_meanwhile_is_sorted(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 600; i++)
        push(f, (uint32_t)i % 3, i, 0);
    batch_sort(&f->batch, f->ranks);
    batch_clear(&f->batch);
    for (int i = 0; i < 5000; i++)
        push(f, (uint32_t)i % 3, i, 0);
    batch_clear(&f->batch);
    for (int i = 0; i < 600; i++)
        push(f, (uint32_t)i % 3, 600 - i, 0);
    batch_sort(&f->batch, f->ranks);
    check_order(f);
}

static void test_batch__a_row_knows_the_bytes_it_came_from(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 100; i++)
        push(f, 0, i, 0);
    for (size_t i = 0; i < 100; i++) {
        const struct batch_row *row = batch_row(&f->batch, i);
        char expected[32];

        snprintf(expected, sizeof(expected), "payload %zu", i);
        assert_int_equal(row->payload_bytes, strlen(expected));
        assert_memory_equal(f->batch.payloads.data + row->payload_at, expected, strlen(expected));
    }
}

static void test_batch__the_oldest_arrival_is_that_of_the_first_of_all(void **state)
{
    struct fixture *f = *state;

    reject(f, "t", "p", "detail", 500);
    push(f, 0, 1, 1);
    assert_int_equal(f->batch.oldest_received_at_us, 500);
    batch_clear(&f->batch);
    assert_true(batch_is_empty(&f->batch));
    push(f, 0, 1, 1);
    reject(f, "t", "p", "detail", 5000);
    assert_int_equal(f->batch.oldest_received_at_us, 1000);
}

static void test_batch__a_rejected_message_keeps_what_it_was(void **state)
{
    static const char *const payloads[] = {"p\xffq", "", "a longer one"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++)
        reject(f, "devices/\xff/readings", payloads[i], "why", 500);
    assert_int_equal(f->batch.rejected_count, 3);
    assert_int_equal(f->batch.rejected_by_reason[READING_NOT_JSON], 3);
    for (size_t i = 0; i < 3; i++) {
        const struct rejected_message message = rejected_list_at(&f->batch.rejected, i);

        assert_int_equal(message.error, READING_NOT_JSON);
        assert_string_equal(message.topic, "devices/\xff/readings");
        assert_string_equal(message.detail, "why");
        assert_int_equal(message.payload_bytes, strlen(payloads[i]));
        assert_memory_equal(message.payload, payloads[i], strlen(payloads[i]));
        assert_int_equal(message.first_received_at_us, 77);
    }
}

static void test_batch__cleared_it_takes_the_next_round(void **state)
{
    struct fixture *f = *state;
    size_t capacity;

    for (int i = 0; i < 1000; i++)
        push(f, 0, i, 0);
    batch_sort(&f->batch, f->ranks);
    batch_row(&f->batch, 0)->is_refused = true;
    capacity = f->batch.capacity;
    batch_clear(&f->batch);
    push(f, 0, 1, 0);
    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.sorted_count, 1);
    assert_false(batch_row(&f->batch, 0)->is_refused);
    assert_int_equal(f->batch.capacity, capacity);
}

static void test_batch__an_empty_one_can_be_sorted(void **state)
{
    struct fixture *f = *state;

    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.sorted_count, 0);
    reject(f, "t", "", "", 500);
    batch_sort(&f->batch, f->ranks);
    assert_int_equal(f->batch.sorted_count, 0);
    assert_false(batch_is_empty(&f->batch));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__rows_are_sorted_as_the_index_is),
        TEST(test_batch__of_repetitions_the_first_stays),
        TEST(test_batch__random_rows_are_each_once_and_in_order),
        TEST(test_batch__rows_of_any_device_and_time_are_in_order),
        TEST(test_batch__one_that_grew_unsorted_meanwhile_is_sorted),
        TEST(test_batch__a_row_knows_the_bytes_it_came_from),
        TEST(test_batch__the_oldest_arrival_is_that_of_the_first_of_all),
        TEST(test_batch__a_rejected_message_keeps_what_it_was),
        TEST(test_batch__cleared_it_takes_the_next_round),
        TEST(test_batch__an_empty_one_can_be_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
