#include "collector/hearing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void hear(struct hearing *hearing, const uint32_t *devices, size_t count)
{
    union reading_storage storage = {{0}};
    struct batch batch;

    batch_init(&batch, 1);
    for (size_t i = 0; i < count; i++)
        batch_push(&batch, devices[i],
                   &(struct reading_item){
                       .reading = &storage.reading, .bytes = "{}", .length = 2, .seq = -1});
    hearing_note(hearing, &batch);
    batch_release(&batch);
}

static void pass(struct hearing *hearing, int32_t seconds)
{
    while (seconds-- > 0)
        hearing_tick(hearing);
}

static void test_hearing__who_was_not_heard_for_so_long_is_silent(void **state)
{
    struct hearing hearing = {0};

    (void)state;
    assert_int_equal(hearing_count(&hearing), 0);
    hear(&hearing, (const uint32_t[]){3, 70, 3}, 3);
    pass(&hearing, 299);
    assert_int_equal(hearing_count_silent(&hearing, 300), 0);
    pass(&hearing, 1);
    assert_int_equal(hearing_count_silent(&hearing, 300), 2);
    hear(&hearing, (const uint32_t[]){70}, 1);
    assert_int_equal(hearing_count_silent(&hearing, 300), 1);
    assert_int_equal(hearing_count_silent(&hearing, 3600), 0);
    assert_int_equal(hearing_count(&hearing), 2);
    hearing_release(&hearing);
}

static void test_hearing__what_is_remembered_counts_until_the_device_is_heard(void **state)
{
    struct hearing hearing = {0};
    int32_t silent_s;

    (void)state;
    hear(&hearing, (const uint32_t[]){0}, 1);
    hearing_remember(&hearing, 0, 5000); /* it was heard since */
    hearing_remember(&hearing, 9, 290);
    hearing_remember(&hearing, 10, 4000);
    assert_int_equal(hearing_count(&hearing), 3);
    assert_int_equal(hearing_count_silent(&hearing, 300), 1);
    assert_true(hearing_silence(&hearing, 9, &silent_s));
    assert_int_equal(silent_s, 290);
    assert_false(hearing_silence(&hearing, 8, &silent_s));
    assert_false(hearing_silence(&hearing, 800, &silent_s));
    pass(&hearing, 10);
    assert_int_equal(hearing_count_silent(&hearing, 300), 2);
    hearing_forget(&hearing, 10);
    hearing_forget(&hearing, 10000);
    assert_int_equal(hearing_count_silent(&hearing, 300), 1);
    hear(&hearing, (const uint32_t[]){9}, 1);
    assert_int_equal(hearing_count_silent(&hearing, 300), 0);
    hearing_release(&hearing);
}

static void test_hearing__cleared_it_knows_nobody_and_says_so(void **state)
{
    struct hearing hearing = {.is_known = true};

    (void)state;
    hear(&hearing, (const uint32_t[]){1, 2}, 2);
    hearing_clear(&hearing);
    assert_int_equal(hearing_count(&hearing), 0);
    assert_false(hearing.is_known);
    assert_int_equal(hearing.clears, 1);
    hearing_release(&hearing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hearing__who_was_not_heard_for_so_long_is_silent),
        cmocka_unit_test(test_hearing__what_is_remembered_counts_until_the_device_is_heard),
        cmocka_unit_test(test_hearing__cleared_it_knows_nobody_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
