/* http_wire.h: the bytes of a connection, as they are or in TLS, without waiting.
 *
 * Shape    each call does what it can now. What it must wait for is in is_readable and is_blocked, which the
 *          owner sets again when the loop says so.
 * Errors   STEP_CLOSE: the other side is gone, or breaks the rules of TLS.
 * Owner    embedded; wire_close() ends it and closes the socket.
 * Source   for TLS the manual pages SSL_read(3), SSL_write(3), SSL_shutdown(3).
 */
#ifndef HIGHWATER_HTTP_WIRE_H
#define HIGHWATER_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct tls_server;

/* What a step came to. */
enum step { STEP_GO_ON, STEP_WAIT, STEP_CLOSE };

struct http_wire {
    int fd;
    void *ssl;            /* NULL = as they are */
    bool has_greeted;     /* the first byte was one of TLS */
    bool is_readable;     /* there may be more */
    bool is_blocked;      /* the kernel takes no more for now */
    uint64_t plain_bytes; /* sent without TLS */
};

/* `tls` may be NULL. */
void wire_init(struct http_wire *wire, int fd, struct tls_server *tls);

/* STEP_GO_ON: TLS is agreed on. STEP_CLOSE: `failure` says why it will not be, and the client has been
 * told, in TLS or in plain HTTP, whichever it speaks: the wire is a plain one now that wants its end. NULL
 * when it left without a word. */
enum step wire_shake_hands(struct http_wire *wire, const char **failure);

/* STEP_GO_ON with how many bytes came, which may be none. */
enum step wire_receive(struct http_wire *wire, void *out, size_t room, size_t *bytes);

/* STEP_GO_ON with how many bytes were taken, from the first part on. After STEP_WAIT the same bytes must
 * come first again. */
enum step wire_send(struct http_wire *wire, const struct iovec *parts, size_t count, size_t *bytes);

/* All that was to be sent is sent: says so. */
enum step wire_end(struct http_wire *wire);

/* Whether the other side has said that it will send no more. Costs a look at the socket. */
bool wire_has_ended(struct http_wire *wire);

/* Bytes given to the kernel, those of TLS itself included. */
uint64_t wire_sent_bytes(const struct http_wire *wire);

/* `says_so`: nothing is missing of what was sent, and the client may know. */
void wire_close(struct http_wire *wire, bool says_so);

#endif
