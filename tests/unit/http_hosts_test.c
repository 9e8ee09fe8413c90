/* Which values of Host are answered. */
#include "shared/net/http_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool takes(const char *list, bool is_loopback, const char *host)
{
    struct http_hosts hosts;
    char error[200];
    bool is_accepted;

    assert_true(http_hosts_parse(&hosts, list, is_loopback, error, sizeof(error)));
    is_accepted = http_hosts_accept(&hosts, host, strlen(host));
    http_hosts_release(&hosts);
    return is_accepted;
}

static void test_http_hosts__names_of_loopback_are_legal(void **state)
{
    static const char *const legal[] = {
        "localhost", "LocalHost",    "localhost:5000",  "localhost.", "localhost.:1", "localhost:",
        "127.0.0.1", "127.0.0.1:80", "127.255.255.254", "[::1]",      "[::1]:5000",   "[0:0::1]"};
    static const char *const foreign[] = {"",
                                          ":",
                                          ":80",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "evil-localhost",
                                          "127.0.0.1.evil.example",
                                          "126.0.0.1",
                                          "128.0.0.1",
                                          "127.1",
                                          "0.0.0.0",
                                          "[::2]",
                                          "[::]",
                                          "::1",
                                          "[::1",
                                          "[]",
                                          "localhost:123456",
                                          "localhost:5x",
                                          "localhost:80:80",
                                          "localhost evil"};

    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
        assert_true(takes("", true, legal[i]));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_false(takes("", true, foreign[i]));
}

static void test_http_hosts__a_list_adds_to_them(void **state)
{
    static const char list[] = "a.example , B.example:8080,[2001:db8::1]";

    (void)state;
    assert_true(takes(list, true, "A.EXAMPLE:1"));
    assert_true(takes(list, true, "a.example."));
    assert_true(takes(list, true, "b.example:8080"));
    assert_true(takes(list, true, "[2001:db8::1]:80"));
    assert_true(takes(list, false, "localhost"));
    assert_false(takes(list, true, "b.example"));
    assert_false(takes(list, true, "b.example:80"));
    assert_false(takes(list, false, "c.example"));
    assert_false(takes(list, true, "xa.example"));
    assert_false(takes(list, true, "a.exampl"));
}

static void test_http_hosts__any_host_is_a_star_or_no_list_elsewhere(void **state)
{
    (void)state;
    assert_true(takes("*", true, "evil.example"));
    assert_true(takes("a.example,*", true, ""));
    assert_true(takes("", false, "evil.example"));
}

static void test_http_hosts__what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"http://a.example", "a b", "a:b", "a,,b",
                                      "*.example",        "[::1"};
    struct http_hosts hosts;
    char error[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(http_hosts_parse(&hosts, bad[i], true, error, sizeof(error)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_hosts__names_of_loopback_are_legal),
        cmocka_unit_test(test_http_hosts__a_list_adds_to_them),
        cmocka_unit_test(test_http_hosts__any_host_is_a_star_or_no_list_elsewhere),
        cmocka_unit_test(test_http_hosts__what_is_no_name_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
