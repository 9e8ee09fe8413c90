/* Heads of requests, whole and dealt out: the verdict is the same, and every span lies within. */
#include "shared/net/http_head.h"
#include "shared/net/http_hosts.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_span(struct http_span span, size_t bytes)
{
    assert((size_t)span.at + span.bytes < bytes);
}

static void check(const struct http_head *head, const char *text)
{
    struct http_hosts hosts;
    char error[200];

    assert(head->bytes >= 4 && memcmp(text + head->bytes - 4, "\r\n\r\n", 4) == 0);
    assert(!memchr(text, '\0', head->bytes));
    check_span(head->method, head->bytes);
    check_span(head->target, head->bytes);
    check_span(head->host, head->bytes);
    for (size_t i = 0; i < head->count; i++) {
        check_span(head->names[i], head->bytes);
        check_span(head->values[i], head->bytes);
        assert(head->names[i].bytes > 0 && text[head->names[i].at + head->names[i].bytes] == ':');
    }
    assert(http_hosts_parse(&hosts, "a.example,b.example:1", true, error, sizeof(error)));
    http_hosts_accept(&hosts, text + head->host.at, head->host.bytes);
    http_hosts_release(&hosts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct http_limits limits = {.target_bytes = 400, .head_bytes = 1000};
    struct http_head whole;
    struct http_head dealt;
    enum http_head_verdict verdict = HTTP_HEAD_MORE;
    char *text = malloc(bytes + 1); /* so that a byte too many is noticed */

    assert(text);
    memcpy(text, data, bytes);
    http_head_init(&whole, limits);
    http_head_init(&dealt, limits);
    for (size_t i = 0; i <= bytes && verdict == HTTP_HEAD_MORE; i += 1 + i % 7)
        verdict = http_head_parse(&dealt, text, i);
    if (verdict == HTTP_HEAD_MORE)
        verdict = http_head_parse(&dealt, text, bytes);
    assert(http_head_parse(&whole, text, bytes) == verdict);
    assert(whole.status == dealt.status && whole.bytes == dealt.bytes);
    if (verdict == HTTP_HEAD_DONE)
        check(&whole, text);
    free(text);
    return 0;
}
