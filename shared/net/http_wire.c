/* TLS and who speaks none are told apart by the first byte, so that it does not hang on which words a
 * version of OpenSSL has for it: a record of a handshake begins with 22, a request with a capital.
 *
 * A write that TLS wants to read before is an end: a client is in the middle of a message then that is no
 * data, between the records of which nothing may be sent; one that stays there would keep us busy. */
#include "shared/net/http_wire.h"

#include "shared/net/tls_server.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD_BYTES = 16384, TLS_HANDSHAKE = 22 };

#define PLAIN_PROBLEM                                                                              \
    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"                          \
    "\"detail\":\"TLS is spoken here; the URL begins with https://\"}"

static const char plain_answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                   "Content-Type: application/problem+json\r\n"
                                   "Cache-Control: no-store\r\n"
                                   "X-Content-Type-Options: nosniff\r\n"
                                   "Connection: close\r\n\r\n" PLAIN_PROBLEM;

void wire_init(struct http_wire *wire, int fd, struct tls_server *tls)
{
    *wire = (struct http_wire){.fd = fd, .is_readable = true /* most send at once */};
    if (tls)
        wire->ssl = tls_server_connection(tls, fd);
}

/* ---- as they are ---------------------------------------------------------------------------- */

static enum step receive_plain(struct http_wire *wire, void *out, size_t room, size_t *bytes)
{
    ssize_t got = recv(wire->fd, out, room, MSG_DONTWAIT);

    *bytes = 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        wire->is_readable = errno == EINTR;
        return errno == EINTR ? STEP_GO_ON : STEP_WAIT;
    }
    if (got <= 0)
        return STEP_CLOSE;
    wire->is_readable = (size_t)got == room; /* if not, the loop says when there is more */
    *bytes = (size_t)got;
    return STEP_GO_ON;
}

static enum step send_plain(struct http_wire *wire, const struct iovec *parts, size_t count,
                            size_t *bytes)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    *bytes = 0;
    if (sent < 0 && errno == EAGAIN) {
        wire->is_blocked = true;
        return STEP_WAIT;
    }
    if (sent < 0)
        return errno == EINTR ? STEP_GO_ON : STEP_CLOSE;
    *bytes = (size_t)sent;
    wire->plain_bytes += (size_t)sent;
    return STEP_GO_ON;
}

/* ---- TLS ------------------------------------------------------------------------------------ */

/* Whether something must happen at the socket first, and what. */
static enum step wait_for(struct http_wire *wire, int result)
{
    switch (SSL_get_error(wire->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        wire->is_readable = false;
        return STEP_WAIT;
    case SSL_ERROR_WANT_WRITE:
        wire->is_blocked = true;
        return STEP_WAIT;
    default:
        return STEP_CLOSE;
    }
}

static enum step receive_tls(struct http_wire *wire, void *out, size_t room, size_t *bytes)
{
    int result;

    ERR_clear_error();
    *bytes = 0;
    result = SSL_read_ex(wire->ssl, out, room, bytes);
    if (result != 1)
        return wait_for(wire, result);
    wire->is_readable = SSL_pending(wire->ssl) > 0;
    return STEP_GO_ON;
}

/* One record, and of an answer's head and body the same one. */
static size_t gather(char *out, const struct iovec *parts, size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count && used < RECORD_BYTES; i++) {
        size_t room = RECORD_BYTES - used;
        size_t taken = parts[i].iov_len < room ? parts[i].iov_len : room;

        memcpy(out + used, parts[i].iov_base, taken);
        used += taken;
    }
    return used;
}

static enum step send_tls(struct http_wire *wire, const struct iovec *parts, size_t count,
                          size_t *bytes)
{
    char record[RECORD_BYTES];
    size_t gathered = gather(record, parts, count);
    int result;

    ERR_clear_error();
    *bytes = 0;
    result = SSL_write_ex(wire->ssl, record, gathered, bytes);
    if (result == 1)
        return STEP_GO_ON;
    if (SSL_get_error(wire->ssl, result) == SSL_ERROR_WANT_READ)
        return STEP_CLOSE;
    return wait_for(wire, result);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* From here on there is no TLS; what it had to say, an alert perhaps, is with the kernel. */
static enum step fail(struct http_wire *wire, const char **failure, const char *reason)
{
    SSL_free(wire->ssl);
    wire->ssl = NULL;
    *failure = reason;
    return STEP_CLOSE;
}

static enum step answer_plain(struct http_wire *wire, const char **failure)
{
    ssize_t sent =
        send(wire->fd, plain_answer, sizeof(plain_answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)sent; /* a courtesy; nothing else was sent to it, so there is room */
    return fail(wire, failure, "plain HTTP was spoken");
}

static enum step look_at_first_byte(struct http_wire *wire, const char **failure)
{
    unsigned char first;
    ssize_t bytes = recv(wire->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        wire->is_readable = false;
        return STEP_WAIT;
    }
    if (bytes <= 0)
        return STEP_CLOSE;
    if (first >= 'A' && first <= 'Z')
        return answer_plain(wire, failure);
    if (first != TLS_HANDSHAKE)
        return fail(wire, failure, "what came is no TLS");
    wire->has_greeted = true;
    return STEP_GO_ON;
}

enum step wire_shake_hands(struct http_wire *wire, const char **failure)
{
    enum step step = wire->has_greeted ? STEP_GO_ON : look_at_first_byte(wire, failure);
    const char *reason;
    int result;

    if (step != STEP_GO_ON)
        return step;
    ERR_clear_error();
    result = SSL_do_handshake(wire->ssl);
    if (result == 1)
        return STEP_GO_ON;
    step = wait_for(wire, result);
    if (step != STEP_CLOSE)
        return step;
    reason = ERR_reason_error_string(ERR_peek_error());
    return fail(wire, failure, reason ? reason : "the client left");
}

/* ---- in between ----------------------------------------------------------------------------- */

enum step wire_receive(struct http_wire *wire, void *out, size_t room, size_t *bytes)
{
    return wire->ssl ? receive_tls(wire, out, room, bytes) : receive_plain(wire, out, room, bytes);
}

enum step wire_send(struct http_wire *wire, const struct iovec *parts, size_t count, size_t *bytes)
{
    return wire->ssl ? send_tls(wire, parts, count, bytes) : send_plain(wire, parts, count, bytes);
}

/* Of TLS a look takes a record out of the kernel, of which the loop then knows nothing. */
bool wire_has_ended(struct http_wire *wire)
{
    char byte;
    size_t bytes;
    int result;

    if (!wire->ssl)
        return recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    wire->is_readable = true;
    ERR_clear_error();
    result = SSL_peek_ex(wire->ssl, &byte, 1, &bytes);
    if (result == 1)
        return false;
    result = SSL_get_error(wire->ssl, result);
    return result != SSL_ERROR_WANT_READ && result != SSL_ERROR_WANT_WRITE;
}

uint64_t wire_sent_bytes(const struct http_wire *wire)
{
    return wire->ssl ? BIO_number_written(SSL_get_wbio(wire->ssl)) : wire->plain_bytes;
}

/* ---- the end -------------------------------------------------------------------------------- */

enum step wire_end(struct http_wire *wire)
{
    if (wire->ssl) {
        int result;

        ERR_clear_error();
        result = SSL_shutdown(wire->ssl);
        if (result < 0 && SSL_get_error(wire->ssl, result) == SSL_ERROR_WANT_WRITE) {
            wire->is_blocked = true;
            return STEP_WAIT;
        }
    }
    shutdown(wire->fd, SHUT_WR);
    return STEP_GO_ON;
}

void wire_close(struct http_wire *wire, bool says_so)
{
    if (wire->ssl && says_so && SSL_is_init_finished(wire->ssl))
        SSL_shutdown(wire->ssl);
    ERR_clear_error();
    SSL_free(wire->ssl);
    close(wire->fd);
}
