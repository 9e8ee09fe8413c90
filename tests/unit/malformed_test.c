#include "devicesim/malformed.h"

#include "tests/unit/read_back.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the store must say about each class. */
static const struct {
    const char *name;
    enum reading_error error;
} verdicts[] = {
    {"empty", READING_EMPTY},
    {"blank", READING_EMPTY},
    {"brace", READING_NOT_JSON},
    {"plain_text", READING_NOT_JSON},
    {"half", READING_NOT_JSON},
    {"byte_order_mark", READING_OK},
    {"trailing_nul", READING_OK},
    {"nul_byte", READING_NUL_CHARACTER},
    {"nul_escape", READING_NUL_CHARACTER},
    {"cut_utf8", READING_INVALID_UTF8},
    {"overlong_utf8", READING_INVALID_UTF8},
    {"lone_surrogate", READING_INVALID_UTF8},
    {"control_character", READING_NOT_JSON},
    {"depth_9", READING_TOO_DEEP},
    {"depth_1000", READING_TOO_DEEP},
    {"depth_100000", READING_TOO_DEEP},
    {"members_100000", READING_TOO_MANY_MEMBERS},
    {"duplicate_member", READING_DUPLICATE_MEMBER},
    {"infinite", READING_NOT_FINITE},
    {"nan", READING_NOT_JSON},
    {"infinity", READING_NOT_JSON},
    {"leading_zero", READING_NOT_JSON},
    {"dangling_point", READING_NOT_JSON},
    {"digits_64", READING_NUMBER_TOO_LONG},
    {"value_is_text", READING_WRONG_TYPE},
    {"value_is_object", READING_WRONG_TYPE},
    {"long_string", READING_UNKNOWN_STATUS},
    {"empty_array", READING_EMPTY},
    {"number_root", READING_NOT_AN_OBJECT},
    {"trailing_bytes", READING_TRAILING_BYTES},
    {"two_documents", READING_TRAILING_BYTES},
    {"unknown_status", READING_UNKNOWN_STATUS},
    {"no_value", READING_NO_VALUE},
    {"bad_timestamp", READING_BAD_TIMESTAMP},
    {"february_30", READING_BAD_TIMESTAMP},
    {"far_future", READING_TIMESTAMP_IN_FUTURE},
    {"minus_zero", READING_OK},
    {"huge", READING_OK},
};

static void test_malformed__each_class_is_refused_for_its_own_reason(void **state)
{
    (void)state;
    assert_int_equal(malformed_count(), sizeof(verdicts) / sizeof(verdicts[0]));
    for (size_t class = 0; class < malformed_count(); class ++) {
        struct buffer payload = {0};
        union reading_storage reading;
        struct read_back seen;

        read_back_ordinary(&reading);
        malformed_write(&payload, class, READ_BACK_DEVICE, &reading.reading, &read_back_features);
        seen = read_back(&payload);
        assert_string_equal(malformed_class(class)->name, verdicts[class].name);
        if (seen.items != 1 || seen.error != verdicts[class].error)
            fail_msg("%s: %u items, %s instead of %s", verdicts[class].name, seen.items,
                     reading_error_text(seen.error), reading_error_text(verdicts[class].error));
        assert_int_equal(malformed_class(class)->is_legal, seen.error == READING_OK);
        assert_int_equal(malformed_class(class)->is_heavy, payload.bytes > 3000);
        assert_true(payload.bytes < 1000000); /* what the development broker takes */
        if (seen.error == READING_OK) {
            reading.reading.content_hash = seen.reading->reading.content_hash;
            assert_memory_equal(&reading, seen.reading, reading_size(read_back_features.count));
        }
        buffer_release(&payload);
    }
}

static unsigned classes_in(malformed_set set)
{
    return (unsigned)__builtin_popcountll(set);
}

static void test_malformed__sets_are_read(void **state)
{
    malformed_set set = 0;

    (void)state;
    assert_true(malformed_set_parse(&set, "all"));
    assert_int_equal(classes_in(set), malformed_count() - 4);
    assert_true(malformed_set_parse(&set, "light"));
    assert_int_equal(classes_in(set), malformed_count() - 7);
    assert_true(malformed_set_parse(&set, "light,huge,huge"));
    assert_int_equal(classes_in(set), malformed_count() - 6);
    assert_true(malformed_set_parse(&set, "brace"));
    assert_int_equal(classes_in(set), 1);
    assert_false(malformed_set_parse(&set, ""));
    assert_false(malformed_set_parse(&set, "brace,"));
    assert_false(malformed_set_parse(&set, "brac"));
    assert_int_equal(classes_in(set), 1);
}

static void test_malformed__a_draw_picks_every_class_of_the_set_and_no_other(void **state)
{
    malformed_set set;
    malformed_set seen = 0;

    (void)state;
    assert_true(malformed_set_parse(&set, "empty,half,nan,huge"));
    for (int i = 0; i < 1000; i++)
        seen |= UINT64_C(1) << malformed_pick(set, (uint64_t)i * (UINT64_MAX / 999));
    assert_true(seen == set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed__each_class_is_refused_for_its_own_reason),
        cmocka_unit_test(test_malformed__sets_are_read),
        cmocka_unit_test(test_malformed__a_draw_picks_every_class_of_the_set_and_no_other),
    };

    return cmocka_run_group_tests(tests, read_back_setup, NULL);
}
