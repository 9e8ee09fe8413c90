#include "shared/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_log__what_is_escaped_is_printable_and_fits(void **state)
{
    static const struct {
        const char *data;
        size_t bytes;
        const char *shown;
    } cases[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"a\\b", 3, "a\\x5cb"},
        {"\n\x1b[2J", 5, "\\x0a\\x1b[2J"},
        {"a\0b", 3, "a\\x00b"},
        {"\x7f\xc3\xa9", 3, "\\x7f\\xc3\\xa9"},
        {"of twenty bytes, all", 20, "of twenty by..."},
        {"012345678\n\n", 11, "012345678..."},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ptr_equal(log_escaped(out, sizeof(out), cases[i].data, cases[i].bytes), out);
        assert_string_equal(out, cases[i].shown);
    }
}

static void test_log__every_byte_in_every_room_stays_within_it(void **state)
{
    unsigned char all[256];
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    for (size_t room = 5; room < sizeof(out) - 1; room++) {
        for (size_t from = 0; from < sizeof(all); from++) {
            memset(out, '~', sizeof(out));
            log_escaped(out, room, all + from, sizeof(all) - from);
            assert_true(strlen(out) < room);
            assert_int_equal(out[room], '~');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__what_is_escaped_is_printable_and_fits),
        cmocka_unit_test(test_log__every_byte_in_every_room_stays_within_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
