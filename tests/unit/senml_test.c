#include "collector/decoders/senml.h"
#include "shared/model/json_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1795691046000000)

/* What a pack is resolved to, or what is wrong with it. */
static const char *resolved(const char *pack)
{
    static char text[1000];
    char error[SENML_ERROR_SIZE];
    struct buffer out = {0};
    struct json_token root;

    assert_int_equal(json_walk_open(&root, pack, strlen(pack)), JSON_OK);
    if (senml_resolve(&out, &root, NOW_US, error)) {
        snprintf(text, sizeof(text), "%s", buffer_text(&out));
        assert_int_equal(json_walk_open(&root, text, strlen(text)), JSON_OK);
    } else {
        snprintf(text, sizeof(text), "%s", error);
    }
    buffer_release(&out);
    return text;
}

static void test_senml__records_are_resolved(void **state)
{
    static const char *const cases[][2] = {
        /* RFC 8428, 5.1.1 */
        {"[{\"n\":\"urn:dev:ow:10e2073a01080063\",\"u\":\"Cel\",\"v\":23.1}]",
         "[{\"n\":\"urn:dev:ow:10e2073a01080063\",\"base\":\"\",\"label\":\"urn:dev:ow:"
         "10e2073a01080063\",\"u\":\"Cel\",\"v\":23.1}]"},
        /* base fields go on, times are added in whole microseconds, units may be overruled */
        {"[{\"bn\":\"a:\",\"bt\":1795691045.5,\"bu\":\"A\",\"n\":\"x\",\"v\":1},{\"n\":\"y\",\"u\":"
         "\"V\",\"t\":-5,\"v\":2},{\"bt\":0,\"bn\":\"b:\",\"n\":\"z\",\"v\":3}]",
         "[{\"n\":\"a:x\",\"base\":\"a:\",\"label\":\"x\",\"u\":\"A\",\"t\":1795691045.500000,"
         "\"v\":1},"
         "{\"n\":\"a:y\",\"base\":\"a:\",\"label\":\"y\",\"u\":\"V\",\"t\":1795691040.500000,\"v\":"
         "2},"
         "{\"n\":\"b:z\",\"base\":\"b:\",\"label\":\"z\",\"u\":\"A\",\"v\":3}]"},
        /* relative to now */
        {"[{\"n\":\"x\",\"t\":-5.25,\"v\":1}]",
         "[{\"n\":\"x\",\"base\":\"\",\"label\":\"x\",\"arrival\":true,\"t\":1795691040.750000,"
         "\"v\":1}]"},
        {"[{\"n\":\"x\",\"t\":10,\"v\":1}]", "[{\"n\":\"x\",\"base\":\"\",\"label\":\"x\","
                                             "\"arrival\":true,\"t\":1795691056.000000,\"v\":1}]"},
        /* base value and sum; a sum needs no value */
        {"[{\"bn\":\"x\",\"bv\":20,\"bs\":100,\"v\":1.5},{\"s\":5}]",
         "[{\"n\":\"x\",\"base\":\"x\",\"label\":\"\",\"v\":21.5,\"s\":100},{\"n\":\"x\",\"base\":"
         "\"x\",\"label\":\"\",\"s\":105}]"},
        {"[{\"n\":\"a\",\"vs\":\"q\\\"\"},{\"n\":\"b\",\"vb\":false},{\"n\":\"c\",\"vd\":\"aGk\"}]",
         "[{\"n\":\"a\",\"base\":\"\",\"label\":\"a\",\"vs\":\"q\\\"\"},{\"n\":\"b\",\"base\":\"\","
         "\"label\":\"b\",\"vb\":false},"
         "{\"n\":\"c\",\"base\":\"\",\"label\":\"c\",\"vd\":\"aGk\"}]"},
        /* a record that only sets base fields; what is not known is passed over */
        {"[{\"bn\":\"x:\",\"bver\":5},{\"n\":\"a\",\"v\":1,\"new\":2,\"ut\":9}]",
         "[{\"n\":\"x:a\",\"base\":\"x:\",\"label\":\"a\",\"v\":1}]"},
        {"[]", "[]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(resolved(cases[i][0]), cases[i][1]);
    (void)state;
}

static void test_senml__what_the_rfc_forbids_is_refused(void **state)
{
    static const char *const wrong[] = {"{}",
                                        "[1]",
                                        "[{\"n\":\"a\"}]",
                                        "[{\"v\":1}]",
                                        "[{\"n\":\"-a\",\"v\":1}]",
                                        "[{\"n\":\"a b\",\"v\":1}]",
                                        "[{\"n\":\"a\",\"v\":\"1\"}]",
                                        "[{\"n\":\"a\",\"v\":1,\"vs\":\"x\"}]",
                                        "[{\"n\":\"a\",\"v\":1,\"v\":2}]",
                                        "[{\"n\":\"a\",\"v\":1,\"must_\":2}]",
                                        "[{\"bver\":11,\"n\":\"a\",\"v\":1}]",
                                        "[{\"bver\":1.5,\"n\":\"a\",\"v\":1}]",
                                        "[{\"n\":\"a\",\"v\":1,\"t\":1e300}]",
                                        "[{\"bv\":1e308,\"n\":\"a\",\"v\":1e308}]"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        print_message("%s\n", wrong[i]);
        assert_non_null(strstr(resolved(wrong[i]), "SenML"));
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senml__records_are_resolved),
        cmocka_unit_test(test_senml__what_the_rfc_forbids_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
