#include "shared/net/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

static void test_resolve__numbers_are_told_from_names(void **state)
{
    static const char *const numeric[] = {"127.0.0.1", "::1", "fe80::1", "255.255.255.255"};
    static const char *const names[] = {
        "localhost", "", "127.0.0.1.nip.io", "256.0.0.1", "1.2.3.4.5", "[::1]", "::g"};

    (void)state;
    for (size_t i = 0; i < sizeof(numeric) / sizeof(numeric[0]); i++) {
        if (!resolve_is_numeric(numeric[i]))
            fail_msg("%s", numeric[i]);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (resolve_is_numeric(names[i]))
            fail_msg("%s", names[i]);
    }
}

static void test_resolve__each_retry_takes_the_next_address(void **state)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct addrinfo second = {.ai_family = AF_INET,
                              .ai_addr = (struct sockaddr *)(void *)&four,
                              .ai_addrlen = sizeof(four)};
    struct addrinfo first = {.ai_family = AF_INET6,
                             .ai_addr = (struct sockaddr *)(void *)&six,
                             .ai_addrlen = sizeof(six),
                             .ai_next = &second};
    char address[INET6_ADDRSTRLEN];

    (void)state;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (uint64_t nth = 0; nth < 6; nth++) {
        assert_true(resolve_pick(&first, nth, address, sizeof(address)));
        assert_string_equal(address, nth % 2 == 0 ? "::1" : "127.0.0.1");
    }
    assert_false(resolve_pick(NULL, 0, address, sizeof(address)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve__numbers_are_told_from_names),
        cmocka_unit_test(test_resolve__each_retry_takes_the_next_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
