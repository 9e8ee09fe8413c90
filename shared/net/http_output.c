/* What goes out, in parts that the kernel takes one after the other: an answer's head and body, or a
 * stream in chunks. */
#include "shared/net/http_output.h"

#include "shared/net/http_answer.h"
#include "shared/net/http_gzip.h"

#include <stdint.h>
#include <string.h>

enum { STREAM_READ_BYTES = 16 * 1024 };

bool output_is_head(const struct server_request *request)
{
    return strcmp(request->method, "HEAD") == 0;
}

static void add_part(struct server_connection *c, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    c->parts[c->part_count++] = (struct iovec){(void *)(uintptr_t)data, bytes};
}

/* Of the body, what is left is what follows the head's lines. */
static void note_sent(struct server_connection *c, size_t bytes)
{
    size_t left = 0;

    while (bytes > 0) {
        struct iovec *part = &c->parts[c->part];
        size_t taken = bytes < part->iov_len ? bytes : part->iov_len;

        part->iov_base = (char *)part->iov_base + taken;
        part->iov_len -= taken;
        bytes -= taken;
        if (part->iov_len == 0)
            c->part++;
    }
    for (size_t i = c->part; i < c->part_count; i++)
        left += c->parts[i].iov_len;
    if (left < c->body_bytes) {
        c->request.sent_bytes += c->body_bytes - left;
        c->body_bytes = left;
    }
}

/* GO_ON: all of it is with the kernel. */
enum step output_send(struct server_connection *c)
{
    while (c->part < c->part_count) {
        size_t bytes = 0;
        enum step step = STEP_WAIT;

        if (!c->wire.is_blocked)
            step = wire_send(&c->wire, c->parts + c->part, c->part_count - c->part, &bytes);
        if (step != STEP_GO_ON)
            return step;
        if (bytes > 0)
            note_sent(c, bytes);
    }
    c->part = c->part_count = 0;
    return STEP_GO_ON;
}

/* Date, what becomes of the connection, and the empty line. */
static void put_last_lines(struct server_connection *c)
{
    buffer_put_text(&c->lines, server_date(c->server));
    if (c->closes)
        buffer_put_text(&c->lines, "Connection: close\r\n\r\n");
    else if (c->head.is_http_1_0)
        buffer_put_text(&c->lines, "Connection: keep-alive\r\n\r\n");
    else
        buffer_put_text(&c->lines, "\r\n");
}

void output_begin_answer(struct server_connection *c)
{
    struct server_request *request = &c->request;
    struct answer_choice choice =
        server_answer_choose(request->answer, server_request_header(request, "Accept-Encoding"),
                             server_request_header(request, "If-None-Match"));

    request->status = choice.status;
    buffer_clear(&c->lines);
    put_last_lines(c);
    add_part(c, choice.head->data, choice.head->bytes);
    add_part(c, c->lines.data, c->lines.bytes);
    c->body_bytes = output_is_head(request) ? 0 : choice.bytes;
    add_part(c, choice.body, c->body_bytes);
}

void output_begin_stream(struct server_connection *c, const struct server_header *headers,
                         size_t header_count, bool is_gzip)
{
    buffer_clear(&c->lines);
    server_stream_head(&c->lines, c->request.status, headers, header_count, is_gzip);
    if (!c->head.is_http_1_0)
        buffer_put_text(&c->lines, "Transfer-Encoding: chunked\r\n");
    put_last_lines(c);
    add_part(c, c->lines.data, c->lines.bytes);
    c->body_bytes = 0;
}

/* `bytes` of the source, or its end, as they go over the wire. */
static void pack(struct server_connection *c, const char *data, size_t bytes, bool is_last)
{
    struct gzip *gzip = c->request.gzip;
    struct buffer packed = {0};

    if (gzip) {
        gzip_put(gzip, data, bytes,
                 is_last              ? GZIP_LAST
                 : c->request.is_live ? GZIP_FLUSH
                                      : GZIP_MORE,
                 &packed);
        data = (const char *)packed.data;
        bytes = packed.bytes;
    }
    buffer_clear(&c->chunk);
    c->body_bytes = bytes;
    if (bytes > 0 && !c->head.is_http_1_0)
        buffer_printf(&c->chunk, "%zx\r\n", bytes);
    buffer_put(&c->chunk, data, bytes);
    if (bytes > 0 && !c->head.is_http_1_0)
        buffer_put_text(&c->chunk, "\r\n");
    if (is_last && !c->head.is_http_1_0)
        buffer_put_text(&c->chunk, "0\r\n\r\n");
    buffer_release(&packed);
    add_part(c, c->chunk.data, c->chunk.bytes);
}

/* One helping from the source. */
enum step output_pull(struct server_connection *c, size_t *pulled)
{
    struct server_request *request = &c->request;
    char data[STREAM_READ_BYTES];
    ssize_t bytes = request->source.read(request->source.user, data, sizeof(data));

    if (bytes == SERVER_SOURCE_ABORT)
        return STEP_CLOSE;
    if (bytes == 0)
        return STEP_WAIT;
    request->has_ended = bytes == SERVER_SOURCE_END;
    *pulled += request->has_ended ? 0 : (size_t)bytes;
    pack(c, data, request->has_ended ? 0 : (size_t)bytes, request->has_ended);
    return STEP_GO_ON;
}
