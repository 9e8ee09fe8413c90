#include "collector/sinks/sys_topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sys_topics__a_count_is_digits(void **state)
{
    static const char *const others[] = {"",    " 1",  "1 ",  "-1",  "+1",  "0x1",
                                         "1e3", "1.0", "NaN", "1\n", "ten", "10000000000000000000"};
    uint64_t count = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sys_parse_count(&count, others[i], strlen(others[i])) || count != 77)
            fail_msg("\"%s\"", others[i]);
    }
    assert_false(sys_parse_count(&count, "1\0", 2));
    assert_true(sys_parse_count(&count, "12345", 3)); /* no more bytes than there are */
    assert_int_equal(count, 123);
    assert_true(sys_parse_count(&count, "9999999999999999999", 19));
    assert_true(count == UINT64_C(9999999999999999999));
}

static void test_sys_topics__a_version_has_three_numbers(void **state)
{
    static const char *const others[] = {"",
                                         "2.0.11",
                                         "mosquitto version 2.0",
                                         "mosquitto version 2.0.",
                                         "mosquitto version -2.0.11",
                                         "mosquitto version 2.0.9999999",
                                         "Mosquitto version 2.0.11"};
    struct sys_version version = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sys_parse_version(&version, others[i], strlen(others[i])))
            fail_msg("\"%s\"", others[i]);
    }
    assert_true(sys_parse_version(&version, "mosquitto version 2.0.11-rc1", 28));
    assert_int_equal(version.major, 2);
    assert_int_equal(version.minor, 0);
    assert_int_equal(version.patch, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sys_topics__a_count_is_digits),
        cmocka_unit_test(test_sys_topics__a_version_has_three_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
