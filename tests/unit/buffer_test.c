#include "shared/base/buffer.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__bytes_of_any_number_come_out_as_they_went_in),
        cmocka_unit_test(test_buffer__nothing_may_come_from_nowhere),
        cmocka_unit_test(test_buffer__text_ends_with_a_nul_that_is_not_counted),
        cmocka_unit_test(test_buffer__numbers_are_big_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
