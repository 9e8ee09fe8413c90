#include "shared/base/csv_write.h"

#include "shared/base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_csv_write__a_field_is_quoted_where_it_must_be(void **state)
{
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"", ""},
        {"device_1", "device_1"},
        {"a b;c'd", "a b;c'd"},
        {"a,b", "\"a,b\""},
        {"\"", "\"\"\"\""},
        {"say \"a\"", "\"say \"\"a\"\"\""},
        {"a\nb", "\"a\nb\""},
        {"a\rb", "\"a\rb\""},
        {"\xc3\xa9", "\xc3\xa9"},
    };
    struct buffer out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        csv_write_text(&out, cases[i].text);
        assert_string_equal(buffer_text(&out), cases[i].field);
    }
    buffer_release(&out);
}

static void test_hex_write__every_byte_has_two_digits(void **state)
{
    struct buffer out = {0};

    (void)state;
    hex_write(&out, "\x00\x0f\xf0\xff\x7b", 5);
    assert_string_equal(buffer_text(&out), "000ff0ff7b");
    hex_write(&out, "", 0);
    assert_string_equal(buffer_text(&out), "000ff0ff7b");
    hex_write(&out, "\n", 1);
    assert_string_equal(buffer_text(&out), "000ff0ff7b0a");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_write__a_field_is_quoted_where_it_must_be),
        cmocka_unit_test(test_hex_write__every_byte_has_two_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
