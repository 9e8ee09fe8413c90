/* Line by line, each as soon as it is complete, so that what is wrong is said at once and not when
 * the deadline is over; and what is too long is said before it is complete.
 *
 * Rejected: to leave this to the HTTP library and look at what it made of the head. It cuts texts at
 * a NUL, joins folded lines, forgives blanks and line feeds, answers some flaws by itself (in HTML,
 * one of them twice, another not at all), and each release does so differently. */
#include "shared/net/http_head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

void http_head_init(struct http_head *head, struct http_limits limits)
{
    assert(limits.target_bytes + limits.head_bytes < HTTP_HEAD_MAX_BYTES);
    memset(head, 0, offsetof(struct http_head, names));
    memset(&head->bytes, 0, sizeof(*head) - offsetof(struct http_head, bytes));
    head->limits = limits;
}

static enum http_head_verdict refuse(struct http_head *head, int status, const char *flaw)
{
    head->status = status;
    head->flaw = flaw;
    return HTTP_HEAD_FLAWED;
}

/* ---- characters ----------------------------------------------------------------------------- */

static bool is_token(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return bytes > 0;
}

static struct http_span span(size_t at, size_t bytes)
{
    return (struct http_span){(uint16_t)at, (uint16_t)bytes};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_named(const char *text, size_t bytes, const char *name)
{
    return strlen(name) == bytes && strncasecmp(text, name, bytes) == 0;
}

/* ---- the request line ----------------------------------------------------------------------- */

static enum http_head_verdict parse_version(struct http_head *head, const char *text, size_t bytes)
{
    if (bytes != HTTP_HEAD_VERSION_BYTES || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' ||
        text[5] > '9' || text[6] != '.' || text[7] < '0' || text[7] > '9')
        return refuse(head, 400, "the request line does not end with HTTP/1.1 or HTTP/1.0");
    if (text[5] != '1')
        return refuse(head, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    head->is_http_1_0 = text[7] == '0';
    head->keeps_alive = !head->is_http_1_0;
    return HTTP_HEAD_DONE;
}

/* http://host:port/path: the host there wins over the Host line. */
static enum http_head_verdict parse_authority(struct http_head *head, const char *target)
{
    const char *scheme = head->limits.is_tls ? "https://" : "http://";
    size_t begin = strlen(scheme);
    size_t bytes = head->target.bytes;
    size_t end = begin;

    if (bytes < begin || strncasecmp(target, scheme, begin) != 0)
        return refuse(head, 400,
                      head->limits.is_tls ? "the target is neither a path nor begins with https://"
                                          : "the target is neither a path nor begins with http://");
    while (end < bytes && target[end] != '/' && target[end] != '?')
        end++;
    if (end == begin || memchr(target + begin, '@', end - begin))
        return refuse(head, 400, "the target's authority is not a host with or without a port");
    head->host = span(head->target.at + begin, end - begin);
    head->has_host = true;
    return HTTP_HEAD_DONE;
}

static enum http_head_verdict parse_target(struct http_head *head, const char *data)
{
    const char *target = data + head->target.at;
    const char *method = data + head->method.at;

    for (size_t i = 0; i < head->target.bytes; i++) {
        unsigned char c = (unsigned char)target[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return refuse(head, 400, "the target holds a character that must be percent-encoded");
    }
    if (target[0] == '/')
        return HTTP_HEAD_DONE;
    if (head->target.bytes == 1 && target[0] == '*' &&
        is_named(method, head->method.bytes, "OPTIONS"))
        return HTTP_HEAD_DONE;
    if (head->method.bytes == 7 && memcmp(method, "CONNECT", 7) == 0)
        return HTTP_HEAD_DONE; /* a host and a port; that method is refused anyhow */
    return parse_authority(head, target);
}

static enum http_head_verdict parse_request_line(struct http_head *head, const char *data,
                                                 size_t bytes)
{
    const char *line = data + head->line;
    const char *space = memchr(line, ' ', bytes);
    size_t method_bytes = space ? (size_t)(space - line) : bytes;
    size_t last = bytes; /* where the version begins */
    enum http_head_verdict verdict;

    while (last > 0 && line[last - 1] != ' ')
        last--;
    head->method = span(head->line, method_bytes);
    if (!is_token(line, head->method.bytes) || head->method.bytes > HTTP_HEAD_METHOD_MAX_BYTES) {
        head->method.bytes = 0; /* nothing to be shown as one */
        return refuse(head, 400, "the method is not a token");
    }
    if (!space || last == method_bytes + 1)
        return refuse(head, 400, "the request line is not a method, a target and HTTP/1.1");
    verdict = parse_version(head, line + last, bytes - last);
    if (verdict != HTTP_HEAD_DONE)
        return verdict;
    head->target = span(head->line + method_bytes + 1, last - method_bytes - 2);
    if (head->target.bytes == 0)
        return refuse(head, 400, "there is no target");
    if (head->target.bytes > head->limits.target_bytes)
        return refuse(head, 414, "the target is too long");
    return parse_target(head, data);
}

/* ---- header lines --------------------------------------------------------------------------- */

/* A list, with commas, of close and keep-alive; what else is in it is of no concern here. */
static void parse_connection(struct http_head *head, const char *value, size_t bytes)
{
    size_t from = 0;

    while (from <= bytes) {
        const char *comma = memchr(value + from, ',', bytes - from);
        size_t to = comma ? (size_t)(comma - value) : bytes;
        size_t next = to + 1;

        while (from < to && is_blank(value[from]))
            from++;
        while (from < to && is_blank(value[to - 1]))
            to--;
        if (is_named(value + from, to - from, "close")) {
            head->keeps_alive = false;
            return;
        }
        if (is_named(value + from, to - from, "keep-alive"))
            head->keeps_alive = true;
        from = next;
    }
}

static enum http_head_verdict parse_length(struct http_head *head, const char *value, size_t bytes)
{
    size_t digits = 0;

    while (digits < bytes && value[digits] >= '0' && value[digits] <= '9')
        head->has_body |= value[digits++] != '0';
    if (digits == 0 || digits < bytes)
        return refuse(head, 400, "Content-Length is not a number");
    if (++head->lengths > 1)
        return refuse(head, 400, "there is more than one Content-Length");
    return HTTP_HEAD_DONE;
}

static enum http_head_verdict parse_known(struct http_head *head, const char *name,
                                          size_t name_bytes, const char *value, size_t bytes)
{
    switch (name_bytes) {
    case 4:
        if (is_named(name, name_bytes, "Host") && ++head->hosts == 1 && !head->has_host) {
            head->has_host = true;
            head->host = head->values[head->count];
        }
        break;
    case 10:
        if (is_named(name, name_bytes, "Connection"))
            parse_connection(head, value, bytes);
        break;
    case 14:
        if (is_named(name, name_bytes, "Content-Length"))
            return parse_length(head, value, bytes);
        break;
    case 17:
        head->codings += is_named(name, name_bytes, "Transfer-Encoding");
        break;
    default:
        break;
    }
    return HTTP_HEAD_DONE;
}

static enum http_head_verdict parse_header(struct http_head *head, const char *data, size_t bytes)
{
    const char *line = data + head->line;
    const char *colon = memchr(line, ':', bytes);
    size_t name_bytes = colon ? (size_t)(colon - line) : 0;
    size_t from = name_bytes + 1;
    size_t to = bytes;
    enum http_head_verdict verdict;

    if (is_blank(line[0]))
        return refuse(head, 400, "a header line begins with a blank: folded lines are not read");
    if (!colon)
        return refuse(head, 400, "a header line has no colon");
    if (!is_token(line, name_bytes))
        return refuse(head, 400, "a header's name is not a token");
    if (head->count == HTTP_HEAD_LINES_MAX)
        return refuse(head, 431, "there are too many headers");
    while (from < to && is_blank(line[from]))
        from++;
    while (from < to && is_blank(line[to - 1]))
        to--;
    head->names[head->count] = span(head->line, name_bytes);
    head->values[head->count] = span(head->line + from, to - from);
    verdict = parse_known(head, line, name_bytes, line + from, to - from);
    head->count++;
    return verdict;
}

/* All lines are there. */
static enum http_head_verdict judge(struct http_head *head)
{
    head->bytes = head->searched;
    if (head->hosts > 1 || (head->hosts == 0 && !head->is_http_1_0))
        return refuse(head, 400, "there must be exactly one Host header");
    if (head->codings > 0 && head->lengths > 0)
        return refuse(head, 400, "there is a Content-Length as well as a Transfer-Encoding");
    if (head->codings > 0 || head->has_body)
        return refuse(head, 400, "a request here has no body");
    return HTTP_HEAD_DONE;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* A complete line, without its end. MORE: go on with the next. */
static enum http_head_verdict parse_line(struct http_head *head, const char *data, size_t bytes)
{
    enum http_head_verdict verdict;

    if (bytes == 0 && !head->has_request_line && !head->has_skipped) {
        head->has_skipped = true; /* one empty line before a request is forgiven (RFC 9112, 2.2) */
        return HTTP_HEAD_MORE;
    }
    if (bytes == 0 && head->has_request_line)
        return judge(head);
    if (!head->has_request_line) {
        verdict = parse_request_line(head, data, bytes);
        head->has_request_line = true;
        head->headers_at = head->searched;
    } else {
        verdict = parse_header(head, data, bytes);
    }
    return verdict == HTTP_HEAD_DONE ? HTTP_HEAD_MORE : verdict;
}

/* What is complete is checked by its parts. */
static enum http_head_verdict check_size(struct http_head *head, size_t bytes)
{
    size_t line_max =
        head->limits.target_bytes + HTTP_HEAD_METHOD_MAX_BYTES + HTTP_HEAD_VERSION_BYTES + 4;

    if (!head->has_request_line && bytes - head->line > line_max)
        return refuse(head, 414, "the target is too long");
    if (head->has_request_line && bytes - head->headers_at > head->limits.head_bytes)
        return refuse(head, 431, "the headers are too large");
    return HTTP_HEAD_MORE;
}

enum http_head_verdict http_head_parse(struct http_head *head, const char *data, size_t bytes)
{
    while (head->searched < bytes) {
        unsigned char c = (unsigned char)data[head->searched++];
        enum http_head_verdict verdict;

        if (c == '\n') {
            size_t end = head->searched - 1;

            if (end == head->line || data[end - 1] != '\r')
                return refuse(head, 400, "a line ends with a line feed alone");
            verdict = parse_line(head, data, end - 1 - head->line);
            if (verdict != HTTP_HEAD_MORE)
                return verdict;
            head->line = head->searched;
        } else if (head->searched - 1 > head->line && data[head->searched - 2] == '\r') {
            return refuse(head, 400, "a carriage return stands within a line");
        } else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f) {
            return refuse(head, 400, "the head holds a control character");
        }
        verdict = check_size(head, head->searched);
        if (verdict != HTTP_HEAD_MORE)
            return verdict;
    }
    return HTTP_HEAD_MORE;
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct http_span *http_head_find(const struct http_head *head, const char *data,
                                       const char *name)
{
    for (size_t i = 0; i < head->count; i++) {
        if (is_named(data + head->names[i].at, head->names[i].bytes, name))
            return &head->values[i];
    }
    return NULL;
}

size_t http_head_count(const struct http_head *head, const char *data, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->count; i++)
        count += is_named(data + head->names[i].at, head->names[i].bytes, name);
    return count;
}
