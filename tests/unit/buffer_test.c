#include "shared/base/buffer.h"
#include "shared/base/random.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_buffer__bytes_of_any_number_come_out_as_they_went_in(void **state)
{
    struct buffer buffer = {0};
    unsigned char byte = 0;

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        unsigned char block[300] = {0};

        for (size_t i = 0; i < size; i++)
            block[i] = byte++;
        buffer_put(&buffer, block, size);
    }
    assert_int_equal(buffer.bytes, 299 * 300 / 2);
    byte = 0;
    for (size_t i = 0; i < buffer.bytes; i++)
        assert_int_equal(buffer.data[i], byte++);
    buffer_clear(&buffer);
    assert_int_equal(buffer.bytes, 0);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_release(&buffer);
}

static void test_buffer__nothing_may_come_from_nowhere(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_put(&buffer, NULL, 0);
    buffer_put_text(&buffer, "");
    assert_null(buffer.data);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_release(&buffer);
}

static void test_buffer__text_ends_with_a_nul_that_is_not_counted(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_printf(&buffer, "%s-%04d", "a", 7);
    assert_string_equal(buffer_text(&buffer), "a-0007");
    assert_int_equal(buffer.bytes, 6);
    buffer_put_text(&buffer, "!");
    assert_string_equal(buffer_text(&buffer), "a-0007!");
    buffer_release(&buffer);
}

static void test_buffer__numbers_are_big_endian(void **state)
{
    static const unsigned char expected[] = {0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x02,
                                             0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x3f, 0xf8,
                                             0,    0,    0,    0,    0,    0};
    unsigned char written[14];
    struct buffer buffer = {0};

    (void)state;
    buffer_put_be16(&buffer, 0x1234);
    buffer_put_be32(&buffer, 0xdeadbeef);
    buffer_put_be64(&buffer, UINT64_C(0x0102030405060708));
    buffer_put_double_be(&buffer, 1.5);
    assert_int_equal(buffer.bytes, sizeof(expected));
    assert_memory_equal(buffer.data, expected, sizeof(expected));
    assert_ptr_equal(write_be64(write_be32(write_be16(written, 0x1234), 0xdeadbeef),
                                UINT64_C(0x0102030405060708)),
                     written + sizeof(written));
    assert_memory_equal(written, expected, sizeof(written));
    buffer_release(&buffer);
}

static void test_buffer__json_strings_escape_what_json_wants_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\r\t\b\f", "\"\\u000a\\u000d\\u0009\\u0008\\u000c\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buffer = {0};

        buffer_put_json_string(&buffer, cases[i].text);
        assert_string_equal(buffer_text(&buffer), cases[i].json);
        buffer_release(&buffer);
    }
}

static void test_buffer__json_numbers_are_short_and_read_back_the_same(void **state)
{
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "0"},         {1, "1"},      {-2.5, "-2.5"},     {0.1, "0.1"},
        {101.3, "101.3"}, {NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"},
    };
    struct buffer buffer = {0};
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&buffer);
        buffer_put_json_double(&buffer, cases[i].value);
        assert_string_equal(buffer_text(&buffer), cases[i].json);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_next(&seed);
        double value;
        double back;

        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        buffer_clear(&buffer);
        buffer_put_json_double(&buffer, value);
        back = strtod(buffer_text(&buffer), NULL);
        assert_memory_equal(&back, &value, sizeof(value));
    }
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__bytes_of_any_number_come_out_as_they_went_in),
        cmocka_unit_test(test_buffer__nothing_may_come_from_nowhere),
        cmocka_unit_test(test_buffer__text_ends_with_a_nul_that_is_not_counted),
        cmocka_unit_test(test_buffer__numbers_are_big_endian),
        cmocka_unit_test(test_buffer__json_strings_escape_what_json_wants_escaped),
        cmocka_unit_test(test_buffer__json_numbers_are_short_and_read_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
