#include "shared/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_utf8__a_length_is_given_to_valid_characters_only(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"\xc3\xbc", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x8c\x8a", 4},
        {"\x80", 0},
        {"\xc0\xaf", 0},
        {"\xe0\x80\x80", 0},
        {"\xed\xa0\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf0\x80\x80\x80", 0},
        {"\xe2\x82", 0},
        {"\xf5\x80\x80\x80", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(utf8_length((const unsigned char *)cases[i].bytes, strlen(cases[i].bytes)),
                         cases[i].length);
}

static void test_utf8__what_is_written_is_read_back_for_every_character(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10ffff; code++) {
        char text[4];
        size_t length;

        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        length = utf8_encode(text, code);
        if (utf8_length((const unsigned char *)text, length) != length ||
            utf8_code_point((const unsigned char *)text, length) != code)
            fail_msg("U+%04X", code);
    }
}

static void test_utf8__control_and_invisible_characters_are_not_visible(void **state)
{
    static const struct {
        const char *text;
        bool is_visible;
    } cases[] = {
        {"", true},           {"a b", true},      {"r\u00fcbe \u6e29\u5ea6", true},
        {"\x1f", false},      {"\x7f", false},    {"a\xc2\x85", false},
        {"a\xc2\xa0", true},  {"a\u200b", false}, {"a\xff", false},
        {"a\xe2\x82", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (utf8_is_visible(cases[i].text, strlen(cases[i].text)) != cases[i].is_visible)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__a_length_is_given_to_valid_characters_only),
        cmocka_unit_test(test_utf8__what_is_written_is_read_back_for_every_character),
        cmocka_unit_test(test_utf8__control_and_invisible_characters_are_not_visible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
