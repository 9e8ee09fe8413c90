/* http_head.h: the head of an HTTP/1 request, read strictly, however its bytes are dealt out.
 *
 * Shape    http_head_parse() is given all bytes of the head that have come so far, again and again; each
 *          line is looked at once. Done, the spans say where in those bytes everything lies.
 * Strict   whatever two readers might understand differently is a flaw: NUL and other control
 *          characters, line feeds alone, folded lines, blanks around a name, a length that is not
 *          plain digits, two of them, a length together with a coding.
 * Bodies   nothing that is served here takes one, so the announcement of one is a flaw, too: what
 *          follows is never taken for a request.
 * Errors   a flaw has a status and a sentence. After one the rest of the connection means nothing.
 * Owner    plain value; the bytes are the caller's.
 * Source   RFC 9110, RFC 9112 sections 2, 3, 5, 6, 11.
 */
#ifndef HIGHWATER_HTTP_HEAD_H
#define HIGHWATER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_LINES_MAX = 64,
    HTTP_HEAD_METHOD_MAX_BYTES = 32,
    HTTP_HEAD_VERSION_BYTES = 8, /* HTTP/1.1 */
    HTTP_HEAD_MAX_BYTES = 32768  /* whatever the limits are */
};

enum http_head_verdict { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_FLAWED };

/* [at, at + bytes) of what was taken. */
struct http_span {
    uint16_t at;
    uint16_t bytes;
};

struct http_limits {
    size_t target_bytes;
    size_t head_bytes; /* of all header lines */
    bool is_tls;       /* so that an absolute target begins with https:// */
};

struct http_head {
    struct http_limits limits;
    struct http_span method;
    struct http_span target; /* as it came, absolute or not */
    struct http_span host;   /* the one that counts: of an absolute target, else of the Host line */
    bool has_host;
    bool is_http_1_0;
    bool keeps_alive; /* what the client wishes */
    size_t count;
    struct http_span names[HTTP_HEAD_LINES_MAX];
    struct http_span values[HTTP_HEAD_LINES_MAX]; /* without blanks around them */
    size_t bytes;                                 /* of the whole head, once it is done */
    int status;                                   /* of a flaw: 400, 414, 431 or 505 */
    const char *flaw;

    size_t line;     /* from here on its own: where the line begins that is not complete yet */
    size_t searched; /* no line feed before */
    size_t headers_at;
    bool has_request_line;
    bool has_skipped;
    size_t hosts;
    size_t lengths;
    size_t codings;
    bool has_body;
};

void http_head_init(struct http_head *head, struct http_limits limits);

/* `data` are all bytes since the head's first. */
enum http_head_verdict http_head_parse(struct http_head *head, const char *data, size_t bytes);

/* The first header of that name, NULL when there is none. */
const struct http_span *http_head_find(const struct http_head *head, const char *data,
                                       const char *name);

/* How many have that name. */
size_t http_head_count(const struct http_head *head, const char *data, const char *name);

#endif
