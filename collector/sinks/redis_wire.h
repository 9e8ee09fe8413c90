/* redis_wire.h: one connection to a Redis as bytes: TCP or a socket of the machine, with TLS or without.
 *
 * Why      hiredis 0.14 (Debian 12) looks names up on the loop and has no TLS, and hiredis_ssl of later
 *          ones is another interface. So of hiredis the protocol is used, which is the same in all,
 *          and the connection is libuv's; TLS works on two buffers in memory between the two.
 * Shape    on_open once, then on_bytes, then on_end, after which it is still to be closed.
 * Owner    redis_wire_open() allocates; redis_wire_close() ends it at once and takes NULL, too. No callback
 *          comes after it; the memory goes when libuv has let go.
 */
#ifndef HIGHWATER_REDIS_WIRE_H
#define HIGHWATER_REDIS_WIRE_H

#include "shared/net/tls_client.h"

#include <stddef.h>
#include <uv.h>

struct redis_wire;

struct redis_wire_events {
    void (*on_open)(void *user);
    void (*on_bytes)(void *user, const char *data, size_t bytes);
    void (*on_end)(void *user, const char *reason);
};

struct redis_wire_place {
    const char *address; /* numeric; or the path of a socket, when the port is 0 */
    int port;
    struct tls_client *tls; /* NULL = none; kept by the caller until the wire is closed */
};

/* NULL when it fails at once: `error` is libuv's. */
struct redis_wire *redis_wire_open(uv_loop_t *loop, const struct redis_wire_place *place,
                                   const struct redis_wire_events *events, void *user, int *error);

/* What does not go at once is copied. */
void redis_wire_write(struct redis_wire *wire, const void *data, size_t bytes);

/* What TLS knows of why it has not come to be open, or has ended; false when it knows nothing. */
bool redis_wire_explain(const struct redis_wire *wire, char *out, size_t out_bytes);

void redis_wire_close(struct redis_wire *wire);

#endif
