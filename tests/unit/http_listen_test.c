/* What HTTP_LISTEN and METRICS_LISTEN may say, and what is listened on then. */
#include "shared/net/http_listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void test_http_listen__forms_are_told_apart(void **state)
{
    static const struct {
        const char *setting;
        const char *host; /* NULL = refused, "" = every address */
        unsigned port;
    } rows[] = {
        {"5000", "127.0.0.1", 5000},
        {"0", "127.0.0.1", 0},
        {"127.0.0.2:80", "127.0.0.2", 80},
        {"localhost:80", "localhost", 80},
        {"[::1]:80", "::1", 80},
        {":80", "", 80},
        {"*:80", "", 80},
        {"[::]:80", "", 80},
        {"0.0.0.0:80", "0.0.0.0", 80},
        {"", NULL, 0},
        {":", NULL, 0},
        {"localhost", NULL, 0},
        {"localhost:", NULL, 0},
        {"localhost:http", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"99999", NULL, 0},
        {"000080", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[]:80", NULL, 0},
        {"http://localhost:80", NULL, 0},
        {"local host:80", NULL, 0},
        {"*.example:80", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char host[HTTP_LISTEN_HOST_SIZE];
        unsigned port;
        bool is_legal = http_listen_split(rows[i].setting, host, &port);

        if (is_legal != (rows[i].host != NULL))
            fail_msg("%s", rows[i].setting);
        if (is_legal) {
            assert_string_equal(host, rows[i].host);
            assert_int_equal(port, rows[i].port);
        }
    }
}

static void close_all(const struct http_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        close(sockets->fds[i]);
}

static void test_http_listen__a_port_alone_is_loopback(void **state)
{
    struct http_sockets sockets;
    struct sockaddr_in address;
    socklen_t bytes = sizeof(address);
    char error[200];

    (void)state;
    assert_true(http_listen(&sockets, "0", error, sizeof(error)));
    assert_int_equal(sockets.count, 1);
    assert_true(sockets.is_loopback);
    assert_int_equal(getsockname(sockets.fds[0], (struct sockaddr *)&address, &bytes), 0);
    assert_int_equal(address.sin_family, AF_INET);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
    close_all(&sockets);
}

static void test_http_listen__every_address_is_not_loopback(void **state)
{
    struct http_sockets sockets;
    char error[200];

    (void)state;
    assert_true(http_listen(&sockets, "*:0", error, sizeof(error)));
    assert_true(sockets.count >= 1);
    assert_false(sockets.is_loopback);
    close_all(&sockets);
}

/* Where there are two families, localhost is both, on one port. */
static void test_http_listen__a_name_is_all_its_addresses(void **state)
{
    struct http_sockets sockets;
    in_port_t ports[HTTP_LISTEN_MAX];
    char error[200];

    (void)state;
    assert_true(http_listen(&sockets, "localhost:0", error, sizeof(error)));
    assert_true(sockets.is_loopback);
    for (size_t i = 0; i < sockets.count; i++) {
        struct sockaddr_storage address;
        socklen_t bytes = sizeof(address);

        assert_int_equal(getsockname(sockets.fds[i], (struct sockaddr *)&address, &bytes), 0);
        ports[i] = address.ss_family == AF_INET
                       ? ((struct sockaddr_in *)(void *)&address)->sin_port
                       : ((struct sockaddr_in6 *)(void *)&address)->sin6_port;
        assert_int_equal(ports[i], ports[0]);
    }
    close_all(&sockets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_listen__forms_are_told_apart),
        cmocka_unit_test(test_http_listen__a_port_alone_is_loopback),
        cmocka_unit_test(test_http_listen__every_address_is_not_loopback),
        cmocka_unit_test(test_http_listen__a_name_is_all_its_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
