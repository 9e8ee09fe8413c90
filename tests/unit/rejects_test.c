#include "collector/rejects.h"

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

        bool is_listed = rejects_add(&f->rejects, "t", "d", &item, 3 + i);

        assert_true(is_listed == (f->rejects.count <= REJECTS_LISTED_MOST));
    }
}

static void move(struct fixture *f)
{
    const struct rejects_message message = {.topic = "t",
                                            .device = "d",
                                            .payload = "[the whole]",
                                            .bytes = 11,
                                            .elements = 5000,
                                            .first_received_at_us = 900};

    rejects_move(&f->rejects, &f->batch, &message);
}

static void release(struct fixture *f)
{
    rejects_release(&f->rejects);
    batch_release(&f->batch);
}

static void test_rejects__a_few_are_each_by_itself(void **state)
{
    struct fixture f = {0};
    (void)state;
    batch_init(&f.batch, 2);
    move(&f);
    assert_true(batch_is_empty(&f.batch));
    add(&f, REJECTS_LISTED_MOST, READING_NO_VALUE);
    move(&f);
    assert_int_equal(f.batch.rejected.count, REJECTS_LISTED_MOST);
    assert_int_equal(f.batch.rejected_count, REJECTS_LISTED_MOST);
    assert_int_equal(f.batch.oldest_received_at_us, 1000);
    assert_int_equal(f.rejects.count, 0);
    for (size_t i = 0; i < REJECTS_LISTED_MOST; i++)
        assert_int_equal(rejected_list_at(&f.batch.rejected, i).first_received_at_us, 1000 + i);
    add(&f, 1, READING_NO_VALUE);
    move(&f);
    assert_int_equal(f.batch.rejected.count, REJECTS_LISTED_MOST + 1);
    assert_string_equal(rejected_list_at(&f.batch.rejected, REJECTS_LISTED_MOST).detail, "why");
    release(&f);
}

static void test_rejects__many_are_one_with_the_whole_message(void **state)
{
    struct fixture f = {0};
    struct rejected_message message;

    (void)state;
    batch_init(&f.batch, 2);
    add(&f, 1, READING_NOT_AN_OBJECT);
    add(&f, REJECTS_LISTED_MOST, READING_NO_VALUE);
    move(&f);
    assert_int_equal(f.batch.rejected.count, 1);
    assert_int_equal(f.batch.rejected_count, REJECTS_LISTED_MOST + 1);
    assert_int_equal(f.batch.rejected_by_reason[READING_NO_VALUE], REJECTS_LISTED_MOST);
    message = rejected_list_at(&f.batch.rejected, 0);
    assert_int_equal(message.first_received_at_us, 900);
    assert_string_equal(message.topic, "t");
    assert_int_equal(message.payload_bytes, 11);
    assert_memory_equal(message.payload, "[the whole]", 11);
    assert_int_equal(message.error, READING_NOT_AN_OBJECT);
    assert_string_equal(message.detail,
                        "element 3: why; and 100 more of its 5000 elements: 1 not_an_object, "
                        "100 no_value");
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejects__a_few_are_each_by_itself),
        cmocka_unit_test(test_rejects__many_are_one_with_the_whole_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
