#include "collector/sinks/redis_wire.h"

#include "shared/base/buffer.h"
#include "shared/base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 16384, REASON_SIZE = 320, KEEPALIVE_S = 60 };

struct redis_wire {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_connect_t connect;
    const struct redis_wire_events *events;
    void *user;
    bool is_closed;
    struct tls_client *tls; /* NULL = none */
    SSL *ssl;
    BIO *received; /* what came, for TLS to read; what it wants to send */
    BIO *to_send;
    bool is_open;
    char read_buffer[READ_SIZE];
};

/* A write that did not go at once. */
struct redis_write {
    uv_write_t request;
    char data[];
};

bool redis_wire_explain(const struct redis_wire *wire, char *out, size_t out_bytes)
{
    return wire->ssl && tls_client_explain(wire->tls, !wire->is_open, out, out_bytes);
}

/* What TLS knows of it says more. */
static void end(struct redis_wire *wire, const char *reason)
{
    char explained[REASON_SIZE];

    if (wire->is_closed)
        return;
    if (redis_wire_explain(wire, explained, sizeof(explained)))
        reason = explained;
    wire->events->on_end(wire->user, reason);
}

/* ---- sending ---------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct redis_wire *wire = request->handle->data;

    free(request);
    if (status < 0)
        end(wire, uv_strerror(status));
}

static void send_later(struct redis_wire *wire, const char *data, size_t bytes)
{
    struct redis_write *write = mem_alloc(sizeof(*write) + bytes);
    uv_buf_t buf = uv_buf_init(write->data, (unsigned)bytes);
    int error;

    memcpy(write->data, data, bytes);
    error = uv_write(&write->request, &wire->uv.stream, &buf, 1, on_written);
    if (error) {
        free(write);
        end(wire, uv_strerror(error));
    }
}

static void send_bytes(struct redis_wire *wire, const char *data, size_t bytes)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)bytes);
    int sent = uv_try_write(&wire->uv.stream, &buf, 1);

    if (sent < 0)
        sent = 0; /* uv_write() waits, or says what is wrong */
    if ((size_t)sent < bytes)
        send_later(wire, data + sent, bytes - (size_t)sent);
}

/* What TLS has made of it. */
static void send_records(struct redis_wire *wire)
{
    char *data;
    long bytes = BIO_get_mem_data(wire->to_send, &data);

    if (bytes > 0)
        send_bytes(wire, data, (size_t)bytes);
    if (!wire->is_closed)
        BIO_reset(wire->to_send);
}

void redis_wire_write(struct redis_wire *wire, const void *data, size_t bytes)
{
    if (!wire->ssl) {
        send_bytes(wire, data, bytes);
        return;
    }
    ERR_clear_error();
    if (SSL_write(wire->ssl, data, (int)bytes) != (int)bytes)
        end(wire, "TLS takes nothing more"); /* not reached: it writes into memory */
    else
        send_records(wire);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

static void end_tls(struct redis_wire *wire, const char *reason)
{
    send_records(wire); /* an alert, perhaps */
    end(wire, reason);
}

static bool wants_more(const struct redis_wire *wire, int result)
{
    return SSL_get_error(wire->ssl, result) == SSL_ERROR_WANT_READ;
}

/* False while it has not come to an end. */
static bool shake_hands(struct redis_wire *wire)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(wire->ssl);
    if (result != 1 && !wants_more(wire, result)) {
        end_tls(wire, "TLS failed");
        return false;
    }
    send_records(wire);
    if (result != 1 || wire->is_closed)
        return false;
    wire->is_open = true;
    wire->events->on_open(wire->user);
    return !wire->is_closed;
}

static void read_tls(struct redis_wire *wire)
{
    char plain[READ_SIZE];
    int result;

    if (!wire->is_open && !shake_hands(wire))
        return;
    for (;;) {
        ERR_clear_error();
        result = SSL_read(wire->ssl, plain, sizeof(plain));
        if (result <= 0)
            break;
        wire->events->on_bytes(wire->user, plain, (size_t)result);
        if (wire->is_closed)
            return;
    }
    if (wants_more(wire, result))
        send_records(wire); /* a new key, perhaps */
    else if (SSL_get_error(wire->ssl, result) == SSL_ERROR_ZERO_RETURN)
        end_tls(wire, "it ended the connection");
    else
        end_tls(wire, "TLS failed");
}

static void begin_tls(struct redis_wire *wire)
{
    wire->ssl = tls_client_new_connection(wire->tls);
    wire->received = BIO_new(BIO_s_mem());
    wire->to_send = BIO_new(BIO_s_mem());
    if (!wire->received || !wire->to_send) {
        fprintf(stderr, "out of memory: no TLS\n");
        abort();
    }
    BIO_set_mem_eof_return(wire->received, -1);
    SSL_set_bio(wire->ssl, wire->received, wire->to_send);
    shake_hands(wire);
}

/* ---- receiving -------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct redis_wire *wire = handle->data;

    (void)suggested;
    *buf = uv_buf_init(wire->read_buffer, sizeof(wire->read_buffer));
}

/* libuv makes a text, for good, of what is no error. */
static const char *end_text(int error)
{
    return error == UV_EOF ? "it ended the connection" : uv_strerror(error);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct redis_wire *wire = stream->data;

    if (wire->is_closed || count == 0)
        return;
    if (count < 0 && wire->ssl)
        end_tls(wire, end_text((int)count));
    else if (count < 0)
        end(wire, end_text((int)count));
    else if (!wire->ssl)
        wire->events->on_bytes(wire->user, buf->base, (size_t)count);
    else if (BIO_write(wire->received, buf->base, (int)count) == (int)count)
        read_tls(wire);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct redis_wire *wire = request->data;

    if (wire->is_closed)
        return;
    if (status < 0) {
        end(wire, uv_strerror(status));
        return;
    }
    uv_read_start(&wire->uv.stream, on_alloc, on_read);
    if (wire->tls) {
        begin_tls(wire);
    } else {
        wire->is_open = true;
        wire->events->on_open(wire->user);
    }
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static int connect_tcp(struct redis_wire *wire, uv_loop_t *loop,
                       const struct redis_wire_place *place)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;

    uv_tcp_init(loop, &wire->uv.tcp);
    wire->uv.handle.data = wire;
    if (uv_ip4_addr(place->address, place->port, &address.v4) != 0 &&
        uv_ip6_addr(place->address, place->port, &address.v6) != 0)
        return UV_EINVAL;
    uv_tcp_nodelay(&wire->uv.tcp, 1);
    uv_tcp_keepalive(&wire->uv.tcp, 1, KEEPALIVE_S);
    return uv_tcp_connect(&wire->connect, &wire->uv.tcp, &address.any, on_connected);
}

struct redis_wire *redis_wire_open(uv_loop_t *loop, const struct redis_wire_place *place,
                                   const struct redis_wire_events *events, void *user, int *error)
{
    struct redis_wire *wire = mem_calloc(1, sizeof(*wire));

    wire->events = events;
    wire->user = user;
    wire->tls = place->tls;
    wire->connect.data = wire;
    *error = 0;
    if (place->port > 0) {
        *error = connect_tcp(wire, loop, place);
    } else {
        uv_pipe_init(loop, &wire->uv.pipe, 0);
        wire->uv.handle.data = wire;
        uv_pipe_connect(&wire->connect, &wire->uv.pipe, place->address, on_connected);
    }
    if (*error == 0)
        return wire;
    redis_wire_close(wire);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void redis_wire_close(struct redis_wire *wire)
{
    if (!wire)
        return;
    wire->is_closed = true;
    SSL_free(wire->ssl); /* and its buffers */
    wire->ssl = NULL;
    uv_close(&wire->uv.handle, on_closed);
}
