/* Heads of requests: what is accepted, what is refused and with which status, whole and byte by byte. */
#include "shared/net/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TARGET_MAX = 200, HEAD_MAX = 1000 };

#define HOST "Host: localhost\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST

/* Byte by byte: every head must come to the same as whole. */
static enum http_head_verdict take(struct http_head *head, const char *data, size_t bytes)
{
    struct http_head whole;
    enum http_head_verdict verdict = HTTP_HEAD_MORE;
    enum http_head_verdict whole_verdict;

    http_head_init(head, (struct http_limits){.target_bytes = TARGET_MAX, .head_bytes = HEAD_MAX});
    for (size_t i = 1; i <= bytes && verdict == HTTP_HEAD_MORE; i++)
        verdict = http_head_parse(head, data, i);
    http_head_init(&whole,
                   (struct http_limits){.target_bytes = TARGET_MAX, .head_bytes = HEAD_MAX});
    whole_verdict = http_head_parse(&whole, data, bytes);
    assert_int_equal(verdict, whole_verdict);
    assert_int_equal(head->status, whole.status);
    assert_int_equal(head->bytes, whole.bytes);
    return verdict;
}

static void assert_span(const char *data, struct http_span span, const char *expected)
{
    assert_int_equal(span.bytes, strlen(expected));
    assert_memory_equal(data + span.at, expected, span.bytes);
}

static void test_http_head__parts_are_found_where_they_are(void **state)
{
    static const char data[] = "\r\nGET /a?b=c HTTP/1.1\r\nHost:  localhost:1 \t\r\nX-Empty:\r\n"
                               "Accept: a\r\naccept: b\r\n\r\nGET /next";
    struct http_head head;
    const struct http_span *accept;

    (void)state;
    assert_int_equal(take(&head, data, sizeof(data) - 1), HTTP_HEAD_DONE);
    assert_span(data, head.method, "GET");
    assert_span(data, head.target, "/a?b=c");
    assert_span(data, head.host, "localhost:1");
    accept = http_head_find(&head, data, "ACCEPT");
    assert_non_null(accept);
    assert_span(data, *accept, "a");
    assert_span(data, *http_head_find(&head, data, "x-empty"), "");
    assert_null(http_head_find(&head, data, "Accep"));
    assert_int_equal(http_head_count(&head, data, "Accept"), 2);
    assert_int_equal(http_head_count(&head, data, "HOST"), 1);
    assert_int_equal(http_head_count(&head, data, "Accep"), 0);
    assert_string_equal(data + head.bytes, "GET /next");
    assert_true(head.keeps_alive);
}

static void test_http_head__host_of_the_target_wins(void **state)
{
    static const char data[] = "GET HTTP://other:80?x HTTP/1.1\r\n" HOST "\r\n";
    struct http_head head;

    (void)state;
    assert_int_equal(take(&head, data, sizeof(data) - 1), HTTP_HEAD_DONE);
    assert_span(data, head.host, "other:80");
}

/* What came by TLS is not for a place without, nor the other way round. */
static void test_http_head__with_tls_an_absolute_target_is_one_of_https(void **state)
{
    static const char data[] = "GET HTTPS://other:443/x HTTP/1.1\r\n" HOST "\r\n";
    static const char plain[] = "GET http://other/x HTTP/1.1\r\n" HOST "\r\n";
    struct http_limits limits = {
        .target_bytes = TARGET_MAX, .head_bytes = HEAD_MAX, .is_tls = true};
    struct http_head head;

    (void)state;
    http_head_init(&head, limits);
    assert_int_equal(http_head_parse(&head, data, sizeof(data) - 1), HTTP_HEAD_DONE);
    assert_span(data, head.host, "other:443");
    http_head_init(&head, limits);
    assert_int_equal(http_head_parse(&head, plain, sizeof(plain) - 1), HTTP_HEAD_FLAWED);
    assert_int_equal(head.status, 400);
    assert_int_equal(take(&head, data, sizeof(data) - 1), HTTP_HEAD_FLAWED);
}

static void test_http_head__connection_is_kept_or_not(void **state)
{
    static const struct {
        const char *head;
        bool keeps_alive;
    } rows[] = {
        {GET "\r\n", true},
        {GET "Connection: close\r\n\r\n", false},
        {GET "Connection: upgrade , CLOSE,x\r\n\r\n", false},
        {GET "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: ,\r\n\r\n", false},
        {"GET / HTTP/1.7\r\n" HOST "\r\n", true},
    };
    struct http_head head;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(take(&head, rows[i].head, strlen(rows[i].head)), HTTP_HEAD_DONE);
        assert_int_equal(head.keeps_alive, rows[i].keeps_alive);
    }
}

#define ROW(text, status) {text, sizeof(text) - 1, status}

static void test_http_head__whatever_two_readers_could_read_differently_is_refused(void **state)
{
    static const struct {
        const char *head;
        size_t bytes;
        int status; /* 0 = it is well-formed */
    } rows[] = {
        ROW(GET "\r\n", 0),
        ROW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0),
        ROW("GET * HTTP/1.1\r\n" HOST "\r\n", 400),
        ROW("GET / HTTP/1.0\r\n\r\n", 0),
        ROW("GET / HTTP/1.1\r\n\r\n", 400),
        ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n", 0),
        ROW(GET HOST "\r\n", 400),
        ROW("\r\n\r\n" GET "\r\n", 400),
        ROW("GET /\r\n", 400),
        ROW("GET\r\n", 400),
        ROW(" GET / HTTP/1.1\r\n", 400),
        ROW("GET  HTTP/1.1\r\n", 400),
        ROW("GET / HTTP/1.1 \r\n", 400),
        ROW("GET / HTTP/1.12\r\n", 400),
        ROW("GET / HTTP/0.9\r\n", 505),
        ROW("GET / HTTP/2.0\r\n", 505),
        ROW("GET / http/1.1\r\n", 400),
        ROW("GET /a b HTTP/1.1\r\n", 400),
        ROW("GET a HTTP/1.1\r\n", 400),
        ROW("GET ?a HTTP/1.1\r\n", 400),
        ROW("GET https://localhost/ HTTP/1.1\r\n", 400),
        ROW("GET http:///a HTTP/1.1\r\n", 400),
        ROW("GET /\0 HTTP/1.1\r\n", 400),
        ROW("GET /\x7f HTTP/1.1\r\n", 400),
        ROW("GET /\xc3\xa9 HTTP/1.1\r\n", 400),
        ROW("GET / HTTP/1.1\n", 400),
        ROW("GET / HTTP/1.1\rX", 400),
        ROW("\n", 400),
        ROW("\r\r", 400),
        ROW("\x16\x03\x01", 400),
        ROW(GET "A: b\0\r\n\r\n", 400),
        ROW(GET "A\0: b\r\n\r\n", 400),
        ROW(GET "A: b\x1b\r\n\r\n", 400),
        ROW(GET "A: \xff\tb\r\n\r\n", 0),
        ROW(GET ": b\r\n\r\n", 400),
        ROW(GET "A : b\r\n\r\n", 400),
        ROW(GET "A\t: b\r\n\r\n", 400),
        ROW(GET "A b: c\r\n\r\n", 400),
        ROW(GET " A: b\r\n\r\n", 400),
        ROW(GET "A: b\r\n c\r\n\r\n", 400),
        ROW(GET "A\r\n\r\n", 400),
        ROW(GET "A: b\nC: d\r\n\r\n", 400),
        ROW(GET "A: b\r\n\n", 400),
        ROW(GET "A: b\r\n\r\r\n", 400),
        ROW(GET "Content-Length: 0\r\n\r\n", 0),
        ROW(GET "Content-Length: 000\r\n\r\n", 0),
        ROW(GET "Content-Length: 1\r\n\r\n", 400),
        ROW(GET "Content-Length: 99999999999999999999999999\r\n\r\n", 400),
        ROW(GET "Content-Length: -1\r\n\r\n", 400),
        ROW(GET "Content-Length: +0\r\n\r\n", 400),
        ROW(GET "Content-Length: 0x0\r\n\r\n", 400),
        ROW(GET "Content-Length: 0, 0\r\n\r\n", 400),
        ROW(GET "Content-Length:\r\n\r\n", 400),
        ROW(GET "Content-Length: 0\r\ncontent-length: 0\r\n\r\n", 400),
        ROW(GET "Transfer-Encoding: chunked\r\n\r\n", 400),
        ROW(GET "TRANSFER-ENCODING:\r\n\r\n", 400),
        ROW(GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400),
        ROW(GET "Transfer-Encodin: chunked\r\n\r\n", 0),
    };
    struct http_head head;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum http_head_verdict verdict = take(&head, rows[i].head, rows[i].bytes);

        if (verdict != (rows[i].status ? HTTP_HEAD_FLAWED : HTTP_HEAD_DONE) ||
            head.status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].head, head.status, head.flaw ? head.flaw : "");
    }
}

static void test_http_head__what_is_too_long_is_refused_before_it_is_complete(void **state)
{
    char data[4096];
    struct http_head head;
    int used;

    (void)state;
    memset(data, 'a', sizeof(data));
    snprintf(data, sizeof(data), "GET /");
    data[5] = 'a'; /* nothing ends here */
    assert_int_equal(take(&head, data, sizeof(data)), HTTP_HEAD_FLAWED);
    assert_int_equal(head.status, 414);
    used = snprintf(data, sizeof(data), GET "A: ");
    memset(data + used, 'a', sizeof(data) - (size_t)used);
    assert_int_equal(take(&head, data, sizeof(data)), HTTP_HEAD_FLAWED);
    assert_int_equal(head.status, 431);
    for (int i = 0; i < HTTP_HEAD_LINES_MAX; i++)
        used += snprintf(data + used, sizeof(data) - (size_t)used, "A:\r\n");
    assert_int_equal(take(&head, data, (size_t)used), HTTP_HEAD_FLAWED);
    assert_int_equal(head.status, 431);
}

static void test_http_head__a_target_may_be_as_long_as_it_is_allowed(void **state)
{
    char data[TARGET_MAX + 100];
    struct http_head head;

    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        int bytes = snprintf(data, sizeof(data), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n",
                             TARGET_MAX - 1 + extra, 0);

        assert_int_equal(take(&head, data, (size_t)bytes),
                         extra ? HTTP_HEAD_FLAWED : HTTP_HEAD_DONE);
        assert_int_equal(head.status, extra ? 414 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_head__parts_are_found_where_they_are),
        cmocka_unit_test(test_http_head__host_of_the_target_wins),
        cmocka_unit_test(test_http_head__with_tls_an_absolute_target_is_one_of_https),
        cmocka_unit_test(test_http_head__connection_is_kept_or_not),
        cmocka_unit_test(test_http_head__whatever_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(test_http_head__what_is_too_long_is_refused_before_it_is_complete),
        cmocka_unit_test(test_http_head__a_target_may_be_as_long_as_it_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
