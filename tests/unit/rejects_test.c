#include "collector/rejects.h"

#include "collector/stores/postgres/pg_binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct rejects rejects;
    struct batch batch;
};

static void add(struct fixture *f, size_t count, enum reading_error error)
{
    for (size_t i = 0; i < count; i++) {
        struct reading_item item = {.error = error,
                                    .detail = "why",
                                    .bytes = "0",
                                    .length = 1,
                                    .received_at_us = 1000 + (int64_t)i,
                                    .first_received_at_us = 1000 + (int64_t)i};

        bool is_listed = rejects_add(&f->rejects, "t", &item, 3 + i);

        assert_true(is_listed == (f->rejects.count <= REJECTS_LISTED_MOST));
    }
}

static void move(struct fixture *f)
{
    const struct rejects_message message = {.topic = "t",
                                            .payload = "[the whole]",
                                            .bytes = 11,
                                            .elements = 5000,
                                            .first_received_at_us = 900};

    rejects_move(&f->rejects, &f->batch, &message);
}

static size_t rows_of(const struct batch *batch)
{
    size_t rows = SIZE_MAX;

    assert_int_equal(pg_rows_length(batch->rejected_rows.data, batch->rejected_rows.bytes, &rows),
                     batch->rejected_rows.bytes);
    return rows;
}

static void release(struct fixture *f)
{
    rejects_release(&f->rejects);
    batch_release(&f->batch);
}

static void test_rejects__a_few_are_a_row_each(void **state)
{
    struct fixture f = {0};
    size_t rows = 2;

    (void)state;
    batch_init(&f.batch, 2);
    move(&f);
    assert_true(batch_is_empty(&f.batch));
    add(&f, REJECTS_LISTED_MOST, READING_NO_VALUE);
    move(&f);
    assert_int_equal(rows_of(&f.batch), REJECTS_LISTED_MOST);
    assert_int_equal(f.batch.rejected_count, REJECTS_LISTED_MOST);
    assert_int_equal(f.batch.oldest_received_at_us, 1000);
    assert_int_equal(f.rejects.count, 0);
    assert_int_equal(pg_rows_length(f.batch.rejected_rows.data, f.batch.rejected_rows.bytes, &rows),
                     f.batch.rejected_rows.bytes / REJECTS_LISTED_MOST * 2);
    assert_int_equal(rows, 2);
    release(&f);
}

static void test_rejects__many_are_one_row_with_the_whole_message(void **state)
{
    struct fixture f = {0};
    struct pg_row row;
    const unsigned char *payload;
    size_t bytes;
    char text[200];

    (void)state;
    batch_init(&f.batch, 2);
    add(&f, 1, READING_NOT_AN_OBJECT);
    add(&f, REJECTS_LISTED_MOST, READING_NO_VALUE);
    move(&f);
    assert_int_equal(rows_of(&f.batch), 1);
    assert_int_equal(f.batch.rejected_count, REJECTS_LISTED_MOST + 1);
    assert_int_equal(f.batch.rejected_by_reason[READING_NO_VALUE], REJECTS_LISTED_MOST);
    assert_true(pg_row_start(&row, (const char *)f.batch.rejected_rows.data,
                             f.batch.rejected_rows.bytes, false));
    assert_int_equal(pg_row_timestamp(&row), 900);
    pg_row_text(&row, text, sizeof(text));
    payload = pg_row_bytes(&row, &bytes);
    assert_int_equal(bytes, 11);
    assert_memory_equal(payload, "[the whole]", 11);
    pg_row_text(&row, text, sizeof(text));
    assert_string_equal(text, "not_an_object");
    pg_row_text(&row, text, sizeof(text));
    assert_string_equal(text, "element 3: why; and 100 more of its 5000 elements: 1 not_an_object, "
                              "100 no_value");
    assert_false(row.failed);
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejects__a_few_are_a_row_each),
        cmocka_unit_test(test_rejects__many_are_one_row_with_the_whole_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
